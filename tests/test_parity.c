/* The engine against what the official PyTorch code computed: tests/parity/data (float32, 256 px and one case at 512, weights and frames from
 * formulas; tests/parity/README.md has the layout). Every case of SAM 2.1 tiny and EdgeTAM; with SAM_PARITY_FULL=1 in the
 * environment those of all models.
 *
 * Passes: relative L2 error of logits, pointers and features <= 1e-3, score and quality within 1e-3, mask IoU >= 0.999, up
 * to the first frame where the network's own choice was a near tie (`too_close`). The memory of a prompted frame is made
 * from logit > 0 at image size: where one of those lies within float32's reach of 0, its object's other frames are held to
 * ten times that (a flipped pixel costs up to 1e-3; a mistake 1e-2 and more).
 *
 * bf16 and fp16: over the cases of a model, the logits are on average (geometric mean) at most 1.5 times as far from
 * the float32 reference as PyTorch's own bf16 autocast is, and in no case twice as far, up to the first frame that is a
 * near tie in half precision (`too_close_half`). Single cases scatter: the pixels of a prompted mask that rounding flips differ.
 *
 * SAM_TEST_DEVICE=cuda runs the same on the GPU, by the same rules. */
#include <dirent.h>
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
#include "replay.h"
#include "safetensors.h"
#include "session.h"
#include "synthetic_clip.h"
#include "temp_dir.h"
#include "test_backend.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum {
    N_SAMPLES = 512,
    MAX_FRAMES = 16,
    MAX_OBJECTS = 3,
    LOW = 64,
    MOST_LOW = 128,
    W = SYNTHETIC_WIDTH,
    H = SYNTHETIC_HEIGHT
};
#define TOLERANCE 1e-3
#define N_THREADS 1    /* tests run side by side */
#define ROUNDING  2e-6 /* relative; logits of prompted frames differ by up to 1.6e-6 */

/* ---- a reference file --------------------------------------------------------------------------------------------- */

typedef struct reference {
    st_file file;
    json_t *settings;
    const char *name;
} reference;

static void reference_open(reference *r, const char *path, const char *name)
{
    sam_error err;
    if (st_open(path, &r->file, &err) != SAM_OK)
        fail_msg("%s", err.text);
    r->settings = json_loads(st_meta_get(&r->file, "settings"), 0, NULL);
    r->name = name;
    assert_non_null(r->settings);
}

static void reference_close(reference *r)
{
    json_decref(r->settings);
    st_close(&r->file);
}

static const char *text_of(const json_t *j, const char *key)
{
    return json_string_value(json_object_get(j, key));
}

static int int_of(const json_t *j, const char *key)
{
    return (int)json_integer_value(json_object_get(j, key));
}

/* Relative L2 error of `have` (n elements) against tensor `name`, whole or sampled; -1 if the file lacks it. `place` maps
 * an index of the reference's layout to ours; NULL: the same. */
static double tensor_error(const reference *r, const char *name, const float *have, size_t n,
                           size_t (*place)(size_t, size_t))
{
    char sampled[120];
    int64_t at[N_SAMPLES];
    snprintf(sampled, sizeof sampled, "%s.samples", name);
    const st_tensor *t = st_find(&r->file, sampled);
    int is_sampled = t != NULL;
    double error = 0, norm = 0;
    if (!t && !(t = st_find(&r->file, name)))
        return -1;
    size_t count = t->n_bytes / sizeof(float);
    assert_true(t->dtype == ST_F32 && count <= N_SAMPLES && (is_sampled || count == n));
    synthetic_sample_indices((int64_t)n, N_SAMPLES, at);
    for (size_t i = 0; i < count; i++) {
        float want;
        memcpy(&want, (const char *)t->data + i * sizeof want, sizeof want);
        size_t k = is_sampled ? (size_t)at[i] : i;
        double d = (double)have[place ? place(k, n) : k] - want;
        error += d * d;
        norm += (double)want * want;
    }
    return norm > 0 ? sqrt(error / norm) : sqrt(error);
}

