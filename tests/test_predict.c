/* The walk over a frame's operator calls against a frame that runs, and what `plan --predict` makes of it. */
#include "command.h"

#include "backend_paper.h"
#include "documented.h"
#include "frame_calls.h"
#include "predict.h"
#include "small_model.h"
#include "tap.h"
#include "tiny_model.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static tiny_models models;
static temp_tree tree; /* with tiny.safetensors, which the verb takes for what it is */

static int make_models(void **state)
{
    (void)state;
    tiny_models_make(&models);
    tree_open(&tree);
    small_model_make(&tree);
    return 0;
}

static int remove_models(void **state)
{
    (void)state;
    tiny_models_remove(&models);
    tree_close(&tree);
    return 0;
}

/* ---- the walk ---- */

enum { MAX_CALLS = 2000, N_TRACKED = 20, N_OBJECTS_TRACKED = 2 };

typedef struct one_call {
    char graph[32], op[32];
    op_cost cost;
} one_call;

typedef struct calls {
    int n;
    one_call call[MAX_CALLS];
} calls;

static void add(calls *c, const char *graph, const char *op, op_cost cost)
{
    assert_true(c->n < MAX_CALLS);
    one_call *to = &c->call[c->n++];
    snprintf(to->graph, sizeof to->graph, "%s", graph);
    snprintf(to->op, sizeof to->op, "%s", op);
    to->cost = cost;
}

static void on_node(void *user, const tap_node *n)
{
    add(user, n->graph, n->op, n->cost);
}

static void on_call(void *user, const frame_call *c)
{
    double bytes = c->cost.bytes_read + c->cost.bytes_written;
    assert_true(c->weight_bytes >= 0 && bytes > 0);
    assert_true(c->largest_intermediate > 0);
    add(user, c->graph, c->op, c->cost);
}

/* The last frame that is tracked has a full bank: its calls, as they ran. */
static void run_clip(sam_model *m, calls *ran)
{
    sam_error err;
    sam_session *s =
        tiny_session(m, (sam_session_options){.width_px = 64, .height_px = 48, .max_objects = N_OBJECTS_TRACKED});
    for (int t = 0; t <= N_TRACKED; t++) {
        if (t == N_TRACKED)
            session_tap(s, (tap){.user = ran, .timed = on_node});
        tiny_push(s, 64, 48, t);
        for (int i = 0; i < N_OBJECTS_TRACKED && !t; i++) {
            const sam_point point = {20.0f + 10.0f * (float)i, 20, 1};
            assert_int_equal(sam_prompt(s, i + 1, &(sam_prompt_set){.points = &point, .n_points = 1}, &err), SAM_OK);
        }
        if (t)
            assert_int_equal(sam_track(s, SAM_FORWARD, &err), SAM_OK);
    }
    sam_session_close(s);
}

static void the_walk_is_the_frame_that_runs(void **state)
{
    static calls ran, walked;
    (void)state;
    for (int family = 0; family < TINY_COUNT; family++) {
        sam_error err;
        sam_model *m = tiny_open(models.path[family], NULL);
        double flops = 0;
        ran.n = walked.n = 0;
        run_clip(m, &ran);
        assert_int_equal(frame_calls(m, N_OBJECTS_TRACKED, on_call, &walked, &err), SAM_OK);
        assert_int_equal(walked.n, ran.n);
        for (int i = 0; i < ran.n; i++) {
            const one_call *a = &ran.call[i], *b = &walked.call[i];
            assert_string_equal(a->graph, b->graph);
            assert_string_equal(a->op, b->op);
            if (a->cost.flops != b->cost.flops)
                fail_msg("%s, call %d, %s of %s: ran %.0f FLOPs, walked %.0f", tiny_names[family], i, a->op, a->graph,
                         a->cost.flops, b->cost.flops);
            assert_true(a->cost.bytes_read == b->cost.bytes_read && a->cost.bytes_written == b->cost.bytes_written);
            flops += a->cost.flops;
        }
        printf("%s: %d calls, %.3f MFLOP, the same walked and run\n", tiny_names[family], ran.n, flops / 1e6);
        sam_model_close(m);
    }
}

/* ---- prices ---- */

static int near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static void check_sums(const prediction *p)
{
    double floor_us = 0, expected_us = 0, op_us = 0;
    for (int i = 0; i < N_PREDICT_STAGES; i++) {
        const predict_sum *s = &p->stages[i];
        assert_true(s->floor_us <= s->expected_us);
        assert_true(near(s->compute_us + s->memory_us + s->launch_us, s->expected_us));
        int is_link = i == STAGE_UPLOAD || i == STAGE_DOWNLOAD;
        if (is_link)
            assert_int_equal(s->calls > 0, p->device->link_gb_s > 0);
        else
            assert_true(s->calls > 0 && s->floor_us >= predict_expected.launch_us * s->calls * (1 - 1e-9));
        floor_us += is_link ? 0 : s->floor_us;
        expected_us += is_link ? 0 : s->expected_us;
    }
    for (int i = 0; i < p->n_ops; i++) {
        op_us += p->ops[i].expected_us;
        if (i)
            assert_true(p->ops[i].expected_us <= p->ops[i - 1].expected_us);
    }
    assert_true(near(floor_us, p->floor_us) && near(expected_us, p->expected_us) && near(op_us, expected_us));
}

