/* The policy "samurai" against SAMURAI's public code: tests/parity/samurai.py made the numbers.
 *   the filter and the choice among masks, frame by frame: kernels/follow_motion.c;
 *   which memories are attended: engine/bank_select.c;
 *   whole tracks of two objects with hash weights, of which the public code tracks one at a time and we both in one batch. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "hash_model.h"
#include "motion_filter.h"
#include "op.h"
#include "operands.h"
#include "policy_named.h"
#include "safetensors.h"
#include "sam.h"
#include "synthetic_clip.h"
#include "temp_dir.h"
#include "test_backend.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

#define DATA SOURCE_DIR "/tests/parity/data/"

static json_t *numbers(void)
{
    json_error_t why;
    json_t *doc = json_load_file(DATA "samurai.json", 0, &why);
    if (!doc)
        fail_msg("%s: %s", DATA "samurai.json", why.text);
    return doc;
}

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static double nth(const json_t *list, size_t i)
{
    return json_number_value(json_array_get(list, i));
}

static void raise(double *to, double error)
{
    if (!(error <= *to))
        *to = error;
}

/* ---- the filter and the choice ------------------------------------------------------------------------------------ */

enum { MASK_PX = 32, MASK_PIXELS = MASK_PX * MASK_PX };

/* One call of the operator for one object, whose filter is kept from frame to frame. */
typedef struct follower {
    float masks[4 * MASK_PIXELS], ious[4], score, least, rule[RULE_FLOATS], filter[FILTER_FLOATS], motion;
    int32_t mode, slot, restart, choice;
    motion_filter after;
} follower;

static void follow(follower *f)
{
    const char *name;
    const op_cpu *op = op_cpu_select(NULL, &name)[OP_follow_motion];
    const op_attr attr = {.h = MASK_PX, .w = MASK_PX, .kernel = 4};
    static float scratch[64];
    tensor in[FOLLOW_INPUTS] = {[FOLLOW_MASKS] = {f->masks, DT_F32, 1, 4, MASK_PIXELS},
                                [FOLLOW_IOUS] = {f->ious, DT_F32, 1, 1, 4},
                                [FOLLOW_SCORE] = {&f->score, DT_F32, 1, 1, 1},
                                [FOLLOW_LEAST_SCORE] = {&f->least, DT_F32, 1, 1, 1},
                                [FOLLOW_MODE] = {&f->mode, DT_I32, 1, 1, 1},
                                [FOLLOW_FILTERS] = {f->filter, DT_F32, 1, 1, FILTER_FLOATS},
                                [FOLLOW_SLOT] = {&f->slot, DT_I32, 1, 1, 1},
                                [FOLLOW_RESTART] = {&f->restart, DT_I32, 1, 1, 1},
                                [FOLLOW_RULE] = {f->rule, DT_F32, 1, 1, RULE_FLOATS}};
    tensor out[FOLLOW_OUTPUTS] = {[FOLLOWED_CHOICE] = {&f->choice, DT_I32, 1, 1, 1},
                                  [FOLLOWED_MOTION] = {&f->motion, DT_F32, 1, 1, 1},
                                  [FOLLOWED_FILTER] = {&f->after, DT_F32, 1, 1, FILTER_FLOATS}};
    op_call call = {.in = in, .out = out, .attr = &attr, .scratch = scratch, .n_threads = 1};
    assert_true(op->scratch_bytes(&call) <= sizeof scratch);
    op->run(&call);
    memcpy(f->filter, &f->after, sizeof f->filter);
}

static void draw(follower *f, const json_t *frame)
{
    const json_t *boxes = json_object_get(frame, "boxes");
    for (size_t m = 1; m < 4; m++) {
        const json_t *b = json_array_get(boxes, m - 1);
        for (int i = 0; i < MASK_PIXELS; i++) {
            int x = i % MASK_PX, y = i / MASK_PX;
            int inside = x >= nth(b, 0) && y >= nth(b, 1) && x <= nth(b, 2) && y <= nth(b, 3);
            f->masks[m * MASK_PIXELS + (size_t)i] = inside ? 1 : -1;
        }
        f->ious[m] = (float)nth(json_object_get(frame, "iou"), m - 1);
    }
    f->score = (float)number(frame, "score");
}

