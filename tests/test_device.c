/* How a session drives a device, proven on the emulated one: what it waits for and takes, that results do not depend on
 * when queued work happens, and what follows a failure. What the kernels compute is test_emulated_model's business. */
#include "alloc_count.h"
#include "backend_emu.h"
#include "components.h"
#include "model.h"
#include "tiny_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { W = 80, H = 60, MAX_OBJECTS = 3, FRAMES = 5, LOGITS = (TINY_PX / 4) * (TINY_PX / 4) };

static tiny_models models;

static sam_model *open_model(tiny_family f)
{
    sam_error err;
    sam_model *m = NULL;
    sam_model_options o = {.backend = SAM_CUDA, .n_threads = 1, .image_px = TINY_PX};
    if (model_open_on(&backend_emu, models.path[f], &o, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return m;
}

static sam_session *open_session(sam_model *m, int n_objects)
{
    return tiny_session(
        m, (sam_session_options){.width_px = W, .height_px = H, .max_objects = n_objects, .prepared_frames = 1});
}

/* ---- frames of every format --------------------------------------------------------------------------------------- */

enum { N_STORED = 10, IN_TURNS = SAM_PREPARED_F16 + 1 }; /* IN_TURNS: another format each frame */
static uint16_t stored[N_STORED][3 * TINY_PX * TINY_PX];

static void store_frames(void)
{
    sam_error err;
    uint8_t rgb[3 * W * H];
    sam_model *m = tiny_open(models.path[TINY_SAM21], &(sam_model_options){.image_px = TINY_PX});
    sam_session *s = open_session(m, 1);
    for (int t = 0; t < N_STORED; t++) {
        tiny_frame(W, H, t, rgb);
        const sam_frame f = {.rgb = rgb, .row_bytes = 3 * W, .index = t};
        if (sam_prepare_frame(s, &f, stored[t], &err) != SAM_OK)
            fail_msg("%s", err.text);
    }
    sam_session_close(s);
    sam_model_close(m);
}

static void hand_over(sam_session *s, int format, int64_t t,
                      sam_status (*to)(sam_session *s, const sam_frame *f, sam_error *err))
{
    static uint16_t prepared[3 * TINY_PX * TINY_PX];
    uint8_t pixels[3 * W * H];
    sam_error err;
    tiny_frame(W, H, t, pixels);
    memcpy(prepared, stored[t], sizeof prepared);
    /* As NV12 the same bytes are another picture: the first third is luma, of what follows half is chroma. */
    const sam_frame f = {.rgb = pixels,
                         .row_bytes = 3 * W,
                         .index = t,
                         .format = format == IN_TURNS ? (sam_pixel_format)(t % IN_TURNS) : (sam_pixel_format)format,
                         .nv12 = {pixels, pixels + W * H, W, W, SAM_BT709, 1},
                         .prepared = prepared};
    if (to(s, &f, &err) != SAM_OK)
        fail_msg("%s", err.text);
    memset(pixels, 0, sizeof pixels); /* borrowed for the call */
    memset(prepared, 0, sizeof prepared);
}

/* Clicks for all but the second object, which gets a mask. */
static void prompt_all(sam_session *s, int n_objects)
{
    sam_error err;
    uint8_t mask[W * H];
    for (int i = 0; i < W * H; i++)
        mask[i] = i % W > 30 && i % W < 60 && i / W > 10 && i / W < 40;
    for (int k = 0; k < n_objects; k++) {
        const sam_point click = {30 + 5 * (float)k, 30, 1};
        sam_prompt_set set = {.points = &click, .n_points = 1};
        if (k == 1)
            set = (sam_prompt_set){.mask = mask, .mask_row_bytes = W};
        if (sam_prompt(s, k + 1, &set, &err) != SAM_OK)
            fail_msg("%s", err.text);
    }
}

static void track(sam_session *s)
{
    sam_error err;
    if (sam_track(s, SAM_FORWARD, &err) != SAM_OK)
        fail_msg("%s", err.text);
}

/* ---- waits and memory --------------------------------------------------------------------------------------------- */

static int working;
static long by_engine; /* allocations; stays 0 where they cannot be counted */

static void stop_counting(void)
{
    long n = alloc_count_end().own;
    by_engine += n > 0 ? n : 0;
}

/* What the emulator takes while it works is not the engine's. */
static void on_work(int begins)
{
    if (begins && !working++)
        stop_counting();
    else if (!begins && !--working)
        alloc_count_begin();
}

/* A frame, tracked; counts what the engine takes for it. */
static void counted_frame(sam_session *s, int64_t t, sam_direction direction)
{
    sam_error err;
    emu_on_work(on_work);
    alloc_count_begin();
    tiny_push(s, W, H, t);
    sam_status status = sam_track(s, direction, &err);
    stop_counting();
    emu_on_work(NULL);
    if (status != SAM_OK)
        fail_msg("%s", err.text);
}

/* One wait a frame, whatever form it comes in, and nothing taken. */
static void check_steady_frames(int n_objects, int format, int overlap)
{
    static const char *const names[] = {"RGB", "NV12", "stored"};
    enum { FIRST = 4, STEADY = 3 }; /* before, what each of two places needs runs once, then is recorded */
    emu = (emu_device){.order = EMU_LATE};
    sam_model *m = open_model(TINY_SAM21);
    sam_session *s = tiny_session(m, (sam_session_options){.width_px = W,
                                                           .height_px = H,
                                                           .max_objects = n_objects,
                                                           .overlap = overlap,
                                                           .prepared_frames = format == SAM_PREPARED_F16});
    sam_stats stats;
    hand_over(s, format, 0, sam_push_frame);
    prompt_all(s, n_objects);
    track(s);
    long waits = 0, taken = 0, runs = 0;
    by_engine = 0;
    for (int t = 1; t < FIRST + STEADY; t++) {
        emu_device before = emu;
        emu_on_work(on_work);
        alloc_count_begin();
        hand_over(s, format, t, sam_push_frame);
        hand_over(s, format, t + 1, sam_push_next);
        track(s);
        assert_int_equal(emu_pending(), overlap); /* of the next frame's encoder, which nothing waited for */
        stop_counting();
        emu_on_work(NULL);
        assert_int_equal(sam_get_stats(s, &stats, NULL), SAM_OK);
        assert_int_equal(stats.waits, emu.n_waits - before.n_waits);
        if (t < FIRST) {
            by_engine = 0;
            continue;
        }
        waits += emu.n_waits - before.n_waits;
        taken += emu.n_taken - before.n_taken;
        runs += emu.n_runs - before.n_runs;
    }
    printf("%s, %d objects%s, %d steady frames: %ld waits, %ld allocations of the device, %ld of the heap, %ld "
           "operators enqueued one by one\n",
           names[format], n_objects, overlap ? ", overlapping" : "", STEADY, waits, taken, by_engine, runs);
    assert_int_equal(waits, STEADY);
    assert_int_equal(taken, 0);
    assert_int_equal(by_engine, 0);
    assert_int_equal(runs, 0);
    sam_session_close(s);
    sam_model_close(m);
    assert_int_equal(emu.n_allocs, 0);
    assert_int_equal(emu.n_host_allocs, 0);
}

static void test_steady_frames(void **state)
{
    (void)state;
    check_steady_frames(1, SAM_RGB24, 0);
    check_steady_frames(3, SAM_RGB24, 0);
    check_steady_frames(1, SAM_NV12, 0);
    check_steady_frames(1, SAM_PREPARED_F16, 0);
    check_steady_frames(1, SAM_PREPARED_F16, 1);
}

/* What changes in the middle of a video costs no wait and, once recorded, no memory: an object more, a correction, the other
 * way through time, an object less. */
static void test_changes(void **state)
{
    (void)state;
    static const char *const what[] = {"an object more", "a correction", "in reverse", "an object less"};
    emu = (emu_device){.order = EMU_LATE};
    sam_model *m = open_model(TINY_SAM21);
    sam_session *s = open_session(m, MAX_OBJECTS);
    const sam_point click = {50, 20, 1};
    sam_stats stats;
    sam_direction way = SAM_FORWARD;
    int64_t t = 0;
    tiny_push(s, W, H, t);
    prompt_all(s, 1);
    for (int change = 0; change < 5; change++) {
        for (int k = 0; k < 5; k++) {
            t += way == SAM_FORWARD ? 1 : -1;
            by_engine = 0;
            emu_device before = emu;
            counted_frame(s, t, way);
            assert_int_equal(sam_get_stats(s, &stats, NULL), SAM_OK);
            printf("%s, frame %d: %d waits, %ld allocations of the device, %ld of the heap, %ld replays\n",
                   change ? what[change - 1] : "one object", k, stats.waits, emu.n_taken - before.n_taken, by_engine,
                   emu.n_replays - before.n_replays);
            assert_int_equal(stats.waits, 1);
            assert_int_equal(emu.n_taken, before.n_taken);
            if (k ==
                4) { /* the encoder has a recording for each of two places, made when that comes for the second time */
                assert_int_equal(by_engine, 0);
                assert_int_equal(emu.n_replays - before.n_replays, 2);
            }
        }
        if (change == 0 || change == 1)
            assert_int_equal(
                sam_prompt(s, change == 0 ? 3 : 1, &(sam_prompt_set){.points = &click, .n_points = 1}, NULL), SAM_OK);
        way = change == 2 ? SAM_REVERSE : way;
        if (change == 3)
            assert_int_equal(sam_remove_object(s, 3, NULL), SAM_OK);
    }
    sam_session_close(s);
    sam_model_close(m);
}

/* ---- order -------------------------------------------------------------------------------------------------------- */

typedef struct outcome {
    float logits[FRAMES][MAX_OBJECTS][LOGITS];
    float presence[FRAMES][MAX_OBJECTS], iou[FRAMES][MAX_OBJECTS];
    uint8_t bits[FRAMES][MAX_OBJECTS][W * H];
    sam_box box[FRAMES][MAX_OBJECTS];
    int32_t area[FRAMES][MAX_OBJECTS];
} outcome;

static void take_masks(sam_session *s, int frame, outcome *out)
{
    for (int k = 0; k < MAX_OBJECTS; k++) {
        sam_mask mask;
        assert_int_equal(sam_get_mask(s, k + 1, &mask, NULL), SAM_OK);
        assert_int_equal(mask.logits_px * mask.logits_px, LOGITS);
        memcpy(out->logits[frame][k], mask.logits, sizeof out->logits[frame][k]);
        sam_mask_bytes(&mask, out->bits[frame][k], W);
        out->box[frame][k] = mask.box;
        out->area[frame][k] = mask.area_px;
        out->presence[frame][k] = mask.presence;
        out->iou[frame][k] = mask.iou;
    }
}

/* Prompts, tracking, and a correction before the last frame. With `ahead` the next frame is handed over before each is
 * prompted and tracked; before the third it is another than then comes. */
static void take_outcome(sam_session *s, int format, int ahead, outcome *out)
{
    for (int t = 0; t < FRAMES; t++) {
        hand_over(s, format, t, sam_push_frame);
        if (ahead && t < FRAMES - 1)
            hand_over(s, format, t == 1 ? 9 : t + 1, sam_push_next);
        if (t == 0)
            prompt_all(s, MAX_OBJECTS);
        track(s);
        if (t == FRAMES - 2) {
            const sam_point click = {50, 20, 0};
            assert_int_equal(sam_prompt(s, 1, &(sam_prompt_set){.points = &click, .n_points = 1}, NULL), SAM_OK);
        }
        take_masks(s, t, out);
    }
}

#ifdef __SANITIZE_ADDRESS__ /* which look at addresses, and those do not change with the order of queued work */
enum { N_ORDERS = 1 };
#else
enum { N_ORDERS = EMU_ORDERS };
#endif

static sam_model *open_on_cpu(tiny_family f)
{
    return tiny_open(models.path[f], &(sam_model_options){.image_px = TINY_PX});
}

/* One model in every way to run it; with other frames than RGB where most happens at once: ahead, encoded ahead. */
static void check_ways(sam_model *(*open)(tiny_family), tiny_family f, int n_orders, int format, const outcome *want)
{
    static outcome got;
    for (int way = 0; way < 4 * n_orders; way++) {
        int ahead = way & 1, overlap = way >> 1 & 1;
        if (format != SAM_RGB24 && !(ahead && overlap))
            continue;
        emu = (emu_device){.order = (emu_order)(way >> 2)};
        sam_model *m = open(f);
        sam_session *s = tiny_session(m, (sam_session_options){.width_px = W,
                                                               .height_px = H,
                                                               .max_objects = MAX_OBJECTS,
                                                               .overlap = overlap,
                                                               .prepared_frames = format == IN_TURNS});
        sam_stats stats;
        assert_int_equal(sam_get_stats(s, &stats, NULL), SAM_OK);
        assert_int_equal(stats.overlap, overlap && open != open_on_cpu);
        take_outcome(s, format, ahead, &got);
        sam_session_close(s);
        sam_model_close(m);
        assert_memory_equal(&got, want, sizeof got);
    }
}

static double distance(const float *a, const float *b, size_t n)
{
    double d = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        norm += (double)b[i] * (double)b[i];
    }
    assert_true(n && norm > 0);
    return sqrt(d / norm);
}

static void check_order(int format)
{
    static outcome want[2];
    for (int on_cpu = 0; on_cpu <= 1; on_cpu++) {
        emu = (emu_device){.order = EMU_AT_ONCE};
        sam_model *m = on_cpu ? open_on_cpu(TINY_SAM21) : open_model(TINY_SAM21);
        sam_session *s = open_session(m, MAX_OBJECTS);
        take_outcome(s, format, 0, &want[on_cpu]);
        sam_session_close(s);
        sam_model_close(m);
        check_ways(on_cpu ? open_on_cpu : open_model, TINY_SAM21, on_cpu ? 1 : N_ORDERS, format, &want[on_cpu]);
    }
    double apart = distance(&want[0].logits[0][0][0], &want[1].logits[0][0][0], FRAMES * MAX_OBJECTS * LOGITS);
    printf("%d frames of %d objects, %s, %d orders of queued work, frames handed over ahead or not, encoded ahead or "
           "not: identical; logits of the CPU backend %.1e apart\n",
           FRAMES, MAX_OBJECTS, format ? "RGB, NV12 and stored in turns" : "RGB", N_ORDERS, apart);
    assert_true(apart <= 1e-3);
}

/* A device that cannot record does the same work operator by operator, and says why; so does one that is asked to. */
static void test_without_recordings(void **state)
{
    (void)state;
    static outcome want, got;
    for (int way = 0; way < 4; way++) { /* recorded, not to be, the first recording fails, a later one does */
        emu = (emu_device){.order = EMU_LATE, .fail_record = way < 2 ? 0 : way - 1};
        sam_model *m = open_model(TINY_SAM21);
        sam_session *s = tiny_session(
            m,
            (sam_session_options){.width_px = W, .height_px = H, .max_objects = MAX_OBJECTS, .no_recording = way == 1});
        sam_stats stats;
        take_outcome(s, SAM_RGB24, 0, way ? &got : &want);
        assert_int_equal(sam_get_stats(s, &stats, NULL), SAM_OK);
        printf("%s: %ld replays%s%s\n",
               way == 0   ? "recorded"
               : way == 1 ? "not recorded"
                          : "a recording that fails",
               emu.n_replays, stats.recording_failed ? ", " : "", stats.recording_failed ? stats.recording_failed : "");
        assert_true((stats.recording_failed != NULL) == (way >= 2));
        assert_true((emu.n_replays > 0) == (way == 0));
        if (way)
            assert_memory_equal(&got, &want, sizeof got);
        sam_session_close(s);
        sam_model_close(m);
    }
}

static void test_order_of_work(void **state)
{
    (void)state;
    check_order(SAM_RGB24);
    check_order(IN_TURNS);
}

/* A device stores the frames that the CPU does, one wait each, and whatever its session did before. */
static void test_stored_frames(void **state)
{
    (void)state;
    static uint16_t got[3 * TINY_PX * TINY_PX];
    uint8_t rgb[3 * W * H];
    emu = (emu_device){.order = EMU_LATE};
    sam_model *m = open_model(TINY_SAM21);
    sam_session *s =
        tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .overlap = 1, .prepared_frames = 1});
    hand_over(s, SAM_NV12, 0, sam_push_frame);
    hand_over(s, SAM_RGB24, 1, sam_push_next);
    for (int t = 0; t < 3; t++) {
        tiny_frame(W, H, t, rgb);
        const sam_frame f = {.rgb = rgb, .row_bytes = 3 * W, .index = t};
        sam_error err;
        long before = emu.n_waits;
        if (sam_prepare_frame(s, &f, got, &err) != SAM_OK)
            fail_msg("%s", err.text);
        assert_memory_equal(got, stored[t], sizeof got);
        assert_int_equal(emu.n_waits - before, t ? 1 : 2); /* at first its place is still to be read */
        assert_int_equal(sam_track(s, SAM_FORWARD, NULL), SAM_E_STATE);
    }
    sam_session_close(s);
    sam_model_close(m);
    printf("3 frames prepared by the device and by the CPU: identical\n");
}

