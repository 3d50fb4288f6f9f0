/* Data sets on disk: each layout, lists, limits, order, and messages for what is malformed. */
#include "dataset.h"
#include "temp_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { W = 32, H = 20 };

static temp_tree tree;

static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

static void add_frames(const char *folder, int n, int step)
{
    for (int i = 0; i < n; i++) {
        char path[192];
        snprintf(path, sizeof path, "%s/%05d.jpg", folder, i * step);
        tree_text(&tree, path, ""); /* names only: dataset.c does not read frames */
    }
}

/* A mask with a 4 x 4 square per value at x = 8 * i. */
static void add_mask(const char *path, const int *values, int n, int width)
{
    uint8_t px[W * H] = {0};
    for (int i = 0; i < n; i++)
        fill_box(px, width, 8 * i, 2, 8 * i + 4, 6, values[i]);
    tree_mask(&tree, path, px, width, H);
}

static void add_sav(const char *root, const char *video, int n_objects)
{
    char path[128];
    snprintf(path, sizeof path, "%s/JPEGImages_24fps/%s", root, video);
    add_frames(path, 9, 1);
    for (int o = 0; o < n_objects; o++) {
        for (int i = 0; i < 9; i += 4) {
            snprintf(path, sizeof path, "%s/Annotations_6fps/%s/%03d/%05d.png", root, video, o, i);
            add_mask(path, (int[]){255}, 1, W);
        }
    }
}

static sam_status open_set(dataset *d, const char *root, const dataset_options *o, sam_error *err)
{
    return dataset_open(d, tree_path(&tree, "%s", root), o, err);
}

static void sav_by_list_and_by_folder(void **state)
{
    (void)state;
    dataset d;
    sam_error err;
    image mask = {0};
    add_sav("set", "b", 2);
    add_sav("set", "a", 1);
    tree_folder(&tree, "set/JPEGImages_24fps/unannotated");
    assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = "sav_val"}, &err), SAM_OK);
    assert_true(d.layout == DATASET_SAV && !d.list_file && d.n_videos == 2 && d.n_unannotated == 1);
    assert_string_equal(d.videos[0].name, "a");
    dataset_close(&d);

    tree_text(&tree, "set/sav_val.txt", "b\r\n\n  a\nb\n");
    assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = "sav_val"}, &err), SAM_OK);
    assert_true(d.list_file && d.n_videos == 2);
    const dataset_video *v = &d.videos[0];
    assert_string_equal(v->name, "b");
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_OK);
    assert_true(v->frames.n == 9 && v->n_objects == 2 && v->objects[1].n_annotated == 3);
    assert_string_equal(v->objects[1].name, "001");
    assert_true(v->objects[1].annotated[0] == 0 && v->objects[1].annotated[2] == 8);
    assert_int_equal(dataset_read_mask(&d, 0, 1, 8, W, H, &mask, &err), SAM_OK);
    assert_true(mask.data[2 * W] == 1 && mask.data[2 * W + 4] == 0);
    char *path;
    assert_int_equal(dataset_frame_path(&d, 0, 8, &path, &err), SAM_OK);
    assert_non_null(strstr(path, "set/JPEGImages_24fps/b/00008.jpg"));
    free(path);
    assert_int_equal(dataset_frame_path(&d, 0, 9, &path, &err), SAM_E_ARG);
    assert_int_equal(dataset_read_mask(&d, 0, 1, 7, W, H, &mask, &err), SAM_E_ARG);
    assert_int_equal(dataset_read_mask(&d, 0, 1, 8, W + 1, H, &mask, &err), SAM_E_FORMAT);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "001/00008.png: is 32 x 20, expected 33 x 20"));
    image_free(&mask);
    dataset_close(&d);

    assert_int_equal(open_set(&d, "", &(dataset_options){.split_name = "set", .limit_objects = 1}, &err), SAM_OK);
    assert_true(d.n_videos == 2 && d.videos[1].n_objects == 1);
    dataset_close(&d);
}

static void sav_from_video_files(void **state)
{
    (void)state;
    dataset d;
    sam_error err;
    image mask = {0};
    tree_text(&tree, "set/clip.mp4", "");
    add_mask("set/Annotations_6fps/clip/000/00012.png", (int[]){1}, 1, W);
    add_mask("set/Annotations_6fps/clip/000/00100.png", (int[]){1}, 1, W);
    assert_int_equal(open_set(&d, "set", NULL, &err), SAM_OK);
    assert_true(d.videos[0].video_file && !d.videos[0].frames_dir && d.videos[0].objects[0].annotated[1] == 100);
    assert_int_equal(dataset_read_mask(&d, 0, 0, 100, 0, 0, &mask, &err), SAM_OK);
    image_free(&mask);
    dataset_close(&d);
}

