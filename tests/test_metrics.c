/* J and F of mask pairs against a plain reimplementation, the statistics over frames, the toy table of conventions
 * (each row was run through the published evaluators), and real masks with figures of the published evaluators. */
#include "eval_video.h"
#include "image_io.h"
#include "listing.h"
#include "packed_mask.h"
#include "temp_tree.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { W = 160, H = 120 };

/* ---- reference: the published formulas, pixel by pixel ---- */

static int px_at(const uint8_t *m, int w, int h, int x, int y)
{
    return x >= 0 && y >= 0 && x < w && y < h && m[(size_t)y * w + x];
}

static int on_boundary(metric_kind kind, const uint8_t *m, int w, int h, int x, int y)
{
    int here = px_at(m, w, h, x, y), any = 0, all = 1;
    if (kind != METRIC_SEED) {
        int e = here ^ px_at(m, w, h, x + 1, y), s = here ^ px_at(m, w, h, x, y + 1);
        if (x == w - 1 && y == h - 1)
            return 0;
        return y == h - 1 ? e : x == w - 1 ? s : e | s | (here ^ px_at(m, w, h, x + 1, y + 1));
    }
    for (int v = y - 1; v <= y + 1; v++) {
        for (int u = x - 1; u <= x + 1; u++) {
            if (u < 0 || v < 0 || u >= w || v >= h)
                continue;
            any |= px_at(m, w, h, u, v);
            all &= px_at(m, w, h, u, v);
        }
    }
    return any && !all;
}

static uint8_t *boundary(metric_kind kind, const uint8_t *m, int w, int h, int *n)
{
    uint8_t *b = calloc((size_t)w * h, 1);
    *n = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            *n += b[(size_t)y * w + x] = (uint8_t)on_boundary(kind, m, w, h, x, y);
    return b;
}

static int matched(metric_kind kind, const uint8_t *a, const uint8_t *b, int w, int h, int r)
{
    int n = 0;
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            int found = 0;
            for (int dy = -r; a[(size_t)y * w + x] && dy <= r && !found; dy++)
                for (int dx = -r; dx <= r && !found; dx++)
                    found = (kind == METRIC_SEED || dx * dx + dy * dy <= r * r) && px_at(b, w, h, x + dx, y + dy);
            n += found;
        }
    }
    return n;
}

