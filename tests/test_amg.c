/* The automatic mask generator: its parts against values of the official code, whole images against what the official generators
 * find (tests/parity/automatic_masks.py), an emulated device against the CPU, and what it refuses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amg.h"
#include "backend_emu.h"
#include "hash_model.h"
#include "listing.h"
#include "mask_nms.h"
#include "mask_regions.h"
#include "rle.h"
#include "synthetic_clip.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

#define COUNT(a) (sizeof(a) / sizeof *(a))

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* ---- the parts ---------------------------------------------------------------------------------------------------- */

/* Values: utils/amg.py, generate_crop_boxes and build_point_grid. */
static void test_crops(void **state)
{
    (void)state;
    static const struct {
        int w, h, layers;
        double overlap;
        int n;
        amg_crop second, last;
        long sum; /* of all coordinates, each crop's times its number */
    } cases[] = {
        {1920, 1080, 1, 512.0 / 1500, 5, {0, 356, 1144, 1080, 1}, {776, 356, 1920, 1080, 1}, 48816},
        {97, 61, 2, 512.0 / 1500, 21, {0, 21, 59, 61, 1}, {66, 39, 97, 61, 2}, 41041},
        {200, 300, 2, 0, 21, {0, 150, 100, 300, 1}, {150, 225, 200, 300, 2}, 127200},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        amg_crop *c = NULL;
        sam_error err;
        int n;
        long sum = 0;
        assert_int_equal(amg_crops(cases[i].w, cases[i].h, cases[i].layers, cases[i].overlap, &c, &n, &err), SAM_OK);
        assert_int_equal(n, cases[i].n);
        for (int k = 0; k < n; k++)
            sum += (k + 1L) * (c[k].x0 + c[k].y0 + c[k].x1 + c[k].y1);
        assert_memory_equal(&c[2], &cases[i].second, sizeof *c);
        assert_memory_equal(&c[n - 1], &cases[i].last, sizeof *c);
        assert_int_equal(sum, cases[i].sum);
        free(c);
    }
    assert_true(amg_grid(1, 0) == 0.5 && amg_grid(2, 0) == 0.25 && amg_grid(2, 1) == 0.75);
    assert_true(amg_grid(7, 1) == 0.2142857142857143 && amg_grid(32, 31) == 0.984375);
    assert_int_equal(amg_points_of_layer(32, 2, 2), 8);
    assert_int_equal(amg_points_of_layer(7, 2, 1), 3);
    printf("%zu sets of crops, grids: as utils/amg.py\n", COUNT(cases));
}

static void test_nms(void **state)
{
    (void)state;
    static const nms_box boxes[] = {
        {0, 0, 10, 10, 0.5f},     /* goes: the next one but one is better                     */
        {20, 0, 30, 10, 0.9f},    /* stays                                                    */
        {0, 0, 10, 11, 0.7f},     /* stays                                                    */
        {20, 0, 30, 10, 0.9f},    /* goes: as good as the second, and later                   */
        {20, 0, 30, 14, 0.2f},    /* IoU 10/14 = 0.714 with the second: goes                  */
        {20, 0, 30, 14.5f, 0.1f}, /* 10/14.5 = 0.69: stays, as the one it is like has gone    */
        {5, 5, 5, 9, 0.3f},       /* no area, and inside another: stays                       */
        {5, 5, 5, 9, 0.3f},       /* 0 / 0 is no overlap: stays                               */
    };
    static const int want[] = {1, 2, 6, 7, 5};
    int kept[COUNT(boxes)], n_kept;
    sam_error err;
    assert_int_equal(mask_nms(boxes, COUNT(boxes), 0.7, kept, &n_kept, &err), SAM_OK);
    assert_int_equal(n_kept, COUNT(want));
    assert_memory_equal(kept, want, sizeof want);
    assert_int_equal(mask_nms(boxes, 0, 0.7, kept, &n_kept, &err), SAM_OK);
    assert_int_equal(n_kept, 0);
}

