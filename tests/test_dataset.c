/* Data sets on disk: each layout, lists, limits, order, and messages for what is malformed. */
#include "dataset.h"
#include "temp_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- each layout as it is published, and each way of being broken ---- */

static void add_masks(const char *folder, const int *values, int n, int n_frames, int step)
{
    for (int i = 0; i < n_frames; i++) {
        char path[192];
        snprintf(path, sizeof path, "%s/%05d.png", folder, i * step);
        add_mask(path, values, n, W);
    }
}

static void make_sav(void)
{
    add_sav("set", "a", 1);
    tree_text(&tree, "set/sav_test.txt", "a\n");
}

static void make_davis_2017(void)
{
    add_frames("set/JPEGImages/480p/a", 3, 1);
    add_masks("set/Annotations/480p/a", (int[]){1, 2}, 2, 3, 1);
    tree_text(&tree, "set/ImageSets/2017/val.txt", "a\n");
    tree_text(&tree, "set/ImageSets/2016/train.txt", "a\n");
}

static void make_davis_2016(void)
{
    add_frames("set/JPEGImages/480p/a", 3, 1);
    add_masks("set/Annotations/480p/a", (int[]){255}, 1, 3, 1);
    tree_text(&tree, "set/ImageSets/480p/val.txt", "/JPEGImages/480p/a/00000.jpg /Annotations/480p/a/00000.png \n");
}

/* MOSE annotates the first frame, YouTube-VOS every fifth, and objects that come later where they come. */
static void make_flat(void)
{
    add_frames("set/JPEGImages/a", 11, 1);
    add_masks("set/Annotations/a", (int[]){1, 3}, 2, 3, 5);
    tree_text(&tree, "set/meta.json", "{}");
}

#define MASKLET "{\"size\": [20, 32], \"counts\": [50, 10, 580]}"
static void make_train(void)
{
    tree_text(&tree, "set/sav_000/sav_000001.mp4", "");
    tree_text(&tree, "set/sav_000/sav_000001_manual.json", "{\"masklet_id\": [0], \"masklet\": [[" MASKLET "]]}");
    tree_text(&tree, "set/sav_000/sav_000001_auto.json", "{}");
    tree_text(&tree, "set/sav_001/sav_000900.mp4", "");
    tree_text(&tree, "set/sav_001/sav_000900_auto.json", "{\"masklet_id\": [0], \"masklet\": [[" MASKLET "]]}");
}

typedef struct bad_case {
    void (*make)(void);
    const char *add, *text; /* a file with this text; NULL: a folder */
    const char *remove;
    sam_status status;
    const char *part;
} bad_case;