static void reference(metric_kind kind, const uint8_t *gt, const uint8_t *pred, int w, int h, double *j, double *f)
{
    int both = 0, either = 0, n_gt, n_pred, gt_px = 0, pred_px = 0;
    for (int i = 0; i < w * h; i++) {
        both += gt[i] && pred[i];
        either += gt[i] || pred[i];
        gt_px += gt[i] != 0;
        pred_px += pred[i] != 0;
    }
    *j = either ? (double)both / either : 1;
    double diagonal = 0.008 * sqrt((double)(w * w + h * h));
    int r = kind == METRIC_SEED ? (int)fmax(1, nearbyint(diagonal)) : (int)ceil(diagonal);
    uint8_t *bg = boundary(kind, gt, w, h, &n_gt), *bp = boundary(kind, pred, w, h, &n_pred);
    double p = n_pred ? matched(kind, bp, bg, w, h, r) / (double)n_pred : 1;
    double c = n_gt ? matched(kind, bg, bp, w, h, r) / (double)n_gt : 1;
    *f = p + c > 0 ? 2 * p * c / (p + c) : 0;
    if (kind == METRIC_SEED && (!gt_px || !pred_px))
        *f = !gt_px && !pred_px;
    free(bg);
    free(bp);
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Boxes, noise, full, empty and border-touching masks. */
static void random_mask(uint8_t *m, int w, int h, uint64_t *seed)
{
    int style = (int)(next_random(seed) % 6);
    memset(m, style == 1, (size_t)w * h);
    for (int i = 0; style >= 4 && i < w * h; i++)
        m[i] = next_random(seed) % (style == 4 ? 2 : 50) == 0;
    for (int k = 0; (style == 2 || style == 3) && k < 3; k++) {
        int x0 = (int)(next_random(seed) % (uint64_t)w), y0 = (int)(next_random(seed) % (uint64_t)h);
        int x1 = x0 + 1 + (int)(next_random(seed) % (uint64_t)(w - x0));
        int y1 = y0 + 1 + (int)(next_random(seed) % (uint64_t)(h - y0));
        fill_box(m, w, x0, y0, x1, y1, k != 1);
    }
}

static uint64_t *packed_rows(const mask_view *m, int w, int h)
{
    uint64_t *rows = malloc((size_t)h * mask_row_words(w) * 8);
    assert_non_null(rows);
    for (size_t y = 0; y < (size_t)h; y++)
        mask_pack(m->px + y * m->row_bytes, (size_t)w, m->value, rows + y * mask_row_words(w));
    return rows;
}

/* Either mask or both may come packed. */
static void check_packed(metric_kind kind, const mask_view *gt, const mask_view *pred, int w, int h,
                         const frame_score *want)
{
    metric_scratch scratch = {0};
    uint64_t *rows[2] = {packed_rows(gt, w, h), packed_rows(pred, w, h)};
    for (int which = 1; which <= 3; which++) {
        const mask_view a = which & 1 ? (mask_view){.words = rows[0]} : *gt;
        const mask_view b = which & 2 ? (mask_view){.words = rows[1]} : *pred;
        frame_score got;
        assert_int_equal(metric_frame(kind, &a, &b, w, h, &scratch, &got, NULL), SAM_OK);
        assert_memory_equal(&got, want, sizeof got);
    }
    metric_scratch_free(&scratch);
    free(rows[0]);
    free(rows[1]);
}

static void frames_equal_the_plain_formulas(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1},   {1, 9},    {9, 1},   {7, 5},     {8, 8},   {63, 11},  {64, 64}, {65, 40},
                                   {100, 7}, {127, 65}, {128, 3}, {129, 130}, {193, 2}, {500, 20}, {20, 900}};
    uint64_t seed = 7;
    int n_pairs = 0;
    double worst = 0;
    metric_scratch scratch = {0};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int w = sizes[s][0], h = sizes[s][1];
        uint8_t *gt = malloc((size_t)w * h), *pred = malloc((size_t)w * h);
        for (int k = 0; k < 12; k++) {
            random_mask(gt, w, h, &seed);
            random_mask(pred, w, h, &seed);
            for (int kind = METRIC_DAVIS; kind <= METRIC_SEED; kind += METRIC_SEED) {
                double j, f;
                frame_score got;
                reference((metric_kind)kind, gt, pred, w, h, &j, &f);
                const mask_view a = {.px = gt, .row_bytes = (size_t)w, .value = k & 1};
                const mask_view b = {.px = pred, .row_bytes = (size_t)w, .value = k & 1};
                assert_int_equal(metric_frame((metric_kind)kind, &a, &b, w, h, &scratch, &got, NULL), SAM_OK);
                worst = fmax(worst, fmax(fabs(got.j - j), fabs(got.f - f)));
                check_packed((metric_kind)kind, &a, &b, w, h, &got);
                n_pairs++;
            }
        }
        free(gt);
        free(pred);
    }
    metric_scratch_free(&scratch);
    printf("%d mask pairs of 15 sizes, seed 7: worst difference %g\n", n_pairs, worst);
    assert_true(worst <= 1e-12);
}