/* Runs of a mask somewhere in an image are what walking down the image's columns finds. */
static void check_runs(int w, int h, int x0, int y0, int width, int height, int density, uint32_t *seed)
{
    uint8_t *px = calloc(1, (size_t)width * (size_t)height), *back = malloc((size_t)width * (size_t)height);
    packed_mask *m = calloc(1, packed_mask_bytes(w, h));
    mask_runs runs;
    sam_error err;
    uint32_t *want = malloc(((size_t)width * (size_t)height + 2) * sizeof *want);
    size_t n = 0;
    assert_true(px && back && m && want);
    for (int y = 0; y < h; y++) {
        uint8_t *row = px + (size_t)(y + y0) * (size_t)width + (size_t)x0;
        for (int x = 0; x < w; x++)
            row[x] = (int)(next_random(seed) % 100) < density;
        mask_pack(row, (size_t)w, 0, mask_rows(m) + (size_t)y * mask_row_words(w));
    }
    packed_mask_measure(m, w, h);
    assert_int_equal(mask_runs_of(m, w, x0, y0, width, height, &runs, &err), SAM_OK);
    int value = 0;
    want[n++] = 0;
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++) {
        int v = px[i % (size_t)height * (size_t)width + i / (size_t)height];
        if (v != value)
            want[n++] = 0;
        value = v;
        want[n - 1]++;
    }
    assert_int_equal(runs.n, n);
    assert_memory_equal(runs.runs, want, n * sizeof *want);
    assert_int_equal(mask_runs_area(runs.runs, runs.n), m->area);
    memset(back, 7, (size_t)width * (size_t)height);
    mask_runs_paint(runs.runs, runs.n, width, height, back, (size_t)width);
    assert_memory_equal(back, px, (size_t)width * (size_t)height);
    free(runs.runs);
    free(want);
    free(px);
    free(back);
    free(m);
}

static void test_runs(void **state)
{
    (void)state;
    static const int shapes[][6] = {{1, 1, 0, 0, 1, 1},       {70, 9, 0, 0, 70, 9},    {64, 20, 3, 5, 90, 30},
                                    {130, 7, 0, 2, 130, 9},   {65, 12, 10, 0, 75, 12}, {5, 90, 1, 1, 7, 92},
                                    {128, 33, 1, 0, 200, 40}, {200, 3, 0, 0, 201, 3}};
    static const int densities[] = {0, 2, 50, 97, 100};
    uint32_t seed = 3;
    for (size_t i = 0; i < COUNT(shapes); i++)
        for (size_t k = 0; k < COUNT(densities); k++) {
            const int *s = shapes[i];
            check_runs(s[0], s[1], s[2], s[3], s[4], s[5], densities[k], &seed);
        }
    printf("%zu masks as runs and back\n", COUNT(shapes) * COUNT(densities));
}

