/* Image mode with many prompt sets: a batch of points, boxes, masks and previous logits in any mix gives what one set at a time
 * gives, for each family, on the CPU and on an emulated device; what is refused says which set it was. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend_emu.h"
#include "resample.h"
#include "session.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { W = 90, H = 60, SETS = 7, LOW_PX = 16, LOW = LOW_PX * LOW_PX };

static tiny_models models;

static int make(void **state)
{
    (void)state;
    tiny_models_make(&models);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    tiny_models_remove(&models);
    return 0;
}

/* One answer: what outlives the next call. */
typedef struct answer {
    int n;
    float logits[3][LOW], iou[3], presence;
    uint8_t bits[3][W * H];
} answer;

static void keep(answer *a, const sam_mask *masks, int n)
{
    a->n = n;
    a->presence = masks[0].presence;
    for (int k = 0; k < n; k++) {
        memcpy(a->logits[k], masks[k].logits, sizeof a->logits[k]);
        a->iou[k] = masks[k].iou;
        sam_mask_bytes(&masks[k], a->bits[k], W);
    }
}

static double difference(const answer *a, const answer *b)
{
    double worst = fabs((double)a->presence - (double)b->presence);
    assert_int_equal(a->n, b->n);
    for (int k = 0; k < a->n; k++) {
        worst = fmax(worst, fabs((double)a->iou[k] - (double)b->iou[k]));
        for (int i = 0; i < LOW; i++)
            worst = fmax(worst, fabs((double)a->logits[k][i] - (double)b->logits[k][i]));
    }
    return worst;
}

static int changed_bits(const answer *a, const answer *b)
{
    int n = 0;
    for (int k = 0; k < a->n; k++)
        for (int i = 0; i < W * H; i++)
            n += a->bits[k][i] != b->bits[k][i];
    return n;
}

static uint8_t mask_bits[W * H];
static float mask_as_logits[LOW], some_logits[LOW];
static const sam_point points[] = {{20, 25, 1}, {60, 40, 1}, {70, 10, 0}};
static const sam_box box = {10, 8, 50, 44};

/* Seven sets that have nothing in common: clicks, a box, both, logits, logits and a click, a mask, a mask and a box. */
static void make_sets(sam_prompt_set sets[SETS])
{
    const sam_prompt_set all[SETS] = {
        {.points = points, .n_points = 1},
        {.box = &box, .single_mask = 1},
        {.points = points, .n_points = 3, .box = &box},
        {.logits = some_logits},
        {.points = points + 1, .n_points = 1, .logits = some_logits, .single_mask = 1},
        {.mask = mask_bits},
        {.mask = mask_bits, .box = &box, .single_mask = 1},
    };
    memcpy(sets, all, sizeof all);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            mask_bits[y * W + x] = (x - 40) * (x - 40) + 2 * (y - 30) * (y - 30) < 500;
    for (int i = 0; i < LOW; i++)
        some_logits[i] = (float)(i * 37 % 61) / 3 - 10;
}

/* What sam2_base.py makes of a mask: to the input's size, 0 or 1 again, 20 m - 10, to the low resolution. */
static void expect_mask_logits(void)
{
    enum { S = TINY_PX };
    static float plane[W * H], input[S * S];
    resample *first = resample_open(RESAMPLE_ANTIALIAS, W, H, S, S);
    resample *last = resample_open(RESAMPLE_ANTIALIAS, S, S, LOW_PX, LOW_PX);
    for (int i = 0; i < W * H; i++)
        plane[i] = mask_bits[i];
    resample_plane(first, plane, input, 1);
    for (int i = 0; i < S * S; i++)
        input[i] = input[i] >= 0.5f ? 10 : -10;
    resample_plane(last, input, mask_as_logits, 1);
    resample_close(first);
    resample_close(last);
}

static void predict(sam_session *s, const sam_prompt_set *sets, int n, answer *out)
{
    sam_mask masks[3 * SETS];
    int n_masks[SETS];
    sam_error err;
    if (sam_image_predict(s, sets, n, masks, n_masks, &err) != SAM_OK)
        fail_msg("%s", err.text);
    for (int i = 0; i < n; i++)
        keep(&out[i], &masks[3 * i], n_masks[i]);
}