/* A pixel is found at distance r and not beyond: the radii of the published evaluators at common sizes. */
static void radii_at_common_sizes(void **state)
{
    (void)state;
    static const struct {
        metric_kind kind;
        int w, h, r;
    } cases[] = {{METRIC_DAVIS, 854, 480, 8},   {METRIC_SAV, 1280, 720, 12}, {METRIC_VOS_BENCHMARK, 1920, 1080, 18},
                 {METRIC_DAVIS, 100, 75, 1},    {METRIC_DAVIS, 10, 10, 1},   {METRIC_SEED, 854, 480, 8},
                 {METRIC_SEED, 1920, 1080, 18}, {METRIC_SEED, 960, 540, 9},  {METRIC_SEED, 20, 20, 1}};
    metric_scratch scratch = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int w = cases[i].w, h = cases[i].h, far = -1;
        for (int shift = 1; far < 0 && shift <= 40 && shift < w - 4; shift++) {
            uint8_t *gt = calloc((size_t)w * h, 1), *pred = calloc((size_t)w * h, 1);
            frame_score got;
            /* Half planes: every boundary pixel is `shift` columns from the other boundary; the gradient is 2 wide. */
            fill_box(gt, w, 0, 0, 2, h, 1);
            fill_box(pred, w, 0, 0, 2 + shift, h, 1);
            const mask_view a = {.px = gt, .row_bytes = (size_t)w}, b = {.px = pred, .row_bytes = (size_t)w};
            assert_int_equal(metric_frame(cases[i].kind, &a, &b, w, h, &scratch, &got, NULL), SAM_OK);
            if (got.f < 1)
                far = shift;
            free(gt);
            free(pred);
        }
        printf("%-13s %4d x %-4d radius %d\n", metric_name(cases[i].kind), w, h, far - 1);
        assert_int_equal(far - 1, cases[i].r);
    }
    metric_scratch_free(&scratch);
}

static void statistics_over_frames(void **state)
{
    (void)state;
    object_score s = {.kind = METRIC_DAVIS};
    object_result r;
    object_score_conclude(&s, &r);
    assert_int_equal(r.scored, 0);
    for (int i = 0; i < 400; i++) { /* the case of 400 frames for which the original's decay is 0 */
        frame_score frame = {.j = i < 100 ? 1 : i < 300 ? 0.5 : 0, .f = i % 2};
        assert_int_equal(object_score_add(&s, &frame, NULL), SAM_OK);
        object_score_conclude(&s, &r);
        if (i == 0)
            assert_true(r.j == 1 && r.j_recall == 1 && r.j_decay == 0);
    }
    printf("400 frames: J %.4f recall %.4f decay %.4f, F %.4f recall %.4f\n", r.j, r.j_recall, r.j_decay, r.f,
           r.f_recall);
    assert_true(r.j == 0.5 && r.j_recall == 0.25 && r.f == 0.5 && r.f_recall == 0.5);
    /* Quarters of frames 1..400 end at 100.75 and start at 300.25: bounds 101 and 300, both ends included. */
    assert_true(fabs(r.j_decay - ((100 + 0.5) / 101 - 0.5 / 101)) < 1e-12);
    object_score_free(&s);

    /* np.round would take 2.5 to 2; the original adds 1e-10 first. Quarters of 7 frames: 0..2 and 5..6. */
    s = (object_score){.kind = METRIC_DAVIS};
    for (int i = 0; i < 7; i++)
        assert_int_equal(object_score_add(&s, &(frame_score){.j = 1 << i}, NULL), SAM_OK);
    object_score_conclude(&s, &r);
    assert_true(fabs(r.j_decay - (7. / 3 - 48)) < 1e-12);
    object_score_free(&s);

    s = (object_score){.kind = METRIC_SEED};
    assert_int_equal(object_score_add_missing(&s, NULL), SAM_OK);
    object_score_conclude(&s, &r);
    assert_true(r.scored && r.j == 0 && r.f == 0);
    object_score_free(&s);
    sam_error err;
    s = (object_score){.kind = METRIC_DAVIS};
    assert_int_equal(object_score_add_missing(&s, &err), SAM_E_ARG);
}

/* ---- toy table: object 1 is a box of 40 x 40, "shifted" predictions are 4 pixels to the right ---- */

typedef struct toy {
    uint8_t gt[6][H * W], pred[6][H * W]; /* index masks of six frames */
} toy;

static void put(uint8_t *frame, int value, int x, int y, int side)
{
    fill_box(frame, W, x, y, x + side, y + side, value);
}

static void always_shifted(toy *t)
{
    for (int i = 0; i < 6; i++) {
        put(t->gt[i], 1, 40, 20, 40);
        put(t->pred[i], 1, 44, 20, 40);
    }
}