static const bad_case bad_cases[] = {
    /* SA-V val and test */
    {make_sav, "set/val.txt", "a\nnone\n", NULL, SAM_E_IO, "JPEGImages_24fps/none: no such folder"},
    {make_sav, "set/val.txt", "\n", NULL, SAM_E_FORMAT, "val.txt: lists no video"},
    {make_sav, "set/val.txt", "../../etc\n", NULL, SAM_E_FORMAT, "'../../etc' is not the name of a video"},
    {make_sav, "set/val.txt", "a\n", "set/Annotations_6fps/a", SAM_E_IO, "Annotations_6fps/a: no such folder"},
    {make_sav, NULL, NULL, "set/JPEGImages_24fps/a/00004.jpg", SAM_E_FORMAT,
     "00004.png: annotates a frame that is not in"},
    {make_sav, NULL, NULL, "set/JPEGImages_24fps/a", SAM_E_IO, "JPEGImages_24fps/a: no such folder"},
    {make_sav, NULL, NULL, "set/Annotations_6fps/a/000", SAM_E_FORMAT, "Annotations_6fps/a: no annotations"},
    {make_sav, "set/Annotations_6fps/a/000/", NULL, "set/Annotations_6fps/a/000", SAM_E_FORMAT, "a/000: holds no .png"},
    {make_sav, "set/JPEGImages_24fps/a/", NULL, "set/JPEGImages_24fps/a", SAM_E_FORMAT,
     "a: holds no frame (.jpg, .jpeg, .png"},
    {make_sav, NULL, NULL, "set/Annotations_6fps/a", SAM_E_FORMAT, "Annotations_6fps: no annotations at all"},
    {make_sav, NULL, NULL, "set/Annotations_6fps", SAM_E_FORMAT,
     "frames in JPEGImages_24fps, but Annotations_6fps is missing"},
    {make_sav, NULL, NULL, "set", SAM_E_IO, "set: no such folder"},
    {make_sav, "set/clip.mp4", "", "set/JPEGImages_24fps/a", SAM_E_IO, "no a.mp4 in"},
    {make_sav, "set/Annotations_6fps/a/000/00004.png", "no image", NULL, SAM_E_FORMAT,
     "000/00004.png: not a JPEG, PNG, BMP"},
    /* DAVIS 2017 */
    {make_davis_2017, "set/ImageSets/2017/val.txt", "a\nb\n", NULL, SAM_E_IO, "JPEGImages/480p/b: no such folder"},
    {make_davis_2017, "set/ImageSets/2017/val.txt", "\n", NULL, SAM_E_FORMAT, "2017/val.txt: lists no video"},
    {make_davis_2017, NULL, NULL, "set/ImageSets/2017/val.txt", SAM_E_ARG, "has no such list; there are 2016/train"},
    {make_davis_2017, NULL, NULL, "set/Annotations/480p/a", SAM_E_IO, "Annotations/480p/a: no such folder"},
    {make_davis_2017, NULL, NULL, "set/Annotations", SAM_E_FORMAT,
     "frames in JPEGImages/480p, but Annotations/480p is missing"},
    {make_davis_2017, NULL, NULL, "set/JPEGImages", SAM_E_IO, "JPEGImages/480p/a: no such folder"},
    {make_davis_2017, NULL, NULL, "set/JPEGImages/480p/a/00002.jpg", SAM_E_FORMAT,
     "00002.png: annotates a frame that is not in"},
    {make_davis_2017, "set/Annotations/480p/a/00000.png", "no image", NULL, SAM_E_FORMAT,
     "480p/a/00000.png: not a JPEG, PNG, BMP"},
    {make_davis_2017, "set/Annotations/480p/a/", NULL, "set/Annotations/480p/a", SAM_E_FORMAT,
     "480p/a: holds no .png annotation"},
    /* DAVIS 2016 */
    {make_davis_2016, "set/ImageSets/480p/val.txt", "/JPEGImages/480p/b/00000.jpg x\n", NULL, SAM_E_IO,
     "480p/b: no such folder"},
    {make_davis_2016, "set/ImageSets/480p/val.txt", "/00000.jpg x\n", NULL, SAM_E_FORMAT, "is not the name of a video"},
    {make_davis_2016, NULL, NULL, "set/JPEGImages/480p/a/00001.jpg", SAM_E_FORMAT,
     "00001.png: annotates a frame that is not in"},
    {make_davis_2016, NULL, NULL, "set/Annotations/480p/a", SAM_E_IO, "Annotations/480p/a: no such folder"},
    /* MOSE, YouTube-VOS, LVOS */
    {make_flat, "set/val.txt", "a\nb\n", NULL, SAM_E_IO, "JPEGImages/b: no such folder"},
    {make_flat, NULL, NULL, "set/JPEGImages/a/00005.jpg", SAM_E_FORMAT, "00005.png: annotates a frame that is not in"},
    {make_flat, NULL, NULL, "set/Annotations", SAM_E_FORMAT, "frames in JPEGImages, but Annotations is missing"},
    {make_flat, NULL, NULL, "set/Annotations/a", SAM_E_FORMAT, "Annotations: no annotations at all"},
    {make_flat, "set/Annotations/a/", NULL, "set/Annotations/a", SAM_E_FORMAT,
     "Annotations/a: holds no .png annotation"},
    {make_flat, "set/JPEGImages/a/", NULL, "set/JPEGImages/a", SAM_E_FORMAT, "a: holds no frame (.jpg, .jpeg, .png"},
    {make_flat, "set/Annotations/a/00010.png", "", NULL, SAM_E_FORMAT, "00010.png: the file is empty"},
    /* SA-V train */
    {make_train, NULL, NULL, "set/sav_000/sav_000001.mp4", SAM_E_IO,
     "sav_000/sav_000001.mp4: no such file, but annotations"},
    {make_train, "set/val.txt", "sav_000001\nsav_000002\n", NULL, SAM_E_IO, "no sav_000002_manual.json or _auto.json"},
    {make_train, "set/sav_001/sav_000001_auto.json", "{}", NULL, SAM_E_FORMAT, "are two videos of one name"},
    {make_train, "set/sav_000/sav_000001_manual.json", "{", NULL, SAM_E_FORMAT, "sav_000001_manual.json, line 1"},
};