/* IoU of packed reference masks, from plane `plane` on, and ours. */
static double mask_iou(const reference *r, const char *name, size_t plane, const uint8_t *bits)
{
    const st_tensor *t = st_find(&r->file, name);
    size_t both = 0, any = 0, pixels = (size_t)W * H;
    assert_non_null(t);
    assert_true(t->n_bytes >= ((plane + 1) * pixels + 7) / 8);
    for (size_t i = 0; i < pixels; i++) {
        size_t k = plane * pixels + i;
        int want = ((const uint8_t *)t->data)[k / 8] >> (7 - k % 8) & 1;
        both += (size_t)(want && bits[i]);
        any += (size_t)(want || bits[i]);
    }
    return any ? (double)both / (double)any : 1;
}

static int names_frame(const json_t *list, const char *frame)
{
    size_t i;
    const json_t *e;
    json_array_foreach(list, i, e)
    {
        const char *at = json_is_string(e) ? json_string_value(e) : text_of(e, "at");
        if (at && !strncmp(at, frame, strlen(frame)))
            return 1;
    }
    return 0;
}

/* ---- a case of the video predictor -------------------------------------------------------------------------------- */

typedef struct object_out {
    int present, prompted;
    float logits[LOW * LOW], pointer[256], score, iou;
    uint8_t bits[W * H];
} object_out;

typedef struct run {
    replay to; /* the session */
    object_out out[MAX_FRAMES][MAX_OBJECTS + 1];
} run;

/* Frames 0 to n_frames - 1 of the clip that all references are of. */
static const uint8_t *synthetic_frames(int n_frames)
{
    static uint8_t clip[MAX_FRAMES][3 * W * H];
    assert_true(n_frames <= MAX_FRAMES);
    for (int t = 0; t < n_frames; t++)
        synthetic_frame(W, H, SYNTHETIC_SEED, t, clip[t], NULL);
    return clip[0];
}

/* The last output of a frame counts. */
static void record(void *user, int frame)
{
    run *r = user;
    for (int o = 1; o <= MAX_OBJECTS; o++) {
        sam_mask m;
        object_out *to = &r->out[frame][o];
        if (sam_get_mask(r->to.s, o, &m, NULL) != SAM_OK)
            continue;
        assert_int_equal(m.logits_px, LOW);
        to->present = 1;
        to->prompted = m.prompted;
        memcpy(to->logits, m.logits, sizeof to->logits);
        memcpy(to->pointer, m.pointer, sizeof to->pointer);
        to->score = m.presence;
        to->iou = m.iou;
        sam_mask_bytes(&m, to->bits, W);
    }
}

/* The quality the official network gave to the mask it chose last on this frame; -1: a mask prompt, or unknown. */
static double reference_iou(const reference *ref, const char *frame)
{
    double iou = -1;
    size_t i, n = strlen(frame);
    const json_t *d;
    json_array_foreach(json_object_get(ref->settings, "decisions"), i, d)
    {
        const char *at = text_of(d, "at");
        if (strncmp(at, frame, n) || at[n] != ' ')
            continue;
        const json_t *chosen = json_object_get(d, "chosen");
        iou = chosen ? json_number_value(json_array_get(json_object_get(d, "iou"), (size_t)json_integer_value(chosen)))
                     : -1;
    }
    return iou;
}

typedef struct worst {
    double logits, pointer, score, iou, mask, features;
    int n;
} worst;

static void raise(double *to, double error)
{
    if (!(error <= *to))
        *to = error;
}

/* 1: a pixel of these logits, enlarged fourfold as for the memory, is closer to 0 than rounding moves it. */
static int near_tie(const float logits[LOW * LOW])
{
    double sum = 0, least = INFINITY;
    for (int i = 0; i < LOW * LOW; i++)
        sum += (double)logits[i] * logits[i];
    for (int y = 0; y < 4 * LOW; y++)
        for (int x = 0; x < 4 * LOW; x++) {
            double v = fmax((y + 0.5) / 4 - 0.5, 0), u = fmax((x + 0.5) / 4 - 0.5, 0);
            int top = (int)v, left = (int)u, bottom = top < LOW - 1 ? top + 1 : top,
                right = left < LOW - 1 ? left + 1 : left;
            double a = logits[top * LOW + left] * (left + 1 - u) + logits[top * LOW + right] * (u - left);
            double b = logits[bottom * LOW + left] * (left + 1 - u) + logits[bottom * LOW + right] * (u - left);
            least = fmin(least, fabs(a * (top + 1 - v) + b * (v - top)));
        }
    return least < ROUNDING * sqrt(sum / (LOW * LOW));
}