static void absent_then_shifted(toy *t)
{
    always_shifted(t);
    for (int i = 1; i <= 3; i++) {
        memset(t->gt[i], 0, sizeof t->gt[i]);
        memset(t->pred[i], 0, sizeof t->pred[i]);
    }
}

static void empty_after_first(toy *t)
{
    put(t->gt[0], 1, 40, 20, 40);
    put(t->pred[0], 1, 40, 20, 40);
}

static void only_predicted_after_first(toy *t)
{
    empty_after_first(t);
    for (int i = 1; i < 6; i++)
        put(t->pred[i], 1, 40, 20, 40);
}

static void equal_masks(toy *t)
{
    for (int i = 0; i < 6; i++) {
        put(t->gt[i], 1, 40, 20, 40);
        put(t->pred[i], 1, 40, 20, 40);
    }
}

static void unknown_id(toy *t)
{
    equal_masks(t);
    for (int i = 0; i < 6; i++)
        put(t->pred[i], 2, 100, 70, 21);
}

static void later_object(toy *t)
{
    equal_masks(t);
    for (int i = 3; i < 6; i++) {
        put(t->gt[i], 2, 100, 70, 21);
        put(t->pred[i], 2, 101, 70, 21);
    }
}

static void void_band(toy *t)
{
    always_shifted(t);
    for (int i = 0; i < 6; i++)
        fill_box(t->gt[i], W, 0, 110, W, 116, 255);
}

static void ids_one_and_three(toy *t)
{
    always_shifted(t);
    for (int i = 0; i < 6; i++) {
        put(t->gt[i], 3, 100, 70, 30);
        put(t->pred[i], 3, 100, 70, 30);
    }
}

static void fewer_ids(toy *t)
{
    equal_masks(t);
    for (int i = 0; i < 6; i++)
        put(t->gt[i], 2, 100, 70, 21);
}

enum { ABORTS = -1, NOTHING = -2 }; /* in place of J: an error; no object at all */

typedef struct toy_row {
    const char *name;
    void (*make)(toy *t);
    double j[3], f[3]; /* davis flat, vos_benchmark flat, sav per object */
    int n_objects[3];
} toy_row;

static const toy_row toy_rows[] = {
    {"shifted 4 px", always_shifted, {0.8182, 0.8182, 0.8182}, {0.5125, 0.5125, 0.5125}, {1, 1, 1}},
    {"absent in 1-3, then shifted", absent_then_shifted, {0.9545, 0.8182, 0.8182}, {0.8781, 0.5125, 0.5125}, {1, 1, 1}},
    {"empty after frame 0", empty_after_first, {1, NOTHING, ABORTS}, {1}, {1, 0, 0}},
    {"only predicted after 0", only_predicted_after_first, {0, NOTHING, ABORTS}, {0}, {1, 0, 0}},
    {"prediction adds id 2", unknown_id, {ABORTS, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {"object 2 first in frame 3", later_object, {ABORTS, 0.9545, 0.9545}, {0, 1, 1}, {0, 2, 2}},
    {"255 band in the annotation", void_band, {0.8182, 0.4091, 0.8182}, {0.5125, 0.2562, 0.5125}, {1, 2, 1}},
    {"ids 1 and 3", ids_one_and_three, {0.9394, 0.9091, 0.9091}, {0.8375, 0.7562, 0.7562}, {3, 2, 2}},
    {"prediction lacks id 2", fewer_ids, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}, {2, 2, 2}},
};

static int any_equal(uint8_t frames[6][H * W], int value)
{
    for (int i = 0; i < 6; i++)
        if (memchr(frames[i], value, H * W))
            return 1;
    return 0;
}

/* Writes a toy as index PNGs and as one folder per object of the annotation; there is no folder for void. */
static void write_toy(temp_tree *t, toy *masks)
{
    static uint8_t one[H * W];
    char path[128];
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < 6; i++) {
            const uint8_t *frame = side ? masks->pred[i] : masks->gt[i];
            snprintf(path, sizeof path, "flat/%s/toy/%05d.png", side ? "pred" : "gt", i * 4);
            tree_mask(t, path, frame, W, H);
            for (int value = 1; value < 4; value++) {
                if (!any_equal(masks->gt, value))
                    continue;
                for (size_t p = 0; p < sizeof one; p++)
                    one[p] = frame[p] == value;
                snprintf(path, sizeof path, "objects/%s/toy/%03d/%05d.png", side ? "pred" : "gt", value, i * 4);
                tree_gray(t, path, one, W, H);
            }
        }
    }
}