static void davis_2017_and_2016(void **state)
{
    (void)state;
    dataset d;
    sam_error err;
    image mask = {0};
    for (int i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, "set/Annotations/480p/dogs/%05d.png", i);
        add_mask(path, (int[]){i ? 3 : 2, 1, 255}, 3, W);
        snprintf(path, sizeof path, "set/Annotations/480p/bear/%05d.png", i);
        add_mask(path, (int[]){255}, 1, W);
    }
    add_frames("set/JPEGImages/480p/dogs", 4, 1);
    add_frames("set/JPEGImages/480p/bear", 4, 1);
    tree_text(&tree, "set/ImageSets/2017/val.txt", "dogs\n");
    tree_text(&tree, "set/ImageSets/480p/old.txt",
              "/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png \n"
              "/JPEGImages/480p/bear/00001.jpg /Annotations/480p/bear/00001.png \n"
              "/JPEGImages/480p/dogs/00000.jpg /Annotations/480p/dogs/00000.png \n");

    assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = "val"}, &err), SAM_OK);
    assert_true(d.layout == DATASET_DAVIS && d.n_videos == 1);
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_OK);
    assert_int_equal(d.videos[0].n_objects, 2); /* of the first frame: not 3, not void */
    assert_string_equal(d.videos[0].objects[1].name, "002");
    assert_true(d.videos[0].objects[1].value == 2 && d.videos[0].objects[1].n_annotated == 4);
    assert_int_equal(dataset_read_mask(&d, 0, 1, 1, W, H, &mask, &err), SAM_OK); /* absent there */
    for (int i = 0; i < W * H; i++)
        assert_int_equal(mask.data[i], 0);
    dataset_close(&d);

    assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = "old"}, &err), SAM_OK);
    assert_int_equal(d.n_videos, 2);
    assert_string_equal(d.videos[0].name, "bear");
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_OK);
    assert_true(d.videos[0].n_objects == 1 && d.videos[0].objects[0].value == 255);
    assert_int_equal(dataset_read_mask(&d, 0, 0, 3, W, H, &mask, &err), SAM_OK);
    assert_int_equal(mask.data[2 * W], 1);
    image_free(&mask);
    dataset_close(&d);
}

static void flat_with_sparse_annotations(void **state)
{
    (void)state;
    dataset d;
    sam_error err;
    add_frames("set/JPEGImages/v", 12, 5);
    add_mask("set/Annotations/v/00000.png", (int[]){1}, 1, W);
    add_mask("set/Annotations/v/00025.png", (int[]){1, 4}, 2, W);
    add_mask("set/Annotations/v/00050.png", (int[]){4}, 1, W);
    tree_text(&tree, "set/JPEGImages/w/2.jpg", "");
    tree_text(&tree, "set/JPEGImages/w/10.jpg", "");
    add_mask("set/Annotations/w/10.png", (int[]){9}, 1, W);
    assert_int_equal(open_set(&d, "set", NULL, &err), SAM_OK);
    assert_true(d.layout == DATASET_FLAT && d.n_videos == 2);
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_OK);
    const dataset_object *o = d.videos[0].objects;
    assert_true(d.videos[0].n_objects == 2 && o[0].value == 1 && o[1].value == 4);
    assert_true(o[0].n_annotated == 3 && o[0].annotated[1] == 5 && o[0].annotated[2] == 10);
    assert_true(o[1].n_annotated == 2 && o[1].annotated[0] == 5);
    assert_int_equal(dataset_find_objects(&d, 1, &err), SAM_OK);
    assert_int_equal(d.videos[1].objects[0].annotated[0], 1); /* 10.jpg comes after 2.jpg */
    dataset_close(&d);
}

static void order_and_limits(void **state)
{
    (void)state;
    dataset d;
    sam_error err;
    char orders[3][64] = {"", "", ""};
    for (int i = 0; i < 8; i++)
        add_sav("set", (char[]){(char)('a' + i), 0}, 1);
    static const uint64_t seeds[] = {1, 1, 2};
    for (int k = 0; k < 3; k++) {
        dataset_options o = {.shuffle = 1, .seed = seeds[k], .limit_videos = 5};
        assert_int_equal(open_set(&d, "set", &o, &err), SAM_OK);
        assert_int_equal(d.n_videos, 5);
        for (int i = 0; i < 5; i++)
            strcat(orders[k], d.videos[i].name);
        printf("seed %d: %s\n", (int)seeds[k], orders[k]);
        dataset_close(&d);
    }
    assert_string_equal(orders[0], orders[1]);
    assert_string_not_equal(orders[0], orders[2]);
    /* The first numbers of the published generator for state 1234567. */
    uint64_t s = 1234567;
    assert_true(splitmix64(&s) == UINT64_C(6457827717110365317) && splitmix64(&s) == UINT64_C(3203168211198807973));
}

typedef struct bad_case {
    const char *add, *text; /* a file with this text; NULL: a folder */
    const char *remove;
    sam_status status;
    const char *part;
} bad_case;

