/* The public API as a contract: which call is refused when, with which words, and that a refusal changes nothing; the life
 * of objects; memory that is taken at open and never again. Miniature models at 64 px. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address_space.h"
#include "alloc_count.h"
#include "heap.h"
#include "model.h"
#include "nv12.h"
#include "snapshot.h"
#include "test_backend.h"
#include "tiny_model.h"

#include <cmocka.h>

enum { W = 96, H = 72 };

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

static sam_session *open_default(sam_model *m, int max_objects)
{
    return tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .max_objects = max_objects});
}

/* The last call failed with `status` and these words. */
#define REFUSED(call, status_, words)                                                                                  \
    do {                                                                                                               \
        sam_error err = {0};                                                                                           \
        sam_status got = (call);                                                                                       \
        if (got != (status_) || err.status != (status_) || !strstr(err.text, (words)))                                 \
            fail_msg("%s: status %d, \"%s\", expected %d with \"%s\"", #call, (int)got, err.text, (int)(status_),      \
                     (words));                                                                                         \
        n_refused++;                                                                                                   \
    } while (0)

static int n_refused;

/* ---- refusals ----------------------------------------------------------------------------------------------------- */

static void test_model_options(void **state)
{
    (void)state;
    sam_model *m = (sam_model *)&m;
    const char *path = models.path[TINY_SAM21];
    const struct {
        sam_model_options opt;
        sam_status status;
        const char *words;
    } cases[] = {
        {{.backend = SAM_CUDA, .device = 1 << 20}, SAM_E_DEVICE, "CUDA"}, /* none here, or not so many */
        {{.backend = (sam_backend)7}, SAM_E_ARG, "backend 7"},
        {{.compute = (sam_dtype)9}, SAM_E_ARG, "compute type 9"},
        {{.image_px = 63}, SAM_E_ARG, "image size 63"},
        {{.image_px = 32}, SAM_E_ARG, "image size 32"},
        {{.image_px = 100}, SAM_E_ARG, "multiple of 32"},
        {{.image_px = 8192}, SAM_E_ARG, "image size 8192"},
        {{.image_px = -64}, SAM_E_ARG, "image size -64"},
        {{.n_threads = -1}, SAM_E_ARG, "-1 threads"},
        {{.n_threads = 5000}, SAM_E_ARG, "5000 threads"},
        {{.max_points = -1}, SAM_E_ARG, "max_points -1"},
        {{.max_points = 5000}, SAM_E_ARG, "max_points 5000"},
        {{.max_prompted_frames = 5000}, SAM_E_ARG, "max_prompted_frames 5000"},
        {{.cpu_variant = "mmx"}, SAM_E_DEVICE, "instruction set mmx"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        m = (sam_model *)&m;
        REFUSED(sam_model_open(path, &cases[i].opt, &m, &err), cases[i].status, cases[i].words);
        assert_null(m);
    }
    /* The perceiver's 2 x 2 windows divide every multiple of 32. */
    REFUSED(sam_model_open("/nowhere/x", NULL, &m, &err), SAM_E_IO, "/nowhere/x");
    assert_null(m);
    REFUSED(sam_model_open(models.dir.path, NULL, &m, &err), SAM_E_IO, models.dir.path);
    assert_int_equal(sam_model_open("/nowhere/x", NULL, &m, NULL), SAM_E_IO); /* no place for the error */
    sam_model_close(NULL);
    printf("session: %d sets of model options refused\n", n_refused);
}

static void test_session_options(void **state)
{
    (void)state;
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    const struct {
        sam_session_options opt;
        sam_status status;
        const char *words;
    } cases[] = {
        {{.width_px = 0, .height_px = 10}, SAM_E_ARG, "frame size 0 x 10"},
        {{.width_px = 10, .height_px = -1}, SAM_E_ARG, "frame size 10 x -1"},
        {{.width_px = 40000, .height_px = 10}, SAM_E_ARG, "frame size 40000"},
        {{.width_px = W, .height_px = H, .max_objects = -1}, SAM_E_ARG, "max_objects -1"},
        {{.width_px = W, .height_px = H, .max_objects = 1025}, SAM_E_ARG, "max_objects 1025"},
        {{.width_px = W, .height_px = H, .mode = (sam_mode)2}, SAM_E_ARG, "mode 2"},
        {{.width_px = W, .height_px = H, .n_frames = -3}, SAM_E_ARG, "n_frames -3"},
        {{.width_px = W, .height_px = H, .mem_limit = 1000}, SAM_E_MEMORY, "largest: "},
        {{.width_px = 32768, .height_px = 32768, .max_objects = 1024, .no_overlap = 1, .mem_limit = (size_t)1 << 40},
         SAM_E_MEMORY,
         "largest: state"},
    };
    int before = n_refused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sam_session *s = (sam_session *)&s;
        sam_stats stats, untouched;
        memset(&stats, 0x5A, sizeof stats);
        untouched = stats;
        REFUSED(sam_session_open(m, &cases[i].opt, &s, &err), cases[i].status, cases[i].words);
        assert_null(s);
        REFUSED(sam_session_plan(m, &cases[i].opt, &stats, &err), cases[i].status, cases[i].words);
        assert_memory_equal(&stats, &untouched, sizeof stats);
    }
    sam_session *s;
    REFUSED(sam_session_open(m, NULL, &s, &err), SAM_E_ARG, "frame size");
    sam_session_close(NULL);
    sam_model_close(m);
    printf("session: %d sets of session options refused, by plan as by open\n", n_refused - before);
}