static int compare_frame(const reference *ref, const object_out *o, const char *frame, int after_tie, worst *w)
{
    char name[80];
    float score;
    snprintf(name, sizeof name, "%s/object_score", frame);
    const st_tensor *t = st_find(&ref->file, name);
    if (!t)
        return 0;
    assert_true(o->present);
    memcpy(&score, t->data, sizeof score);
    double score_error = fabs((double)o->score - score) / fmax(1, fabs((double)score)),
           expected = reference_iou(ref, frame);
    double iou_error = expected < 0 ? 0 : fabs((double)o->iou - expected);
    snprintf(name, sizeof name, "%s/low_res_logits", frame);
    double logits = tensor_error(ref, name, o->logits, LOW * LOW, NULL);
    snprintf(name, sizeof name, "%s/object_pointer", frame);
    double pointer = tensor_error(ref, name, o->pointer, 256, NULL);
    snprintf(name, sizeof name, "%s/mask.bits", frame);
    double iou = mask_iou(ref, name, 0, o->bits);
    printf("    %s: logits %.1e, pointer %.1e, score %.1e, quality %.1e, mask IoU %.5f\n", frame, logits, pointer,
           score_error, iou_error, iou);
    double allow = after_tie ? 10 : 1;
    raise(&w->logits, logits / allow);
    raise(&w->pointer, pointer / allow);
    raise(&w->score, score_error / allow);
    raise(&w->iou, iou_error / allow);
    raise(&w->mask, (1 - iou) / allow);
    w->n++;
    return 1;
}

static void run_video(const reference *ref, sam_model *m, sam_dtype type, worst *w)
{
    static run r;
    sam_error err;
    const json_t *step, *close = json_object_get(ref->settings, type == SAM_F32 ? "too_close" : "too_close_half");
    size_t i;
    int n_frames = int_of(ref->settings, "n_frames");
    r = (run){.to = {.clip = synthetic_frames(n_frames),
                     .width = W,
                     .height = H,
                     .n_frames = n_frames,
                     .current = -1,
                     .see = record,
                     .user = &r}};
    sam_session_options opt = {
        .width_px = W, .height_px = H, .max_objects = MAX_OBJECTS, .n_frames = n_frames, .fill_hole_area = -1};
    if (sam_session_open(m, &opt, &r.to.s, &err) != SAM_OK)
        fail_msg("%s", err.text);
    json_array_foreach(json_object_get(ref->settings, "steps"), i, step)
    {
        if (replay_step(&r.to, step, &err) != SAM_OK)
            fail_msg("%s", err.text);
    }
    sam_session_close(r.to.s);
    for (int o = 1; o <= MAX_OBJECTS; o++) {
        int tie = 0;
        for (int t = 0; t < n_frames && type == SAM_F32; t++)
            tie |= r.out[t][o].present && r.out[t][o].prompted && near_tie(r.out[t][o].logits);
        if (tie)
            printf(
                "    object %d: a pixel of a prompted frame is within rounding of 0: ten times the tolerance below\n",
                o);
        for (int t = 0; t < n_frames; t++) {
            char frame[40];
            snprintf(frame, sizeof frame, "frame_%05d/obj_%d", t, o);
            if (names_frame(close, frame))
                break;
            compare_frame(ref, &r.out[t][o], frame, tie && !r.out[t][o].prompted, w);
        }
    }
}

/* ---- a case of the image predictor -------------------------------------------------------------------------------- */

typedef struct features {
    const reference *ref;
    worst *w;
} features;

