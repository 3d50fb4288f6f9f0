/* A session's state in a file: tracking that goes on from it is, bit for bit, tracking that was never interrupted, for every
 * tracker and family; and every file that is not of such a session, or not whole, is refused without a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "memory_policy.h"
#include "sam.h"
#include "synthetic_clip.h"
#include "temp_dir.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { W = SYNTHETIC_WIDTH, H = SYNTHETIC_HEIGHT, HALF = 12, FRAMES = 22, MAX_LOW = 32 * 32 };

static tiny_models models;
static temp_dir dir;

static int make(void **state)
{
    (void)state;
    tiny_models_make(&models);
    temp_dir_make(&dir);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    tiny_models_remove(&models);
    temp_dir_remove(&dir);
    return 0;
}

static void must(sam_status status, const sam_error *err)
{
    if (status != SAM_OK)
        fail_msg("%s", err->text);
}

static const char *state_path(void)
{
    static char path[300];
    return temp_dir_file(&dir, "s.state", path, sizeof path);
}

static sam_model *open_model(tiny_family family)
{
    sam_model *m;
    sam_error err;
    must(sam_model_open(models.path[family], &(sam_model_options){.n_threads = 1}, &m, &err), &err);
    return m;
}

static sam_session *open_session(sam_model *m, const char *tracker)
{
    sam_session *s;
    sam_error err;
    sam_session_options opt = {.width_px = W, .height_px = H, .max_objects = 3, .history = 4, .tracker = tracker};
    must(sam_session_open(m, &opt, &s, &err), &err);
    return s;
}

static void push(sam_session *s, int t)
{
    static uint8_t rgb[3 * W * H];
    sam_error err;
    synthetic_frame(W, H, SYNTHETIC_SEED, t, rgb, NULL);
    must(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = t}, &err), &err);
}

static void click(sam_session *s, int object, float x, float y, int label)
{
    sam_error err;
    const sam_point p = {x, y, label};
    must(sam_prompt(s, object, &(sam_prompt_set){.points = &p, .n_points = 1}, &err), &err);
}

/* Objects 1 and 7, one prompted later, a correction, and a click that waits for tracking when the state is saved. */
static void first_half(sam_session *s)
{
    sam_error err;
    for (int t = 0; t < HALF; t++) {
        push(s, t);
        if (t == 0)
            click(s, 1, 40, 75, 1);
        else
            must(sam_track(s, SAM_FORWARD, &err), &err);
        if (t == 2)
            click(s, 7, 110, 45, 1);
        if (t == 5)
            click(s, 1, 60, 75, 0);
    }
    click(s, 7, 100, 45, 0);
}

typedef struct seen {
    float logits[2][MAX_LOW], pointer[2][256], score[2], iou[2];
    int area[2], incomplete[2];
} seen;

static void second_half(sam_session *s, seen *out)
{
    sam_error err;
    for (int t = HALF; t < FRAMES; t++) {
        push(s, t);
        if (t == HALF + 3) /* adds to nothing */
            click(s, 1, 50, 70, 1);
        must(sam_track(s, SAM_FORWARD, &err), &err);
        for (int o = 0; o < 2; o++) {
            sam_mask m;
            seen *to = &out[t - HALF];
            must(sam_get_mask(s, o ? 7 : 1, &m, &err), &err);
            assert_true(m.logits_px * m.logits_px <= MAX_LOW && m.n_pointer <= 256);
            memcpy(to->logits[o], m.logits, (size_t)(m.logits_px * m.logits_px) * sizeof(float));
            memcpy(to->pointer[o], m.pointer, (size_t)m.n_pointer * sizeof(float));
            to->score[o] = m.presence;
            to->iou[o] = m.iou;
            to->area[o] = (int)m.area_px;
            to->incomplete[o] = m.incomplete;
        }
    }
}

