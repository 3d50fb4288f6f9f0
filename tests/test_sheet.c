/* The verb sheet: what is drawn where, both formats, and input that is wrong. */
#include "image_io.h"
#include "verb_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { W = 96, H = 64, GAP = 4, FRAMES = 9, ANNOTATED = 5 };

static temp_tree tree;
static command_result result;

/* Object o of frame t of sav_video_make is a box of 30 x 30; these masks have its upper left 20 x 20. */
static void write_masks(const char *folder)
{
    for (int o = 0; o < 2; o++)
        for (int t = 0; t < FRAMES; t++) {
            uint8_t px[H * W] = {0};
            char path[128];
            int x = 10 + 2 * t + 20 * o;
            fill_box(px, W, x, 10, x + 20, 30, 1);
            snprintf(path, sizeof path, "%s/clip/%03d/%05d.png", folder, o, t);
            tree_gray(&tree, path, px, W, H);
        }
}

static int is_color(const image *im, int x, int y, int r, int g, int b)
{
    const uint8_t *p = im->data + 3 * ((size_t)y * (size_t)im->width + (size_t)x);
    return abs(p[0] - r) + abs(p[1] - g) + abs(p[2] - b) < 12;
}

static image read(const char *path)
{
    image im = {0};
    sam_error err;
    if (image_read_rgb(tree_path(&tree, "%s", path), &im, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return im;
}

/* Two objects in rows, annotated frames 0, 4 and 8 in columns: contours lie where the boxes are. */
static void contours_are_where_they_belong(void **state)
{
    (void)state;
    verb_line(
        &result, &tree, 0,
        "sheet --split_dir @/split --masks @/masks --columns 3 --tile 96 --whole_frames --out @/pictures/sheet.png");
    image im = read("pictures/sheet.png");
    assert_int_equal(im.width, 3 * (W + GAP) + GAP);
    assert_int_equal(im.height, 2 * (H + GAP) + GAP);
    int n = 0;
    for (int o = 0; o < 2; o++)
        for (int c = 0; c < 3; c++) {
            int x0 = GAP + c * (W + GAP), y0 = GAP + o * (H + GAP), left = x0 + 10 + 2 * 4 * c + 20 * o;
            n += is_color(&im, left + 19, y0 + 25, 230, 159, 0);   /* right side of the result */
            n += is_color(&im, left + 29, y0 + 35, 255, 255, 255); /* of the annotation */
        }
    printf("sheet: %d of 12 points of contours have their colour\n", n);
    assert_int_equal(n, 12);
    image_free(&im);
}

static void rows_for_each_folder_and_jpeg(void **state)
{
    (void)state;
    verb_line(&result, &tree, 0,
              "sheet --split_dir @/split --masks @/masks,@/more --limit_objects 1 --columns 64 --tile 96 --out "
              "@/sheet.jpg");
    image im = read("sheet.jpg");
    assert_int_equal(im.width, ANNOTATED * (W + GAP) + GAP); /* no more columns than annotated frames */
    assert_int_equal(im.height, 2 * (H + GAP) + GAP);
    image_free(&im);
    FILE *f = fopen(tree_path(&tree, "sheet.jpg"), "rb");
    assert_true(f && fgetc(f) == 0xff && fgetc(f) == 0xd8);
    fclose(f);
}

static void wrong_use_is_told(void **state)
{
    (void)state;
    static const uint8_t small[16];
    verb_says(&tree, 2, "--split_dir", "sheet --masks @/masks");
    verb_says(&tree, 1, "no such folder", "sheet --split_dir @/split --masks @/masks,@/nowhere --out @/x.png");
    verb_says(&tree, 1, "nowhere", "sheet --split_dir @/nowhere --masks @/masks --out @/x.png");
    verb_says(&tree, 1, "/proc/none", "sheet --split_dir @/split --masks @/masks --out /proc/none/x.png");
    tree_remove(&tree, "more/clip/001/00004.png");
    verb_says(&tree, 1, "00004.png: no such file", "sheet --split_dir @/split --masks @/more --out @/x.png");
    tree_gray(&tree, "more/clip/001/00004.png", small, 4, 4);
    verb_says(&tree, 1, "is 4 x 4, the frame is 96 x 64", "sheet --split_dir @/split --masks @/more --out @/x.png");
    tree_text(&tree, "more/clip/001/00004.png", "no picture");
    verb_says(&tree, 1, "00004.png", "sheet --split_dir @/split --masks @/more --out @/x.png");
}

static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    sav_video_make(&tree, "split", "clip", FRAMES);
    write_masks("masks");
    write_masks("more");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contours_are_where_they_belong),
        cmocka_unit_test(rows_for_each_folder_and_jpeg),
        cmocka_unit_test(wrong_use_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
