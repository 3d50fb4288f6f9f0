/* What `track` writes beside masks, and what reads it: label maps and run lengths that `eval` scores as it scores masks, boxes that
 * --boxes takes, a state that another run goes on from; and prompts of pictures of numbers and run lengths. With a miniature model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "box_tracks.h"
#include "coco_masks.h"
#include "command.h"
#include "error.h"
#include "index_mask.h"
#include "listing.h"
#include "rle.h"
#include "safetensors.h"
#include "small_model.h"
#include "synthetic_clip.h"
#include "temp_tree.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { W = SYNTHETIC_WIDTH, H = SYNTHETIC_HEIGHT, FRAMES = 6, LONG = 20, PART = 16 };

static temp_tree tree;

/* `line` with every @ replaced by the test's folder. */
static void run(const char *line, int code)
{
    char full[2048];
    command_result r;
    size_t at = 0;
    for (const char *c = line; *c && at + sizeof tree.root < sizeof full; c++)
        at += (size_t)snprintf(full + at, sizeof full - at, *c == '@' ? "%s" : "%.1s", *c == '@' ? tree.root : c);
    command(&r, "sambench %s", full);
    if (r.code != code)
        fail_msg("%s\n%s", line, r.text);
}

static int is_file(const char *name)
{
    return path_is_file(tree_path(&tree, "%s", name));
}

#define TRACK      "track --weights @/tiny.safetensors --input @/clip --quiet "
#define LONG_TRACK "track --weights @/tiny.safetensors --input @/long --quiet "
#define TWO        "--object 1 --point 40,75 --object 2 --point 110,45 "