static const bad_case bad_cases[] = {
    {"set/val.txt", "a\nnone\n", NULL, SAM_E_IO, "JPEGImages_24fps/none: no such folder"},
    {"set/val.txt", "\n", NULL, SAM_E_FORMAT, "val.txt: lists no video"},
    {"set/val.txt", "../../etc\n", NULL, SAM_E_FORMAT, "'../../etc' is not the name of a video"},
    {"set/val.txt", "a\n", "set/Annotations_6fps/a", SAM_E_IO, "Annotations_6fps/a: no such folder"},
    {NULL, NULL, "set/JPEGImages_24fps/a/00004.jpg", SAM_E_FORMAT, "00004.png: annotates a frame that is not in"},
    {NULL, NULL, "set/JPEGImages_24fps/a", SAM_E_IO, "JPEGImages_24fps/a: no such folder"},
    {NULL, NULL, "set/Annotations_6fps/a/000", SAM_E_FORMAT, "Annotations_6fps/a: no annotations"},
    {"set/Annotations_6fps/a/000/", NULL, "set/Annotations_6fps/a/000", SAM_E_FORMAT, "a/000: holds no .png"},
    {"set/JPEGImages_24fps/a/", NULL, "set/JPEGImages_24fps/a", SAM_E_FORMAT, "a: holds no .jpg or .png frame"},
    {NULL, NULL, "set/Annotations_6fps/a", SAM_E_FORMAT, "Annotations_6fps: no annotations at all"},
    {NULL, NULL, "set/Annotations_6fps", SAM_E_FORMAT, "no Annotations_6fps, Annotations/480p or Annotations folder"},
    {NULL, NULL, "set", SAM_E_IO, "set: no such folder"},
    {"set/clip.mp4", "", "set/JPEGImages_24fps/a", SAM_E_IO, "no a.mp4 in"},
};

static void names_what_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_cases / sizeof *bad_cases; i++) {
        const bad_case *c = &bad_cases[i];
        dataset d;
        sam_error err = {0};
        add_sav("set", "a", 1);
        if (c->remove)
            tree_remove(&tree, c->remove);
        if (c->add && c->text)
            tree_text(&tree, c->add, c->text);
        else if (c->add)
            tree_folder(&tree, c->add);
        sam_status status = open_set(&d, "set", &(dataset_options){.split_name = "val"}, &err);
        printf("%s\n", err.text);
        assert_int_equal(status, c->status);
        assert_non_null(strstr(err.text, c->part));
        dataset_close(&d);
        tree_remove(&tree, "set");
    }
}

static void names_what_is_wrong_in_masks(void **state)
{
    (void)state;
    dataset d;
    sam_error err;
    add_frames("set/JPEGImages/480p/v", 2, 1);
    add_mask("set/Annotations/480p/v/00000.png", NULL, 0, W);
    add_mask("set/Annotations/480p/v/00001.png", (int[]){1}, 1, W);
    assert_int_equal(open_set(&d, "set", NULL, &err), SAM_OK);
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_E_FORMAT);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "the first annotation is empty"));
    dataset_close(&d);

    tree_text(&tree, "set/Annotations/480p/v/00000.png", "no image");
    assert_int_equal(open_set(&d, "set", NULL, &err), SAM_OK);
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_E_FORMAT);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "480p/v/00000.png"));
    dataset_close(&d);
}

static void a_real_clip(void **state)
{
    (void)state;
    dataset d;
    sam_error err = {0};
    image mask = {0};
    if (!path_is_folder(SHARED_DIR "/data/sav_bedroom")) {
        printf("no " SHARED_DIR "/data/sav_bedroom: skipped\n");
        skip();
    }
    assert_int_equal(
        dataset_open(&d, SHARED_DIR "/data/sav_bedroom", &(dataset_options){.split_name = "sav_val"}, &err), SAM_OK);
    assert_true(d.n_videos == 1 && d.videos[0].frames.n == 80 && d.videos[0].n_objects == 2);
    for (int o = 0; o < 2; o++) {
        const dataset_object *object = &d.videos[0].objects[o];
        for (int i = 0; i < object->n_annotated; i++) {
            assert_int_equal(dataset_read_mask(&d, 0, o, object->annotated[i], 960, 540, &mask, &err), SAM_OK);
            int n_px = 0;
            for (int p = 0; p < 960 * 540; p++)
                n_px += mask.data[p];
            printf("%s/%s frame %2d: %d pixels\n", d.videos[0].name, object->name, object->annotated[i], n_px);
            assert_true(n_px > 0);
        }
    }
    assert_true(d.videos[0].objects[0].n_annotated == 4 && d.videos[0].objects[0].annotated[3] == 72);
    assert_int_equal(d.videos[0].objects[1].n_annotated, 1);
    image_free(&mask);
    dataset_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sav_by_list_and_by_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sav_from_video_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(davis_2017_and_2016, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flat_with_sparse_annotations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_and_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_what_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_what_is_wrong_in_masks, set_up, tear_down),
        cmocka_unit_test(a_real_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
