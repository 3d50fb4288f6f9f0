/* Products through cuBLASLt, on a pretended library (fake_cuda/cublaslt.c) that computes on host memory what its caller
 * describes: layouts, strides, epilogues and algorithms are right if the numbers are. */
#include "cublaslt.h"
#include "fake_cublaslt.h"
#include "linear_ways.h"
#include "ops/linear_reference.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const op_cuda *const *op_cuda_select_emu(void);

#define LIBRARY BUILD_DIR "/tests/fake_cublaslt.so"

static fake_lt_record *fake;
static cublaslt *lt;

static int open_library(void **state)
{
    char why[256];
    (void)state;
    lt = cublaslt_open(LIBRARY, why, sizeof why);
    if (!lt)
        fail_msg("%s", why);
    void *library = dlopen(LIBRARY, RTLD_NOW);
    fake = dlsym(library, "fake_lt");
    dlclose(library); /* lt holds it */
    assert_non_null(fake);
    assert_null(cublaslt_start(lt));
    assert_int_equal(fake->n_handles, 1);
    return 0;
}

static int close_library(void **state)
{
    (void)state;
    cublaslt_close(lt);
    return fake->n_handles;
}

/* ---- settings ----------------------------------------------------------------------------------------------------- */

/* A clock under which one kind of way is always the fastest; nothing is run. */
static double prefer(void *user, void *stream, way_enqueue *enqueue, void *what, const way *w)
{
    const way_kind *kind = user;
    (void)stream;
    (void)enqueue;
    (void)what;
    return w->kind == *kind ? 1 : 2;
}
static way_kind wanted;
/* Everything that cuBLASLt can do is done by it. */
static op_libraries preferring(way_kind kind)
{
    wanted = kind;
    return (op_libraries){.cublaslt = lt, .workspace_bytes = 64 << 20, .tune = 1, .user = &wanted, .time_ms = prefer};
}

/* ---- products ----------------------------------------------------------------------------------------------------- */

typedef struct product_case {
    const char *label;
    dtype type, y;
    int n, rows, in, out;
    int bias, residual; /* residual 1: per object, 2: shared */
    int x_shared;
    act kind;
    int64_t batches; /* that the library must see; 0: it must not be called */
} product_case;

static op_case case_of(const product_case *p, const op_libraries *l)
{
    op_case t = op_case_new(OP_linear, p->label);
    in_normal(&t, 0, p->type, p->x_shared ? 1 : p->n, p->rows, p->in);
    in_normal(&t, 1, p->type, 1, p->out, p->in);
    if (p->bias)
        in_normal(&t, 2, DT_F32, 1, 1, p->out);
    if (p->residual)
        in_normal(&t, 3, p->y, p->residual == 1 ? p->n : 1, p->rows, p->out);
    t.weights = 1u << 1 | 1u << 2;
    t.attr.act = p->kind;
    t.attr.type = p->y;
    t.reference = linear_reference;
    t.libraries = l;
    t.kernels_only = p->type == DT_F16 || p->y == DT_F16;
    return t;
}