/* Errors of the filter as a share of what an error could be worth: coordinates of the box's height, variances of themselves. */
static void compare_filter(const follower *f, const json_t *frame, double *mean, double *var)
{
    const json_t *want = json_object_get(frame, "mean"), *wanted_var = json_object_get(frame, "var");
    double h = nth(want, 3);
    for (size_t k = 0; k < 8; k++) /* w / h and its velocity are no pixels */
        raise(mean, fabs((double)f->filter[k] - nth(want, k)) / (k % 4 == FILTER_SHAPE ? 1 : h));
    for (size_t k = 0; k < 12; k++)
        raise(var, fabs((double)f->filter[8 + k] - nth(wanted_var, k)) / fmax(fabs(nth(wanted_var, k)), 1e-9));
}

static void choices(void **state)
{
    (void)state;
    json_t *doc = numbers();
    const json_t *c, *frame, *all = json_object_get(doc, "choice");
    size_t i, t, n_judged = 0, n_against = 0;
    double mean = 0, var = 0, motion = 0;
    assert_int_equal(json_array_size(all), 2);
    json_array_foreach(all, i, c)
    {
        static follower f;
        f = (follower){.mode = 7, .least = policy_named("samurai")->least_score};
        const motion_rule p = policy_named("samurai")->motion;
        const json_t *rule = json_object_get(c, "rule");
        assert_true(p.stable_frames == nth(rule, 1) && p.stable_iou == (float)nth(rule, 2) && !p.by_width);
        for (size_t k = 0; k < RULE_FLOATS; k++)
            f.rule[k] = (float)nth(rule, k);
        json_array_foreach(json_object_get(c, "frames"), t, frame)
        {
            const json_t *judged = json_object_get(frame, "motion");
            draw(&f, frame);
            f.restart = t == 0;
            follow(&f);
            float best = fmaxf(f.ious[1], fmaxf(f.ious[2], f.ious[3]));
            if (f.choice != (int)number(frame, "chosen") || (double)f.after.stable != number(frame, "stable"))
                fail_msg("sequence %zu, frame %zu: mask %d, %g stable frames; the public code has %g and %g", i, t,
                         (int)f.choice, (double)f.after.stable, number(frame, "chosen"), number(frame, "stable"));
            compare_filter(&f, frame, &mean, &var);
            raise(&motion, fabs((double)f.motion - (json_is_null(judged) ? 1 : json_number_value(judged))));
            n_judged += !json_is_null(judged);
            n_against += !json_is_null(judged) && f.ious[f.choice] < best;
        }
    }
    json_decref(doc);
    printf(
        "180 frames, %zu chosen by motion, %zu of them against the best IoU; filter off by %.1e of the height, variances "
        "%.1e, motion %.1e\n",
        n_judged, n_against, mean, var, motion);
    assert_true(n_judged > 80 && n_against > 10);
    assert_true(mean <= 1e-5 && var <= 1e-4 && motion <= 1e-4);
}

/* ---- the choice of memories --------------------------------------------------------------------------------------- */

enum { MAX_ENTRIES = 64, MAX_ATTENDED = 16 };

static void compare_attended(const membank *b, int64_t t, const json_t *want, const int64_t *held)
{
    int32_t slots[MAX_ATTENDED], ages[MAX_ATTENDED], pointer_slots[MAX_ENTRIES];
    float pointer_ages[MAX_ENTRIES];
    bank_selection pick = {.slots = slots, .ages = ages, .pointer_slots = pointer_slots, .pointer_ages = pointer_ages};
    bank_select(b, t, 0, 0, &pick);
    assert_int_equal(pick.n_memories, json_array_size(want));
    assert_false(pick.incomplete);
    for (size_t k = 0; k < json_array_size(want); k++) {
        const json_t *pair = json_array_get(want, k);
        int found = 0;
        for (int i = 0; i < pick.n_memories; i++)
            found |= (double)held[slots[i]] == nth(pair, 0) && ages[i] == (int)nth(pair, 1);
        if (!found)
            fail_msg("frame %lld: frame %g with age %g is not attended", (long long)t, nth(pair, 0), nth(pair, 1));
    }
}