static void names_what_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_cases / sizeof *bad_cases; i++) {
        const bad_case *c = &bad_cases[i];
        dataset d;
        sam_error err = {0};
        image mask = {0};
        c->make();
        if (c->remove)
            tree_remove(&tree, c->remove);
        if (c->add && c->text)
            tree_text(&tree, c->add, c->text);
        else if (c->add)
            tree_folder(&tree, c->add);
        sam_status status = open_set(
            &d, "set", &(dataset_options){.split_name = "val", .split_required = c->status == SAM_E_ARG}, &err);
        for (int v = d.n_videos - 1; status == SAM_OK && v >= 0; v--)
            status = dataset_find_objects(&d, v, &err);
        for (int k = 0; status == SAM_OK && k < d.videos[0].objects[0].n_annotated; k++)
            status = dataset_read_mask(&d, 0, 0, d.videos[0].objects[0].annotated[k], W, H, &mask, &err);
        printf("%s\n", err.text);
        if (!strstr(err.text, c->part))
            fprintf(stderr, "case %d: %s, expected: %s\n", (int)i, err.text, c->part);
        assert_int_equal(status, c->status);
        assert_non_null(strstr(err.text, c->part));
        image_free(&mask);
        dataset_close(&d);
        tree_remove(&tree, "set");
    }
}

static void training_videos_lie_in_parts(void **state)
{
    (void)state;
    dataset d;
    sam_error err;
    image mask = {0};
    make_train();
    assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = "sav_val"}, &err), SAM_OK);
    assert_true(d.layout == DATASET_SAV_TRAIN && d.n_videos == 2);
    assert_string_equal(d.videos[0].name, "sav_000001");
    assert_string_equal(d.videos[1].name, "sav_000900");
    assert_non_null(strstr(d.videos[1].video_file, "sav_001/sav_000900.mp4"));
    assert_int_equal(dataset_find_objects(&d, 1, &err), SAM_OK);
    assert_int_equal(dataset_read_mask(&d, 1, 0, 0, W, H, &mask, &err), SAM_OK);
    image_free(&mask);
    dataset_close(&d);
    tree_text(&tree, "set/some.txt", "sav_000900\n");
    assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = "some"}, &err), SAM_OK);
    assert_true(d.n_videos == 1 && d.list_file);
    assert_string_equal(d.videos[0].name, "sav_000900");
    dataset_close(&d);
    /* Beside another split, the one that was named is taken. */
    add_sav("all/sav_val", "a", 1);
    tree_text(&tree, "all/sav_train/sav_000/sav_000001.mp4", "");
    tree_text(&tree, "all/sav_train/sav_000/sav_000001_auto.json", "{}");
    assert_int_equal(open_set(&d, "all", &(dataset_options){.split_name = "sav_val"}, &err), SAM_OK);
    assert_int_equal(d.layout, DATASET_SAV);
    dataset_close(&d);
    assert_int_equal(open_set(&d, "all", &(dataset_options){.split_name = "sav_train"}, &err), SAM_OK);
    assert_int_equal(d.layout, DATASET_SAV_TRAIN);
    dataset_close(&d);
}

static void a_list_of_one_year_can_be_named(void **state)
{
    (void)state;
    dataset d;
    sam_error err;
    make_davis_2017();
    add_frames("set/JPEGImages/480p/b", 3, 1);
    add_masks("set/Annotations/480p/b", (int[]){1}, 1, 3, 1);
    tree_text(&tree, "set/ImageSets/2016/val.txt", "b\n");
    static const char *const names[] = {"val", "2016/val", "2017/val"};
    static const char *const first[] = {"a", "b", "a"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = names[i], .split_required = 1}, &err),
                         SAM_OK);
        assert_int_equal(d.n_videos, 1);
        assert_string_equal(d.videos[0].name, first[i]);
        dataset_close(&d);
    }
}