/* Drawn by hand; what utils/amg.py, remove_small_regions makes of each, holes and then islands, is in its comment. */
static void test_regions(void **state)
{
    (void)state;
    enum { W = 8, H = 5 };
    static const struct {
        const char *before, *after;
        int area, changed;
    } cases[] = {
        /* a hole of 1 is filled, an island of 2 goes */
        {".####..."
         ".#.##..#"
         ".####..#"
         "........"
         "........",
         ".####..."
         ".####..."
         ".####..."
         "........"
         "........",
         3, 1},
        /* diagonals are neighbours: one island of 3 */
        {"#......."
         ".#......"
         "..#....."
         "........"
         "........",
         "#......."
         ".#......"
         "..#....."
         "........"
         "........",
         3, 0},
        /* all islands are small: the largest stays */
        {"##......"
         "........"
         "....#..."
         "........"
         ".......#",
         "##......"
         "........"
         "........"
         "........"
         "........",
         9, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t mask[W * H];
        int32_t scratch[2 * W * H + 1];
        assert_true(mask_regions_bytes(H, W) <= sizeof scratch);
        for (int p = 0; p < W * H; p++)
            mask[p] = cases[i].before[p] == '#';
        assert_int_equal(mask_regions_clean(mask, H, W, cases[i].area, scratch), cases[i].changed);
        for (int p = 0; p < W * H; p++)
            assert_int_equal(mask[p], cases[i].after[p] == '#');
    }
}

/* ---- against the official generators ------------------------------------------------------------------------------ */

/* Masks as bits: [n, n_px / 64]. */
typedef struct bit_masks {
    int n;
    size_t words;
    uint64_t *bits;
} bit_masks;

static bit_masks take_masks(int n, size_t n_px)
{
    bit_masks b = {.n = n, .words = (n_px + 63) / 64};
    b.bits = calloc((size_t)n * b.words + 1, sizeof *b.bits);
    assert_non_null(b.bits);
    return b;
}

static double iou_of(const bit_masks *a, int i, const bit_masks *b, int k)
{
    const uint64_t *x = a->bits + (size_t)i * a->words, *y = b->bits + (size_t)k * b->words;
    double both = (double)mask_count_both(x, y, a->words);
    double one = (double)(mask_count(x, a->words) + mask_count(y, b->words)) - both;
    return one > 0 ? both / one : 1;
}

static bit_masks our_masks(const sam_amg_result *found)
{
    size_t n_px = (size_t)found->width_px * (size_t)found->height_px;
    bit_masks b = take_masks(found->n_masks, n_px);
    uint8_t *px = malloc(n_px);
    assert_non_null(px);
    for (int i = 0; i < found->n_masks; i++) {
        const sam_amg_mask *m = &found->masks[i];
        sam_runs_bytes(m->runs, m->n_runs, found->width_px, found->height_px, px, (size_t)found->width_px);
        mask_pack(px, n_px, 0, b.bits + (size_t)i * b.words);
        assert_int_equal(mask_count(b.bits + (size_t)i * b.words, b.words), m->area_px);
    }
    free(px);
    return b;
}

static bit_masks their_masks(const json_t *records, size_t n_px)
{
    bit_masks b = take_masks((int)json_array_size(records), n_px);
    image im = {0};
    sam_error err;
    for (int i = 0; i < b.n; i++) {
        const json_t *rle = json_object_get(json_array_get(records, (size_t)i), "segmentation");
        if (rle_read(rle, "fixture", &im, &err) != SAM_OK)
            fail_msg("%s", err.text);
        mask_pack(im.data, n_px, 0, b.bits + (size_t)i * b.words);
    }
    image_free(&im);
    return b;
}

static double number_at(const json_t *record, const char *key, size_t i)
{
    const json_t *v = json_object_get(record, key);
    return json_number_value(json_is_array(v) ? json_array_get(v, i) : v);
}

static double far(double a, double b, double worst)
{
    return fmax(fabs(a - b), worst);
}

/* What is said about a mask is what the official code says about the same one. */
static double check_record(const sam_amg_mask *m, const json_t *r)
{
    const json_t *point = json_array_get(json_object_get(r, "point_coords"), 0);
    const double bbox[4] = {m->bbox.x_px, m->bbox.y_px, m->bbox.width_px, m->bbox.height_px};
    const double crop[4] = {m->crop_box.x_px, m->crop_box.y_px, m->crop_box.width_px, m->crop_box.height_px};
    double worst = far((double)m->predicted_iou, number_at(r, "predicted_iou", 0), 0);
    worst = far((double)m->stability_score, number_at(r, "stability_score", 0), worst);
    for (size_t k = 0; k < 4; k++) {
        assert_true(fabs(bbox[k] - number_at(r, "bbox", k)) <= 2);
        assert_true(crop[k] == number_at(r, "crop_box", k));
    }
    assert_true(fabs((double)m->x_px - json_number_value(json_array_get(point, 0))) < 1e-3);
    assert_true(fabs((double)m->y_px - json_number_value(json_array_get(point, 1))) < 1e-3);
    assert_true(worst < 0.01);
    return worst;
}

/* Each of ours has one of theirs: IoU 0.99, the same point, quality and box. */
static void check_same_set(const char *name, const sam_amg_result *found, const json_t *records)
{
    size_t n_px = (size_t)found->width_px * (size_t)found->height_px;
    bit_masks a = our_masks(found), b = their_masks(records, n_px);
    char *used = calloc((size_t)b.n + 1, 1);
    double worst = 1, furthest = 0;
    assert_non_null(used);
    assert_int_equal(a.n, b.n);
    for (int i = 0; i < a.n; i++) {
        int best = -1;
        double best_iou = -1;
        for (int k = 0; k < b.n; k++) {
            double iou = used[k] ? -1 : iou_of(&a, i, &b, k);
            best = iou > best_iou ? k : best;
            best_iou = fmax(iou, best_iou);
        }
        used[best] = 1;
        worst = fmin(worst, best_iou);
        furthest = fmax(furthest, check_record(&found->masks[i], json_array_get(records, (size_t)best)));
    }
    printf("%s: %d masks, worst IoU %.4f, qualities within %.1e\n", name, a.n, worst, furthest);
    assert_true(a.n > 0 && worst >= 0.99);
    free(used);
    free(a.bits);
    free(b.bits);
}

/* Options of the official generator as ours. */
static sam_amg_options options_of(const json_t *given)
{
    sam_amg_options o = {0};
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)given, key, v)
    {
        double x = json_is_true(v) ? 1 : json_number_value(v);
        const struct {
            const char *name;
            int *integer;
            double *real;
        } all[] = {{"points_per_side", &o.points_per_side, NULL},
                   {"points_per_batch", &o.points_per_batch, NULL},
                   {"pred_iou_thresh", NULL, &o.pred_iou_thresh},
                   {"stability_score_thresh", NULL, &o.stability_score_thresh},
                   {"stability_score_offset", NULL, &o.stability_score_offset},
                   {"mask_threshold", NULL, &o.mask_threshold},
                   {"box_nms_thresh", NULL, &o.box_nms_thresh},
                   {"crop_n_layers", &o.crop_n_layers, NULL},
                   {"crop_n_points_downscale_factor", &o.crop_n_points_downscale_factor, NULL},
                   {"min_mask_region_area", &o.min_mask_region_area, NULL},
                   {"use_m2m", &o.use_m2m, NULL},
                   {"multimask_output", &o.single_mask, NULL}};
        size_t i = 0;
        while (i < COUNT(all) && strcmp(all[i].name, key) != 0)
            i++;
        assert_true(i < COUNT(all));
        if (all[i].integer)
            *all[i].integer = (int)x;
        else
            *all[i].real = x;
        if (!strcmp(key, "multimask_output"))
            o.single_mask = !json_is_true(v);
    }
    return o;
}