/* Nothing waits for an encoder that runs ahead; it takes what the plan says, and does without where that is too much. */
static void test_overlap(void **state)
{
    (void)state;
    sam_stats plain, ahead, stats;
    emu = (emu_device){.order = EMU_LATE};
    sam_model *m = open_model(TINY_SAM21);
    sam_session_options o = {.width_px = W, .height_px = H};
    sam_error err;
    assert_int_equal(sam_session_plan(m, &o, &plain, &err), SAM_OK);
    o.overlap = 1;
    assert_int_equal(sam_session_plan(m, &o, &ahead, &err), SAM_OK);
    size_t before = emu.bytes;
    sam_session *s = tiny_session(m, o);
    size_t more = ahead.state_bytes + ahead.scratch_bytes - plain.state_bytes - plain.scratch_bytes;
    printf("overlap takes %zu KiB more than %zu KiB; the device gave %zu KiB\n", more >> 10,
           (plain.state_bytes + plain.scratch_bytes) >> 10, (emu.bytes - before) >> 10);
    assert_true(ahead.overlap && !plain.overlap && ahead.state_bytes > plain.state_bytes &&
                ahead.scratch_bytes > plain.scratch_bytes);
    tiny_push(s, W, H, 0);
    prompt_all(s, 1);
    for (int t = 1; t < FRAMES; t++) {
        tiny_push(s, W, H, t);
        hand_over(s, SAM_RGB24, t + 1, sam_push_next);
        track(s);
        assert_int_equal(emu_pending(), 1); /* the encoder of frame t + 1 has still to happen: nothing waited for it */
        assert_int_equal(sam_get_stats(s, &stats, NULL), SAM_OK);
        assert_int_equal(stats.waits, 1);
        for (int k = 0; k < SAM_N_STAGES; k++)
            assert_true(stats.stage_ms[k] > 0);
    }
    assert_int_equal(stats.device_bytes, emu.bytes);
    sam_session_close(s);

    o.mem_limit = ahead.weight_bytes + ahead.table_bytes + ahead.state_bytes + ahead.scratch_bytes - 1;
    s = tiny_session(m, o);
    assert_int_equal(sam_get_stats(s, &stats, NULL), SAM_OK);
    assert_true(!stats.overlap && stats.state_bytes == plain.state_bytes && stats.scratch_bytes == plain.scratch_bytes);
    sam_session_close(s);
    sam_model_close(m);
}

