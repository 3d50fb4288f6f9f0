#include "graph_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuse.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

static void random_fill(float *to, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        to[i] = (float)(seed >> 40) / 8388608.0f - 1.0f;
    }
}

void toy_weights_open(toy_weights *t)
{
    static const struct {
        const char *name;
        int rows, cols;
    } all[] = {{"a.weight", 32, 16}, {"a.bias", 1, 32},   {"b.weight", 8, 32},  {"b.bias", 1, 8},
               {"c.weight", 16, 2},  {"c.bias", 1, 16},   {"d.weight", 2, 16},  {"d.bias", 1, 2},
               {"e.weight", 16, 16}, {"e.bias", 1, 16},   {"k.weight", 16, 16}, {"k.bias", 1, 16},
               {"m.weight", 32, 8},  {"m.bias", 1, 32},   {"o.weight", 16, 32}, {"o.bias", 1, 16},
               {"n.weight", 1, 16},  {"n.bias", 1, 16},   {"g.weight", 1, 16},  {"f.weight", 16, 144},
               {"f.bias", 1, 16},    {"t.weight", 16, 9}, {"t.bias", 1, 16}};
    enum { COUNT = sizeof all / sizeof *all };
    st_tensor tensors[COUNT];
    sam_error err;
    for (int i = 0; i < COUNT; i++) {
        size_t n = (size_t)all[i].rows * (size_t)all[i].cols;
        float *data = malloc(n * sizeof *data);
        assert_non_null(data);
        random_fill(data, n, (uint64_t)i + 1);
        tensors[i] = (st_tensor){.name = all[i].name,
                                 .dtype = ST_F32,
                                 .n_dims = 2,
                                 .shape = {all[i].rows, all[i].cols},
                                 .data = data,
                                 .n_bytes = n * sizeof *data};
    }
    temp_dir_make(&t->dir);
    temp_dir_file(&t->dir, "toy.safetensors", t->path, sizeof t->path);
    tiny_file_write(t->path, tensors, COUNT, NULL, 0);
    for (int i = 0; i < COUNT; i++)
        free((void *)(uintptr_t)tensors[i].data);
    assert_int_equal(st_open(t->path, &t->file, &err), SAM_OK);
    assert_int_equal(backend_open(&(sam_model_options){.backend = SAM_CPU, .n_threads = 1}, &t->cpu, &err), SAM_OK);
    assert_int_equal(weights_open(&t->w, &t->file, t->path, &err), SAM_OK);
}

void toy_weights_close(toy_weights *t)
{
    weights_close(&t->w);
    t->cpu->api->close(t->cpu);
    st_close(&t->file);
    temp_dir_remove(&t->dir);
}

void toy_run(toy_weights *t, toy_build build, int with_fusion, dtype act, dtype matrix, toy_result *out)
{
    static states s;
    sam_error err = {0};
    compiled c = {0};
    program p = {0};
    void *state_data[MAX_STATES] = {0};
    weight_room took = {0};
    s = (states){0};
    builder b = build_begin(&c.g, "toy", &t->w, &s, act, matrix);
    b.device = 1; /* every rule; the CPU has all operators */
    val x = cast(&b, state(&b, "x", N_OBJECTS, RUN_ROWS, RUN_COLS, DT_F32), act);
    val shared = cast(&b, state(&b, "shared", 1, RUN_ROWS, RUN_COLS, DT_F32), act);
    val y = output(&b, cast(&b, build(&b, x, shared), DT_F32), "out", N_OBJECTS);
    tensor shape = shape_of(&b, y);
    if (with_fusion)
        fuse(&b);
    if (build_end(&b, &err) != SAM_OK)
        fail_msg("%s", err.text);
    out->n_nodes = c.g.n_nodes;
    out->n_out = RUN_OBJECTS * shape.rows * shape.cols;
    assert_true(shape.type == DT_F32 && out->n_out <= RUN_OBJECTS * RUN_MOST);
    assert_int_equal(compiled_pack(&c, &t->w, t->cpu, &took, &err), SAM_OK);
    assert_int_equal(program_plan(&p, &c, RUN_OBJECTS, &err), SAM_OK);
    char *scratch = aligned_alloc(64, (p.scratch_bytes + 127) / 64 * 64);
    assert_non_null(scratch);
    memset(scratch, 0xFF, p.scratch_bytes); /* NaN: what is read must have been written */
    for (int i = 0; i < s.count; i++) {
        size_t n = (size_t)RUN_OBJECTS * (size_t)s.def[i].t.rows * (size_t)s.def[i].t.cols;
        state_data[i] = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
        assert_non_null(state_data[i]);
        random_fill(state_data[i], n, 99 + (uint64_t)i);
    }
    assert_int_equal(program_bind(&p, &t->w, &s, scratch, state_data, RUN_OBJECTS, 0, NULL, &err), SAM_OK);
    assert_int_equal(program_run(&p, RUN_OBJECTS, NULL, &err), SAM_OK);
    for (int i = 0; i < s.count; i++)
        if (!strcmp(s.def[i].name, "out"))
            memcpy(out->out, state_data[i], (size_t)out->n_out * sizeof(float));
    for (int i = 0; i < s.count; i++)
        free(state_data[i]);
    program_free(&p);
    compiled_free(&c);
    free(scratch);
}