static int fixture_int(const json_t *f, const char *key)
{
    return (int)json_integer_value(json_object_get(f, key));
}

static sam_model *fixture_model(const json_t *f)
{
    const char *name = json_string_value(json_object_get(f, "model"));
    char path[320] = SOURCE_DIR "/models/demo_sam2.1.safetensors";
    temp_dir dir = {{0}};
    sam_model *m;
    sam_error err;
    if (strcmp(name, "demo") != 0) {
        temp_dir_make(&dir);
        temp_dir_file(&dir, "weights.safetensors", path, sizeof path);
        if (!hash_model_make(path, name, (unsigned)fixture_int(f, "seed"), 0, &err))
            fail_msg("%s", err.text);
    }
    if (sam_model_open(path, &(sam_model_options){.image_px = fixture_int(f, "imgsz"), .n_threads = 2}, &m, &err) !=
        SAM_OK)
        fail_msg("%s", err.text);
    if (dir.path[0])
        temp_dir_remove(&dir); /* mapped until the model is closed */
    return m;
}

static void check_fixture(const char *folder, const char *file)
{
    char path[400];
    sam_error err;
    sam_amg *g;
    sam_amg_result found;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    json_t *f = json_load_file(path, 0, NULL);
    assert_non_null(f);
    int w = fixture_int(f, "width"), h = fixture_int(f, "height");
    uint8_t *rgb = malloc(3 * (size_t)w * (size_t)h);
    assert_non_null(rgb);
    synthetic_frame(w, h, SYNTHETIC_SEED, 0, rgb, NULL);
    sam_model *m = fixture_model(f);
    sam_amg_options o = options_of(json_object_get(f, "options"));
    o.width_px = w;
    o.height_px = h;
    if (sam_amg_open(m, &o, &g, &err) != SAM_OK ||
        sam_amg_generate(g, &(sam_frame){.rgb = rgb, .row_bytes = 3 * (size_t)w}, &found, &err) != SAM_OK)
        fail_msg("%s: %s", file, err.text);
    check_same_set(file, &found, json_object_get(f, "masks"));
    sam_amg_close(g);
    sam_model_close(m);
    free(rgb);
    json_decref(f);
}