/* ---- masks -------------------------------------------------------------------------------------------------------- */

enum { MANY = 131, LOW = 16 };

/* All of MANY planes, each from its own place, into neighbouring masks but for one gap. */
static void render_many(const backend_api *api, const image_sizes *z, const float *planes, char *room)
{
    sam_error err;
    backend *b;
    images *im;
    void *stream, *on_device;
    const float *list[MANY];
    packed_mask *masks[MANY];
    size_t bytes = packed_mask_bytes(W, H), n_bytes = (size_t)MANY * LOW * LOW * sizeof *planes;
    assert_int_equal(api->open(&(sam_model_options){.n_threads = 1}, &b, &err), SAM_OK);
    assert_int_equal(api->images_open(b, z, &im, &err), SAM_OK);
    assert_null(api->stream_open(b, &stream));
    on_device = api->alloc(b, n_bytes);
    assert_non_null(on_device);
    assert_null(api->write(b, stream, on_device, planes, n_bytes));
    for (int i = 0; i < MANY; i++) {
        list[i] = (const float *)on_device + (size_t)(MANY - 1 - i) * LOW * LOW;
        masks[i] = (packed_mask *)(void *)(room + (size_t)(i + (i > 50)) * bytes);
    }
    assert_null(api->render(im, stream, list, MANY, masks));
    assert_null(api->wait(b, stream));
    api->release(b, on_device);
    api->stream_close(b, stream);
    api->images_close(b, im);
    api->close(b);
}