/* Tables are those entries of the model's weights that no tensor of the file stands behind; the positions of the decoder's features
 * are one of them. */
static void check_tables(const sam_model *m, size_t said)
{
    size_t sum = 0;
    for (int i = 0; i < m->w.count; i++)
        sum += m->w.entry[i].owned && !m->w.entry[i].src ? tensor_bytes(&m->w.entry[i].t) : 0;
    assert_int_equal(said, sum);
    assert_true(said >= (size_t)m->size.side * (size_t)m->size.side * 32 * sizeof(float));
}

/* What the plan says is what a session takes; one byte less is refused. */
static void test_mem_limit(void **state)
{
    (void)state;
    for (int f = 0; f < TINY_COUNT; f++) {
        sam_model *m = tiny_open(models.path[f], NULL);
        sam_session_options opt = {.width_px = W, .height_px = H, .max_objects = 3};
        sam_stats planned, opened;
        sam_session *s;
        assert_int_equal(sam_session_plan(m, &opt, &planned, NULL), SAM_OK);
        opt.mem_limit = planned.weight_bytes + planned.table_bytes + planned.state_bytes + planned.scratch_bytes;
        assert_int_equal(sam_session_open(m, &opt, &s, NULL), SAM_OK);
        assert_int_equal(sam_get_stats(s, &opened, NULL), SAM_OK);
        assert_memory_equal(&planned, &opened, sizeof planned);
        check_tables(m, planned.table_bytes);
        sam_session_close(s);
        opt.mem_limit--;
        REFUSED(sam_session_open(m, &opt, &s, &err), SAM_E_MEMORY, "MiB");
        assert_null(s);
        printf(
            "session: %s: weights %zu, tables %zu, state %zu, scratch %zu bytes fit exactly; a byte less is refused\n",
            tiny_names[f], planned.weight_bytes, planned.table_bytes, planned.state_bytes, planned.scratch_bytes);
        sam_model_close(m);
    }
}

