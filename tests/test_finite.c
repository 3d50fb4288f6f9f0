/* NaN and infinity are noticed where they come in, in weights that are converted or opened, and where they come out, in a
 * frame; a transposed matrix is no weight either. */
#include "finite.h"

#include "changed_weights.h"
#include "convert.h"
#include "sam.h"
#include "verb_line.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BIAS   "image_encoder.trunk.patch_embed.proj.bias"
#define MATRIX "image_encoder.trunk.blocks.0.attn.qkv.weight"
#define DEMO   SOURCE_DIR "/models/demo_sam2.1.safetensors"

static temp_tree tree;
static command_result result;

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

/* Each type, each kind of value, at the first, a middle and the last place of odd lengths over more than a block. */
static void every_place_is_seen(void **state)
{
    (void)state;
    static const uint16_t bad_f16[] = {0x7c00, 0xfc00, 0x7e01, 0xffff}, bad_bf16[] = {0x7f80, 0xff80, 0x7fc1, 0xffff};
    static const uint32_t bad_f32[] = {0x7f800000, 0xff800000, 0x7fc00001, 0xffffffff};
    enum { N = 9001 };
    static uint32_t wide[N];
    static uint16_t narrow[N];
    static const int places[] = {0, 1, 4095, 4096, 5000, N - 1};
    for (int i = 0; i < N; i++) {
        wide[i] = 0xff7fffff; /* the largest finite values */
        narrow[i] = 0x7bff;
    }
    assert_true(first_not_finite(wide, ST_F32, N) == -1 && first_not_finite(narrow, ST_F16, N) == -1);
    assert_true(first_not_finite(narrow, ST_BF16, N) == -1 && first_not_finite(wide, ST_F32, 0) == -1);
    for (int k = 0; k < 4; k++)
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            int at = places[i];
            wide[at] = bad_f32[k];
            assert_int_equal(first_not_finite(wide, ST_F32, N), at);
            assert_int_equal(first_not_finite(wide, ST_F32, at), -1);
            wide[at] = 0;
            narrow[at] = bad_f16[k];
            assert_int_equal(first_not_finite(narrow, ST_F16, N), at);
            narrow[at] = bad_bf16[k];
            assert_int_equal(first_not_finite(narrow, ST_BF16, N), at);
            narrow[at] = 0;
        }
}

static void write_changed(const char *name, const char *tensor, weights_change what, float value)
{
    char path[600];
    snprintf(path, sizeof path, "%s", tree_path(&tree, "%s", name));
    weights_change_tensor(DEMO, path, tensor, what, value);
}

static void weights_are_looked_at(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    sam_error err;
    sam_model *m;
    char path[300], out[300];
    for (int i = 0; i < 3; i++) {
        write_changed("bad.safetensors", BIAS, SET, bad[i]);
        snprintf(path, sizeof path, "%s", tree_path(&tree, "bad.safetensors"));
        snprintf(out, sizeof out, "%s", tree_path(&tree, "converted.safetensors"));
        assert_int_equal(sam_model_open(path, NULL, &m, &err), SAM_E_FORMAT);
        printf("%s\n", err.text);
        assert_non_null(strstr(err.text, BIAS ": value "));
        assert_int_equal(convert_file(path, out, NULL, &err), SAM_E_FORMAT);
        assert_non_null(strstr(err.text, BIAS ": value "));
    }
    tree_text(&tree, "page.pt", "<!DOCTYPE html><html><body>Too many requests</body></html>\n");
    assert_int_equal(sam_model_open(tree_path(&tree, "page.pt"), NULL, &m, &err), SAM_E_FORMAT);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "is a web page"));
    write_changed("swapped.safetensors", MATRIX, TRANSPOSE, 0);
    assert_int_equal(sam_model_open(tree_path(&tree, "swapped.safetensors"), NULL, &m, &err), SAM_E_FORMAT);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, MATRIX " is ["));
}

/* Finite weights that overflow on the way: the frame says so, and from which stage on; in fp16 what to use instead. */
static void frames_are_looked_at(void **state)
{
    (void)state;
    static const struct {
        const char *tensor;
        float value;
        sam_dtype compute;
        const char *says[2];
    } cases[] = {
        {BIAS, 3e38f, SAM_F32, {"from the image encoder on", "the weights may be damaged"}},
        {MATRIX, 1e5f, SAM_F16, {"from the image encoder on", "fp16 overflows above 65504: use bf16 or fp32"}},
    };
    static uint8_t rgb[64 * 64 * 3];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sam_error err = {0};
        sam_model *m;
        sam_session *s;
        write_changed("wild.safetensors", cases[i].tensor, FILL, cases[i].value);
        const sam_model_options opt = {.image_px = 64, .compute = cases[i].compute, .n_threads = 1};
        assert_int_equal(sam_model_open(tree_path(&tree, "wild.safetensors"), &opt, &m, &err), SAM_OK);
        assert_int_equal(sam_session_open(m, &(sam_session_options){.width_px = 64, .height_px = 64}, &s, &err),
                         SAM_OK);
        sam_status status = sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 192}, &err);
        if (status == SAM_OK)
            status = sam_prompt(s, 1, &(sam_prompt_set){.points = &(sam_point){20, 20, 1}, .n_points = 1}, &err);
        printf("%s\n", err.text);
        assert_int_equal(status, SAM_E_FORMAT);
        assert_true(strstr(err.text, "frame 0, object 1") && strstr(err.text, cases[i].says[0]) &&
                    strstr(err.text, cases[i].says[1]));
        sam_session_close(s);
        sam_model_close(m);
    }
}

/* `run`: such rows have failed, and are in no mean. */
static void rows_are_marked(void **state)
{
    (void)state;
    sav_video_make(&tree, "split", "clip", 5);
    tree_folder(&tree, "weights");
    write_changed("weights/demo_sam2.1.safetensors", BIAS, FILL, 3e38f);
    verb_line(
        &result, &tree, 1,
        "run --split_dir @/split --device cpu --imgsz 64 --models demo_points --weights_dir @/weights --out_dir @/out");
    csv_table t = {0};
    sam_error err;
    assert_int_equal(csv_read(&t, tree_path(&tree, "out/sav_benchmark_summary.csv"), &err), SAM_OK);
    assert_int_equal(t.n_rows, 2);
    for (int r = 0; r < 2; r++) {
        printf("%s\n", table_cell(&t, r, "status"));
        assert_non_null(strstr(table_cell(&t, r, "status"), "not finite, from the image encoder on"));
        assert_string_equal(table_cell(&t, r, "JandF"), "");
    }
    csv_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_is_seen),
        cmocka_unit_test_setup_teardown(weights_are_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_are_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_are_marked, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