static void test_products(void **state)
{
    (void)state;
    static const product_case cases[] = {
        {"plain", DT_BF16, DT_BF16, 1, 7, 24, 40, 0, 0, 0, ACT_NONE, 1},
        {"bias", DT_BF16, DT_BF16, 1, 7, 24, 40, 1, 0, 0, ACT_NONE, 1},
        {"bias", DT_F16, DT_F16, 1, 7, 24, 40, 1, 0, 0, ACT_NONE, 1},
        {"f32, odd sizes", DT_F32, DT_F32, 2, 5, 13, 11, 1, 1, 0, ACT_NONE, 1},
        {"half in, f32 out", DT_BF16, DT_F32, 1, 9, 16, 24, 1, 0, 0, ACT_NONE, 1},
        {"half in, f32 out and residual", DT_F16, DT_F32, 2, 9, 16, 24, 1, 1, 0, ACT_NONE, 1},
        {"relu", DT_BF16, DT_BF16, 2, 6, 32, 16, 0, 0, 0, ACT_RELU, 1},
        {"bias, relu", DT_F16, DT_F16, 2, 6, 32, 16, 1, 0, 0, ACT_RELU, 1},
        {"residual", DT_BF16, DT_BF16, 3, 6, 32, 16, 0, 1, 0, ACT_NONE, 1},
        {"bias, residual", DT_BF16, DT_BF16, 3, 6, 32, 16, 1, 1, 0, ACT_NONE, 1},
        {"shared residual", DT_BF16, DT_BF16, 3, 6, 32, 16, 1, 2, 0, ACT_NONE, 3},
        {"shared x", DT_F16, DT_F16, 3, 6, 32, 16, 1, 1, 1, ACT_NONE, 3},
        {"one object, shared residual", DT_BF16, DT_BF16, 1, 6, 32, 16, 1, 2, 0, ACT_NONE, 1},
        /* What no epilogue expresses is ours. */
        {"gelu", DT_BF16, DT_BF16, 1, 7, 24, 40, 1, 0, 0, ACT_GELU, 0},
        {"sigmoid", DT_BF16, DT_BF16, 1, 7, 24, 40, 1, 0, 0, ACT_SIGMOID, 0},
        {"relu before a residual", DT_BF16, DT_BF16, 1, 7, 24, 40, 1, 1, 0, ACT_RELU, 0},
        {"rows of broken chunks", DT_BF16, DT_BF16, 1, 7, 20, 40, 1, 0, 0, ACT_NONE, 0},
        {"columns of broken chunks", DT_BF16, DT_BF16, 1, 7, 24, 36, 1, 0, 0, ACT_NONE, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const product_case *p = &cases[i];
        op_libraries l = preferring(WAY_CUBLASLT);
        op_case t = case_of(p, &l);
        int before = fake->n_matmuls;
        op_check(&t);
        if (!p->batches) {
            assert_int_equal(fake->n_matmuls, before);
            continue;
        }
        assert_true(fake->n_matmuls > before);
        assert_int_equal(fake->batches, p->batches);
        assert_int_equal(fake->m, p->out);
        assert_int_equal(fake->n, p->batches == 1 ? p->n * p->rows : p->rows);
        assert_int_equal(fake->k, p->in);
        assert_int_equal(fake->epilogue, (p->bias ? 4 : 0) + (p->kind == ACT_RELU ? 2 : 0) + (!p->bias && !p->kind));
        assert_true(fake->beta == (p->residual ? 1 : 0));
        assert_int_equal(fake->stride_a, 0);
        if (p->batches > 1) {
            assert_int_equal(fake->stride_b, p->x_shared ? 0 : p->rows * p->in);
            assert_int_equal(fake->stride_c, p->residual == 1 ? p->rows * p->out : 0);
            assert_int_equal(fake->stride_d, p->rows * p->out);
        }
    }
    assert_int_equal(fake->n_layouts + fake->n_descs + fake->n_preferences, 0);
}

/* Other types than the library's table has, and what is done to a product beyond its epilogues. */
static void test_not_expressible(void **state)
{
    (void)state;
    op_libraries l = preferring(WAY_CUBLASLT);
    const product_case p = {"types", DT_BF16, DT_BF16, 2, 7, 24, 40, 1, 0, 0, ACT_NONE, 0};
    int before = fake->n_matmuls;
    op_case t = case_of(&p, &l);
    in_normal(&t, 1, DT_F32, 1, 40, 24);
    op_check(&t);
    t = case_of(&p, &l);
    in_normal(&t, 3, DT_F32, 2, 7, 40);
    op_check(&t);
    t = case_of(&p, &l);
    t.attr.type = DT_F16;
    t.kernels_only = true;
    op_check(&t);
    t = case_of(&p, &l); /* rows that turn */
    in_uniform(&t, 4, DT_F32, 1, 7, 8, -1, 1);
    op_check(&t);
    t = case_of(&p, &l); /* rows with weights of their own */
    t.attr.groups = 5;
    t.attr.first = 1;
    op_check(&t);
    assert_int_equal(fake->n_matmuls, before);
}

/* ---- which way ---------------------------------------------------------------------------------------------------- */

/* How often one run calls the library; what comes out is test_products' business. */
static int runs(const product_case *p, const op_libraries *l)
{
    const op_cuda *cuda = op_cuda_select_emu()[OP_linear];
    op_case t = case_of(p, l);
    op_call call = {.in = t.in, .out = t.out, .attr = &t.attr, .libraries = l};
    int before = fake->n_matmuls;
    assert_null(op_linear.infer(t.in, &t.attr, t.out));
    t.out[0].data = calloc(tensor_count(&t.out[0]), sizeof(float));
    call.packed = aligned_alloc(256, (cuda->packed_bytes(&call) / 256 + 1) * 256);
    call.scratch = aligned_alloc(256, (cuda->scratch_bytes(&call) / 256 + 1) * 256);
    assert_null(cuda->pack(&call));
    call.bound = cuda->bind(&call);
    const char *wrong = cuda->run(&call);
    if (wrong)
        fail_msg("%s: %s", p->label, wrong);
    cuda->unbind(call.bound);
    for (int i = 0; i < OP_MAX_IN; i++)
        free(t.in[i].data);
    free(t.out[0].data);
    free(call.packed);
    free(call.scratch);
    return fake->n_matmuls - before;
}

/* Without any choice by time: large products are the library's, by its first algorithm; the rest ours. */
static void test_rule(void **state)
{
    (void)state;
    static const product_case large = {"large", DT_BF16, DT_BF16, 1, 512, 256, 256, 1, 0, 0, ACT_NONE, 1},
                              small = {"small", DT_BF16, DT_BF16, 1, 512, 256, 64, 1, 0, 0, ACT_NONE, 1},
                              few = {"few rows", DT_BF16, DT_BF16, 1, 200, 512, 512, 1, 0, 0, ACT_NONE, 1};
    op_libraries l = {.cublaslt = lt, .workspace_bytes = 32 << 20};
    assert_true(runs(&large, &l) > 0);
    assert_int_equal(fake->algorithm, 0);
    assert_int_equal(runs(&small, &l), 0);
    assert_int_equal(runs(&few, &l), 0);

    l.workspace_bytes = FAKE_SPLIT_BYTES - 1; /* its first choice does not fit */
    assert_true(runs(&large, &l) > 0);
    assert_int_equal(fake->algorithm, 1);
    l.workspace_bytes = 0;
    assert_true(runs(&large, &l) > 0);
    assert_int_equal(fake->algorithm, 2);

    l = preferring(WAY_OWN); /* not asked where results must not depend on time */
    l.deterministic = 1;
    assert_true(runs(&large, &l) > 0);
    assert_int_equal(fake->algorithm, 1); /* the first would split the depth */
    l.deterministic = 0;
    assert_int_equal(runs(&large, &l), 0);
    l.cublaslt = NULL;
    assert_int_equal(runs(&large, &l), 0);
}

/* A library that has no algorithm, or whose offers turn out empty. */
static void test_refusals(void **state)
{
    (void)state;
    static const product_case p = {"refused", DT_BF16, DT_BF16, 1, 40, 64, 64, 1, 0, 0, ACT_NONE, 1};
    op_libraries l = preferring(WAY_CUBLASLT);
    fake->refuse_heuristic = 1;
    assert_int_equal(runs(&p, &l), 0);
    fake->refuse_heuristic = 0;

    op_case t = case_of(&p, &l);
    op_call call = {.in = t.in, .out = t.out, .attr = &t.attr, .libraries = &l};
    const op_cuda *cuda = op_cuda_select_emu()[OP_linear];
    _Alignas(256) uint16_t y[40 * 64], bias[64];
    _Alignas(256) static unsigned char scratch[FAKE_SPLIT_BYTES];
    assert_null(op_linear.infer(t.in, &t.attr, t.out));
    t.out[0].data = y;
    assert_int_equal(cuda->packed_bytes(&call), sizeof bias);
    assert_int_equal(cuda->scratch_bytes(&call), FAKE_SPLIT_BYTES);
    call.packed = bias;
    call.scratch = scratch;
    assert_null(cuda->pack(&call));
    call.bound = cuda->bind(&call);
    assert_non_null(call.bound);
    assert_null(cuda->run(&call));
    fake->refuse_matmul = 1;
    const char *wrong = cuda->run(&call);
    fake->refuse_matmul = 0;
    assert_non_null(wrong);
    printf("  %s\n", wrong);
    assert_non_null(strstr(wrong, "--disable_cublas"));
    cuda->unbind(call.bound);
    for (int i = 0; i < OP_MAX_IN; i++)
        free(t.in[i].data);
    assert_int_equal(fake->n_layouts + fake->n_descs + fake->n_preferences, 0);
}

/* A session for many objects runs any smaller number; plans for each are made when it is opened, not later. */
static void test_objects(void **state)
{
    (void)state;
    enum { MOST = 20, ROWS = 8, SIDE = 16 };
    static const product_case p = {"objects", DT_F32, DT_F32, MOST, ROWS, SIDE, SIDE, 1, 2, 0, ACT_NONE, 1};
    static float y[MOST * ROWS * SIDE], first[ROWS * SIDE];
    op_libraries l = preferring(WAY_CUBLASLT);
    l.workspace_bytes = 0;
    op_case t = case_of(&p, &l);
    op_call call = {.in = t.in, .out = t.out, .attr = &t.attr, .libraries = &l, .stream = &l};
    const op_cuda *cuda = op_cuda_select_emu()[OP_linear];
    assert_null(op_linear.infer(t.in, &t.attr, t.out));
    t.out[0].data = y;
    call.bound = cuda->bind(&call);
    int n_heuristics = fake->n_heuristics;
    for (int n = MOST; n >= 1; n--) {
        int before = fake->n_matmuls;
        memset(y, 0xFF, sizeof y);
        t.in[0].n = t.out[0].n = n;
        assert_null(cuda->run(&call));
        assert_int_equal(fake->n_matmuls - before, n <= 16);
        if (n <= 16) {
            assert_int_equal(fake->batches, n);
            assert_ptr_equal(fake->stream, &l);
        }
        if (n == 16)
            memcpy(first, y, sizeof first);
        if (n < 16)
            assert_memory_equal(first, y, sizeof first); /* object 0 is the same however many there are */
        assert_true(n == MOST || isnan(y[n * ROWS * SIDE]));
        assert_false(isnan(y[n * ROWS * SIDE - 1]));
    }
    assert_int_equal(fake->n_heuristics, n_heuristics);
    cuda->unbind(call.bound);
    for (int i = 0; i < OP_MAX_IN; i++)
        free(t.in[i].data);
    assert_int_equal(fake->n_layouts + fake->n_descs, 0);
}

/* Tuning runs each candidate on the session's stream; what is remembered is found again by the same product only. */
typedef struct memory {
    int n_timed[WAY_KINDS], n_remembered;
    char key[WAY_KEY_BYTES];
    way chosen;
} memory;

static double time_all(void *user, void *stream, way_enqueue *enqueue, void *what, const way *w)
{
    memory *m = user;
    assert_null(enqueue(what, w, stream));
    m->n_timed[w->kind]++;
    return w->kind == WAY_OWN && w->algorithm[0] == 2 ? 0.5 : 1;
}
static void remember(void *user, const char *key, const way *w, double ms)
{
    memory *m = user;
    assert_true(ms == 0.5);
    m->n_remembered++;
    m->chosen = *w;
    snprintf(m->key, sizeof m->key, "%s", key);
}
static int recall(void *user, const char *key, way *out)
{
    memory *m = user;
    *out = m->chosen;
    return !strcmp(m->key, key);
}

static void test_tuning(void **state)
{
    (void)state;
    static const product_case p = {"tuned", DT_BF16, DT_BF16, 1, 40, 64, 64, 1, 0, 0, ACT_NONE, 1},
                              gelu = {"tuned", DT_BF16, DT_BF16, 1, 40, 64, 64, 1, 0, 0, ACT_GELU, 0};
    memory m = {.n_remembered = 0};
    op_libraries l = {.cublaslt = lt,
                      .workspace_bytes = FAKE_SMALL_BYTES,
                      .tune = 1,
                      .user = &m,
                      .recall = recall,
                      .remember = remember,
                      .time_ms = time_all};
    runs(&p, &l);
    printf("  remembered %d times: %s -> %s, tile %d\n", m.n_remembered, m.key, way_kind_name(m.chosen.kind),
           (int)m.chosen.algorithm[0]);
    assert_int_equal(m.n_remembered, 1);
    assert_int_equal(m.n_timed[WAY_OWN], 1 + LINEAR_TILES);
    assert_int_equal(m.n_timed[WAY_CUBLASLT], 2); /* the one that splits needs too much */
    assert_int_equal(runs(&p, &l), 0);            /* as remembered, without timing */
    assert_int_equal(m.n_timed[WAY_OWN], 1 + LINEAR_TILES);
    assert_int_equal(m.chosen.algorithm[0], 2);
    runs(&gelu, &l);
    assert_int_equal(m.n_remembered, 2);
    assert_int_equal(m.n_timed[WAY_OWN], 2 * (1 + LINEAR_TILES));
    assert_int_equal(m.n_timed[WAY_CUBLASLT], 2);
}

static void test_absent(void **state)
{
    (void)state;
    char why[256];
    assert_null(cublaslt_open("/nowhere/libcublasLt.so", why, sizeof why));
    printf("  %s\n", why);
    assert_non_null(strstr(why, "/nowhere/libcublasLt.so"));
    assert_null(cublaslt_open(BUILD_DIR "/tests/fake_nvml.so", why, sizeof why));
    printf("  %s\n", why);
    assert_non_null(strstr(why, "cublasLtCreate"));
    assert_string_equal(cublaslt_version(lt), "13.2.5");
    cublaslt *other = cublaslt_open(LIBRARY, why, sizeof why);
    fake->refuse_create = 1;
    assert_non_null(cublaslt_start(other));
    fake->refuse_create = 0;
    cublaslt_close(other);
    cublaslt_close(NULL);
    assert_int_equal(fake->n_handles, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products), cmocka_unit_test(test_not_expressible), cmocka_unit_test(test_rule),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_objects),         cmocka_unit_test(test_tuning),
        cmocka_unit_test(test_absent),
    };
    return cmocka_run_group_tests(tests, open_library, close_library);
}