static void test_wrong_moment(void **state)
{
    (void)state;
    sam_model *m = tiny_open(models.path[TINY_SAM21], &(sam_model_options){.max_points = 3, .max_prompted_frames = 2});
    sam_session *s = open_default(m, 2);
    sam_prompt_set one = {.points = &(sam_point){10, 10, 1}, .n_points = 1};
    sam_mask mask, untouched, masks[3];
    int before = n_refused, n_masks = 77;
    memset(&mask, 0x5A, sizeof mask);
    untouched = mask;

    REFUSED(sam_prompt(s, 1, &one, &err), SAM_E_STATE, "sam_push_frame");
    REFUSED(sam_track(s, SAM_FORWARD, &err), SAM_E_STATE, "sam_push_frame");
    REFUSED(sam_get_mask(s, 1, &mask, &err), SAM_E_ARG, "object 1");
    REFUSED(sam_remove_object(s, 1, &err), SAM_E_ARG, "object 1");
    REFUSED(sam_image_predict(s, &one, 1, masks, &n_masks, &err), SAM_E_STATE, "sam_prompt");
    tiny_push(s, W, H, 0);
    REFUSED(sam_track(s, SAM_FORWARD, &err), SAM_E_STATE, "sam_prompt");
    prompt_point(s, 1, 30, 30, 1);
    REFUSED(sam_track(s, (sam_direction)2, &err), SAM_E_ARG, "direction 2");
    REFUSED(sam_track(s, (sam_direction)-1, &err), SAM_E_ARG, "direction -1");
    REFUSED(sam_get_mask(s, 2, &mask, &err), SAM_E_ARG, "object 2");
    tiny_push(s, W, H, 1);
    REFUSED(sam_get_mask(s, 1, &mask, &err), SAM_E_STATE, "frame 1");
    track(s, SAM_FORWARD);
    assert_int_equal(sam_get_mask(s, 1, &masks[2], NULL), SAM_OK);
    assert_int_equal(masks[2].n_pointer, 32); /* d_model of the miniature; in published models it is 256 */
    prompt_point(s, 7, 50, 30, 1);
    REFUSED(sam_prompt(s, 8, &one, &err), SAM_E_FULL, "2 objects");
    REFUSED(sam_get_mask(s, 8, &mask, &err), SAM_E_ARG, "object 8");
    assert_memory_equal(&mask, &untouched, sizeof mask);
    assert_int_equal(n_masks, 77);
    assert_int_equal(sam_track(s, SAM_FORWARD, NULL), SAM_OK);

    /* Prompted frames: two, then no more; a correction and a prompt on a prompted frame are still possible. */
    tiny_push(s, W, H, 5);
    prompt_point(s, 1, 30, 30, 1);
    tiny_push(s, W, H, 9);
    snapshot was, is;
    REFUSED(sam_prompt(s, 1, &one, &err), SAM_E_FULL, "max_prompted_frames");
    REFUSED(sam_get_mask(s, 1, &mask, &err), SAM_E_STATE, "frame 9");
    track(s, SAM_FORWARD);
    snapshot_take(s, 1, W, H, &was);
    assert_int_equal(was.prompted, 0);

    /* Clicks: three a frame; refused ones are not remembered. */
    tiny_push(s, W, H, 5);
    prompt_point(s, 1, 60, 30, 0);
    prompt_point(s, 1, 62, 30, 0);
    snapshot_take(s, 1, W, H, &was);
    sam_point many[4] = {{1, 1, 1}, {2, 2, 1}, {3, 3, 0}, {4, 4, 1}};
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.points = many, .n_points = 4}, &err), SAM_E_FULL, "at most 3");
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.points = many, .n_points = 3}, &err), SAM_E_FULL, "6 clicks");
    snapshot_take(s, 1, W, H, &is);
    assert_true(snapshot_same(&was, &is));
    sam_session_close(s);
    sam_model_close(m);
    printf("session: %d calls at the wrong moment refused, results and outputs as before\n", n_refused - before);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    sam_session *s = tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .n_frames = 4});
    uint8_t rgb[3 * W * H], bits[W * H] = {0};
    static uint16_t half[3 * TINY_PX * TINY_PX + 1];
    float logits[256] = {0};
    int before = n_refused;
    tiny_frame(W, H, 0, rgb);
    REFUSED(sam_push_frame(s, NULL, &err), SAM_E_ARG, "96 x 72");
    REFUSED(sam_push_frame(s, &(sam_frame){.row_bytes = 3 * W}, &err), SAM_E_ARG, "RGB");
    REFUSED(sam_push_next(s, NULL, &err), SAM_E_ARG, "96 x 72");
    REFUSED(sam_push_next(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = 4}, &err), SAM_E_ARG, "4 frames");
    REFUSED(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W - 1}, &err), SAM_E_ARG, "288 bytes");
    REFUSED(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = -1}, &err), SAM_E_ARG, "frame -1");
    REFUSED(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = 4}, &err), SAM_E_ARG, "4 frames");
    const sam_nv12 yuv = {rgb, rgb + W * H, W, W, SAM_BT601, 0};
    const struct {
        sam_nv12 nv12;
        const char *says;
    } bad[] = {{{NULL, yuv.uv, W, W, SAM_BT601, 0}, "y is NULL"},
               {{yuv.y, NULL, W, W, SAM_BT601, 0}, "uv is NULL"},
               {{yuv.y, yuv.uv, W - 1, W, SAM_BT601, 0}, "at least 96 and 96"},
               {{yuv.y, yuv.uv, W, W - 1, SAM_BT601, 0}, "rows 96 (y) and 95 (uv)"},
               {{yuv.y, yuv.uv, W, W, 0, 0}, "unknown matrix 0"},
               {{yuv.y, yuv.uv, W, W, 3, 0}, "unknown matrix 3"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(sam_push_frame(s, &(sam_frame){.format = SAM_NV12, .nv12 = bad[i].nv12}, &err), SAM_E_ARG, bad[i].says);
    REFUSED(sam_push_frame(s, &(sam_frame){.format = 3, .nv12 = yuv}, &err), SAM_E_ARG, "unknown pixel format 3");
    sam_frame prepared = {.format = SAM_PREPARED_F16, .prepared = half};
    REFUSED(sam_push_frame(s, &prepared, &err), SAM_E_ARG, "without prepared_frames");
    REFUSED(sam_prepare_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W}, half, &err), SAM_E_ARG,
            "without prepared_frames");
    tiny_push(s, W, H, 1);
    prompt_point(s, 1, 30, 30, 1);
    snapshot was, is;
    snapshot_take(s, 1, W, H, &was);

    const float nan = __builtin_nanf(""), inf = __builtin_inff();
    const sam_point points[] = {{-1, 5, 1},  {5, -0.01f, 1}, {W + 0.1f, 5, 1}, {5, H + 1, 1},
                                {nan, 5, 1}, {5, inf, 1},    {-inf, 5, 0}};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.points = &points[i], .n_points = 1}, &err), SAM_E_ARG, "outside");
    const int labels[] = {2, -1, 3, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < 5; i++)
        REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.points = &(sam_point){1, 1, labels[i]}, .n_points = 1}, &err),
                SAM_E_ARG, "label");
    const sam_box boxes[] = {{20, 5, 10, 9}, {5, 20, 9, 10}, {0, nan, 5, 5}};
    for (size_t i = 0; i < 3; i++)
        REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.box = &boxes[i]}, &err), SAM_E_ARG, "x0 <= x1");
    const sam_box outside[] = {{-9, 0, -1.5f, 5}, {W + 1.5f, 0, W + 9, 5}, {0, -8, 5, -1}, {0, H + 2, 5, H + 9}};
    for (size_t i = 0; i < 4; i++)
        REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.box = &outside[i]}, &err), SAM_E_ARG, "outside");
    const sam_point good = {1, 1, 1};
    REFUSED(sam_prompt(s, 1, NULL, &err), SAM_E_ARG, "a prompt needs");
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){0}, &err), SAM_E_ARG, "a prompt needs");
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.n_points = 1}, &err), SAM_E_ARG, "where they are");
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.points = &good, .n_points = -1}, &err), SAM_E_ARG, "-1 points");
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.points = &good, .n_points = INT32_MAX}, &err), SAM_E_FULL,
            "at most 16");
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.mask = bits, .points = &good, .n_points = 1}, &err), SAM_E_ARG, "mask");
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.mask = bits, .box = &(sam_box){0, 0, 5, 5}}, &err), SAM_E_ARG, "mask");
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.mask = bits, .mask_row_bytes = W - 1}, &err), SAM_E_ARG, "mask: rows");
    REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.logits = logits}, &err), SAM_E_ARG, "image mode");

    snapshot_take(s, 1, W, H, &is);
    assert_true(snapshot_same(&was, &is));
    prompt_point(s, 1, W, H, 0); /* the far corner is still the frame's */
    prompt_box(s, 1, 0, 0, W, H);
    prompt_box(s, 1, 5, 5, 5, 5);
    sam_session_close(s);

    s = tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .prepared_frames = 1});
    prepared.prepared = (const uint16_t *)(const void *)((const char *)half + 1);
    REFUSED(sam_push_frame(s, &prepared, &err), SAM_E_ARG, "even");
    prepared.prepared = NULL;
    REFUSED(sam_push_frame(s, &prepared, &err), SAM_E_ARG, "not NULL");
    prepared.prepared = half;
    REFUSED(sam_prepare_frame(s, &prepared, half, &err), SAM_E_ARG, "prepared already");
    REFUSED(sam_prepare_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W}, NULL, &err), SAM_E_ARG, "nowhere");
    sam_session_close(s);
    sam_model_close(m);
    printf("session: %d wrong arguments refused; the object's result stayed bit by bit\n", n_refused - before);
}