static void see(void *user, const char *graph, const char *name, int n_objects, const tensor *t)
{
    static const struct {
        const char *family, *graph, *name, *reference;
    } watched[] = {{"sam_", "encode", "features", "features/image_embed"},
                   {"", "image", "image_embed", "features/image_embed"},
                   {"", "encode", "high_res_0", "features/high_res_0"},
                   {"", "encode", "high_res_1", "features/high_res_1"}};
    const features *f = user;
    const char *model = text_of(f->ref->settings, "model");
    (void)n_objects;
    for (size_t i = 0; t->type == DT_F32 && i < sizeof watched / sizeof watched[0]; i++)
        if (!strncmp(model, watched[i].family, strlen(watched[i].family)) && !strcmp(graph, watched[i].graph) &&
            !strcmp(name, watched[i].name)) {
            double error = tensor_error(f->ref, watched[i].reference, t->data, (size_t)t->rows * (size_t)t->cols, NULL);
            if (error < 0)
                continue;
            printf("    %s: %.1e\n", watched[i].reference, error);
            raise(&f->w->features, error);
        }
}

/* The reference's image is [3, S, S], ours [S * S, 3]. */
static size_t channels_last(size_t k, size_t n)
{
    size_t plane = n / 3;
    return k % plane * 3 + k / plane;
}

/* Relative error of the network's input in the session's memory. */
static double input_error(const reference *ref, const sam_session *s)
{
    size_t n = 3 * (size_t)s->m->size.side_px * (size_t)s->m->size.side_px;
    float *image = malloc(n * sizeof *image);
    assert_non_null(image);
    if (s->b->api->read(s->b, s->stream, image, s->st.image, n * sizeof *image) || s->b->api->wait(s->b, s->stream))
        fail_msg("reading from the device");
    double error = tensor_error(ref, "input/frame_00000", image, n, channels_last);
    free(image);
    return error;
}

static float previous_logits[MOST_LOW * MOST_LOW]; /* the best mask of image_point */

static void run_image(const reference *ref, sam_model *m, worst *w)
{
    sam_session *s;
    sam_error err;
    sam_mask masks[3];
    sam_point points[4];
    sam_box box;
    int n_masks = 0;
    const json_t *predict = json_object_get(ref->settings, "predict"), *list = json_object_get(predict, "point_coords");
    const json_t *corners = json_object_get(predict, "box");
    sam_prompt_set p = {.points = points, .single_mask = !json_is_true(json_object_get(predict, "multimask_output"))};
    features watch = {ref, w};
    for (; p.n_points < (int)json_array_size(list); p.n_points++) {
        const json_t *xy = json_array_get(list, (size_t)p.n_points);
        const json_t *label = json_array_get(json_object_get(predict, "point_labels"), (size_t)p.n_points);
        points[p.n_points] =
            (sam_point){(float)json_number_value(json_array_get(xy, 0)),
                        (float)json_number_value(json_array_get(xy, 1)), (int)json_integer_value(label)};
    }
    if (corners) {
        float c[4];
        for (size_t i = 0; i < 4; i++)
            c[i] = (float)json_number_value(json_array_get(corners, i));
        box = (sam_box){c[0], c[1], c[2], c[3]};
        p.box = &box;
    }
    if (json_object_get(predict, "previous"))
        p.logits = previous_logits;
    if (sam_session_open(m, &(sam_session_options){.width_px = W, .height_px = H, .mode = SAM_IMAGE}, &s, &err) !=
        SAM_OK)
        fail_msg("%s", err.text);
    session_tap(s, (tap){.see = see, .user = &watch});
    assert_int_equal(sam_push_frame(s, &(sam_frame){.rgb = synthetic_frames(1), .row_bytes = 3 * W}, &err), SAM_OK);
    double input = input_error(ref, s);
    if (sam_image_predict(s, &p, 1, masks, &n_masks, &err) != SAM_OK)
        fail_msg("%s", err.text);
    static float logits[3 * MOST_LOW * MOST_LOW];
    const size_t n_logits = (size_t)masks[0].logits_px * (size_t)masks[0].logits_px;
    float iou[3], best = -1;
    assert_true(n_logits <= sizeof previous_logits / sizeof *previous_logits);
    for (int i = 0; i < n_masks; i++) {
        memcpy(logits + (size_t)i * n_logits, masks[i].logits, n_logits * sizeof *logits);
        iou[i] = masks[i].iou;
        static uint8_t bits[W * H];
        sam_mask_bytes(&masks[i], bits, W);
        raise(&w->mask, 1 - mask_iou(ref, "image/obj_1/mask.bits", (size_t)i, bits));
        if (!strcmp(ref->name, "image_point") && iou[i] > best) {
            best = iou[i];
            memcpy(previous_logits, masks[i].logits, n_logits * sizeof *previous_logits);
        }
    }
    double error = tensor_error(ref, "image/obj_1/low_res_logits", logits, (size_t)n_masks * n_logits, NULL);
    double quality = tensor_error(ref, "image/obj_1/iou", iou, (size_t)n_masks, NULL);
    printf("    input %.1e, %d masks: logits %.1e, quality %.1e\n", input, n_masks, error, quality);
    raise(&w->features, input);
    raise(&w->logits, error);
    raise(&w->iou, quality);
    assert_true(error >= 0 && quality >= 0 && input >= 0);
    w->n++;
    sam_session_close(s);
}

