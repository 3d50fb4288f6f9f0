/* COCO's run-length masks and the layout of SA-V's training split, on made-up files and on a real annotation. */
#include "dataset.h"
#include "overlay.h"
#include "rle.h"
#include "sav_train.h"
#include "temp_tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static temp_tree tree;

static sam_status read_text(const char *text, image *out, sam_error *err)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    sam_status status = rle_read(json, "here", out, err);
    json_decref(json);
    return status;
}

static void runs_become_masks(void **state)
{
    (void)state;
    /* pycocotools: encode(asfortranarray([[0,1,0,1],[1,1,0,0],[0,0,0,1]])) */
    static const uint8_t expected[] = {0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1};
    image im = {0};
    sam_error err;
    assert_int_equal(read_text("{\"size\": [3, 4], \"counts\": [1, 1, 1, 2, 4, 1, 1, 1]}", &im, &err), SAM_OK);
    assert_int_equal(im.width, 4);
    assert_int_equal(im.height, 3);
    assert_memory_equal(im.data, expected, sizeof expected);
    memset(im.data, 9, sizeof expected);
    assert_int_equal(read_text("{\"size\": [3, 4], \"counts\": \"11113OM0\"}", &im, &err), SAM_OK);
    assert_memory_equal(im.data, expected, sizeof expected);
    image_free(&im);
}

static void bad_runs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {{"{\"size\": [3, 4]}", "expected {\"size\""},
                 {"{\"size\": [0, 4], \"counts\": \"1\"}", "expected {\"size\""},
                 {"{\"size\": [3, 4], \"counts\": [1, 2]}", "its runs are 3 pixels, expected 12"},
                 {"{\"size\": [3, 4], \"counts\": [13]}", "a run of 13 pixels at pixel 0 of 12"},
                 {"{\"size\": [3, 4], \"counts\": [6, -2, 8]}", "a run of -2 pixels"},
                 {"{\"size\": [3, 4], \"counts\": [\"x\"]}", "not a COCO run-length code"},
                 {"{\"size\": [3, 4], \"counts\": \"1\\u0001\"}", "not a COCO run-length code"},
                 {"{\"size\": [3, 4], \"counts\": \"oooooooooooooooo\"}", "not a COCO run-length code"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        image im = {0};
        sam_error err = {0};
        assert_int_equal(read_text(cases[i].text, &im, &err), SAM_E_FORMAT);
        if (!strstr(err.text, cases[i].says))
            fprintf(stderr, "%s, expected: %s\n", err.text, cases[i].says);
        assert_non_null(strstr(err.text, cases[i].says));
        image_free(&im);
    }
}

/* Areas are given in the file itself. */
static void a_real_annotation(void **state)
{
    (void)state;
    static const double areas[] = {1434.8083333333, 38512.4876033058};
    sav_train *t;
    sam_error err;
    image im = {0};
    if (access(SHARED_DIR "/data/annotations/sav_000001_manual.json", R_OK))
        skip();
    assert_int_equal(sav_train_open(SHARED_DIR "/data/annotations/sav_000001_manual.json", &t, &err), SAM_OK);
    assert_int_equal(sav_train_frames(t), 121);
    assert_int_equal(sav_train_step(t), 4);
    assert_int_equal(sav_train_objects(t), 5);
    for (int o = 0; o < 2; o++) {
        double area = 0;
        int n = 0;
        for (int i = 0; i < 121; i++) {
            assert_int_equal(sav_train_mask(t, i, o, &im, &err), SAM_OK);
            int count = 0;
            for (int k = 0; k < im.width * im.height; k++)
                count += im.data[k];
            int shows;
            assert_int_equal(sav_train_shows(t, i, o, &shows, &err), SAM_OK);
            assert_int_equal(count > 0, shows);
            area += count;
            n += count > 0;
        }
        assert_true(fabs(area / n - areas[o]) < 1e-6);
    }
    image_free(&im);
    sav_train_close(t);
}

static void write_video(const char *name, int n_frames)
{
    static uint8_t rgb[32 * 24 * 3];
    sam_error err;
    overlay *o;
    char path[128];
    tree_folder(&tree, "train");
    snprintf(path, sizeof path, "train/%s.mp4", name);
    assert_int_equal(
        overlay_open(tree_path(&tree, "%s", path), &(overlay_options){.width = 32, .height = 24, .fps = 24}, &o, &err),
        SAM_OK);
    for (int i = 0; i < n_frames; i++)
        assert_int_equal(overlay_write(o, rgb, 96, &err), SAM_OK);
    assert_int_equal(overlay_close(o, &err), SAM_OK);
}

#define EMPTY "{\"size\": [24, 32], \"counts\": [768]}"
#define BOX   "{\"size\": [24, 32], \"counts\": [50, 10, 14, 10, 684]}"