/* ---- formats of frames -------------------------------------------------------------------------------------------- */

enum { ODD_W = W - 1, ODD_H = H - 1 };

/* The pixels of an NV12 frame, as kernels/nv12.h defines them. */
static void convert(const sam_nv12 *n, uint8_t *rgb)
{
    const nv12_weights w = nv12_weights_of(n->matrix == SAM_BT709, n->full_range);
    for (int y = 0; y < ODD_H; y++)
        for (int x = 0; x < ODD_W; x++, rgb += 3) {
            const uint8_t *own = n->uv + (size_t)(y / 2) * n->uv_row_bytes;
            const uint8_t *other = n->uv + (size_t)nv12_other(y, nv12_half(ODD_H)) * n->uv_row_bytes;
            int at = x / 2, beside = nv12_other(x, nv12_half(ODD_W));
            int32_t mixed[2];
            for (int k = 0; k < 2; k++)
                mixed[k] = nv12_mix(nv12_mix(own[2 * at + k], other[2 * at + k]),
                                    nv12_mix(own[2 * beside + k], other[2 * beside + k]));
            int32_t l = nv12_luma(&w, n->y[(size_t)y * n->y_row_bytes + (size_t)x]);
            rgb[0] = (uint8_t)nv12_red(&w, l, mixed[1]);
            rgb[1] = (uint8_t)nv12_green(&w, l, mixed[0], mixed[1]);
            rgb[2] = (uint8_t)nv12_blue(&w, l, mixed[0]);
        }
}

static void push(sam_session *s, const sam_frame *f)
{
    sam_error err;
    if (sam_push_frame(s, f, &err) != SAM_OK)
        fail_msg("%s", err.text);
}

/* A clip as NV12, as the RGB that is defined for it, and stored beforehand; frames of odd size, rows with gaps. */
static void test_frame_formats(void **state)
{
    (void)state;
    static uint8_t bytes[3 * W * H], rgb[3 * ODD_W * ODD_H];
    static uint16_t half[3 * TINY_PX * TINY_PX];
    static snapshot of[3];
    double rounded = 0;
    int n_same = 0;
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    sam_session *s[3];
    for (int k = 0; k < 3; k++)
        s[k] = tiny_session(m, (sam_session_options){.width_px = ODD_W, .height_px = ODD_H, .prepared_frames = k == 2});
    for (int way = 0; way < 4; way++)
        for (int t = 0; t < 3; t++, n_same++) {
            tiny_frame(W, H, t, bytes);
            const sam_nv12 nv12 = {bytes, bytes + W * H, W, W, way & 1 ? SAM_BT709 : SAM_BT601, way >> 1};
            const sam_frame frames[3] = {{.rgb = rgb, .row_bytes = 3 * ODD_W, .index = t},
                                         {.format = SAM_NV12, .nv12 = nv12, .index = t},
                                         {.format = SAM_PREPARED_F16, .prepared = half, .index = t}};
            convert(&nv12, rgb);
            for (int k = 0; k < 3; k++) {
                if (!t)
                    assert_int_equal(sam_session_reset(s[k], NULL), SAM_OK);
                if (k == 2)
                    assert_int_equal(sam_prepare_frame(s[k], &frames[1], half, NULL), SAM_OK);
                push(s[k], &frames[k]);
                if (t)
                    track(s[k], SAM_FORWARD);
                else
                    prompt_point(s[k], 1, 30, 30, 1);
                snapshot_take(s[k], 1, ODD_W, ODD_H, &of[k]);
            }
            assert_true(snapshot_same(&of[0], &of[1]));
            double e = snapshot_error(&of[2], &of[0]);
            rounded = e > rounded ? e : rounded;
        }
    for (int k = 0; k < 3; k++)
        sam_session_close(s[k]);
    sam_model_close(m);
    printf("session: %d frames as NV12: bit by bit what their RGB gives; stored ones at most %.1e from it\n", n_same,
           rounded);
    assert_true(rounded > 0 && rounded < 0.02);
}

