/* conv2d against sums in float64. */
#include "cudnn_conv.h"
#include "fake_cudnn.h"
#include "op_test.h"

#include <dlfcn.h>

#include <math.h>
#include <stdio.h>

static double one_output(const op_case *t, dtype round, int object, int y, int x, int o)
{
    const tensor *in = &t->in[0], *w = &t->in[1];
    const op_attr *a = &t->attr;
    int groups = a->groups ? a->groups : 1, ci = in->cols / groups, group = o / (w->rows / groups);
    double sum = 0;
    for (int c = 0; c < ci; c++)
        for (int tap = 0; tap < a->kernel * a->kernel; tap++) {
            int sy = y * a->stride - a->pad + tap / a->kernel, sx = x * a->stride - a->pad + tap % a->kernel;
            if (sy < 0 || sx < 0 || sy >= a->h || sx >= a->w)
                continue;
            double product =
                value(in, object, sy * a->w + sx, group * ci + c) * value(w, 0, o, c * a->kernel * a->kernel + tap);
            sum = rounded(sum_type(round), sum + product);
        }
    return sum;
}

static void reference(const op_case *t, dtype round, double *const *out)
{
    const tensor *b = &t->in[2], *residual = &t->in[3];
    const op_attr *a = &t->attr;
    int wo = (a->w + 2 * a->pad - a->kernel) / a->stride + 1;
    for (int i = 0; i < t->out[0].n; i++)
        for (int r = 0; r < t->out[0].rows; r++)
            for (int o = 0; o < t->out[0].cols; o++) {
                double y = one_output(t, round, i, r / wo, r % wo, o);
                if (b->type != DT_NONE)
                    y = rounded(sum_type(round), y + value(b, 0, 0, o));
                y = rounded(round, act_reference(a->act, rounded(round, y)));
                if (residual->type != DT_NONE)
                    y += value(residual, i, r, o);
                out[0][row_of(&t->out[0], i, r) + (size_t)o] = y;
            }
}

typedef struct shape {
    int n, h, w, in, out, kernel, stride, pad, groups;
} shape;

static op_case conv_case(const char *label, dtype x, dtype w, shape s, act kind)
{
    int groups = s.groups ? s.groups : 1;
    op_case t = op_case_new(OP_conv2d, label);
    in_normal(&t, 0, x, s.n, s.h * s.w, s.in);
    in_normal(&t, 1, w, 1, s.out, s.in / groups * s.kernel * s.kernel);
    in_normal(&t, 2, DT_F32, 1, 1, s.out);
    t.weights = 1u << 1 | 1u << 2;
    t.attr = (op_attr){
        .act = kind, .h = s.h, .w = s.w, .kernel = s.kernel, .stride = s.stride, .pad = s.pad, .groups = s.groups};
    t.reference = reference;
    return t;
}
static void add_residual(op_case *t, dtype type, int n, shape s)
{
    int ho = (s.h + 2 * s.pad - s.kernel) / s.stride + 1, wo = (s.w + 2 * s.pad - s.kernel) / s.stride + 1;
    in_normal(t, 3, type, n, ho * wo, s.out);
}