/* The same bits; but sanitizer builds compile the CPU's code with fewer fused multiply-adds, so that a pixel at the border
 * of a mask may be another. */
static void check_same_masks(const char *got, const char *want)
{
    size_t bytes = packed_mask_bytes(W, H);
#ifdef __SANITIZE_ADDRESS__
    long n_differ = 0;
    for (size_t i = 0; i <= MANY; i++) {
        const packed_mask *a = (const packed_mask *)(const void *)(got + i * bytes);
        const packed_mask *b = (const packed_mask *)(const void *)(want + i * bytes);
        for (size_t k = 0; k < mask_row_words(W) * H; k++)
            n_differ += __builtin_popcountll(mask_rows_of(a)[k] ^ mask_rows_of(b)[k]);
    }
    printf("%ld of %d pixels differ\n", n_differ, MANY * W * H);
    assert_true(n_differ <= MANY * W * H / 10000);
#else
    assert_memory_equal(got, want, (MANY + 1) * bytes);
#endif
}

static void test_many_masks(void **state)
{
    (void)state;
    static float planes[MANY * LOW * LOW];
    if (op_cpu_level(NULL) < 1)
        skip(); /* no fused multiply-adds to compare with */
    size_t n_bytes = (MANY + 1) * packed_mask_bytes(W, H);
    char *want = calloc(1, n_bytes), *got = calloc(1, n_bytes);
    uint32_t seed = 4;
    assert_true(want && got);
    for (size_t i = 0; i < sizeof planes / sizeof *planes; i++) {
        seed = seed * 1664525u + 1013904223u;
        planes[i] = i < LOW * LOW ? -1 : (float)(seed >> 8 & 255) - 150; /* the last of the list is empty */
    }
    for (int way = 0; way < 4; way++) {
        const image_sizes z = {.width = W,
                               .height = H,
                               .side_px = 4 * LOW,
                               .covered_across = 4 * LOW,
                               .covered_down = 4 * LOW,
                               .low_px = LOW,
                               .max_masks = MANY,
                               .no_overlap = way & 1,
                               .max_hole_area = way & 2 ? 4 : 0,
                               .hole_value = HOLE_VALUE,
                               .n_threads = 1};
        emu = (emu_device){.order = EMU_LATE};
        render_many(&backend_cpu, &z, planes, want);
        render_many(&backend_emu, &z, planes, got);
        check_same_masks(got, want);
        const packed_mask *last = (packed_mask *)(void *)(got + n_bytes - packed_mask_bytes(W, H));
        assert_int_equal(last->area, 0);
    }
    assert_true(!emu.n_allocs && !emu.n_host_allocs);
    printf("%d masks in a call, cleaned or not, overlapping or not: as on the CPU\n", MANY);
    free(want);
    free(got);
}