static void test_image_session(void **state)
{
    (void)state;
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    sam_session *s = tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .mode = SAM_IMAGE});
    sam_point points[2] = {{30, 30, 1}, {70, 20, 0}};
    sam_prompt_set one = {.points = points, .n_points = 1};
    sam_mask masks[3], untouched[3], single[3];
    int n = -1, before = n_refused;
    memset(masks, 0x5A, sizeof masks);
    memcpy(untouched, masks, sizeof masks);
    REFUSED(sam_image_predict(s, &one, 1, masks, &n, &err), SAM_E_STATE, "sam_push_frame");
    REFUSED(sam_prompt(s, 1, &one, &err), SAM_E_STATE, "sam_image_predict");
    REFUSED(sam_track(s, SAM_FORWARD, &err), SAM_E_STATE, "images");
    REFUSED(sam_get_mask(s, 1, masks, &err), SAM_E_STATE, "sam_image_predict");
    tiny_push(s, W, H, 0);
    REFUSED(sam_image_predict(s, &(sam_prompt_set){0}, 1, masks, &n, &err), SAM_E_ARG, "a prompt needs");
    REFUSED(sam_image_predict(s, NULL, 1, masks, &n, &err), SAM_E_ARG, "a prompt needs");
    assert_memory_equal(masks, untouched, sizeof masks);
    assert_int_equal(n, -1);

    assert_int_equal(sam_image_predict(s, &one, 1, masks, &n, NULL), SAM_OK);
    assert_int_equal(n, 3);
    float first[3][256], worst = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(masks[i].logits_px, 16);
        memcpy(first[i], masks[i].logits, sizeof first[i]);
        for (int k = 0; k < 256; k++) {
            assert_true(first[i][k] >= -32 && first[i][k] <= 32);
            worst = first[i][k] > worst ? first[i][k] : worst;
        }
        assert_true(masks[i].iou >= 0 && masks[i].iou <= 1);
        check_mask(&masks[i]);
    }
    assert_int_equal(
        sam_image_predict(s, &(sam_prompt_set){.points = points, .n_points = 2, .single_mask = 1}, 1, single, &n, NULL),
        SAM_OK);
    assert_int_equal(n, 1);
    /* Predictions do not depend on each other; previous logits do something, alone and with a click. */
    assert_int_equal(sam_image_predict(s, &one, 1, masks, &n, NULL), SAM_OK);
    assert_memory_equal(masks[1].logits, first[1], sizeof first[1]);
    assert_int_equal(sam_image_predict(s, &(sam_prompt_set){.points = points, .n_points = 1, .logits = first[1]}, 1,
                                       masks, &n, NULL),
                     SAM_OK);
    assert_true(relative_error(masks[1].logits, first[1], 256) > 1e-3);
    assert_int_equal(sam_image_predict(s, &(sam_prompt_set){.logits = first[1]}, 1, masks, &n, NULL), SAM_OK);
    assert_int_equal(n, 3);
    sam_session_close(s);
    sam_model_close(m);
    printf("session: image mode: %d refusals; 3 masks, 1 mask, previous logits; largest logit %g\n", n_refused - before,
           (double)worst);
}

/* ---- life of objects ---------------------------------------------------------------------------------------------- */

/* Objects come and go while others are tracked: the others do not notice, and the place of one that left is as new. */
static void test_objects_come_and_go(void **state)
{
    (void)state;
    snapshot a, b;
    int same = 1, n = 0;
    double worst = 0;
    for (int f = 0; f < TINY_COUNT; f++) {
        sam_model *m = tiny_open(models.path[f], NULL);
        sam_session *crowd = open_default(m, 2), *alone = open_default(m, 1), *late = open_default(m, 1);
        for (int t = 0; t < 14; t++) {
            tiny_push(crowd, W, H, t);
            tiny_push(alone, W, H, t);
            if (t == 0) {
                prompt_point(alone, 5, 30, 25, 1);
                prompt_point(crowd, 5, 30, 25, 1);
                prompt_box(crowd, 9, 50, 30, 90, 60);
            }
            if (t == 4 || t == 9)
                assert_int_equal(sam_remove_object(crowd, 9, NULL), SAM_OK);
            if (t == 6 || t == 10)
                prompt_point(crowd, 9, 60, 50, 1);
            if (t >= 10) {
                tiny_push(late, W, H, t);
                if (t == 10)
                    prompt_point(late, 9, 60, 50, 1);
                track(late, SAM_FORWARD);
            }
            track(crowd, SAM_FORWARD);
            track(alone, SAM_FORWARD);
            snapshot_take(crowd, 5, W, H, &a);
            snapshot_take(alone, 5, W, H, &b);
            same &= snapshot_same(&a, &b);
            double error = snapshot_error(&a, &b);
            worst = error > worst ? error : worst;
            if (t == 4 || t == 5 || t == 9)
                REFUSED(sam_get_mask(crowd, 9, &(sam_mask){0}, &err), SAM_E_ARG, "object 9");
            if (t >= 10) {
                snapshot_take(crowd, 9, W, H, &a);
                snapshot_take(late, 9, W, H, &b);
                same &= snapshot_same(&a, &b);
                error = snapshot_error(&a, &b);
                worst = error > worst ? error : worst;
            }
            n++;
        }
        sam_session_close(crowd);
        sam_session_close(alone);
        sam_session_close(late);
        sam_model_close(m);
    }
    printf(
        "session: objects come and go over %d frames of 3 models: others and newcomers are as if alone, %s (worst %.1e)\n",
        n, same ? "bit by bit" : "within rounding", worst);
    assert_true(worst <= 1e-5);
}