static void memories(void **state)
{
    (void)state;
    json_t *doc = numbers();
    const json_t *c, *all = json_object_get(doc, "memories");
    size_t i, n = 0, n_skipped = 0;
    json_array_foreach(all, i, c)
    {
        bank_entry storage[MAX_ENTRIES];
        int64_t held[MAX_ENTRIES];
        membank b;
        const json_t *frames = json_object_get(c, "frames"), *attended = json_object_get(c, "attended");
        bank_init(&b,
                  (bank_size){.max_prompted = 4,
                              .max_pending = 1,
                              .slots = 18,
                              .pointer_slots = 36,
                              .recent = 6,
                              .recent_pointers = 15,
                              .rule = policy_named("samurai")->bank},
                  storage);
        held[bank_propose(&b, 0, 1)->slot] = 0;
        bank_commit(&b);
        for (size_t t = 1; t < json_array_size(frames); t++, n++) {
            const json_t *f = json_array_get(frames, t), *motion = json_object_get(f, "motion");
            const json_t *want = json_array_get(attended, t - 1);
            compare_attended(&b, (int64_t)t, want, held);
            n_skipped +=
                json_array_size(want) > 1 && nth(json_array_get(want, json_array_size(want) - 2), 0) + 6 < (double)t;
            bank_entry *e = bank_track(&b, (int64_t)t, TRACKED_FORWARD);
            held[e->slot] = (int64_t)t;
            e->iou = (float)number(f, "iou");
            e->score = (float)number(f, "score");
            e->motion = json_is_null(motion) ? 1 : (float)json_number_value(motion);
            e->fit = policy_fit(policy_named("samurai"), e, 1);
        }
    }
    json_decref(doc);
    printf("%zu frames, %zu of them attend further back than SAM 2 does\n", n, n_skipped);
    assert_true(n == 3 * 59 && n_skipped > 30);
}

/* ---- whole tracks ------------------------------------------------------------------------------------------------- */

enum { W = SYNTHETIC_WIDTH, H = SYNTHETIC_HEIGHT, LOW = 64, N_SAMPLES = 256, MAX_FRAMES = 40 };
#define TOLERANCE 1e-3 /* as in test_parity.c */

typedef struct seen {
    float logits[N_SAMPLES], score, iou;
} seen;