static void test_official(void **state)
{
    (void)state;
    static const char folder[] = SOURCE_DIR "/tests/parity/data/automatic_masks";
    listing files = {0};
    sam_error err;
    assert_int_equal(listing_read(folder, "json", &files, &err), SAM_OK);
    assert_true(files.n >= 4);
    for (int i = 0; i < files.n; i++)
        check_fixture(folder, files.names[i]);
    listing_free(&files);
}

/* ---- miniatures: a device, refusals ------------------------------------------------------------------------------- */

enum { W = 90, H = 70 };

static tiny_models models;
static uint8_t pixels[W * H * 3];

static int make(void **state)
{
    (void)state;
    tiny_models_make(&models);
    tiny_frame(W, H, 2, pixels);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    tiny_models_remove(&models);
    return 0;
}

static sam_model *open_model(tiny_family family, int emulated)
{
    sam_error err;
    sam_model *m;
    const sam_model_options o = {.n_threads = 1, .backend = emulated ? SAM_CUDA : SAM_CPU};
    if (model_open_on(emulated ? &backend_emu : NULL, models.path[family], &o, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return m;
}

static const sam_frame the_image = {.rgb = pixels, .row_bytes = 3 * W};

/* A generator that keeps much of what random weights say. */
static sam_amg_options loose(void)
{
    return (sam_amg_options){.width_px = W,
                             .height_px = H,
                             .points_per_side = 3,
                             .points_per_batch = 4,
                             .pred_iou_thresh = -1,
                             .stability_score_thresh = 0.05,
                             .stability_score_offset = 0.05,
                             .box_nms_thresh = 0.9,
                             .crop_n_layers = 1};
}

static sam_amg *open_amg(sam_model *m, const sam_amg_options *o)
{
    sam_error err;
    sam_amg *g;
    if (sam_amg_open(m, o, &g, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return g;
}

static sam_amg_result generate(sam_amg *g)
{
    sam_amg_result found;
    sam_error err;
    if (sam_amg_generate(g, &the_image, &found, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return found;
}

/* Number of masks that differ in more than a hundredth of their pixels, in place or in what is said about them. */
static int n_differing(const sam_amg_result *x, const sam_amg_result *y)
{
    int n = abs(x->n_masks - y->n_masks), both = x->n_masks < y->n_masks ? x->n_masks : y->n_masks;
    bit_masks a = our_masks(x), b = our_masks(y);
    for (int i = 0; i < both; i++) {
        const sam_amg_mask *p = &x->masks[i], *q = &y->masks[i];
        n += iou_of(&a, i, &b, i) < 0.99 || p->x_px != q->x_px || p->y_px != q->y_px ||
             fabsf(p->predicted_iou - q->predicted_iou) > 1e-4f ||
             memcmp(&p->crop_box, &q->crop_box, sizeof p->crop_box);
    }
    free(a.bits);
    free(b.bits);
    return n;
}

/* Few points: emulated kernels are slow. */
static void check_device(tiny_family family, int crops, int m2m)
{
    emu = (emu_device){.order = EMU_LATE};
    sam_amg_options o = loose();
    o.points_per_side = 2;
    o.crop_n_layers = crops;
    o.crop_n_points_downscale_factor = 2;
    o.use_m2m = m2m;
    o.stability_score_thresh = m2m ? -1 : o.stability_score_thresh;
    o.min_mask_region_area = 6;
    sam_model *cpu = open_model(family, 0), *device = open_model(family, 1);
    sam_amg *a = open_amg(cpu, &o), *b = open_amg(device, &o);
    sam_amg_result on_cpu = generate(a), on_device = generate(b);
    int n = n_differing(&on_cpu, &on_device);
    printf("%s, %d crop layers%s: %d masks, %d differ on the emulated device\n", tiny_names[family], crops,
           m2m ? ", refined" : "", on_cpu.n_masks, n);
    assert_true(on_cpu.n_masks > 0);
    assert_int_equal(n, 0);
    sam_amg_close(a);
    sam_amg_close(b);
    sam_model_close(cpu);
    sam_model_close(device);
    assert_true(!emu.n_allocs && !emu.n_host_allocs);
}

static void test_device(void **state)
{
    (void)state;
    check_device(TINY_SAM21, 1, 0);
    check_device(TINY_EDGETAM, 0, 1);
    check_device(TINY_SAM1, 0, 0);
}

/* Points at once, and images before, change nothing. */
static void test_batches(void **state)
{
    (void)state;
    sam_model *m = open_model(TINY_SAM21, 0);
    sam_amg_options o = loose();
    o.points_per_side = 5;
    sam_amg *a = open_amg(m, &o);
    o.points_per_batch = 64;
    sam_amg *b = open_amg(m, &o);
    generate(b);
    sam_amg_result few = generate(a), many = generate(b);
    assert_int_equal(n_differing(&few, &many), 0);
    assert_int_equal(sam_amg_points(a), 5 * 25);
    sam_amg_close(a);
    sam_amg_close(b);
    sam_model_close(m);
}

static int stop(void *user, int n_done, int n_points)
{
    *(int *)user = n_done;
    assert_int_equal(n_points, 5 * 9);
    return n_done >= 8;
}

static void test_stopped(void **state)
{
    (void)state;
    sam_error err;
    sam_amg_result found;
    int n_done = 0;
    sam_model *m = open_model(TINY_SAM2, 0);
    sam_amg_options o = loose();
    o.progress = stop;
    o.user = &n_done;
    sam_amg *g = open_amg(m, &o);
    assert_int_equal(sam_amg_generate(g, &the_image, &found, &err), SAM_E_STATE);
    assert_non_null(strstr(err.text, "8 of 45"));
    assert_int_equal(n_done, 8);
    sam_amg_close(g);
    sam_model_close(m);
}

static void refuses(sam_model *m, sam_status status, const char *words, sam_amg_options o)
{
    sam_error err;
    sam_amg *g = (sam_amg *)&err;
    sam_status got = sam_amg_open(m, &o, &g, &err);
    if (got != status || g || !strstr(err.text, words))
        fail_msg("%d, \"%s\"; expected %d, \"%s\"", (int)got, got == SAM_OK ? "" : err.text, (int)status, words);
}

static void test_refused(void **state)
{
    (void)state;
    sam_error err;
    sam_amg_result found;
    sam_stats stats;
    sam_model *m = open_model(TINY_SAM2, 0), *v1 = open_model(TINY_SAM1, 0);
    const sam_amg_options sized = {.width_px = W, .height_px = H};
#define WITH(member, value) (sam_amg_options){.width_px = W, .height_px = H, .member = (value)}
    refuses(m, SAM_E_ARG, "frame size 0 x 0", (sam_amg_options){0});
    refuses(m, SAM_E_ARG, "frame size 40000 x 10", (sam_amg_options){.width_px = 40000, .height_px = 10});
    refuses(m, SAM_E_ARG, "points_per_side 5000: expected 1 to 4096", WITH(points_per_side, 5000));
    refuses(m, SAM_E_ARG, "points_per_batch -1: expected 1 to 1024", WITH(points_per_batch, -1));
    refuses(m, SAM_E_ARG, "stability_score_thresh 2: expected 0 to 1", WITH(stability_score_thresh, 2));
    refuses(m, SAM_E_ARG, "stability_score_offset -1", WITH(stability_score_offset, -1));
    refuses(m, SAM_E_ARG, "pred_iou_thresh nan", WITH(pred_iou_thresh, NAN));
    refuses(m, SAM_E_ARG, "box_nms_thresh 1.5", WITH(box_nms_thresh, 1.5));
    refuses(m, SAM_E_ARG, "crop_n_layers 7: expected 0 to 6", WITH(crop_n_layers, 7));
    refuses(m, SAM_E_ARG, "too few for", (sam_amg_options){.width_px = 9, .height_px = 9, .crop_n_layers = 6});
    refuses(m, SAM_E_ARG, "nothing is left for crop layer 2",
            (sam_amg_options){.width_px = W,
                              .height_px = H,
                              .points_per_side = 8,
                              .crop_n_layers = 2,
                              .crop_n_points_downscale_factor = 3});
    refuses(m, SAM_E_MEMORY, "the limit is 0 MiB", WITH(mem_limit, 100000));
    refuses(v1, SAM_E_ARG, "use_m2m: the mask generator of SAM v1 has no use_m2m", WITH(use_m2m, 1));
    refuses(v1, SAM_E_ARG, "has no single_mask", WITH(single_mask, 1));
    refuses(v1, SAM_E_ARG, "has no mask_threshold", WITH(mask_threshold, 0.5));
    assert_int_equal(sam_amg_open(NULL, &sized, &(sam_amg *){NULL}, &err), SAM_E_ARG);
    assert_int_equal(sam_amg_open(m, NULL, &(sam_amg *){NULL}, &err), SAM_E_ARG);
    assert_int_equal(sam_amg_open(m, &sized, NULL, &err), SAM_E_ARG);
    assert_int_equal(sam_amg_generate(NULL, &the_image, &found, &err), SAM_E_ARG);
    assert_int_equal(sam_amg_stats(NULL, &stats, &err), SAM_E_ARG);
    assert_int_equal(sam_amg_points(NULL), 0);
    sam_amg_close(NULL);
    sam_amg *g = open_amg(m, &(sam_amg_options){.width_px = W, .height_px = H, .points_per_batch = 2});
    assert_int_equal(sam_amg_generate(g, &the_image, NULL, &err), SAM_E_ARG);
    assert_int_equal(sam_amg_generate(g, NULL, &found, &err), SAM_E_ARG);
    assert_int_equal(sam_amg_generate(g, &(sam_frame){.rgb = pixels, .row_bytes = 3 * W - 1}, &found, &err), SAM_E_ARG);
    assert_non_null(strstr(err.text, "90 x 70 RGB pixels, rows of at least 270 bytes"));
    assert_int_equal(sam_amg_generate(g, &(sam_frame){.format = SAM_NV12}, &found, &err), SAM_E_ARG);
    assert_int_equal(sam_amg_stats(g, &stats, &err), SAM_OK);
    assert_true(stats.state_bytes > 0);
    sam_amg_close(g);
    sam_model_close(m);
    sam_model_close(v1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crops),   cmocka_unit_test(test_nms),      cmocka_unit_test(test_runs),
        cmocka_unit_test(test_regions), cmocka_unit_test(test_official), cmocka_unit_test(test_device),
        cmocka_unit_test(test_batches), cmocka_unit_test(test_stopped),  cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, make, clean);
}