static void test_reset(void **state)
{
    (void)state;
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    sam_session *s = open_default(m, 2);
    static snapshot first[8][2], again;
    for (int run = 0; run < 2; run++) {
        for (int t = 0; t < 8; t++) {
            tiny_push(s, W, H, t);
            if (t == 0) {
                prompt_point(s, 1, 30, 25, 1);
                prompt_box(s, 2, 50, 30, 90, 60);
            }
            track(s, SAM_FORWARD);
            for (int o = 0; o < 2; o++) {
                snapshot_take(s, o + 1, W, H, run ? &again : &first[t][o]);
                if (run)
                    assert_true(snapshot_same(&again, &first[t][o]));
            }
        }
        assert_int_equal(sam_session_reset(s, NULL), SAM_OK);
        REFUSED(sam_track(s, SAM_FORWARD, &err), SAM_E_STATE, "sam_push_frame");
        REFUSED(sam_get_mask(s, 1, &(sam_mask){0}, &err), SAM_E_ARG, "object 1");
        REFUSED(sam_prompt(s, 1, &(sam_prompt_set){.box = &(sam_box){0, 0, 9, 9}}, &err), SAM_E_STATE,
                "sam_push_frame");
    }
    sam_session_close(s);
    sam_model_close(m);
    printf("session: after a reset the same 8 frames give the same bits\n");
}

static void test_most_objects(void **state)
{
    (void)state;
    sam_model *m = tiny_open(models.path[TINY_SAM2], &(sam_model_options){.max_points = 1, .max_prompted_frames = 1});
    sam_session *s =
        tiny_session(m, (sam_session_options){.width_px = 8, .height_px = 8, .max_objects = 1024, .no_overlap = 1});
    static snapshot a, b;
    tiny_push(s, 8, 8, 0);
    /* With no_overlap every prompt draws every mask: few prompts, so objects are copies of two. */
    for (int i = 0; i < 1024; i += 93)
        prompt_point(s, INT32_MAX - i, 2 + (float)(i % 2), 3, 1);
    tiny_push(s, 8, 8, 1);
    track(s, SAM_FORWARD);
    snapshot_take(s, INT32_MAX, 8, 8, &a);
    snapshot_take(s, INT32_MAX - 2 * 93, 8, 8, &b);
    assert_true(snapshot_error(&a, &b) <= 1e-5);
    sam_session_close(s);

    s = tiny_session(m, (sam_session_options){.width_px = 8, .height_px = 8, .max_objects = 1024});
    tiny_push(s, 8, 8, 0);
    for (int i = 0; i < 1024; i++)
        prompt_point(s, i - 512, 2, 3, 1);
    REFUSED(sam_prompt(s, 512, &(sam_prompt_set){.points = &(sam_point){1, 1, 1}, .n_points = 1}, &err), SAM_E_FULL,
            "1024");
    tiny_push(s, 8, 8, 1);
    track(s, SAM_FORWARD);
    snapshot_take(s, -512, 8, 8, &a);
    snapshot_take(s, 511, 8, 8, &b);
    double error = snapshot_error(&b, &a);
    assert_true(error <= 1e-5);
    sam_session_close(s);
    sam_model_close(m);
    printf("session: 1024 equal objects in one batch: first and last differ by %.1e\n", error);
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

static void step(sam_session *s, const uint8_t *rgb, int64_t t, sam_direction direction)
{
    sam_mask mask;
    assert_int_equal(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = t}, NULL), SAM_OK);
    assert_int_equal(sam_track(s, direction, NULL), SAM_OK);
    assert_int_equal(sam_get_mask(s, 1, &mask, NULL), SAM_OK);
}

static void test_no_allocation(void **state)
{
    (void)state;
    uint8_t rgb[3 * W * H], bits[W * H];
    sam_mask mask, masks[3];
    int n;
    alloc_counts counted = {0};
    size_t grown = 0;
    if (test_backend() != SAM_CPU)
        skip(); /* the driver takes memory when it likes; `track --json` counts on a device */
    tiny_frame(W, H, 0, rgb);
    for (int i = 0; i < W * H; i++)
        bits[i] = i % W > 30 && i % W < 60;
    alloc_count_watch(2);
    alloc_count_begin();
    void *volatile block = malloc(10);      /* volatile: not optimised away */
    long n_counted = alloc_count_end().own; /* -1: cannot be counted here */
    int can_count = n_counted >= 0;
    free(block);
    assert_true(n_counted == 1 || n_counted == -1); /* the counter counts */
    assert_true(heap_in_use() > 0 || !can_count);
    for (int f = 0; f < TINY_COUNT; f++)
        for (int type = SAM_F32; type <= SAM_BF16; type++) {
            int n_threads = f == TINY_EDGETAM && type == SAM_F32 ? 2 : 1;
            sam_model *m =
                tiny_open(models.path[f], &(sam_model_options){.compute = (sam_dtype)type, .n_threads = n_threads});
            sam_session *s = tiny_session(
                m, (sam_session_options){
                       .width_px = W, .height_px = H, .max_objects = 3, .no_overlap = f == 1, .remove_speck_area = 4});
            sam_session *image =
                tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .mode = SAM_IMAGE});
            sam_frame frame = {.rgb = rgb, .row_bytes = 3 * W};
            size_t in_use = heap_in_use();
            alloc_count_begin();
            assert_int_equal(sam_push_frame(s, &frame, NULL), SAM_OK);
            prompt_point(s, 1, 30, 30, 1);
            prompt_box(s, 2, 10, 10, 60, 50);
            prompt_mask(s, 3, bits);
            assert_int_equal(sam_get_mask(s, 1, &mask, NULL), SAM_OK);
            for (int t = 1; t < 10; t++)
                step(s, rgb, t, SAM_FORWARD);
            prompt_point(s, 1, 50, 30, 0);
            sam_remove_object(s, 2, NULL);
            prompt_point(s, 4, 50, 30, 1);
            for (int t = 9; t >= 5; t--)
                step(s, rgb, t, SAM_REVERSE);
            sam_session_reset(s, NULL);
            assert_int_equal(sam_push_frame(image, &frame, NULL), SAM_OK);
            assert_int_equal(
                sam_image_predict(image, &(sam_prompt_set){.box = &(sam_box){5, 5, 50, 60}}, 1, masks, &n, NULL),
                SAM_OK);
            alloc_counts here = alloc_count_end();
            counted.own += can_count ? here.own : 0;
            counted.libraries += here.libraries;
            grown += heap_in_use() > in_use ? heap_in_use() - in_use : 0;
            sam_session_close(image);
            sam_session_close(s);
            sam_model_close(m);
        }
    printf(
        "session: from push to mask, over prompts, tracking both ways, reset and images of 3 models in 3 precisions: %ld "
        "allocations of our own, %ld within libraries; heap grew by %zu bytes\n",
        counted.own, counted.libraries, grown);
    assert_int_equal(counted.own, 0);
    assert_int_equal(grown, 0);
}