static sam_status score_tree(temp_tree *t, const char *layout, metric_kind kind, eval_results *results,
                             global_result *g, sam_error *err)
{
    char gt[256], pred[256];
    snprintf(gt, sizeof gt, "%s", tree_path(t, "%s/gt", layout));
    snprintf(pred, sizeof pred, "%s", tree_path(t, "%s/pred", layout));
    sam_status status = eval_video(kind, metric_skips_first_last(kind), gt, pred, PRED_AUTO, "toy", results, err);
    object_result objects[8];
    for (int i = 0; i < results->n && i < 8; i++)
        objects[i] = results->objects[i].result;
    metric_aggregate(objects, (size_t)results->n, g);
    return status;
}

static void toy_table(void **state)
{
    (void)state;
    static const metric_kind kinds[] = {METRIC_DAVIS, METRIC_VOS_BENCHMARK, METRIC_SAV};
    static toy masks;
    for (size_t row = 0; row < sizeof toy_rows / sizeof *toy_rows; row++) {
        const toy_row *r = &toy_rows[row];
        temp_tree t;
        tree_open(&t);
        memset(&masks, 0, sizeof masks);
        r->make(&masks);
        write_toy(&t, &masks);
        for (int k = 0; k < 3; k++) {
            eval_results results = {0};
            global_result g;
            sam_error err = {0};
            sam_status status = score_tree(&t, k == 2 ? "objects" : "flat", kinds[k], &results, &g, &err);
            printf("%-28s %-13s %s J %.4f F %.4f (%d objects)\n", r->name, metric_name(kinds[k]),
                   status == SAM_OK ? "  " : "! ", g.j, g.f, g.n_scored);
            if (r->j[k] == ABORTS) {
                printf("    %s\n", err.text);
                assert_int_equal(status, SAM_E_FORMAT);
            } else {
                assert_int_equal(status, SAM_OK);
                assert_int_equal(g.n_scored, r->n_objects[k]);
                /* The table has four decimals; some entries are exact halves of the fifth. */
                if (r->j[k] != NOTHING)
                    assert_true(fabs(g.j - r->j[k]) <= 5.01e-5 && fabs(g.f - r->f[k]) <= 5.01e-5);
            }
            eval_results_free(&results);
        }
        tree_close(&t);
    }
}

/* DAVIS 2016: one object of value 255 is no void for seed. */
static void lone_255_is_an_object_for_seed(void **state)
{
    (void)state;
    static toy masks;
    temp_tree t;
    tree_open(&t);
    for (int i = 0; i < 6; i++) {
        put(masks.gt[i], 255, 40, 20, 40);
        put(masks.pred[i], 255, 40, 20, 40);
    }
    write_toy(&t, &masks);
    eval_results results = {0};
    global_result g;
    sam_error err;
    assert_int_equal(score_tree(&t, "flat", METRIC_SEED, &results, &g, &err), SAM_OK);
    assert_int_equal(g.n_scored, 1);
    assert_string_equal(results.objects[0].name, "toy/255");
    assert_true(g.j == 1 && results.objects[0].result.n_frames == 6);
    eval_results_free(&results);
    tree_close(&t);
}

/* ---- real masks ---- */

typedef struct comparison {
    int n;
    double worst;
} comparison;

static void compare(comparison *c, double got, const json_t *want, double scale)
{
    assert_true(json_is_number(want));
    double error = fabs(got - json_number_value(want) * scale);
    assert_true(error <= 1e-6);
    c->worst = fmax(c->worst, error);
    c->n++;
}