static void a_wrong_folder_is_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *part;
    } cases[] = {{"DAVIS/JPEGImages/480p/a", "it is a part of "},
                 {"DAVIS/Annotations/480p", "/DAVIS: give that folder"},
                 {"", "/DAVIS is one: give that folder, or --split_name DAVIS"},
                 {"videos", "it holds 2 .mp4 and 1 .json files, but no VIDEO_manual.json"},
                 {"videos/none", "expected the root of a SA-V, DAVIS, MOSE or YouTube-VOS set"}};
    add_frames("DAVIS/JPEGImages/480p/a", 1, 1);
    add_masks("DAVIS/Annotations/480p/a", (int[]){1}, 1, 1, 1);
    tree_text(&tree, "videos/a.mp4", "");
    tree_text(&tree, "videos/b.MP4", "");
    tree_text(&tree, "videos/notes.json", "");
    tree_folder(&tree, "videos/none");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dataset d;
        sam_error err = {0};
        assert_int_equal(open_set(&d, cases[i].folder, &(dataset_options){.split_name = "sav_val"}, &err),
                         SAM_E_FORMAT);
        if (!strstr(err.text, cases[i].part))
            fprintf(stderr, "%s, expected: %s\n", err.text, cases[i].part);
        assert_non_null(strstr(err.text, cases[i].part));
        dataset_close(&d);
    }
}

/* Unpadded names: by number in folders, masks and objects alike. */
static void names_count_as_numbers(void **state)
{
    (void)state;
    dataset d;
    sam_error err = {0};
    static const int shown[] = {1, 10};
    for (int i = 0; i < 12; i++) {
        char path[96];
        snprintf(path, sizeof path, "set/JPEGImages_24fps/cam_640x480/f%d.jpg", i);
        tree_text(&tree, path, "");
        for (int o = 0; o < 2 && i % 4 == 0; o++) {
            snprintf(path, sizeof path, "set/Annotations_6fps/cam_640x480/o%d/f%d.png", shown[o], i);
            add_mask(path, (int[]){255}, 1, W);
        }
    }
    tree_text(&tree, "set/Annotations_6fps/cam_640x480/o2/f10.png", "");
    assert_int_equal(open_set(&d, "set", NULL, &err), SAM_OK);
    const dataset_video *v = &d.videos[0];
    assert_string_equal(v->frames.names[2], "f2.jpg");
    assert_string_equal(v->frames.names[10], "f10.jpg");
    assert_string_equal(v->objects[1].name, "o2");
    assert_int_equal(v->objects[1].annotated[0], 10);
    assert_string_equal(v->objects[2].name, "o10");
    assert_true(v->objects[2].annotated[0] == 0 && v->objects[2].annotated[1] == 4 && v->objects[2].annotated[2] == 8);
    dataset_close(&d);
    tree_text(&tree, "set/JPEGImages_24fps/cam_640x480/f007.jpg", "");
    assert_int_equal(open_set(&d, "set", NULL, &err), SAM_E_FORMAT);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "f007.jpg and f7.jpg have the same place"));
    assert_null(strstr(err.text, "remove"));
    dataset_close(&d);
}

/* One bad video of three keeps its fault; the others are there. A folder of an archive's leftovers is nobody's. */
static void a_bad_video_does_not_stop_the_others(void **state)
{
    (void)state;
    dataset d;
    sam_error err = {0};
    add_sav("set", "a", 1);
    add_sav("set", "b", 1);
    add_sav("set", "c", 1);
    tree_remove(&tree, "set/JPEGImages_24fps/b/00004.jpg");
    tree_folder(&tree, "set/Annotations_6fps/a/__MACOSX");
    tree_folder(&tree, "set/Annotations_6fps/c/notes");
    tree_text(&tree, "set/sav_val.txt", "a\nb\nc\nnot_there\n");
    assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = "sav_val"}, &err), SAM_OK);
    static const char *const says[] = {NULL, "00004.png: annotates a frame that is not in",
                                       "notes: holds no .png annotation", "JPEGImages_24fps/not_there: no such folder"};
    assert_true(d.n_videos == 4 && d.n_faulty == 3);
    for (int v = 0; v < 4; v++) {
        sam_status status = dataset_find_objects(&d, v, &err);
        assert_int_equal(status == SAM_OK, says[v] == NULL);
        if (says[v])
            printf("%s: %s\n", d.videos[v].name, err.text);
        assert_true(!says[v] || strstr(err.text, says[v]));
        assert_int_equal(d.videos[v].n_objects, says[v] ? 0 : 1);
    }
    dataset_close(&d);
    tree_remove(&tree, "set/Annotations_6fps/a"); /* none is left */
    assert_int_not_equal(open_set(&d, "set", &(dataset_options){.split_name = "sav_val"}, &err), SAM_OK);
    printf("%s\n", err.text);
    dataset_close(&d);
}