static size_t resident_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[200];
    size_t kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %zu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static void test_constant_memory(void **state)
{
    (void)state;
    uint8_t rgb[3 * W * H];
    sam_model *m = tiny_open(models.path[TINY_EDGETAM], NULL);
    sam_session *s = open_default(m, 1);
    sam_stats early, late;
    size_t resident[2] = {0}, heap[2] = {0};
    tiny_push(s, W, H, 0);
    prompt_point(s, 1, 30, 30, 1);
    for (int t = 1; t <= 500; t++) {
        tiny_frame(W, H, t, rgb);
        step(s, rgb, t, SAM_FORWARD);
        if (t == 20) {
            sam_get_stats(s, &early, NULL);
            resident[0] = resident_kib();
            heap[0] = heap_in_use();
        }
    }
    sam_get_stats(s, &late, NULL);
    resident[1] = resident_kib();
    heap[1] = heap_in_use();
    assert_int_equal(early.state_bytes, late.state_bytes);
    assert_int_equal(early.scratch_bytes, late.scratch_bytes);
    assert_int_equal(early.weight_bytes, late.weight_bytes);
    printf("session: after 20 and after 500 frames: state %zu bytes, scratch %zu; process %zu and %zu KiB\n",
           late.state_bytes, late.scratch_bytes, resident[0], resident[1]);
    int on_cpu = test_backend() == SAM_CPU; /* a driver takes host memory of its own now and then, in large pieces */
    if (on_cpu)
        assert_int_equal(heap[0], heap[1]);
    if (alloc_count_end().own >= 0) /* AddressSanitizer keeps what libraries free */
        assert_true(resident[1] <= resident[0] + (on_cpu ? 512 : 16384));
    sam_session_close(s);
    sam_model_close(m);
}

/* Bytes of the heap that a session takes for frames of w x h pixels, and by its plan. */
static void open_and_measure(sam_model *m, sam_mode mode, int w, int h, double *taken, double *planned)
{
    sam_session_options o = {.mode = mode, .width_px = w, .height_px = h, .no_overlap = mode == SAM_VIDEO};
    sam_error err;
    sam_session *s = NULL;
    sam_stats stats;
    size_t before = heap_in_use();
    assert_int_equal(sam_session_open(m, &o, &s, &err), SAM_OK);
    *taken = (double)heap_in_use() - (double)before;
    assert_int_equal(sam_get_stats(s, &stats, NULL), SAM_OK);
    *planned = (double)(stats.state_bytes + stats.scratch_bytes);
    sam_session_close(s);
}

/* Larger frames take as much more as their plan says; what libraries keep for the network is the same for both. */
static void test_plan_is_what_open_takes(void **state)
{
    (void)state;
    sam_model *m = tiny_open(models.path[TINY_SAM21], NULL);
    for (int mode = SAM_VIDEO; mode <= SAM_IMAGE; mode++) {
        double taken[3], planned[3];
        for (int i = 0; i < 3; i++) /* the first one fills the libraries' caches */
            open_and_measure(m, (sam_mode)mode, i < 2 ? W : 1920, i < 2 ? H : 1080, &taken[i], &planned[i]);
        double more = taken[2] - taken[1], said = planned[2] - planned[1];
        printf("session: 1920 x 1080 for %d x %d, %s: planned %.0f bytes more, taken %.0f\n", W, H,
               mode == SAM_VIDEO ? "video" : "image", said, more);
        if (heap_in_use() && test_backend() == SAM_CPU)
            assert_true(fabs(more - said) < 0.01 * said + 65536);
    }
    sam_model_close(m);
}