static void compare_frames(comparison *c, const double *got, size_t n, const json_t *want)
{
    assert_int_equal(json_array_size(want), n);
    for (size_t i = 0; i < n; i++)
        compare(c, got[i], json_array_get(want, i), 1);
}

static void compare_object(comparison *c, metric_kind kind, const eval_object *o, const json_t *want)
{
    double scale = kind == METRIC_SAV || kind == METRIC_VOS_BENCHMARK ? 0.01 : 1;
    assert_non_null(want);
    if (kind != METRIC_DAVIS) {
        compare(c, o->result.j, json_object_get(want, "J"), scale);
        compare(c, o->result.f, json_object_get(want, "F"), scale);
        return;
    }
    const json_t *j = json_object_get(want, "J"), *f = json_object_get(want, "F");
    compare(c, o->result.j, json_object_get(j, "mean"), 1);
    compare(c, o->result.f, json_object_get(f, "mean"), 1);
    compare(c, o->result.j_recall, json_object_get(j, "recall"), 1);
    compare(c, o->result.f_recall, json_object_get(f, "recall"), 1);
    compare(c, o->result.j_decay, json_object_get(j, "decay"), 1);
    compare(c, o->result.f_decay, json_object_get(f, "decay"), 1);
    compare_frames(c, o->frames.j, o->frames.n_frames, json_object_get(want, "J_per_frame"));
    compare_frames(c, o->frames.f, o->frames.n_frames, json_object_get(want, "F_per_frame"));
}

static void real_masks_score_as_published(void **state)
{
    (void)state;
    json_t *expected = json_load_file(SHARED_DIR "/data/metrics/expected.json", 0, NULL);
    if (!expected) {
        printf("no " SHARED_DIR "/data/metrics: skipped\n");
        skip();
    }
    for (int k = 0; k < 8; k++) {
        metric_kind kind = (metric_kind)(k / 2);
        const char *layout = k % 2 ? "sav" : "davis";
        const json_t *want = json_object_get(expected, metric_name(kind)), *global = json_object_get(want, "global");
        char gt[512], pred[512];
        snprintf(gt, sizeof gt, SHARED_DIR "/data/metrics/%s/gt", layout);
        snprintf(pred, sizeof pred, SHARED_DIR "/data/metrics/%s/pred", layout);
        listing videos = {0};
        eval_results results = {0};
        sam_error err = {0};
        comparison c = {0};
        assert_int_equal(listing_read(gt, NULL, &videos, &err), SAM_OK);
        for (int i = 0; i < videos.n; i++)
            assert_int_equal(
                eval_video(kind, metric_skips_first_last(kind), gt, pred, PRED_AUTO, videos.names[i], &results, &err),
                SAM_OK);
        assert_int_equal(results.n, 3);
        object_result objects[3];
        for (int i = 0; i < 3; i++) {
            compare_object(&c, kind, &results.objects[i], json_object_get(want, results.objects[i].name));
            objects[i] = results.objects[i].result;
        }
        global_result g;
        metric_aggregate(objects, 3, &g);
        if (global) {
            compare(&c, g.j, json_object_get(global, "J"), 0.01);
            compare(&c, g.f, json_object_get(global, "F"), 0.01);
            compare(&c, g.j_and_f, json_object_get(global, "JandF"), 0.01);
        }
        printf("%-13s, %-5s layout: %3d figures, worst error %.2g\n", metric_name(kind), layout, c.n, c.worst);
        eval_results_free(&results);
        listing_free(&videos);
    }
    json_decref(expected);
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The least of REPEATS, in processor time. */
enum { LARGE_W = 1920, LARGE_H = 1080, REPEATS = 20 };
static double time_of(metric_kind kind, const mask_view *gt, const mask_view *pred, frame_score *score)
{
    metric_scratch scratch = {0};
    double least = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = cpu_ms();
        assert_int_equal(metric_frame(kind, gt, pred, LARGE_W, LARGE_H, &scratch, score, NULL), SAM_OK);
        least = fmin(least, cpu_ms() - start);
    }
    metric_scratch_free(&scratch);
    return least;
}