static void take(sam_session *s, int object, seen *to)
{
    int64_t at[N_SAMPLES];
    sam_mask m;
    sam_error err;
    if (sam_get_mask(s, object, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    synthetic_sample_indices((int64_t)LOW * LOW, N_SAMPLES, at);
    for (int i = 0; i < N_SAMPLES; i++)
        to->logits[i] = m.logits[at[i]];
    to->score = m.presence;
    to->iou = m.iou;
}

static void prompt_all(sam_session *s, const json_t *prompts)
{
    size_t i;
    const json_t *p;
    sam_error err;
    json_array_foreach(prompts, i, p)
    {
        const json_t *box = json_object_get(p, "box"), *xy = json_array_get(json_object_get(p, "points"), 0);
        sam_point click = {(float)nth(xy, 0), (float)nth(xy, 1), 1};
        sam_box corners = {(float)nth(box, 0), (float)nth(box, 1), (float)nth(box, 2), (float)nth(box, 3)};
        sam_prompt_set set = {.box = box ? &corners : NULL, .points = &click, .n_points = box ? 0 : 1};
        if (sam_prompt(s, (int)i + 1, &set, &err) != SAM_OK)
            fail_msg("%s", err.text);
    }
}

/* Both objects through the clip, by a policy. */
static void track(sam_model *m, const char *tracker, const json_t *settings, int n_frames, seen (*out)[2])
{
    static uint8_t rgb[3 * W * H];
    sam_error err;
    sam_session *s;
    sam_session_options opt = {.width_px = W,
                               .height_px = H,
                               .max_objects = 2,
                               .n_frames = n_frames,
                               .fill_hole_area = -1,
                               .history = -1,
                               .tracker = tracker};
    if (sam_session_open(m, &opt, &s, &err) != SAM_OK)
        fail_msg("%s", err.text);
    for (int t = 0; t < n_frames; t++) {
        synthetic_frame(W, H, SYNTHETIC_SEED, t, rgb, NULL);
        sam_frame f = {.rgb = rgb, .row_bytes = 3 * W, .index = t};
        if (sam_push_frame(s, &f, &err) != SAM_OK)
            fail_msg("%s", err.text);
        if (t == 0)
            prompt_all(s, json_object_get(settings, "prompts"));
        else if (sam_track(s, SAM_FORWARD, &err) != SAM_OK)
            fail_msg("%s", err.text);
        for (int o = 1; o <= 2; o++)
            take(s, o, &out[t][o - 1]);
    }
    sam_session_close(s);
}

static float one(const st_file *file, int t, int object, const char *what)
{
    char name[80];
    float v;
    snprintf(name, sizeof name, "frame_%05d/obj_%d/%s", t, object, what);
    const st_tensor *x = st_find(file, name);
    assert_non_null(x);
    memcpy(&v, x->data, sizeof v);
    return v;
}

static double logits_error(const st_file *file, int t, int object, const float *have)
{
    char name[80];
    double error = 0, norm = 0;
    snprintf(name, sizeof name, "frame_%05d/obj_%d/low_res_logits.samples", t, object);
    const st_tensor *x = st_find(file, name);
    assert_true(x && x->n_bytes == N_SAMPLES * sizeof(float));
    for (int i = 0; i < N_SAMPLES; i++) {
        float want;
        memcpy(&want, (const char *)x->data + (size_t)i * sizeof want, sizeof want);
        error += ((double)have[i] - want) * ((double)have[i] - want);
        norm += (double)want * want;
    }
    return sqrt(error / fmax(norm, 1e-30));
}

static void tracks(void **state)
{
    static seen ours[MAX_FRAMES][2], sam2[MAX_FRAMES][2];
    temp_dir dir;
    char path[400];
    st_file file;
    sam_error err;
    sam_model *m;
    (void)state;
    if (st_open(DATA "samurai_256.safetensors", &file, &err) != SAM_OK)
        fail_msg("%s", err.text);
    json_t *settings = json_loads(st_meta_get(&file, "settings"), 0, NULL);
    int n_frames = (int)number(settings, "n_frames"), n_other = 0;
    assert_true(n_frames > 20 && n_frames <= MAX_FRAMES);
    temp_dir_make(&dir);
    snprintf(path, sizeof path, "%s/m.safetensors", dir.path);
    assert_true(hash_model_make(path, "sam2.1_tiny", (unsigned)number(settings, "seed"), 0, &err));
    sam_model_options opt = {.backend = test_backend(), .image_px = 256, .n_threads = 1};
    if (sam_model_open(path, &opt, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    track(m, "samurai", settings, n_frames, ours);
    track(m, "sam2", settings, n_frames, sam2);
    double logits = 0, score = 0, iou = 0, sam2_most = 0;
    for (int t = 0; t < n_frames; t++)
        for (int o = 1; o <= 2; o++) {
            const seen *have = &ours[t][o - 1];
            raise(&logits, logits_error(&file, t, o, have->logits));
            raise(&score, fabs((double)have->score - (double)one(&file, t, o, "object_score")));
            raise(&iou, t ? fabs((double)have->iou - (double)one(&file, t, o, "iou")) : 0);
            double other = logits_error(&file, t, o, sam2[t][o - 1].logits);
            raise(&sam2_most, other);
            n_other += other > 10 * TOLERANCE;
        }
    printf(
        "2 objects, %d frames: logits %.1e, score %.1e, quality %.1e; \"sam2\" is another on %d of them, by up to %.1e\n",
        n_frames, logits, score, iou, n_other, sam2_most);
    assert_true(logits <= TOLERANCE && score <= TOLERANCE && iou <= 1e-3);
    assert_true(n_other > 4); /* else the clip tests nothing of the policy */
    sam_model_close(m);
    json_decref(settings);
    st_close(&file);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(choices), cmocka_unit_test(memories), cmocka_unit_test(tracks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