/* ---- taps --------------------------------------------------------------------------------------------------------- */

typedef struct seen {
    int n_values;
    float low_res[LOGITS], pointer[512], features[4096];
    size_t n_features, n_pointer;
} seen;

static void see(void *user, const char *graph, const char *name, int n_objects, const tensor *t)
{
    seen *s = user;
    size_t n = tensor_count(t);
    (void)n_objects;
    s->n_values++;
    if (!strcmp(graph, "choose") && !strcmp(name, "low_res"))
        memcpy(s->low_res, t->data, sizeof s->low_res);
    if (!strcmp(graph, "choose") && !strcmp(name, "pointer") && n <= 512)
        memcpy(s->pointer, t->data, (s->n_pointer = n) * sizeof(float));
    if (!strcmp(graph, "encode") && !strcmp(name, "features") && n <= 4096)
        memcpy(s->features, t->data, (s->n_features = n) * sizeof(float));
}

static void test_taps(void **state)
{
    (void)state;
    static seen of[2];
    for (int on_cpu = 0; on_cpu <= 1; on_cpu++) {
        emu = (emu_device){.order = EMU_LATE};
        sam_model_options o = {.image_px = TINY_PX, .no_fusion = 1, .n_threads = 1};
        sam_model *m = on_cpu ? tiny_open(models.path[TINY_SAM21], &o) : open_model(TINY_SAM21);
        sam_session *s = open_session(m, 1);
        session_tap(s, (tap){.see = see, .user = &of[on_cpu]});
        tiny_push(s, W, H, 0);
        prompt_all(s, 1);
        sam_session_close(s);
        sam_model_close(m);
    }
    double features = distance(of[0].features, of[1].features, of[0].n_features),
           low_res = distance(of[0].low_res, of[1].low_res, LOGITS),
           pointer = distance(of[0].pointer, of[1].pointer, of[0].n_pointer);
    printf("%d values seen on the device; against the CPU: features %.1e, logits %.1e, pointer %.1e\n", of[0].n_values,
           features, low_res, pointer);
    assert_true(features <= 1e-3 && low_res <= 1e-3 && pointer <= 1e-3);
}