/* ---- all cases of a model ----------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The largest relative error of PyTorch's bf16 autocast on the case's logits. */
static double autocast_error(const reference *ref)
{
    const json_t *errors =
        json_object_get(json_object_get(json_object_get(ref->settings, "autocast"), "bf16"), "relative_error");
    const char *name;
    json_t *error;
    double largest = 0;
    json_object_foreach((json_t *)(uintptr_t)errors, name, error)
    {
        if (strstr(name, "/low_res_logits"))
            raise(&largest, json_number_value(error));
    }
    assert_true(largest > 0);
    return largest;
}

/* Ratios of our half-precision error to autocast's, over the cases of a model. */
typedef struct half_ratios {
    double log_sum;
    int n;
} half_ratios;

static void check_worst(const reference *ref, const worst *w, sam_dtype type, half_ratios *half)
{
    assert_true(w->n > 0);
    if (type != SAM_F32) {
        double ratio = w->logits / autocast_error(ref);
        printf("parity: %s in %s: logits %.1e, %.2f of what bf16 autocast loses\n", ref->name,
               type == SAM_F16 ? "fp16" : "bf16", w->logits, ratio);
        half->log_sum += log(ratio);
        half->n++;
        assert_true(ratio <= 2);
        return;
    }
    assert_true(w->logits <= TOLERANCE && w->pointer <= TOLERANCE && w->score <= TOLERANCE && w->iou <= TOLERANCE &&
                w->features <= TOLERANCE && w->mask <= TOLERANCE);
}

static void run_case(const char *folder, const char file[64], sam_dtype type, const temp_dir *dir, sam_model **m,
                     char *weights_of, half_ratios *half)
{
    char path[400], name[80], key[64], weights[320];
    reference ref;
    sam_error err;
    worst w = {0};
    snprintf(path, sizeof path, "%.300s/%.64s", folder, file);
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(".safetensors")), file); /* without the ending */
    reference_open(&ref, path, name);
    const char *model = text_of(ref.settings, "model"), *variant = text_of(ref.settings, "variant");
    snprintf(key, sizeof key, "%s_%s", model, variant);
    if (strcmp(key, weights_of)) { /* other weights than the case before */
        sam_model_close(*m);
        temp_dir_file(dir, key, weights, sizeof weights);
        if (!hash_model_make(weights, model, (unsigned)int_of(ref.settings, "seed"), !strcmp(variant, "unstable"),
                             &err) ||
            sam_model_open(weights,
                           &(sam_model_options){.image_px = int_of(ref.settings, "imgsz"),
                                                .compute = type,
                                                .n_threads = N_THREADS,
                                                .backend = test_backend()},
                           m, &err) != SAM_OK)
            fail_msg("%s", err.text);
        remove(weights); /* mapped until the model is closed */
        snprintf(weights_of, sizeof key, "%s", key);
    }
    printf("  %s, %s\n", model, name);
    if (json_object_get(ref.settings, "steps"))
        run_video(&ref, *m, type, &w);
    else
        run_image(&ref, *m, &w);
    printf(
        "parity: %s, %s: %d compared; worst: logits %.1e, pointer %.1e, score %.1e, quality %.1e, features %.1e, 1 - IoU "
        "%.1e\n",
        model, name, w.n, w.logits, w.pointer, w.score, w.iou, w.features, w.mask);
    check_worst(&ref, &w, type, half);
    reference_close(&ref);
}