static int make(void **state)
{
    char path[400];
    (void)state;
    tree_open(&tree);
    small_clip_make(&tree, "clip", FRAMES);
    small_clip_make(&tree, "long", LONG);
    snprintf(path, sizeof path, "%s", tree_path(&tree, "tiny.safetensors"));
    tiny_model_write(path, TINY_SAM21, "sam2.1_miniature");
    /* Annotations: one run's masks; predictions: another's, in every form. Each pixel is one object's. */
    run(TRACK TWO "--no_overlap --no-overlay --out @/truth/clip", 0);
    run(TRACK
        "--object 1 --point 44,70 --object 2 --point 105,50 --no_overlap --no-overlay --out @/pred/clip --labels --rle --mot",
        0);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

/* The scores of one form, as text. */
static char *scores(const char *gt, const char *form)
{
    char line[600];
    snprintf(line, sizeof line,
             "eval --gt @/%s --pred @/pred --metric vos_benchmark --no-skip_first_last --per_frame "
             "--pred_form %s --json @/scores.json",
             gt, form);
    run(line, 0);
    json_t *doc = json_load_file(tree_path(&tree, "scores.json"), 0, NULL);
    assert_non_null(doc);
    char *text = json_dumps(json_object_get(doc, "objects"), JSON_SORT_KEYS);
    assert_non_null(text);
    json_decref(doc);
    return text;
}

static void every_form_scores_the_same(void **state)
{
    static const char *const forms[] = {"masks", "labels", "rle", "auto"};
    char from[400], to[400];
    (void)state;
    /* Annotations an object a file, and all in one picture. */
    snprintf(from, sizeof from, "%s", tree_path(&tree, "truth/clip/masks"));
    run("eval --gt @/none --pred @/pred --metric sav", 1);
    tree_folder(&tree, "folders");
    snprintf(to, sizeof to, "%s", tree_path(&tree, "folders/clip"));
    assert_int_equal(rename(from, to), 0);
    for (int t = 0; t < FRAMES; t++)
        for (int o = 1; o <= 2; o++) {
            image mask = {0};
            sam_error err;
            char name[64], path[400], picture[400];
            snprintf(name, sizeof name, "folders/clip/%03d/%05d.png", o, t);
            snprintf(path, sizeof path, "%s", tree_path(&tree, "%s", name));
            tree_folder(&tree, "pictures/clip");
            snprintf(name, sizeof name, "pictures/clip/%05d.png", t);
            snprintf(picture, sizeof picture, "%s", tree_path(&tree, "%s", name));
            if (image_read_mask(path, MASK_OBJECT, &mask, &err) != SAM_OK ||
                index_mask_put(picture, o, mask.data, (size_t)W, W, H, &err) != SAM_OK)
                fail_msg("%s", err.text);
            image_free(&mask);
        }
    char *first = scores("folders", "masks");
    printf("  %.120s...\n", first);
    assert_non_null(strstr(first, "clip/002"));
    for (size_t i = 0; i < 4; i++)
        for (int pictures = 0; pictures < 2; pictures++) {
            char *other = scores(pictures ? "pictures" : "folders", forms[i]);
            if (strcmp(first, other))
                fail_msg("%s, annotations as %s: other scores", forms[i], pictures ? "pictures" : "folders");
            free(other);
        }
    free(first);
}

/* The boxes of objects.csv, as prompts, are those of mot.txt and of masks.json. */
static void boxes_come_back(void **state)
{
    static const char *const files[] = {"pred/clip/mot.txt", "pred/clip/masks.json"};
    (void)state;
    for (int k = 0; k < 2; k++) {
        prompt_file p = {.start_frame = -1};
        sam_error err;
        char line[300];
        int frame, object, n = 0;
        float score, iou, x0, y0, x1, y1;
        if (box_tracks_read(tree_path(&tree, "%s", files[k]), 1, &p, &err) != SAM_OK)
            fail_msg("%s", err.text);
        FILE *csv = fopen(tree_path(&tree, "pred/clip/objects.csv"), "r");
        assert_non_null(csv);
        while (fgets(line, sizeof line, csv)) {
            int area;
            if (sscanf(line, "%d,%*[^,],%d,%f,%f,%d,%f,%f,%f,%f", &frame, &object, &score, &iou, &area, &x0, &y0, &x1,
                       &y1) != 9)
                continue; /* the head, and objects that are not there */
            const prompt *q = NULL;
            for (int i = 0; i < p.n_objects; i++)
                for (int j = 0; p.objects[i].id == object && j < p.objects[i].n_prompts; j++)
                    if (p.objects[i].prompts[j].frame == frame)
                        q = &p.objects[i].prompts[j];
            assert_true(q && q->has_box);
            assert_true(q->box.x0_px == x0 && q->box.y0_px == y0 && q->box.x1_px == x1 + 1 && q->box.y1_px == y1 + 1);
            assert_int_equal(q->when, frame == 0 ? PROMPT_BEFORE : PROMPT_TRACKED);
            n++;
        }
        fclose(csv);
        printf("  %s: %d boxes\n", files[k], n);
        assert_true(n > FRAMES);
        prompts_free(&p);
    }
    run(TRACK "--boxes @/pred/clip/mot.txt --boxes_every 2 --no-overlay --out @/boxed", 0);
    assert_true(is_file("boxed/masks/002/00005.png"));
    tree_text(&tree, "late.txt", "1,4,20,20,40,40,1\n4,9,60,30,50,40,1\n");
    run(TRACK "--boxes @/late.txt --no-overlay --out @/late", 0);
    assert_false(is_file("late/masks/009/00002.png"));
    assert_true(is_file("late/masks/009/00003.png"));
    static const char *const bad[] = {
        "0,1,1,1,5,5\n",   "1,1,1,1,0,5\n", "1,1,1,x,5,5\n", "1.5,1,1,1,5,5\n", "1,1,1,1,5,5\n1,1,2,2,5,5\n", "\n",
        "{\"images\": []}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        prompt_file p = {.start_frame = -1};
        sam_error err;
        tree_text(&tree, "bad.txt", bad[i]);
        assert_int_equal(box_tracks_read(tree_path(&tree, "bad.txt"), 0, &p, &err), SAM_E_FORMAT);
        prompts_free(&p);
    }
}

/* All tensors of a dump, but those of other frames than from on. */
static void same_dumps(const char *a, const char *b, int from)
{
    st_file x, y;
    sam_error err;
    char path[400];
    size_t n = 0;
    snprintf(path, sizeof path, "%s", tree_path(&tree, "%s", a));
    assert_int_equal(st_open(path, &x, &err), SAM_OK);
    snprintf(path, sizeof path, "%s", tree_path(&tree, "%s", b));
    assert_int_equal(st_open(path, &y, &err), SAM_OK);
    for (size_t i = 0; i < x.n_tensors; i++) {
        int frame;
        if (sscanf(x.tensors[i].name, "frame_%d/", &frame) != 1 || frame < from)
            continue;
        const st_tensor *t = st_find(&y, x.tensors[i].name);
        assert_true(t && t->n_bytes == x.tensors[i].n_bytes && !memcmp(t->data, x.tensors[i].data, t->n_bytes));
        n++;
    }
    assert_true(n > 0);
    st_close(&x);
    st_close(&y);
}

static void a_run_goes_on(void **state)
{
    (void)state;
    run(LONG_TRACK TWO "--tracker samurai --dump @/whole.st", 0);
    run(LONG_TRACK TWO "--tracker samurai --frames 16 --save_state @/s.state --dump @/first.st", 0);
    run(LONG_TRACK "--tracker samurai --load_state @/s.state --start_frame 16 --dump @/second.st", 0);
    same_dumps("whole.st", "second.st", PART);
    /* Another tracker's; from nowhere; in a clip so short that pointers are aged by its length. */
    run(LONG_TRACK "--load_state @/s.state --start_frame 16", 1);
    run(LONG_TRACK "--tracker samurai --load_state @/s.state", 1);
    run(TRACK "--tracker samurai --load_state @/s.state --start_frame 3", 1);
}

/* A picture of numbers prompts as its masks do one by one; run lengths as the file they came from. */
static void masks_from_anywhere(void **state)
{
    static uint8_t numbers[W * H], one[W * H], two[W * H];
    char text[4096];
    (void)state;
    for (int i = 0; i < W * H; i++) {
        int x = i % W, y = i / W;
        one[i] = x > 20 && x < 60 && y > 50 && y < 100;
        two[i] = x > 90 && x < 140 && y > 20 && y < 70;
        numbers[i] = one[i] ? 3 : two[i] ? 8 : 0;
    }
    char path[400];
    sam_error err;
    snprintf(path, sizeof path, "%s", tree_path(&tree, "numbers.png"));
    assert_int_equal(image_write_mask(path, numbers, W, W, H, 1, &err), SAM_OK);
    tree_gray(&tree, "one.png", one, W, H);
    tree_gray(&tree, "two.png", two, W, H);
    json_t *code = rle_write(two, W, W, H);
    char *counts = json_dumps(code, 0);
    snprintf(
        text, sizeof text,
        "{\"objects\": [{\"id\": 3, \"prompts\": [{\"frame\": 0, \"mask\": \"one.png\"}]}, {\"id\": 8, \"prompts\": "
        "[{\"frame\": 0, \"mask\": %s}]}]}",
        counts);
    free(counts);
    json_decref(code);
    tree_text(&tree, "code.json", text);
    tree_text(&tree, "masks.json", "{\"masks\": [{\"frame\": 0, \"mask\": \"numbers.png\"}]}");
    tree_text(&tree, "picture.json",
              "{\"objects\": [{\"id\": 3, \"prompts\": [{\"image\": \"clip/00000.png\", \"mask\": "
              "\"one.png\"}, {\"image\": \"other.png\", \"mask\": \"small.png\"}]}]}");
    tree_gray(&tree, "small.png", two, W / 2, H / 2);
    tree_gray(&tree, "other.png", two, W / 2, H);
    run(TRACK "--object 3 --mask @/one.png --object 8 --mask @/two.png --dump @/a.st", 0);
    run(TRACK "--masks @/numbers.png --dump @/b.st", 0);
    run(TRACK "--prompts @/masks.json --dump @/c.st", 0);
    run(TRACK "--prompts @/code.json --dump @/d.st", 0);
    same_dumps("a.st", "b.st", 0);
    same_dumps("a.st", "c.st", 0);
    same_dumps("a.st", "d.st", 0);
    run(TRACK "--prompts @/picture.json --no-overlay --out @/pictured", 0);
    assert_true(is_file("pictured/masks/003/00000.png"));
    run(TRACK "--masks @/one.png --object 2", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_scores_the_same),
        cmocka_unit_test(boxes_come_back),
        cmocka_unit_test(a_run_goes_on),
        cmocka_unit_test(masks_from_anywhere),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