/* ---- failures ----------------------------------------------------------------------------------------------------- */

static void expect_text(const sam_error *err, sam_status status, const char *const *parts, int n_parts)
{
    int found = 0;
    for (int i = 0; i < n_parts; i++)
        found += strstr(err->text, parts[i]) != NULL;
    if (err->status != status || !found)
        fail_msg("status %d: %s", (int)err->status, err->text);
}

/* Memory, host memory or marks end at each request in turn: nothing is left behind, and the text says what for. */
static void test_memory_ends(void **state)
{
    (void)state;
    sam_error err;
    sam_model *m = NULL;
    sam_model_options o = {.backend = SAM_CUDA, .n_threads = 1, .image_px = TINY_PX};
    int n_models = 0, n_sessions = 0;
    for (long k = 1;; k += 1 + k / 4) {
        emu = (emu_device){.fail_alloc = k};
        if (model_open_on(&backend_emu, models.path[TINY_EDGETAM], &o, &m, &err) == SAM_OK)
            break;
        n_models++;
        expect_text(&err, SAM_E_MEMORY, (const char *const[]){"no device memory for weights"}, 1);
        expect_text(&err, SAM_E_MEMORY, (const char *const[]){"of 1024 MiB are free; a smaller"}, 1);
        assert_true(!m && !emu.n_allocs && !emu.n_host_allocs);
    }
    emu.fail_alloc = 0;
    const long n_allocs = emu.n_allocs;
    long *const ends[] = {&emu.fail_alloc, &emu.fail_host_alloc, &emu.fail_mark};
    static const char *const what[] = {"the session's state",     "the session's scratch", "frames and 2 masks",
                                       "the weights of a resize", "host memory",           "streams"};
    const sam_session_options size = {.width_px = W, .height_px = H, .max_objects = 2};
    for (int kind = 0; kind < 3; kind++)
        for (long k = 1;; k++) {
            sam_session *s = NULL;
            *ends[kind] = k;
            sam_status status = sam_session_open(m, &size, &s, &err);
            *ends[kind] = 0;
            if (status == SAM_OK)
                sam_session_close(s);
            assert_true(emu.n_allocs == n_allocs && !emu.n_host_allocs && !emu.n_marks);
            if (status == SAM_OK)
                break;
            n_sessions++;
            assert_null(s);
            expect_text(&err, kind == 2 ? SAM_E_DEVICE : SAM_E_MEMORY, what, 6);
        }
    sam_model_close(m);
    assert_int_equal(emu.n_allocs, 0);
    printf("%d models and %d sessions refused for want of memory, nothing left behind\n", n_models, n_sessions);
}

