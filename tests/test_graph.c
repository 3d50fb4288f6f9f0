/* The graph builder: the first error sticks and names graph, node or tensor; weights are asked for by name and shape, and
 * none may be left over; states are shared by name and must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph_run.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

static scope on(const char *name)
{
    return at((scope){{0}}, name);
}

static states shared_states;
static graph g;

static builder begin(toy_weights *t)
{
    shared_states = (states){0};
    return build_begin(&g, "toy", &t->w, &shared_states, DT_F32, DT_F32);
}

/* The build failed with `status` and these words, and leaves no graph. */
static void assert_failed(builder *b, sam_status status, const char *words)
{
    sam_error err = {0};
    assert_int_equal(build_end(b, &err), status);
    assert_int_equal(err.status, status);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    assert_true(!g.nodes && !g.values && g.n_nodes == 0);
    printf("graph: %s\n", err.text);
}

static val input(builder *b)
{
    return state(b, "x", N_OBJECTS, RUN_ROWS, RUN_COLS, DT_F32);
}

static void missing(builder *b)
{
    output(b, linear(b, input(b), 8, on("nowhere")), "y", N_OBJECTS);
}

static void wrong_shape(builder *b)
{
    output(b, linear(b, input(b), 31, on("a")), "y", N_OBJECTS);
}

static void wrong_operand(builder *b)
{
    output(b, add(b, linear(b, input(b), 32, on("a")), state(b, "z", 1, 7, 5, DT_F32)), "y", N_OBJECTS);
}

static void no_operand(builder *b)
{
    output(b, add(b, input(b), no_val()), "y", N_OBJECTS);
}

static void mismatched_state(builder *b)
{
    state(b, "z", 1, 7, 5, DT_F32);
    state(b, "z", 1, 7, 6, DT_F32);
}

static void mismatched_type(builder *b)
{
    state(b, "z", 1, 7, 5, DT_F32);
    state(b, "z", 1, 7, 5, DT_I32);
}

static void mismatched_pool(builder *b) /* slots per object, and rows of all */
{
    state(b, "z", 1, 7, 5, DT_F32);
    state_pool(b, "z", 7, 1, 5, DT_F32);
}

static void mismatched_output(builder *b)
{
    state(b, "z", N_OBJECTS, 7, 5, DT_F32);
    output(b, linear(b, input(b), 32, on("a")), "z", N_OBJECTS);
}

static void state_as_output(builder *b)
{
    output(b, input(b), "y", N_OBJECTS);
}

static void shrinking_output(builder *b) /* many objects into one */
{
    output(b, linear(b, input(b), 32, on("a")), "y", 1);
}

static void too_many_states(builder *b)
{
    for (int i = 0; i <= MAX_STATES; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        state(b, name, 1, 1, 1, DT_F32);
    }
}

static void two_errors(builder *b) /* the first is told */
{
    val x = input(b);
    linear(b, x, 8, on("first"));
    linear(b, x, 8, on("second"));
    state(b, "x", 1, 1, 1, DT_I32);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        void (*build)(builder *b);
        sam_status status;
        const char *words;
    } cases[] = {
        {missing, SAM_E_FORMAT, "nowhere.weight is missing (expected 8 x 16)"},
        {wrong_shape, SAM_E_FORMAT, "a.weight is [32, 16], expected 31 x 16"},
        {wrong_operand, SAM_E_ARG, "graph toy, node 1"},
        {no_operand, SAM_E_ARG, "input 1 of add is missing"},
        {mismatched_state, SAM_E_ARG, "state z is [1, 7, 6] here and [1, 7, 5] elsewhere"},
        {mismatched_type, SAM_E_ARG, "of another type"},
        {mismatched_pool, SAM_E_ARG, "pooling"},
        {mismatched_output, SAM_E_ARG, "state z"},
        {state_as_output, SAM_E_ARG, "y cannot be an output"},
        {shrinking_output, SAM_E_ARG, "y cannot be an output"},
        {too_many_states, SAM_E_ARG, "more than 64 states"},
        {two_errors, SAM_E_FORMAT, "first.weight is missing"},
    };
    toy_weights t;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        toy_weights_open(&t);
        builder b = begin(&t);
        cases[i].build(&b);
        int n_values = g.n_values, n_states = shared_states.count, n_weights = t.w.count;
        /* Once failed, nothing does anything. */
        val x = input(&b);
        x = layernorm(&b, linear(&b, x, 32, on("a")), 1e-6f, on("n"));
        x = table(&b, "t", DT_F32, 1, 1, (derive){0});
        named(&b, output(&b, mul(&b, x, x), "late", 1), "late");
        assert_int_equal(x.id, 0);
        assert_true(g.n_values == n_values && shared_states.count == n_states && t.w.count == n_weights);
        assert_failed(&b, cases[i].status, cases[i].words);
        toy_weights_close(&t);
    }
}