/* A name that was given is a list, or an error that says which lists there are; never all videos. */
static void a_misspelt_list_is_told(void **state)
{
    (void)state;
    dataset d;
    sam_error err = {0};
    add_sav("set", "a", 1);
    tree_text(&tree, "set/sav_val.txt",
              "\xef\xbb\xbf"
              "a\n"); /* with a byte order mark */
    tree_text(&tree, "set/README.txt", "read me");
    assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = "sav_vla", .split_required = 1}, &err),
                     SAM_E_ARG);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "there are sav_val"));
    assert_null(strstr(err.text, "README"));
    dataset_close(&d);
    assert_int_equal(open_set(&d, "set", &(dataset_options){.split_name = "sav_val", .split_required = 1}, &err),
                     SAM_OK);
    assert_string_equal(d.videos[0].name, "a");
    dataset_close(&d);
    tree_remove(&tree, "set/sav_val.txt");
    tree_text(&tree, "set/notes.txt", "x");
    assert_int_equal(open_set(&d, "", &(dataset_options){.split_name = "set", .split_required = 1}, &err), SAM_OK);
    dataset_close(&d);
}

/* What a link to nothing stood for is missed, not left out. */
static void links_to_nothing_are_errors(void **state)
{
    (void)state;
    static const char *const links[] = {"set/Annotations_6fps/a/009", "set/Annotations_6fps/a/000/00006.png",
                                        "set/JPEGImages_24fps/a/00010.jpg"};
    dataset d;
    sam_error err = {0};
    add_sav("set", "a", 2);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        assert_int_equal(symlink("/nonexistent", tree_path(&tree, "%s", links[i])), 0);
        assert_int_equal(open_set(&d, "set", NULL, &err), SAM_E_IO);
        printf("%s\n", err.text);
        assert_non_null(strstr(err.text, links[i]));
        assert_non_null(strstr(err.text, "a link to what is not there"));
        dataset_close(&d);
        tree_remove(&tree, links[i]);
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

    static uint8_t rgb[W * H * 3];
    rgb[0] = rgb[4] = 200;
    assert_int_equal(image_write_rgb(tree_path(&tree, "set/Annotations/480p/v/00000.png"), rgb, 3 * W, W, H, &err),
                     SAM_OK);
    assert_int_equal(open_set(&d, "set", NULL, &err), SAM_OK);
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_E_FORMAT);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "an RGB picture whose colours (200, 0, 0 and others) are not those"));
    dataset_close(&d);
    rgb[4] = 0; /* one colour is one object, as in some masks of DAVIS 2016 */
    assert_int_equal(image_write_rgb(tree_path(&tree, "set/Annotations/480p/v/00000.png"), rgb, 3 * W, W, H, &err),
                     SAM_OK);
    assert_int_equal(open_set(&d, "set", NULL, &err), SAM_OK);
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_OK);
    dataset_close(&d);

    tree_remove(&tree, "set");
    add_frames("set/JPEGImages/v", 2, 1);
    add_mask("set/Annotations/v/00000.png", NULL, 0, W);
    assert_int_equal(open_set(&d, "set", NULL, &err), SAM_OK);
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_E_FORMAT);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "all annotations are empty"));
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
        cmocka_unit_test_setup_teardown(training_videos_lie_in_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_of_one_year_can_be_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_folder_is_recognised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_count_as_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_video_does_not_stop_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_misspelt_list_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_to_nothing_are_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_what_is_wrong_in_masks, set_up, tear_down),
        cmocka_unit_test(a_real_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