static sam_session *open_at(tiny_family family, int emulated, sam_model **m, int n)
{
    sam_error err;
    emu = (emu_device){.order = EMU_LATE};
    sam_model_options o = {.n_threads = 1, .backend = emulated ? SAM_CUDA : SAM_CPU};
    if (model_open_on(emulated ? &backend_emu : NULL, models.path[family], &o, m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    sam_session *s =
        tiny_session(*m, (sam_session_options){.width_px = W, .height_px = H, .mode = SAM_IMAGE, .max_objects = n});
    tiny_push(s, W, H, 2);
    return s;
}

static void test_batch_is_one_by_one(void **state)
{
    (void)state;
    static answer one[SETS], all[SETS], back[SETS];
    sam_prompt_set sets[SETS], turned[SETS];
    make_sets(sets);
    expect_mask_logits();
    for (int i = 0; i < SETS; i++)
        turned[i] = sets[SETS - 1 - i];
    for (int family = 0; family < TINY_COUNT; family++)
        for (int emulated = 0; emulated < 2; emulated++) {
            sam_model *m;
            sam_session *s = open_at((tiny_family)family, emulated, &m, SETS);
            double worst = 0;
            int bits = 0;
            for (int i = 0; i < SETS; i++)
                predict(s, &sets[i], 1, &one[i]);
            predict(s, sets, SETS, all);
            predict(s, turned, SETS, back);
            for (int i = 0; i < SETS; i++) {
                worst = fmax(worst, fmax(difference(&one[i], &all[i]), difference(&one[i], &back[SETS - 1 - i])));
                bits += changed_bits(&one[i], &all[i]);
            }
            printf("image batch: %-12s %-8s %d sets: worst difference from one by one %.2g, %d pixels\n",
                   tiny_names[family], emulated ? "emulated" : "cpu", SETS, worst, bits);
            assert_true(worst <= 1e-4);
            assert_true(bits <= 3);
            /* The sets are different questions, so that a batch that mixed them up would be seen. */
            assert_true(difference(&one[0], &one[5]) > 1e-3 && difference(&one[5], &one[3]) > 1e-3);
            /* A mask is the logits that it is documented to be. */
            predict(s, &(sam_prompt_set){.logits = mask_as_logits}, 1, back);
            assert_true(difference(&one[5], &back[0]) <= 1e-4);
            sam_session_close(s);
            sam_model_close(m);
        }
}

/* Results of a batch refine the next one though they lie in the session. */
static void test_own_logits(void **state)
{
    (void)state;
    sam_model *m;
    sam_session *s = open_at(TINY_SAM21, 0, &m, 2);
    static float first[LOW];
    static answer want[2], got[2];
    sam_prompt_set sets[SETS];
    sam_mask masks[6];
    int n[2];
    make_sets(sets);
    assert_int_equal(sam_image_predict(s, sets, 2, masks, n, NULL), SAM_OK);
    memcpy(first, masks[0].logits, sizeof first);
    predict(s, (sam_prompt_set[]){{.mask = mask_bits}, {.logits = first}}, 2, want);
    assert_int_equal(sam_image_predict(s, sets, 2, masks, n, NULL), SAM_OK);
    predict(s, (sam_prompt_set[]){{.mask = mask_bits}, {.logits = masks[0].logits}}, 2, got);
    assert_true(difference(&want[0], &got[0]) == 0 && difference(&want[1], &got[1]) == 0);
    sam_session_close(s);
    sam_model_close(m);
}

static void refused(sam_session *s, const sam_prompt_set *sets, int n, sam_status want, const char *words)
{
    sam_mask masks[3 * SETS];
    int n_masks[SETS];
    sam_error err;
    assert_int_equal(sam_image_predict(s, sets, n, masks, n_masks, &err), want);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    printf("image batch: %s\n", err.text);
}

static void test_refused(void **state)
{
    (void)state;
    sam_model *m;
    sam_session *s = open_at(TINY_SAM21, 0, &m, 3);
    sam_prompt_set sets[SETS];
    make_sets(sets);
    refused(s, sets, 0, SAM_E_ARG, "0 prompt sets");
    refused(s, sets, 4, SAM_E_FULL, "opened for 1 to 3 at once");
    sets[1] = (sam_prompt_set){0};
    refused(s, sets, 3, SAM_E_ARG, "prompt set 2 of 3: a prompt needs points, a box or a mask");
    sets[1] = (sam_prompt_set){.points = &(sam_point){W + 12, 5, 1}, .n_points = 1};
    refused(s, sets, 3, SAM_E_ARG, "prompt set 2 of 3: point (102, 5) is outside the 90 x 60 frame by 12 px");
    sets[1] = (sam_prompt_set){.points = &(sam_point){NAN, 5, 1}, .n_points = 1};
    refused(s, sets, 3, SAM_E_ARG, "point (nan, 5) is outside the 90 x 60 frame");
    sets[1] = (sam_prompt_set){.mask = mask_bits, .logits = some_logits};
    refused(s, sets, 3, SAM_E_ARG, "exclude each other");
    sam_session_close(s);
    sam_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_batch_is_one_by_one), cmocka_unit_test(test_own_logits),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, make, clean);
}