/* Every tensor is used, or it is named. */
static void test_leftovers(void **state)
{
    (void)state;
    toy_weights t;
    sam_error err;
    toy_weights_open(&t);
    builder b = begin(&t);
    output(&b, linear(&b, input(&b), 32, on("a")), "y", N_OBJECTS);
    assert_int_equal(build_end(&b, &err), SAM_OK);
    graph_free(&g);
    assert_int_equal(weights_check(&t.w, &err), SAM_E_FORMAT);
    assert_non_null(strstr(err.text, "b.weight (and others)"));
    printf("graph: %s\n", err.text);
    for (size_t i = 0; i < t.file.n_tensors; i++)
        if (strcmp(t.file.tensors[i].name, "g.weight") != 0)
            weights_ignore(&t.w, t.file.tensors[i].name);
    assert_int_equal(weights_check(&t.w, &err), SAM_E_FORMAT);
    assert_non_null(strstr(err.text, "tensor g.weight is not part"));
    weights_ignore(&t.w, "g.weight");
    weights_ignore(&t.w, "not there");
    assert_int_equal(weights_check(&t.w, &err), SAM_OK);
    toy_weights_close(&t);

    /* The same through the public door. */
    tiny_models models;
    sam_model *m;
    st_file file;
    char path[300];
    tiny_models_make(&models);
    temp_dir_file(&models.dir, "extra", path, sizeof path);
    assert_int_equal(st_open(models.path[TINY_SAM2], &file, &err), SAM_OK);
    st_tensor *tensors = calloc(file.n_tensors + 1, sizeof *tensors);
    assert_non_null(tensors);
    memcpy(tensors, file.tensors, file.n_tensors * sizeof *tensors);
    float one = 1;
    tensors[file.n_tensors] = (st_tensor){
        .name = "surplus", .dtype = ST_F32, .n_dims = 2, .shape = {1, 1}, .data = &one, .n_bytes = sizeof one};
    tiny_file_write(path, tensors, file.n_tensors + 1, file.meta, file.n_meta);
    assert_int_equal(sam_model_open(path, &(sam_model_options){.n_threads = 1}, &m, &err), SAM_E_FORMAT);
    assert_non_null(strstr(err.text, "surplus"));
    int n = 0;
    for (size_t drop = 0; drop < file.n_tensors; drop += 7) { /* each missing one is named, if the model needs it */
        if (!strcmp(file.tensors[drop].name, "no_mem_pos_enc"))
            continue;
        memcpy(tensors, file.tensors, file.n_tensors * sizeof *tensors);
        memmove(&tensors[drop], &tensors[drop + 1], (file.n_tensors - drop - 1) * sizeof *tensors);
        tiny_file_write(path, tensors, file.n_tensors - 1, file.meta, file.n_meta);
        assert_int_equal(sam_model_open(path, &(sam_model_options){.n_threads = 1}, &m, &err), SAM_E_FORMAT);
        if (!strstr(err.text, file.tensors[drop].name))
            fail_msg("\"%s\" does not name %s", err.text, file.tensors[drop].name);
        n++;
    }
    free(tensors);
    st_close(&file);
    tiny_models_remove(&models);
    printf("graph: a surplus tensor is named, and each of %d missing ones\n", n);
}

static val read_y(builder *b) /* here, because tests have a parameter called `state` */
{
    return state(b, "y", N_OBJECTS, RUN_ROWS, 32, DT_F32);
}

static void test_states(void **state)
{
    (void)state;
    toy_weights t;
    sam_error err;
    graph second;
    toy_weights_open(&t);
    builder b = begin(&t);
    val y = output(&b, linear(&b, input(&b), 32, on("a")), "y", N_OBJECTS);
    val pool = state_pool(&b, "pool", 5, 3, 8, DT_BF16);
    assert_int_equal(build_end(&b, &err), SAM_OK);
    assert_int_equal(g.values[y.id].storage, IN_STATE);
    builder c = build_begin(&second, "reader", &t.w, &shared_states, DT_F32, DT_F32);
    val again = linear(&c, input(&c), 32, on("a")), same = read_y(&c);
    assert_int_equal(second.values[same.id].index, g.values[y.id].index); /* one graph's output is the other's input */
    assert_int_equal(second.values[again.id].storage, IN_SCRATCH);
    assert_int_equal(shared_states.count, 3);
    const state_def *d = &shared_states.def[g.values[pool.id].index];
    assert_int_equal(d->pool, 5);
    assert_int_equal(d->t.rows, 15);
    assert_int_equal(pool_rows(d, 2, 0), 30);
    assert_int_equal(pool_rows(d, 2, 4), 54); /* 2 objects, 9 slots of 3 rows */
    assert_int_equal(shared_states.def[g.values[pool.id].index].t.n, 1);
    assert_int_equal(build_end(&c, &err), SAM_OK);
    int n_weights = 0;
    for (int i = 0; i < t.w.count; i++)
        n_weights += !strcmp(t.w.entry[i].name, "a.weight");
    assert_int_equal(n_weights, 1); /* asked for twice, held once */
    graph_free(&g);
    graph_free(&second);
    toy_weights_close(&t);
    printf("graph: two graphs share a state by its name and a weight by its name\n");
}

static void test_long_scope(void **state)
{
    (void)state;
    toy_weights t;
    toy_weights_open(&t);
    scope s = on("s");
    for (int i = 0; i < 100; i++)
        s = at_index(at(s, "deeper"), 123456);
    assert_true(strlen(s.path) < sizeof s.path);
    builder b = begin(&t);
    linear(&b, input(&b), 8, s);
    sam_error err;
    assert_int_equal(build_end(&b, &err), SAM_E_FORMAT);
    toy_weights_close(&t);
    printf("graph: a scope longer than any name is cut, and then missing\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors), cmocka_unit_test(test_leftovers),
                                       cmocka_unit_test(test_states), cmocka_unit_test(test_long_scope)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