static void shapes(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        shape s;
    } cases[] = {
        {"smallest", {1, 1, 1, 1, 1, 1, 1, 0, 0}},
        {"patch embedding", {1, 25, 22, 3, 12, 7, 4, 3, 0}},
        {"mask downsampler, first", {3, 10, 12, 1, 4, 3, 2, 1, 0}},
        {"mask downsampler, third", {2, 9, 8, 16, 64, 3, 2, 1, 0}},
        {"1x1", {3, 5, 7, 19, 33, 1, 1, 0, 1}},
        {"3x3", {1, 5, 6, 20, 17, 3, 1, 1, 1}},
        {"groups", {2, 6, 5, 12, 8, 3, 1, 1, 4}},
        {"depthwise 3x3", {2, 9, 7, 40, 40, 3, 1, 1, 40}},
        {"depthwise 3x3, stride 2", {1, 9, 8, 33, 33, 3, 2, 1, 33}},
        {"depthwise 7x7", {1, 8, 7, 24, 24, 7, 1, 3, 24}},
        {"2x2, stride 2", {1, 8, 6, 9, 5, 2, 2, 0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int half = 0; half < 2; half++) {
            dtype type = half ? DT_BF16 : DT_F32;
            op_case t = conv_case(cases[i].label, type, type, cases[i].s, ACT_NONE);
            op_check(&t);
        }
}

static void fused(void **state)
{
    (void)state;
    static const act acts[] = {ACT_NONE, ACT_RELU, ACT_GELU, ACT_SIGMOID};
    for (int i = 0; i < 32; i++) {
        dtype type = i & 16 ? DT_BF16 : DT_F32;
        shape s = {3, 5, 6, 6, 6, 3, i & 8 ? 2 : 1, 1, i & 4 ? 6 : 1};
        op_case t = conv_case("fused", type, type, s, acts[i % 4]);
        add_residual(&t, type, i & 8 ? 3 : 1, s);
        op_check(&t);
    }
}

static void types(void **state)
{
    (void)state;
    static const dtype all[] = {DT_F32, DT_BF16, DT_F16};
    shape s = {2, 5, 4, 6, 9, 3, 1, 1, 0};
    for (int i = 0; i < 36; i++) {
        op_case t = conv_case("types", all[i % 2], all[i / 2 % 3], s, ACT_GELU);
        add_residual(&t, all[i / 6 % 3], 2, s);
        t.attr.type = all[i / 18];
        op_check(&t);
    }
}

/* The kernels' tiles of outputs, filled and not, with channels that are whole 16-byte chunks and that are not; more
 * pixels than a tile; residuals; odd widths of an output row. */
static void products(void **state)
{
    (void)state;
    static const shape cases[] = {
        {1, 23, 18, 3, 96, 7, 4, 3, 0}, {1, 12, 11, 3, 112, 7, 4, 3, 0}, {2, 11, 12, 3, 144, 7, 4, 3, 0},
        {1, 20, 17, 3, 24, 3, 2, 1, 0}, {1, 18, 19, 24, 48, 3, 2, 1, 0}, {2, 9, 8, 64, 72, 3, 2, 1, 0},
        {1, 8, 7, 16, 65, 1, 1, 0, 0},  {1, 9, 10, 17, 33, 2, 2, 0, 0},  {1, 6, 5, 8, 150, 3, 1, 1, 0},
        {1, 9, 9, 16, 16, 3, 2, 1, 16}, {2, 5, 13, 24, 24, 7, 1, 3, 24}, {1, 12, 8, 1, 1, 4, 4, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int j = 0; j < 2; j++) {
            dtype type = j ? DT_F16 : DT_BF16;
            op_case t = conv_case("products", type, type, cases[i], j ? ACT_GELU : ACT_NONE);
            if (i % 2 == (size_t)j)
                add_residual(&t, j ? DT_F32 : type, 1, cases[i]);
            t.kernels_only = j;
            op_check(&t);
        }
}

static void not_finite(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        dtype type = i & 1 ? DT_BF16 : DT_F32;
        op_case t = conv_case("NaN", type, type, (shape){2, 7, 6, 16, 16, 3, 1, 1, i & 2 ? 16 : 1}, ACT_NONE);
        set_value(&t.in[0], 16 * 10 + 3, NAN);
        op_check(&t);
    }
}

static void refusals(void **state)
{
    (void)state;
    op_case t = conv_case("w", DT_F32, DT_F32, (shape){1, 4, 4, 6, 6, 3, 1, 1, 0}, ACT_NONE);
    t.attr.groups = 2;
    op_check_refused(&t);
    t = conv_case("grid", DT_F32, DT_F32, (shape){1, 4, 4, 6, 6, 3, 1, 1, 0}, ACT_NONE);
    t.attr.h = 5;
    op_check_refused(&t);
    t = conv_case("kernel", DT_F32, DT_F32, (shape){1, 2, 4, 6, 6, 3, 1, 0, 0}, ACT_NONE);
    op_check_refused(&t);
}

/* A clock under which cuDNN is the fastest; nothing is run. */
static double prefer_cudnn(void *user, void *stream, way_enqueue *enqueue, void *what, const way *w)
{
    (void)user;
    (void)stream;
    (void)enqueue;
    (void)what;
    return w->kind == WAY_CUDNN ? 1 : 2;
}

/* Through a pretended cuDNN (fake_cuda/cudnn.c) that computes on host memory what its caller describes: descriptors,
 * repacked weights and bias, padding and residual are right if the numbers are. */
static void cudnn_library(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        shape s;
        dtype type;
        act kind;
        int residual; /* 1: per object, 2: shared */
        int library;  /* 1: cuDNN takes it */
    } cases[] = {
        {"cudnn: mask downsampler, third", {2, 9, 8, 16, 64, 3, 2, 1, 0}, DT_BF16, ACT_NONE, 0, 1},
        {"cudnn: no padding of the depth", {1, 5, 6, 32, 24, 3, 1, 1, 0}, DT_F16, ACT_NONE, 0, 1},
        {"cudnn: patch embedding, positions", {1, 25, 22, 3, 16, 7, 4, 3, 0}, DT_BF16, ACT_NONE, 1, 1},
        {"cudnn: residual per object", {3, 6, 5, 8, 17, 3, 1, 1, 1}, DT_F16, ACT_NONE, 1, 1},
        {"cudnn: relu", {2, 6, 7, 8, 16, 2, 2, 0, 0}, DT_BF16, ACT_RELU, 0, 1},
        {"cudnn: direct kernel instead", {2, 6, 7, 4, 8, 3, 1, 1, 0}, DT_BF16, ACT_NONE, 0, 1},
        {"cudnn: shared residual", {3, 6, 5, 8, 16, 3, 1, 1, 0}, DT_BF16, ACT_NONE, 2, 0},
        {"cudnn: gelu", {1, 6, 5, 8, 16, 3, 1, 1, 0}, DT_BF16, ACT_GELU, 0, 0},
        {"cudnn: relu before a residual", {1, 6, 5, 8, 16, 3, 1, 1, 0}, DT_BF16, ACT_RELU, 1, 0},
        {"cudnn: f32", {1, 6, 5, 8, 16, 3, 1, 1, 0}, DT_F32, ACT_NONE, 0, 0},
        {"cudnn: depthwise", {2, 9, 7, 40, 40, 3, 1, 1, 40}, DT_BF16, ACT_NONE, 0, 0},
    };
    char why[256];
    cudnn *d = cudnn_open(BUILD_DIR "/tests/fake_cudnn.so", why, sizeof why);
    if (!d)
        fail_msg("%s", why);
    assert_string_equal(cudnn_version(d), "9.12.3");
    void *library = dlopen(BUILD_DIR "/tests/fake_cudnn.so", RTLD_NOW);
    fake_dnn_record *fake = dlsym(library, "fake_dnn");
    assert_non_null(fake);
    op_libraries l = {.cudnn = d, .workspace_bytes = 1 << 20, .tune = 1, .time_ms = prefer_cudnn};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int before = fake->n_forwards, residual = cases[i].residual;
        op_case t = conv_case(cases[i].label, cases[i].type, cases[i].type, cases[i].s, cases[i].kind);
        if (residual)
            add_residual(&t, cases[i].type, residual == 1 ? cases[i].s.n : 1, cases[i].s);
        t.libraries = &l;
        t.kernels_only = cases[i].type == DT_F16;
        op_check(&t);
        assert_int_equal(fake->n_forwards > before, cases[i].library);
        if (cases[i].library) {
            assert_int_equal(fake->activation, cases[i].kind == ACT_RELU ? 1 : 5);
            assert_true(fake->of_residual == (residual ? 1 : 0));
        }
    }
    /* Not without tuning, over the cap, where the library has nothing, or where it must not matter what is faster. */
    for (int i = 0; i < 4; i++) {
        op_libraries other = l;
        int before = fake->n_forwards;
        other.tune = i != 0;
        other.workspace_bytes = i == 1 ? FAKE_DNN_WORKSPACE - 1 : 1 << 20;
        fake->refuse_workspace = i == 2;
        other.deterministic = i == 3;
        op_case t = conv_case("cudnn: not used", DT_BF16, DT_BF16, (shape){1, 6, 5, 8, 16, 3, 1, 1, 0}, ACT_NONE);
        t.libraries = &other;
        op_check(&t);
        assert_int_equal(fake->n_forwards, before);
        fake->refuse_workspace = 0;
    }
    assert_int_equal(fake->n_descriptors, 0);
    assert_int_equal(fake->n_handles, 1); /* the one that is asked */
    cudnn_close(d);
    assert_int_equal(fake->n_handles, 0);
    dlclose(library);
    assert_null(cudnn_open("/nowhere/libcudnn.so", why, sizeof why));
    printf("  %s\n", why);
    cudnn_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),        cmocka_unit_test(fused),    cmocka_unit_test(types),
        cmocka_unit_test(not_finite),    cmocka_unit_test(refusals), cmocka_unit_test(products),
        cmocka_unit_test(cudnn_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