/* The cases of `model` at an image size whose name begins with `only`. */
static void run_cases(const char *model, int image_px, const char *only, sam_dtype type)
{
    char folder[300], files[60][64], weights_of[64] = "";
    const struct dirent *e;
    size_t n = 0;
    temp_dir dir;
    sam_model *m = NULL;
    half_ratios half = {0};
    snprintf(folder, sizeof folder, "%s/tests/parity/data/%s_%d", SOURCE_DIR, model, image_px);
    DIR *d = opendir(folder);
    assert_non_null(d);
    while ((e = readdir(d)) && n < 60)
        if (strstr(e->d_name, ".safetensors") && !strncmp(e->d_name, only, strlen(only)) &&
            strlen(e->d_name) < sizeof files[0])
            strcpy(files[n++], e->d_name);
    closedir(d);
    assert_true(n > 0);
    qsort(files, n, sizeof files[0],
          by_name); /* image_point before image_refine; unstable, with weights of its own, last */
    temp_dir_make(&dir);
    for (size_t i = 0; i < n; i++)
        run_case(folder, files[i], type, &dir, &m, weights_of, &half);
    sam_model_close(m);
    temp_dir_remove(&dir);
    if (half.n) {
        double mean = exp(half.log_sum / half.n);
        printf("parity: %s in %s, %d cases: on average %.2f of what bf16 autocast loses\n", model,
               type == SAM_F16 ? "fp16" : "bf16", half.n, mean);
        assert_true(mean <= 1.5);
    }
}

static void run_folder(const char *model, const char *only, sam_dtype type)
{
    run_cases(model, 256, only, type);
}

/* Which cases of a model that all run otherwise: sanitizers look at addresses, and those of a few tell it. */
#ifdef __SANITIZE_ADDRESS__
#define ALL_OR(few) few
#else
#define ALL_OR(few) ""
#endif

static void test_sam21_tiny(void **state)
{
    (void)state;
    run_folder("sam2.1_tiny", ALL_OR("two_objects"), SAM_F32);
}

static void test_edgetam(void **state)
{
    (void)state;
    run_folder("edgetam", ALL_OR("two_objects"), SAM_F32);
}

static void test_sam_vit(void **state)
{
    (void)state;
    run_folder("sam_vit_b", "", SAM_F32);
}

/* All cases of EdgeTAM in bf16 and some others; with SAM_PARITY_FULL=1 all. */
static void test_half(void **state)
{
    (void)state;
    const char *full = getenv("SAM_PARITY_FULL");
    int all = full && !strcmp(full, "1");
    run_folder("edgetam", ALL_OR("image"), SAM_BF16);
    run_folder("sam2.1_tiny", all ? "" : "image", SAM_BF16);
    run_folder("edgetam", all ? "" : "box", SAM_F16);
    run_folder("sam2.1_tiny", all ? "" : "box", SAM_F16);
    run_folder("sam_vit_b", all ? "" : "image_box", SAM_BF16);
    run_folder("sam_vit_b", all ? "" : "image_point", SAM_F16);
}

static void test_other_models(void **state)
{
    (void)state;
    static const char *const others[] = {"sam2_tiny",    "sam2_small",   "sam2_base_plus",
                                         "sam2_large",   "sam2.1_small", "sam2.1_base_plus",
                                         "sam2.1_large", "sam_vit_l",    "sam_vit_h"};
    const char *full = getenv("SAM_PARITY_FULL");
    if (!full || strcmp(full, "1") != 0)
        skip();
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        run_folder(others[i], "", SAM_F32);
    run_cases("sam_vit_b", 512, "", SAM_F32); /* its table of positions is resized by another factor */
    run_cases("sam_vit_b", 512, "", SAM_BF16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sam21_tiny), cmocka_unit_test(test_edgetam),
                                       cmocka_unit_test(test_sam_vit), cmocka_unit_test(test_half),
                                       cmocka_unit_test(test_other_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