static void goes_on(void **state)
{
    static seen whole[FRAMES - HALF], resumed[FRAMES - HALF];
    sam_error err;
    (void)state;
    for (tiny_family family = 0; family < TINY_COUNT; family++)
        for (const memory_policy *p = memory_policies; p->name; p++) {
            sam_model *m = open_model(family), *later = open_model(family);
            sam_session *s = open_session(m, p->name), *t = open_session(later, p->name);
            int32_t ids[4] = {0};
            memset(whole, 0, sizeof whole);
            memset(resumed, 0, sizeof resumed);
            first_half(s);
            must(sam_state_save(s, state_path(), &err), &err);
            second_half(s, whole);
            push(t, 3); /* whatever was there before is forgotten */
            click(t, 2, 9, 9, 1);
            must(sam_state_load(t, state_path(), &err), &err);
            assert_int_equal(sam_session_objects(t, ids, 4), 2);
            assert_true(ids[0] + ids[1] == 8 && (ids[0] == 1 || ids[0] == 7));
            second_half(t, resumed);
            if (memcmp(whole, resumed, sizeof whole))
                fail_msg("%s, %s: the second half is another", tiny_names[family], p->name);
            sam_session_close(s);
            sam_session_close(t);
            sam_model_close(m);
            sam_model_close(later);
        }
    printf("  %d families, every tracker: %d frames after loading, bit for bit\n", (int)TINY_COUNT, FRAMES - HALF);
}

static char *read_all(size_t *n)
{
    FILE *f = fopen(state_path(), "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*n);
    assert_true(bytes && fread(bytes, 1, *n, f) == *n);
    fclose(f);
    return bytes;
}

/* A session that refuses a file knows nothing and works. */
static void refused(sam_session *s, sam_status expected, const char *part)
{
    sam_error err;
    assert_int_equal(sam_state_load(s, state_path(), &err), expected);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_int_equal(sam_session_objects(s, NULL, 0), 0);
    push(s, 0);
    click(s, 1, 40, 75, 1);
}

static void others_are_refused(void **state)
{
    sam_error err;
    size_t n;
    (void)state;
    sam_model *m = open_model(TINY_SAM21), *other = open_model(TINY_EDGETAM);
    sam_session *s = open_session(m, NULL);
    first_half(s);
    must(sam_state_save(s, state_path(), &err), &err);
    char *bytes = read_all(&n);
    sam_session *samurai = open_session(m, "samurai"), *foreign = open_session(other, NULL), *small, *image;
    must(sam_session_open(m, &(sam_session_options){.width_px = W, .height_px = H, .max_objects = 1, .history = 4},
                          &small, &err),
         &err);
    must(sam_session_open(m, &(sam_session_options){.width_px = W, .height_px = H, .mode = SAM_IMAGE}, &image, &err),
         &err);
    refused(samurai, SAM_E_ARG, "the tracker sam2");
    refused(foreign, SAM_E_ARG, "the model");
    refused(small, SAM_E_ARG, "max_objects 3, this one's is 1");
    assert_int_equal(sam_state_load(image, state_path(), &err), SAM_E_STATE);
    assert_int_equal(sam_state_save(image, state_path(), &err), SAM_E_STATE);
    assert_int_equal(sam_state_load(s, "/none/x.state", &err), SAM_E_IO);
    sam_model_options mo = {0};
    sam_session_options so = {0};
    must(sam_state_options(state_path(), &mo, &so, &err), &err);
    assert_true(so.width_px == W && so.height_px == H && so.max_objects == 3 && so.history == 4);
    assert_true(mo.image_px == TINY_PX && mo.max_points == 16 && mo.max_prompted_frames == 4);
    assert_string_equal(so.tracker, "sam2");
    /* Any byte, and any length, is noticed. */
    for (size_t k = 0; k < 60; k++) {
        size_t at = k * (n - 1) / 59;
        bytes[at] = (char)(bytes[at] ^ 4);
        write_file(state_path(), bytes, n);
        assert_int_not_equal(sam_state_load(s, state_path(), &err), SAM_OK);
        bytes[at] = (char)(bytes[at] ^ 4);
        write_file(state_path(), bytes, at + 1 < n ? at + 1 : 1);
        assert_int_not_equal(sam_state_load(s, state_path(), &err), SAM_OK);
    }
    bytes[n / 2] = (char)~bytes[n / 2];
    write_file(state_path(), bytes, n);
    refused(s, SAM_E_FORMAT, "its checksum does not match");
    write_file(state_path(), "a text\n", 7);
    refused(s, SAM_E_FORMAT, "no saved state");
    free(bytes);
    sam_session_close(s);
    sam_session_close(samurai);
    sam_session_close(foreign);
    sam_session_close(small);
    sam_session_close(image);
    sam_model_close(m);
    sam_model_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(goes_on), cmocka_unit_test(others_are_refused)};
    return cmocka_run_group_tests(tests, make, unmake);
}
