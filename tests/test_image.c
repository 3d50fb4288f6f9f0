/* The verb `image` over several images: folders and lists, a detector's boxes, masks as prompts, JSON; and its bad input. */
#include "boxes.h"
#include "command.h"
#include "image_io.h"
#include "rle.h"
#include "safetensors.h"
#include "small_model.h"
#include "synthetic_clip.h"
#include "tiny_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

static temp_tree tree;

enum { W = SYNTHETIC_WIDTH, H = SYNTHETIC_HEIGHT, SMALL_W = 60, SMALL_H = 84 };

#define IMAGE "image --weights @/tiny.safetensors --imgsz 128 "

static int make_files(void **state)
{
    (void)state;
    static uint8_t px[W * H];
    tree_open(&tree);
    small_model_make(&tree);
    small_clip_make(&tree, "pics", 2);
    fill_box(px, SMALL_W, 10, 20, 40, 60, 1);
    tree_gray(&tree, "pics/small.png", px, SMALL_W, SMALL_H);
    memset(px, 0, sizeof px);
    fill_box(px, W, 30, 20, 90, 80, 1);
    tree_gray(&tree, "object.png", px, W, H);
    tree_text(&tree, "pics/notes.txt", "no image\n");
    tree_folder(&tree, "nothing");
    tree_text(&tree, "bad/broken.png", "no image either\n");
    tree_gray(&tree, "bad/sound.png", px, W, H);
    tree_text(
        &tree, "coco.json",
        "{\"images\": [{\"id\": 5, \"file_name\": \"train/00000.png\"}, {\"id\": 6, \"file_name\": \"small.png\"}],"
        " \"annotations\": [{\"image_id\": 5, \"bbox\": [20, 16, 80, 60]}, {\"image_id\": 6, \"bbox\": [6, 21, 30, 42]},"
        " {\"image_id\": 5, \"bbox\": [-8, 60, 56, 36]}]}");
    tree_text(&tree, "results.json",
              "[{\"image_id\": 0, \"bbox\": [20, 16, 80, 60], \"score\": 0.5},"
              " {\"image_id\": \"small\", \"bbox\": [6, 21, 30, 42]},"
              " {\"image_id\": 0, \"bbox\": [-8, 60, 56, 36]}]");
    /* 160 x 120 and 60 x 84 */
    tree_text(&tree, "yolo/00000.txt", "0 0.375 0.3833333333 0.5 0.5 0.9\n\n3 0.125 0.65 0.35 0.3\n");
    tree_text(&tree, "yolo/small.txt", "0 0.35 0.5 0.5 0.5\n");
    tree_text(&tree, "flat.txt", "0 0.5 0.5 0.5 0\n");
    tree_text(&tree, "far.txt", "0 1.5 0.5 0.5 0.5\n");
    tree_text(&tree, "words.txt", "a dog\n");
    tree_text(&tree, "flat.json", "[{\"image_id\": 0, \"bbox\": [20, 16, 0, 60]}]");
    tree_text(&tree, "shapeless.json", "[{\"image_id\": 0, \"bbox\": [20, 16, 0]}]");
    tree_text(&tree, "object.json", "{\"boxes\": []}");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

/* `line` with every @ replaced by the test's folder. */
static void run(command_result *r, const char *line)
{
    char full[2048];
    size_t at = 0;
    for (; *line && at + strlen(tree.root) < sizeof full; line++) {
        if (*line == '@')
            at += (size_t)snprintf(full + at, sizeof full - at, "%s", tree.root);
        else
            full[at++] = *line;
    }
    full[at] = 0;
    command(r, "sambench %s", full);
}

static void must(const char *line)
{
    command_result r;
    run(&r, line);
    if (r.code)
        fail_msg("%s: %d: %s", line, r.code, r.text);
}

static json_t *read_json(const char *name)
{
    json_error_t where;
    json_t *root = json_load_file(tree_path(&tree, "%s", name), 0, &where);
    if (!root)
        fail_msg("%s: %s", name, where.text);
    return root;
}

static json_t *object_of(const json_t *root, size_t image, size_t object)
{
    const json_t *i = json_array_get(json_object_get(root, "images"), image);
    return json_array_get(json_object_get(i, "objects"), object);
}

/* A mask of the JSON is the PNG's, and its box and area are those of its pixels. */
static void check_mask(const json_t *m, const char *png)
{
    image from_json = {0}, from_png = {0};
    sam_error err;
    if (rle_read(json_object_get(m, "segmentation"), png, &from_json, &err) != SAM_OK ||
        image_read_mask(tree_path(&tree, "%s", png), MASK_OBJECT, &from_png, &err) != SAM_OK)
        fail_msg("%s", err.text);
    int w = from_png.width, h = from_png.height, area = 0, x0 = w, y0 = h, x1 = -1, y1 = -1;
    assert_true(from_json.width == w && from_json.height == h);
    for (int i = 0; i < w * h; i++) {
        assert_int_equal(from_json.data[i] != 0, from_png.data[i] != 0);
        if (!from_png.data[i])
            continue;
        area++;
        x0 = i % w < x0 ? i % w : x0;
        x1 = i % w > x1 ? i % w : x1;
        y0 = i / w < y0 ? i / w : y0;
        y1 = i / w;
    }
    const json_t *bbox = json_object_get(m, "bbox");
    assert_int_equal(json_integer_value(json_object_get(m, "area")), area);
    const double want[4] = {area ? x0 : 0, area ? y0 : 0, area ? x1 - x0 + 1 : 0, area ? y1 - y0 + 1 : 0};
    for (size_t k = 0; k < 4; k++)
        assert_true(json_number_value(json_array_get(bbox, k)) == want[k]);
    image_free(&from_json);
    image_free(&from_png);
}

static void test_folder_with_boxes(void **state)
{
    (void)state;
    must(IMAGE "--input @/pics --boxes @/coco.json --out @/out --json @/out.json");
    json_t *root = read_json("out.json");
    const json_t *images = json_object_get(root, "images");
    assert_int_equal(json_array_size(images), 3);
    const size_t n_objects[] = {2, 0, 1};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(json_array_size(json_object_get(json_array_get(images, i), "objects")), n_objects[i]);
    check_mask(json_array_get(json_object_get(object_of(root, 0, 0), "masks"), 0), "out/00000/object_1_mask_0.png");
    check_mask(json_array_get(json_object_get(object_of(root, 0, 1), "masks"), 0), "out/00000/object_2_mask_0.png");
    check_mask(json_array_get(json_object_get(object_of(root, 2, 0), "masks"), 0), "out/small/mask_0.png");
    /* The same boxes in the two other forms, and one image by itself by the flag. */
    must(IMAGE "--input @/pics --boxes @/results.json --json @/results_out.json");
    must(IMAGE "--input @/pics/00000.png,@/pics/small.png --boxes @/yolo --json @/yolo_out.json");
    must(IMAGE "--input @/pics/00000.png --box 20,16,100,76 --no-multimask --json @/one.json --out @/alone");
    json_t *results = read_json("results_out.json"), *yolo = read_json("yolo_out.json"), *one = read_json("one.json");
    assert_true(json_equal(object_of(root, 0, 0), object_of(results, 0, 0)));
    assert_true(json_equal(object_of(root, 0, 1), object_of(results, 0, 1)));
    assert_true(json_equal(object_of(root, 2, 0), object_of(results, 2, 0)));
    json_t *a = json_object_get(json_array_get(json_object_get(object_of(root, 0, 0), "masks"), 0), "segmentation");
    json_t *b = json_object_get(json_array_get(json_object_get(object_of(yolo, 0, 0), "masks"), 0), "segmentation");
    json_t *c = json_object_get(json_array_get(json_object_get(object_of(one, 0, 0), "masks"), 0), "segmentation");
    assert_true(json_equal(a, b) && json_equal(a, c));
    check_mask(json_array_get(json_object_get(object_of(one, 0, 0), "masks"), 0), "alone/mask_0.png");
    printf("image: 3 images, 3 boxes by COCO, results and YOLO: the same masks, RLE and PNG equal\n");
    json_decref(root);
    json_decref(results);
    json_decref(yolo);
    json_decref(one);
}

static void test_mask_prompt(void **state)
{
    (void)state;
    must(IMAGE "--input @/pics/00000.png --mask @/object.png --json @/mask.json --no-multimask");
    must(IMAGE "--input @/pics/00000.png --box 30,20,90,80 --json @/box.json --no-multimask");
    json_t *mask = read_json("mask.json"), *box = read_json("box.json");
    assert_int_equal(json_array_size(json_object_get(object_of(mask, 0, 0), "masks")), 1);
    assert_false(json_equal(object_of(mask, 0, 0), object_of(box, 0, 0)));
    json_decref(mask);
    json_decref(box);
    command_result r;
    /* Standard output is the file and nothing else. */
    run(&r, IMAGE "--input @/pics/00000.png --point 20,20 --json - > @/stdout.json 2> /dev/null; true");
    json_t *printed = read_json("stdout.json");
    assert_int_equal(json_array_size(json_object_get(object_of(printed, 0, 0), "masks")), 3);
    json_decref(printed);
}

static const struct {
    const char *line;
    int code;
    const char *part;
} wrong_cases[] = {
    {IMAGE "--input @/nothing --point 1,1", 1, "nothing: a folder without images"},
    {IMAGE "--input @/pics/00000.png --box 5,5,5,20", 1, "object 1: the box (5, 5, 5, 20) has no area"},
    {IMAGE "--input @/pics/00000.png --point 170,50", 1, "is outside the 160 x 120 frame by 10 px"},
    {IMAGE "--input @/pics/00000.png", 2, "nothing to segment"},
    {IMAGE "--input @/pics/00000.png --boxes @/coco.json --point 1,1", 2, "exclude each other"},
    {IMAGE "--input @/pics/00000.png,@/pics/../pics/00000.png --point 1,1 --out @/x", 1, "would both be written to"},
    {IMAGE "--input @/pics --boxes @/flat.txt", 1, "YOLO text is of one image, and there are 3"},
    {IMAGE "--input @/pics/00000.png --boxes @/flat.txt", 1, "flat.txt:1: the box (40, 60, 120, 60) has no area"},
    {IMAGE "--input @/pics/00000.png --boxes @/far.txt", 1, "is outside the 160 x 120 image"},
    {IMAGE "--input @/pics/00000.png --boxes @/words.txt", 1, "expected \"class cx cy w h\""},
    {IMAGE "--input @/pics/00000.png --boxes @/flat.json", 1, "annotation 0: the box (20, 16, 20, 76) has no area"},
    {IMAGE "--input @/pics/00000.png --boxes @/shapeless.json", 1, "annotation 0: expected \"image_id\" and \"bbox\""},
    {IMAGE "--input @/pics/00000.png --boxes @/object.json", 1, "expected COCO's \"annotations\""},
    {IMAGE "--input @/pics/00000.png --boxes @/missing.json", 1, "missing.json"},
    {IMAGE "--input @/pics --point 1,1 --dump @/d.safetensors", 1, "--dump is of one image, --input names 3"},
    {IMAGE "--input @/pics/00000.png --point 1,1 --mem_limit 1M", 1, "the limit is 1 MiB"},
    {IMAGE "--input @/bad --point 9,9 --out @/partly", 1, "1 of 2 images have no result"},
};

static void test_bad_input(void **state)
{
    (void)state;
    command_result r;
    for (size_t i = 0; i < sizeof wrong_cases / sizeof *wrong_cases; i++) {
        run(&r, wrong_cases[i].line);
        if (r.code != wrong_cases[i].code || !strstr(r.text, wrong_cases[i].part))
            fail_msg("%s: %d, expected %d with \"%s\": %s", wrong_cases[i].line, r.code, wrong_cases[i].code,
                     wrong_cases[i].part, r.text);
    }
    /* The sound image of the folder has its result. */
    image m = {0};
    assert_int_equal(image_read_mask(tree_path(&tree, "partly/sound/mask_0.png"), MASK_OBJECT, &m, NULL), SAM_OK);
    image_free(&m);
    printf("image: %zu kinds of bad input, one line each\n", sizeof wrong_cases / sizeof *wrong_cases);
}

/* SAM v1 in the verb: one batch of prompts of every kind, and its features in the dump. */
static void test_sam_v1(void **state)
{
    (void)state;
    st_file file;
    sam_error err;
    tiny_model_write(tree_path(&tree, "vit.safetensors"), TINY_SAM1, tiny_names[TINY_SAM1]);
    must(
        "image --weights @/vit.safetensors --imgsz 64 --input @/pics/00000.png --object 1 --point 20,20 --object 2 --box 20,16,100,76 "
        "--object 3 --mask @/object.png --json @/vit.json --dump @/vit_dump.safetensors");
    json_t *root = read_json("vit.json");
    const size_t n_masks[] = {3, 1, 1};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(json_array_size(json_object_get(object_of(root, 0, i), "masks")), n_masks[i]);
    json_decref(root);
    if (st_open(tree_path(&tree, "vit_dump.safetensors"), &file, &err) != SAM_OK)
        fail_msg("%s", err.text);
    const st_tensor *features = st_find(&file, "features/image_embed");
    assert_non_null(features);
    assert_int_equal(st_count(features), TINY_PX / 16 * (TINY_PX / 16) * 32);
    st_close(&file);
}

/* Run lengths that are written are read back equal: empty, full, noise, long runs. */
static void test_rle_round_trip(void **state)
{
    (void)state;
    enum { N = 97, M = 53 };
    static uint8_t mask[N * M];
    uint32_t seed = 7;
    for (int kind = 0; kind < 4; kind++) {
        image back = {0};
        sam_error err;
        for (int i = 0; i < N * M; i++) {
            seed = seed * 1664525u + 1013904223u;
            mask[i] = kind == 0 ? 0 : kind == 1 ? 1 : kind == 2 ? seed >> 31 : i % N > 20 && i % N < 70 && i / N > 9;
        }
        json_t *rle = rle_write(mask, N, N, M);
        assert_non_null(rle);
        if (rle_read(rle, "round trip", &back, &err) != SAM_OK)
            fail_msg("%s", err.text);
        assert_true(back.width == N && back.height == M);
        assert_memory_equal(back.data, mask, sizeof mask);
        image_free(&back);
        json_decref(rle);
    }
    /* pycocotools.mask.encode of the 2 x 3 mask [[0, 1, 1], [0, 0, 1]]. */
    const uint8_t small[] = {0, 1, 1, 0, 0, 1};
    json_t *rle = rle_write(small, 3, 3, 2);
    assert_string_equal(json_string_value(json_object_get(rle, "counts")), "2111");
    json_decref(rle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rle_round_trip), cmocka_unit_test(test_folder_with_boxes),
                                       cmocka_unit_test(test_mask_prompt), cmocka_unit_test(test_sam_v1),
                                       cmocka_unit_test(test_bad_input)};
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