/* Nothing, wherever something is needed, is refused; it never crashes. */
static void nothing(void **state)
{
    (void)state;
    sam_model *m = tiny_open(models.path[TINY_SAM2], NULL), *none;
    sam_session *s = tiny_session(m, (sam_session_options){.width_px = W, .height_px = H}), *no_session;
    const sam_session_options opt = {.width_px = W, .height_px = H};
    sam_frame f = {0};
    sam_prompt_set p = {0};
    sam_mask mask = {0}, masks[3];
    sam_stats stats;
    uint16_t prepared;
    int n;
    sam_session *images = tiny_session(m, (sam_session_options){.mode = SAM_IMAGE, .width_px = W, .height_px = H});
    tiny_push(s, W, H, 0);
    tiny_push(images, W, H, 0);
    REFUSED(sam_model_open(NULL, NULL, &none, &err), SAM_E_ARG, "no path");
    REFUSED(sam_model_open(models.path[TINY_SAM2], NULL, NULL, &err), SAM_E_ARG, "nowhere");
    REFUSED(sam_session_open(NULL, &opt, &no_session, &err), SAM_E_ARG, "no model");
    REFUSED(sam_session_open(m, &opt, NULL, &err), SAM_E_ARG, "nowhere");
    REFUSED(sam_session_plan(NULL, &opt, &stats, &err), SAM_E_ARG, "no model");
    REFUSED(sam_session_plan(m, &opt, NULL, &err), SAM_E_ARG, "no place");
    REFUSED(sam_session_reset(NULL, &err), SAM_E_ARG, "no session");
    REFUSED(sam_push_frame(NULL, &f, &err), SAM_E_ARG, "no session");
    REFUSED(sam_push_next(NULL, &f, &err), SAM_E_ARG, "no session");
    REFUSED(sam_prepare_frame(NULL, &f, &prepared, &err), SAM_E_ARG, "no session");
    REFUSED(sam_prompt(NULL, 1, &p, &err), SAM_E_ARG, "no session");
    REFUSED(sam_track(NULL, SAM_FORWARD, &err), SAM_E_ARG, "no session");
    REFUSED(sam_remove_object(NULL, 1, &err), SAM_E_ARG, "no session");
    REFUSED(sam_get_mask(NULL, 1, &mask, &err), SAM_E_ARG, "no session");
    REFUSED(sam_get_mask(s, 1, NULL, &err), SAM_E_ARG, "nowhere");
    REFUSED(sam_image_predict(NULL, &p, 1, masks, &n, &err), SAM_E_ARG, "no session");
    REFUSED(sam_get_stats(NULL, &stats, &err), SAM_E_ARG, "no session");
    REFUSED(sam_get_stats(s, NULL, &err), SAM_E_ARG, "no place");
    REFUSED(sam_session_open(m, NULL, &no_session, &err), SAM_E_ARG, "frame size");
    REFUSED(sam_session_plan(m, NULL, &stats, &err), SAM_E_ARG, "frame size");
    REFUSED(sam_push_frame(s, NULL, &err), SAM_E_ARG, "no frame");
    REFUSED(sam_push_next(s, NULL, &err), SAM_E_ARG, "no frame");
    REFUSED(sam_prepare_frame(s, NULL, &prepared, &err), SAM_E_ARG, "no frame");
    REFUSED(sam_prompt(s, 1, NULL, &err), SAM_E_ARG, "needs points");
    REFUSED(sam_image_predict(images, NULL, 1, masks, &n, &err), SAM_E_ARG, "needs points");
    REFUSED(sam_image_predict(images, &p, 1, NULL, &n, &err), SAM_E_ARG, "nowhere");
    REFUSED(sam_image_predict(images, &p, 1, masks, NULL, &err), SAM_E_ARG, "nowhere");
    assert_int_equal(sam_session_reset(NULL, NULL), SAM_E_ARG); /* nor need the message be wanted */
    sam_mask_bytes(NULL, NULL, 0);
    sam_mask_bytes(&mask, NULL, 0);
    assert_string_equal(sam_model_name(NULL), "");
    assert_string_equal(sam_model_libraries(NULL), "");
    assert_int_equal(sam_model_image_px(NULL), 0);
    assert_int_equal(sam_model_takes(NULL, SAM_VIDEO), 0);
    sam_session_close(images);
    sam_session_close(NULL);
    sam_model_close(NULL);
    sam_session_close(s);
    sam_model_close(m);
    printf("session: NULL refused in 28 calls, harmless in 8 others\n");
}

/* What oneDNN would not survive is said before: a child whose address space is almost used up. */
static void address_space(void **state)
{
    (void)state;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which take terabytes of it */
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit limit = {.rlim_cur = (rlim_t)1 << 20, .rlim_max = RLIM_INFINITY};
        sam_error err = {0};
        sam_model *m;
        setrlimit(RLIMIT_AS, &limit);
        sam_status got = sam_model_open(models.path[TINY_SAM2], NULL, &m, &err);
        _exit(got == SAM_E_MEMORY || got == SAM_E_IO ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    sam_model *m = tiny_open(models.path[TINY_SAM2], NULL), *other;
    pid = fork();
    if (pid == 0) {
        const struct rlimit limit = {.rlim_cur = (rlim_t)1 << 34, .rlim_max = RLIM_INFINITY};
        sam_error err = {0};
        setrlimit(RLIMIT_AS, &limit);
        if (address_space_check((size_t)1 << 33, 2, "it", &err) != SAM_OK)
            _exit(2);
        _exit(address_space_check((size_t)1 << 34, 2, "it", &err) == SAM_E_MEMORY && strstr(err.text, "ulimit -v") ? 0
                                                                                                                   : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(sam_model_open(models.path[TINY_SAM2], NULL, &other, NULL), SAM_OK);
    sam_model_close(other);
    sam_model_close(m);
    printf("a limit on the address space is a message\n");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_space),
        cmocka_unit_test(nothing),
        cmocka_unit_test(test_no_allocation), /* first: what libraries keep from first use is not there yet */
        cmocka_unit_test(test_plan_is_what_open_takes),
        cmocka_unit_test(test_model_options),
        cmocka_unit_test(test_session_options),
        cmocka_unit_test(test_mem_limit),
        cmocka_unit_test(test_wrong_moment),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_image_session),
        cmocka_unit_test(test_objects_come_and_go),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_most_objects),
        cmocka_unit_test(test_constant_memory),
        cmocka_unit_test(test_frame_formats),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