static void predictions_add_up(void **state)
{
    static prediction p, many;
    sam_error err;
    sam_model *m;
    const sam_model_options opt = {.backend = SAM_CUDA, .compute = SAM_BF16, .n_threads = 1};
    (void)state;
    assert_int_equal(paper_model_open(models.path[TINY_SAM21], &opt, &m, &err), SAM_OK);
    for (int i = 0; i < n_gpu_devices; i++) {
        assert_int_equal(predict_frame(&p, m, &gpu_devices[i], 1, 640, 480, &err), SAM_OK);
        check_sums(&p);
        assert_int_equal(predict_frame(&many, m, &gpu_devices[i], 8, 640, 480, &err), SAM_OK);
        check_sums(&many);
        assert_true(many.stages[STAGE_ENCODE].expected_us == p.stages[STAGE_ENCODE].expected_us);
        assert_true(many.stages[STAGE_ATTENTION].flops > 4 * p.stages[STAGE_ATTENTION].flops);
        assert_true(many.expected_us < 8 * p.expected_us);
        printf("%-10s floor %7.1f us, expected %7.1f us; eight objects %7.1f us\n", p.device->name, p.floor_us,
               p.expected_us, many.expected_us);
    }
    sam_model_close(m);
}

/* The same FLOPs, twice the bytes, and no matrix units. */
static void a_matrix_runs_on_matrix_units_only_in_half_precision(void **state)
{
    static prediction half, single;
    sam_error err;
    (void)state;
    for (int i = 0; i < 2; i++) {
        sam_model *m;
        const sam_model_options opt = {
            .backend = SAM_CUDA, .compute = i ? SAM_F32 : SAM_BF16, .n_threads = 1, .image_px = 512};
        assert_int_equal(paper_model_open(models.path[TINY_SAM21], &opt, &m, &err), SAM_OK);
        assert_int_equal(predict_frame(i ? &single : &half, m, gpu_device_find("orin-nano", 9), 1, 640, 480, &err),
                         SAM_OK);
        sam_model_close(m);
    }
    const predict_sum *h = &half.stages[STAGE_ATTENTION], *s = &single.stages[STAGE_ATTENTION];
    assert_true(h->flops == s->flops && s->bytes > 1.5 * h->bytes);
    assert_true(s->expected_us > 1.5 * h->expected_us);
    printf("memory attention: bf16 %.1f us, f32 %.1f us\n", h->expected_us, s->expected_us);
}

static void devices_have_names(void **state)
{
    (void)state;
    assert_string_equal(gpu_device_find("rtx4090", 7)->name, "RTX 4090");
    assert_string_equal(gpu_device_find("Orin_NX,H200", 7)->name, "Orin NX");
    assert_string_equal(gpu_device_find("AGX Orin", 8)->name, "AGX Orin");
    assert_null(gpu_device_find("orin", 4));
    assert_null(gpu_device_find("", 0));
    assert_null(gpu_device_find("H2000", 5));
    for (int i = 0; i < n_gpu_devices; i++) {
        const gpu_device *d = &gpu_devices[i];
        assert_ptr_equal(gpu_device_find(d->name, strlen(d->name)), d);
        assert_true(d->matrix_tflop_s > d->plain_tflop_s && d->mma_share > 0.5 && d->mma_share <= 1 && d->source[0]);
    }
}

/* ---- the verb ---- */

static void run(command_result *r, const char *flags)
{
    command(r, "sambench plan --weights %s --precision bf16 --imgsz 256 %s", tree_path(&tree, "tiny.safetensors"),
            flags);
}

static void the_verb_prints_and_writes(void **state)
{
    command_result r;
    char flags[400];
    json_error_t where;
    (void)state;
    run(&r, "--predict H200,OrinNano --objects 3");
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, "nothing below was measured"));
    assert_non_null(strstr(r.text, "H200 (sm_90"));
    assert_non_null(strstr(r.text, "Orin Nano (sm_87"));
    assert_non_null(strstr(r.text, "memory_attention"));
    snprintf(flags, sizeof flags, "--predict all --json %s/p.json", tree.root);
    run(&r, flags);
    assert_int_equal(r.code, 0);
    snprintf(flags, sizeof flags, "%s/p.json", tree.root);
    json_t *root = json_load_file(flags, 0, &where), *devices = json_object_get(root, "devices");
    assert_int_equal(json_array_size(devices), n_gpu_devices);
    documented_keys(root, "files.md", "## `plan --predict");
    documented_fields(root, "files.md", NULL);
    assert_string_equal(json_string_value(json_object_get(root, "precision")), "bf16");
    for (size_t i = 0; i < json_array_size(devices); i++) {
        json_t *d = json_array_get(devices, i), *stages = json_object_get(d, "stages");
        assert_int_equal(json_array_size(stages), N_PREDICT_STAGES);
        assert_true(json_number_value(json_object_get(d, "expected_us")) > 0);
        assert_true(json_array_size(json_object_get(d, "operators")) > 10);
    }
    json_decref(root);
}

static void the_verb_refuses(void **state)
{
    static const struct {
        const char *flags, *says;
        int code;
    } wrong[] = {
        {"--predict GTX1080", "--predict GTX1080: expected all, or some of RTX 3060", 1},
        {"--predict H200,", "", 0},
        {"--predict ,", "expected all, or some of", 1},
        {"--json x.json", "--json is of --predict", 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        command_result r;
        run(&r, wrong[i].flags);
        assert_int_equal(r.code, wrong[i].code);
        assert_non_null(strstr(r.text, wrong[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walk_is_the_frame_that_runs),
        cmocka_unit_test(predictions_add_up),
        cmocka_unit_test(a_matrix_runs_on_matrix_units_only_in_half_precision),
        cmocka_unit_test(devices_have_names),
        cmocka_unit_test(the_verb_prints_and_writes),
        cmocka_unit_test(the_verb_refuses),
    };
    return cmocka_run_group_tests(tests, make_models, remove_models);
}