/* A frame of a session that may fail; the status of the first call that does. */
static sam_status try_frame(sam_session *s, int t, sam_error *err)
{
    uint8_t rgb[3 * W * H];
    const sam_point click = {30, 30, 1};
    tiny_frame(W, H, t, rgb);
    sam_status status = sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = t}, err);
    if (status == SAM_OK && !t)
        status = sam_prompt(s, 1, &(sam_prompt_set){.points = &click, .n_points = 1}, err);
    return status == SAM_OK && t ? sam_track(s, SAM_FORWARD, err) : status;
}

/* Fails at the n-th operator, when it is enqueued or when it happens; the session says where, and goes on saying it. */
static void check_fault(sam_model *m, long n, int launch, int check, const char *const *says, int n_says)
{
    sam_error err = {0}, later;
    const sam_session_options o = {.width_px = W, .height_px = H, .check_kernels = check};
    sam_session *s = tiny_session(m, o);
    sam_status status = SAM_OK;
    *(launch ? &emu.fail_run : &emu.fault) = n;
    for (int t = 0; t < FRAMES && status == SAM_OK; t++)
        status = try_frame(s, t, &err);
    assert_int_equal(status, SAM_E_DEVICE);
    for (int i = 0; i < n_says; i++)
        expect_text(&err, SAM_E_DEVICE, &says[i], 1);
    printf("%s\n", err.text);
    sam_mask mask; /* that of the last frame is gone: nobody may take what is there for this frame's */
    const sam_status refused[] = {try_frame(s, 0, &later), sam_get_mask(s, 1, &mask, &later),
                                  sam_remove_object(s, 1, &later), sam_session_reset(s, &later)};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(refused[i], SAM_E_DEVICE);
    assert_non_null(strstr(later.text, err.text));
    if (!launch) { /* the device is lost for others too */
        sam_session *other = NULL;
        assert_int_equal(sam_session_open(m, &o, &other, &later), SAM_E_DEVICE);
        assert_non_null(strstr(later.text, "illegal memory access"));
    }
    sam_session_close(s);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        long n;
        int launch, check;
        const char *says[3];
    } faults[] = {{3, 1, 0, {"frame 0, graph encode, node 2 (", "invalid configuration argument"}},
                  {150, 1, 0, {"frame ", ", graph ", "invalid configuration argument"}},
                  {3, 0, 0, {"frame 0, ", "illegal memory access", "check_kernels"}},
                  {400, 0, 0, {"frame ", "illegal memory access", "check_kernels"}},
                  {400, 0, 1, {"frame ", ", graph ", "illegal memory access"}}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        emu = (emu_device){.order = EMU_LATE};
        sam_model *m = open_model(TINY_SAM21);
        check_fault(m, faults[i].n, faults[i].launch, faults[i].check, faults[i].says, faults[i].says[2] ? 3 : 2);
        sam_model_close(m);
        assert_true(!emu.n_allocs && !emu.n_host_allocs && !emu.n_marks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady_frames), cmocka_unit_test(test_changes),
        cmocka_unit_test(test_order_of_work), cmocka_unit_test(test_without_recordings),
        cmocka_unit_test(test_overlap),       cmocka_unit_test(test_many_masks),
        cmocka_unit_test(test_taps),          cmocka_unit_test(test_memory_ends),
        cmocka_unit_test(test_faults),        cmocka_unit_test(test_stored_frames),
    };
    alloc_count_watch(1);
    tiny_models_make(&models);
    store_frames();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tiny_models_remove(&models);
    return failed;
}
