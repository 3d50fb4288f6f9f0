/* The verb `amg`: its JSON as documented and with the masks of its pictures, folders, flags, and its bad input. What masks there
 * ought to be is tests/test_amg.c. */
#include "image_io.h"
#include "rle.h"
#include "small_model.h"
#include "synthetic_clip.h"
#include "verb_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

#define AMG "amg --weights " SOURCE_DIR "/models/demo_sam2.1.safetensors --device cpu "
#define FEW "--points_per_side 4 --pred_iou_thresh 0.3 --stability_score_thresh 0.3 --box_nms_thresh 0.9 "

static temp_tree tree;

static int make(void **state)
{
    (void)state;
    tree_open(&tree);
    small_clip_make(&tree, "pics", 2);
    tree_folder(&tree, "nothing");
    tree_text(&tree, "clip.mp4", "....ftypisom....");
    tree_text(&tree, "mixed/a.png", "no image\n");
    return 0;
}

static int clean(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

static image read_picture(const char *path, int palette)
{
    image im = {0};
    sam_error err;
    if ((palette ? image_read_mask(tree_path(&tree, "%s", path), MASK_IDS, &im, &err)
                 : image_read_rgb(tree_path(&tree, "%s", path), &im, &err)) != SAM_OK)
        fail_msg("%s", err.text);
    assert_true(im.width == SYNTHETIC_WIDTH && im.height == SYNTHETIC_HEIGHT);
    return im;
}

/* The smallest mask at each pixel, from the JSON; 0 of none. Returns how many masks there are. */
static int number_pixels(const json_t *masks, uint8_t *numbers)
{
    image im = {0};
    sam_error err;
    int n_px = SYNTHETIC_WIDTH * SYNTHETIC_HEIGHT, n = (int)json_array_size(masks);
    int *area = calloc((size_t)n_px, sizeof *area);
    assert_non_null(area);
    memset(numbers, 0, (size_t)n_px);
    for (int i = 0; i < n; i++) {
        const json_t *m = json_array_get(masks, (size_t)i);
        int a = (int)json_integer_value(json_object_get(m, "area")), found = 0;
        if (rle_read(json_object_get(m, "segmentation"), "masks.json", &im, &err) != SAM_OK)
            fail_msg("%s", err.text);
        for (int p = 0; p < n_px; p++) {
            found += im.data[p] != 0;
            if (!im.data[p] || (numbers[p] && area[p] < a))
                continue;
            numbers[p] = (uint8_t)(i + 1);
            area[p] = a;
        }
        assert_int_equal(found, a);
    }
    image_free(&im);
    free(area);
    return n;
}

static void test_folder(void **state)
{
    (void)state;
    static uint8_t numbers[SYNTHETIC_WIDTH * SYNTHETIC_HEIGHT];
    command_result r;
    verb_line(&r, &tree, 0, AMG FEW "--input @/pics --out @/out --json @/masks.json");
    assert_non_null(strstr(r.text, "00000.png, 160 x 120: "));
    assert_non_null(strstr(r.text, " masks of 16 points, "));
    json_t *root = verb_json(&tree, "masks.json");
    const json_t *images = json_object_get(root, "images");
    assert_int_equal(json_array_size(images), 2);
    for (size_t k = 0; k < 2; k++) {
        const json_t *masks = json_object_get(json_array_get(images, k), "masks");
        char path[64];
        int n_coloured = 0;
        assert_true(number_pixels(masks, numbers) > 1);
        documented_keys(json_array_get(masks, 0), "files.md", "## `amg --json FILE`");
        snprintf(path, sizeof path, "out/0000%zu/masks.png", k);
        image index = read_picture(path, 1);
        assert_memory_equal(index.data, numbers, sizeof numbers);
        snprintf(path, sizeof path, "out/0000%zu/overlay.png", k);
        image overlay = read_picture(path, 0);
        snprintf(path, sizeof path, "pics/0000%zu.png", k);
        image plain = read_picture(path, 0);
        for (size_t p = 0; p < sizeof numbers; p++) {
            int same = !memcmp(overlay.data + 3 * p, plain.data + 3 * p, 3);
            assert_true(numbers[p] || same);
            n_coloured += !same;
        }
        assert_true(n_coloured > 0);
        image_free(&index);
        image_free(&overlay);
        image_free(&plain);
    }
    json_decref(root);
}

/* Standard output is the file; crops and flags by their official names. */
static void test_one_image(void **state)
{
    (void)state;
    command_result r;
    verb_line(&r, &tree, 0,
              AMG FEW "--input @/pics/00000.png --json - --crop_n_layers 1 --crop_n_points_downscale_factor 2 "
                      "--crop_nms_thresh 0.8 --crop_overlap_ratio 0.3 --points_per_batch 5 --min_mask_region_area 4 "
                      "--stability_score_offset 0.5 --mask_threshold 0.1 --use_m2m --no-multimask --mem_limit 4G");
    assert_int_equal(r.text[0], '{');
    assert_non_null(strstr(r.text, "\"crop_box\""));
}

static void test_bad_input(void **state)
{
    (void)state;
    verb_says(&tree, 1, "nothing: a folder without images (.jpg, .jpeg, .png, .bmp", AMG "--input @/nothing");
    verb_says(&tree, 1, "clip.mp4: a video; amg reads images", AMG "--input @/clip.mp4");
    verb_says(&tree, 1, "1 of 3 images have no result", AMG FEW "--input @/mixed,@/pics --quiet");
    verb_says(&tree, 1, "missing.png", AMG "--input @/missing.png");
    verb_says(&tree, 1, "the limit is 10 MiB", AMG "--input @/pics/00000.png --mem_limit 10M");
    verb_says(&tree, 1, "stability_score_thresh 3: expected 0 to 1",
              AMG "--input @/pics/00000.png --stability_score_thresh 3");
    verb_says(&tree, 1, "too few for", AMG "--input @/pics/00000.png --crop_n_layers 6 --crop_overlap_ratio 0.9");
    verb_says(&tree, 2, "--points_per_side", AMG "--input @/pics --points_per_side 0");
    verb_says(&tree, 2, "--points_per_sid", AMG "--input @/pics --points_per_sid 8");
    verb_says(&tree, 2, "--input", AMG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_folder), cmocka_unit_test(test_one_image),
                                       cmocka_unit_test(test_bad_input)};
    return cmocka_run_group_tests(tests, make, clean);
}