static double time_of_counts(const uint64_t *a, const uint64_t *b)
{
    size_t n = LARGE_H * mask_row_words(LARGE_W);
    double least = INFINITY;
    for (int i = 0; i < REPEATS; i++) {
        double start = cpu_ms();
        assert_true(mask_count(a, n) + mask_count(b, n) > 2 * mask_count_both(a, b, n));
        least = fmin(least, cpu_ms() - start);
    }
    return least;
}

/* The annotation as `run` gets it: a file. */
static double time_of_reading(const uint8_t *px)
{
    char path[] = "/tmp/test_metrics_XXXXXX";
    int fd = mkstemp(path);
    double least = INFINITY;
    sam_error err;
    image got = {0};
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(image_write_mask(path, px, LARGE_W, LARGE_W, LARGE_H, 0, &err), SAM_OK);
    for (int i = 0; i < REPEATS; i++) {
        double start = cpu_ms();
        assert_int_equal(image_read_mask(path, MASK_IDS, &got, &err), SAM_OK);
        least = fmin(least, cpu_ms() - start);
    }
    image_free(&got);
    unlink(path);
    return least;
}

/* A blob with lobes, its outline smooth or frayed, and the same a little larger and turned. */
static void draw_pair(uint8_t *gt, uint8_t *pred, int frayed)
{
    for (int y = 0; y < LARGE_H; y++)
        for (int x = 0; x < LARGE_W; x++) {
            double dx = x - LARGE_W / 2, dy = y - LARGE_H / 2, turn = atan2(dy, dx), r = hypot(dx, dy) / LARGE_H;
            double fringe = frayed ? 0.01 * (x % 13) : 0;
            gt[(size_t)y * LARGE_W + x] = r < 0.3 + 0.045 * sin(7 * turn) + 0.009 * sin(41 * turn) + fringe;
            pred[(size_t)y * LARGE_W + x] = r < 0.305 + 0.045 * sin(7 * turn + 0.1) + 0.009 * sin(43 * turn) + fringe;
        }
}

/* What scoring costs (docs/metrics.md). Not a pass criterion: machines differ. */
static void time_of_large_pairs(void **state)
{
    (void)state;
    uint8_t *gt = calloc(LARGE_W, LARGE_H), *pred = calloc(LARGE_W, LARGE_H);
    const mask_view a = {.px = gt, .row_bytes = LARGE_W}, b = {.px = pred, .row_bytes = LARGE_W};
    for (int frayed = 0; frayed <= 1; frayed++) {
        draw_pair(gt, pred, frayed);
        uint64_t *rows[2] = {packed_rows(&a, LARGE_W, LARGE_H), packed_rows(&b, LARGE_W, LARGE_H)};
        const mask_view packed[2] = {{.words = rows[0]}, {.words = rows[1]}};
        frame_score score;
        for (int k = METRIC_DAVIS; k <= METRIC_SEED; k += METRIC_SEED) {
            metric_kind kind = (metric_kind)k;
            double bytes = time_of(kind, &a, &b, &score), half = time_of(kind, &a, &packed[1], &score);
            printf("%s: 1920 x 1080, %lld + %lld boundary pixels, J %.3f F %.3f; CPU ms a pair: both as bytes %.3f, "
                   "result packed %.3f, both packed %.3f\n",
                   metric_name(kind), (long long)score.gt_boundary_px, (long long)score.pred_boundary_px, score.j,
                   score.f, bytes, half, time_of(kind, &packed[0], &packed[1], &score));
        }
        printf("counts of J from packed masks %.3f ms; reading the annotation's PNG %.3f ms\n",
               time_of_counts(rows[0], rows[1]), time_of_reading(gt));
        free(rows[0]);
        free(rows[1]);
    }
    free(gt);
    free(pred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_equal_the_plain_formulas),
        cmocka_unit_test(radii_at_common_sizes),
        cmocka_unit_test(statistics_over_frames),
        cmocka_unit_test(toy_table),
        cmocka_unit_test(lone_255_is_an_object_for_seed),
        cmocka_unit_test(real_masks_score_as_published),
        cmocka_unit_test(time_of_large_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