/* Ids that are the same, or were as 32 bits; a code that is damaged before the object's first appearance. */
static void annotations_are_not_dropped(void **state)
{
    (void)state;
#define TWO "\"masklet\": [[" BOX "," BOX "]]}"
#define BAD(counts)                                                                                                    \
    "{\"video_frame_count\": 2, \"masklet_id\": [1], \"masklet\": [[{\"size\": [24, 32], \"counts\": " counts          \
    "}], [" BOX "]]}"
    static const struct {
        const char *text, *says; /* NULL: two objects */
    } cases[] = {
        {"{\"masklet_id\": [5, 5], " TWO, "two masklets have the id 5"},
        {"{\"masklet_id\": [1], " TWO, "two masklets have the id 1"},
        {"{\"masklet_id\": [1, 4294967297], " TWO, NULL},
        {BAD("[0, -5, 773]"), "masklet 0, object 0: a run of -5 pixels"},
        {BAD("\"1\""), "masklet 0, object 0: its runs are 1 pixels"},
        {BAD("7"), "masklet 0, object 0: expected {"},
        {"{\"video_frame_count\": 1e300, \"masklet_id\": [1], \"masklet\": [[" BOX "]]}", "a video of 1e+300 frames"},
    };
    write_video("sav_000003", 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dataset d;
        sam_error err = {0};
        tree_text(&tree, "train/sav_000003_manual.json", cases[i].text);
        sam_status status = dataset_open(&d, tree_path(&tree, "train"), NULL, &err);
        if (status == SAM_OK)
            status = dataset_find_objects(&d, 0, &err);
        printf("%s\n", status == SAM_OK ? "good" : err.text);
        assert_int_equal(status, cases[i].says ? SAM_E_FORMAT : SAM_OK);
        assert_true(!cases[i].says || strstr(err.text, cases[i].says));
        assert_true(cases[i].says ||
                    (d.videos[0].n_objects == 2 && !strcmp(d.videos[0].objects[1].name, "4294967297")));
        dataset_close(&d);
    }
    tree_remove(&tree, "train");
}

static void a_folder_of_videos(void **state)
{
    (void)state;
    dataset d;
    sam_error err;
    image im = {0};
    write_video("sav_000002", 9);
    tree_text(&tree, "train/sav_000002_manual.json",
              "{\"video_frame_count\": 9, \"masklet_id\": [4, 7, 9], \"masklet\": [[" EMPTY "," BOX "," EMPTY "], [" BOX
              "," BOX "," EMPTY "], [" BOX "," EMPTY "," EMPTY "]]}");
    tree_text(&tree, "train/sav_000002_auto.json", "{}");
    tree_text(&tree, "train/notes.json", "{}");
    if (dataset_open(&d, tree_path(&tree, "train"), NULL, &err) != SAM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(d.layout, DATASET_SAV_TRAIN);
    assert_int_equal(d.n_videos, 1);
    assert_string_equal(d.videos[0].name, "sav_000002");
    assert_non_null(d.videos[0].video_file);
    assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_OK);
    const dataset_object *o = d.videos[0].objects;
    assert_int_equal(d.videos[0].n_objects, 2); /* the third is never seen */
    assert_string_equal(o[0].name, "004");
    assert_int_equal(o[0].n_annotated, 2);
    assert_int_equal(o[0].annotated[0], 3); /* nine frames, three annotated */
    assert_string_equal(o[1].name, "007");
    assert_int_equal(o[1].n_annotated, 3);
    assert_int_equal(dataset_read_mask(&d, 0, 0, 6, 32, 24, &im, &err), SAM_OK);
    int count = 0;
    for (int k = 0; k < 32 * 24; k++)
        count += im.data[k];
    assert_int_equal(count, 20);
    assert_int_equal(im.data[2 * 32 + 2], 1); /* pixel 50: column 2, row 2 */
    assert_int_equal(dataset_read_mask(&d, 0, 0, 6, 32, 20, &im, &err), SAM_E_FORMAT);
    assert_int_equal(dataset_read_mask(&d, 0, 0, 5, 32, 24, &im, &err), SAM_E_ARG);
    image_free(&im);
    dataset_close(&d);
}

static void malformed_files_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {{"{", "line 1"},
                 {"{\"masklet\": []}", "no \"masklet\" with frames and objects"},
                 {"{\"masklet\": [[" BOX "], [" BOX "," BOX "]]}", "masklet 1 has 2 objects, the first has 1"},
                 {"{\"masklet\": [[" EMPTY "]]}", "all masklets are empty"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dataset d;
        sam_error err = {0};
        tree_text(&tree, "train/sav_000002_manual.json", cases[i].text);
        assert_int_equal(dataset_open(&d, tree_path(&tree, "train"), NULL, &err), SAM_OK);
        assert_int_equal(dataset_find_objects(&d, 0, &err), SAM_E_FORMAT);
        if (!strstr(err.text, cases[i].says))
            fprintf(stderr, "%s, expected: %s\n", err.text, cases[i].says);
        assert_non_null(strstr(err.text, cases[i].says));
        dataset_close(&d);
    }
    dataset d;
    sam_error err;
    tree_text(&tree, "lone/sav_000009_auto.json", "{}");
    assert_int_equal(dataset_open(&d, tree_path(&tree, "lone"), NULL, &err), SAM_E_IO);
    assert_non_null(strstr(err.text, "sav_000009.mp4"));
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_become_masks),  cmocka_unit_test(bad_runs_are_refused),
        cmocka_unit_test(a_real_annotation),  cmocka_unit_test(annotations_are_not_dropped),
        cmocka_unit_test(a_folder_of_videos), cmocka_unit_test(malformed_files_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
