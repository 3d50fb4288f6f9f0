/* window_attention against the text of hieradet.py in float64: pad, partition, pool, attend, un-partition, crop;
 * with relative positions against that of segment-anything's image_encoder.py. */
#include "op_test.h"

#include "control.h"

#include <math.h>
#include <stdlib.h>

/* Column c of the token at (y, x), padding included; the bias is rounded as the projection's output would be. */
static double token(const op_case *t, int object, int y, int x, int c)
{
    if (y < t->attr.h && x < t->attr.w)
        return value(&t->in[0], object, y * t->attr.w + x, c);
    return rounded(t->in[0].type, value(&t->in[1], 0, 0, c));
}
static double query(const op_case *t, int object, int y, int x, int c)
{
    if (!t->attr.pool)
        return token(t, object, y, x, c);
    double best = token(t, object, 2 * y, 2 * x, c);
    for (int tap = 1; tap < 4; tap++) {
        double v = token(t, object, 2 * y + tap / 2, 2 * x + tap % 2, c);
        best = v > best || isnan(v) ? v : best;
    }
    return best;
}

/* Row `row` of a table, rounded to q's type as half precision does, times the query. */
static double term(const op_case *t, dtype round, int table, int row, int object, int y, int x, int head)
{
    int width = t->in[table].cols;
    dtype sum = sum_type(round);
    double s = 0;
    for (int d = 0; d < width; d++)
        s = rounded(sum,
                    s + query(t, object, y, x, head * width + d) * rounded(round, value(&t->in[table], 0, row, d)));
    return s;
}
/* What the rows, then the columns, of a window's keys add to the scores of a query: [window_h + window_w]. */
static void terms_of(const op_case *t, dtype round, int object, int y, int x, int head, int window_h, int window_w,
                     double *terms)
{
    for (int key = 0; key < window_h; key++)
        terms[key] = term(t, round, 2, y % window_h - key + window_h - 1, object, y, x, head);
    for (int key = 0; key < window_w; key++)
        terms[window_h + key] = term(t, round, 3, x % window_w - key + window_w - 1, object, y, x, head);
}

/* Query (y, x) of the output grid, one head, over the window_h x window_w keys from (top, left). */
static void one_query(const op_case *t, dtype round, int object, int y, int x, int head, int window_h, int window_w,
                      double *p, double *out)
{
    int channels = t->in[0].cols / 3, width = channels / t->attr.heads, shrink = t->attr.pool ? 2 : 1;
    int top = y * shrink / window_h * window_h, left = x * shrink / window_w * window_w;
    dtype sum = sum_type(round);
    double most = -INFINITY, total = 0, terms[128] = {0};
    if (t->in[2].type != DT_NONE)
        terms_of(t, round, object, y, x, head, window_h, window_w, terms);
    for (int j = 0; j < window_h * window_w; j++) {
        double s = 0;
        for (int d = 0; d < width; d++) {
            double k = token(t, object, top + j / window_w, left + j % window_w, channels + head * width + d);
            s = rounded(sum, s + query(t, object, y, x, head * width + d) * k);
        }
        p[j] = rounded(sum, s * t->attr.scale + terms[j / window_w] + terms[window_h + j % window_w]);
        most = p[j] > most ? p[j] : most;
    }
    for (int j = 0; j < window_h * window_w; j++) {
        p[j] = rounded(sum, exp(rounded(sum, p[j] - most)));
        total = rounded(sum, total + p[j]);
    }
    for (int d = 0; d < width; d++) {
        double o = 0;
        for (int j = 0; j < window_h * window_w; j++) {
            double v = token(t, object, top + j / window_w, left + j % window_w, 2 * channels + head * width + d);
            o = rounded(sum, o + rounded(round, p[j]) * v);
        }
        out[head * width + d] = rounded(sum, o / total);
    }
}

static void reference(const op_case *t, dtype round, double *const *out)
{
    int window_h = t->attr.window ? t->attr.window : t->attr.h, window_w = t->attr.window ? t->attr.window : t->attr.w;
    int out_h = t->attr.pool ? t->attr.h / 2 : t->attr.h, out_w = t->attr.pool ? t->attr.w / 2 : t->attr.w;
    double *p = calloc((size_t)window_h * (size_t)window_w, sizeof *p);
    assert_non_null(p);
    for (int i = 0; i < t->out[0].n; i++)
        for (int y = 0; y < out_h; y++)
            for (int x = 0; x < out_w; x++)
                for (int h = 0; h < t->attr.heads; h++)
                    one_query(t, round, i, y, x, h, window_h, window_w, p,
                              out[0] + row_of(&t->out[0], i, y * out_w + x));
    free(p);
}

typedef struct shape {
    int n, h, w, window, heads, width, pool;
} shape;

static op_case window_case(const char *label, dtype type, shape s)
{
    op_case t = op_case_new(OP_window_attention, label);
    in_normal(&t, 0, type, s.n, s.h * s.w, 3 * s.heads * s.width);
    in_normal(&t, 1, DT_F32, 1, 1, 3 * s.heads * s.width);
    t.attr.h = s.h;
    t.attr.w = s.w;
    t.attr.window = s.window;
    t.attr.heads = s.heads;
    t.attr.pool = s.pool;
    t.attr.scale = (float)(1.0 / sqrt(s.width));
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        shape s;
    } cases[] = {
        {"smallest", {1, 1, 1, 1, 1, 1, 0}},
        {"tiny stage 1", {1, 16, 16, 8, 1, 96, 0}},
        {"tiny stage 1 to 2", {1, 16, 8, 8, 2, 96, 1}},
        {"tiny stage 3, padded", {1, 16, 16, 14, 1, 96, 0}},
        {"tiny stage 3 to 4, padded", {1, 16, 16, 14, 1, 96, 1}},
        {"tiny stage 4, padded", {1, 8, 8, 7, 2, 96, 0}},
        {"base stage 1", {1, 8, 16, 8, 1, 56, 0}},
        {"base stage 2", {2, 8, 8, 4, 2, 112, 0}},
        {"large stage 2 pooled", {1, 8, 8, 4, 1, 72, 1}},
        {"large stage 3", {1, 16, 16, 16, 1, 72, 0}},
        {"three objects, odd grid", {3, 5, 6, 4, 2, 8, 0}},
        {"odd grid pooled", {3, 5, 7, 4, 2, 8, 1}},
        {"odd width", {2, 5, 4, 3, 2, 7, 0}},
        {"whole grid", {2, 17, 15, 0, 2, 16, 0}},
        {"whole grid pooled", {2, 18, 14, 0, 2, 16, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int half = 0; half < 2; half++) {
            op_case t = window_case(cases[i].label, half ? DT_BF16 : DT_F32, cases[i].s);
            op_check(&t);
        }
}

/* SAM v1's: windows of 14 that are padded, and the whole grid; heads 64 and 80 wide. */
static op_case relative_case(const char *label, dtype type, shape s)
{
    op_case t = window_case(label, type, s);
    int side_y = s.window ? s.window : s.h, side_x = s.window ? s.window : s.w;
    in_normal(&t, 2, DT_F32, 1, 2 * side_y - 1, s.width);
    in_normal(&t, 3, DT_F32, 1, 2 * side_x - 1, s.width);
    for (int i = 2; i < 4; i++)
        for (size_t e = 0; e < tensor_count(&t.in[i]); e++)
            ((float *)t.in[i].data)[e] *= t.attr.scale; /* scores of some units, as trained tables give */
    return t;
}
static void relative_positions(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        shape s;
    } cases[] = {
        {"relative, smallest", {1, 1, 1, 1, 1, 2, 0}},
        {"relative, B, padded windows", {1, 15, 8, 14, 1, 64, 0}},
        {"relative, H, padded windows", {1, 4, 15, 14, 1, 80, 0}},
        {"relative, B, whole grid", {1, 12, 12, 0, 2, 64, 0}},
        {"relative, H, whole grid", {1, 6, 20, 0, 1, 80, 0}},
        {"relative, three images", {3, 6, 7, 4, 2, 16, 0}},
        {"relative, odd sides", {2, 7, 5, 3, 2, 10, 0}},
        {"relative, odd whole grid", {1, 9, 11, 0, 1, 16, 0}},
        {"relative, long rows", {1, 2, 64, 0, 1, 64, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int half = 0; half < 2; half++) {
            op_case t = relative_case(cases[i].label, half ? DT_BF16 : DT_F32, cases[i].s);
            op_check(&t);
        }
}
static void relative_blocks(void **state)
{
    (void)state;
    static const shape cases[] = {{1, 9, 16, 14, 1, 64, 0},
                                  {1, 12, 14, 0, 1, 80, 0},
                                  {1, 4, 32, 0, 1, 64, 0},
                                  {2, 2, 70, 0, 1, 16, 0},
                                  {1, 12, 14, 0, 1, 80, 0}};
    for (int limit = 99; limit <= 227; limit += 64) {
        emu_shared_limit((size_t)limit * 1024);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            op_case t = relative_case("relative, blocks", i & 1 ? DT_BF16 : DT_F16, cases[i]);
            t.kernels_only = 1;
            op_check(&t);
        }
    }
    emu_shared_limit(99 * 1024);
}

static void types(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        op_case t = window_case("other type", i ? DT_BF16 : DT_F32, (shape){1, 6, 6, 4, 2, 8, 0});
        t.attr.type = i ? DT_F32 : DT_BF16;
        t.plain = DT_BF16;
        op_check(&t);
    }
}

/* The kernels' cases: windows of 4x4 side by side that do not fill a block, every width of a tile, f16. */
static void blocks(void **state)
{
    (void)state;
    static const shape cases[] = {
        {1, 5, 18, 4, 2, 16, 0}, {1, 9, 20, 4, 1, 96, 1},   {2, 7, 9, 7, 1, 112, 0},
        {1, 4, 70, 4, 1, 56, 0}, {1, 12, 16, 16, 1, 80, 0}, {1, 10, 9, 9, 1, 72, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int half = 0; half < 2; half++) {
            op_case t = window_case("blocks", half ? DT_F16 : DT_BF16, cases[i]);
            t.kernels_only = half;
            op_check(&t);
        }
}

/* With 163 KiB of shared memory a warp takes 32 queries of large windows: every width, windows that are padded. */
static void wide_rows(void **state)
{
    (void)state;
    static const shape cases[] = {{1, 16, 20, 14, 1, 96, 0},
                                  {1, 16, 16, 16, 2, 72, 0},
                                  {1, 12, 12, 12, 1, 56, 0},
                                  {1, 24, 24, 24, 1, 88, 1},
                                  {1, 12, 12, 12, 1, 112, 0}};
    emu_shared_limit(163 * 1024);
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        op_case t = window_case("wide rows", i & 1 ? DT_F16 : DT_BF16, cases[i / 2]);
        op_check(&t);
    }
    emu_shared_limit(99 * 1024);
}

/* A NaN stays in its window. */
static void not_finite(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        op_case t = window_case("NaN", i & 1 ? DT_BF16 : DT_F32, (shape){2, 8, 8, 4, 2, 6, i / 2});
        set_value(&t.in[0], 1, NAN);                    /* q of the first token, head 0 */
        set_value(&t.in[0], (size_t)20 * 36 + 26, NAN); /* v of token 20                */
        op_check(&t);
    }
}

static void refusals(void **state)
{
    (void)state;
    op_case t = window_case("pool of an odd window", DT_F32, (shape){1, 6, 6, 3, 1, 8, 1});
    op_check_refused(&t);
    t = window_case("grid", DT_F32, (shape){1, 6, 6, 3, 1, 8, 0});
    t.attr.h = 5;
    op_check_refused(&t);
    t = window_case("heads", DT_F32, (shape){1, 6, 6, 3, 1, 8, 0});
    t.attr.heads = 3;
    op_check_refused(&t);
    t = relative_case("relative, pooled", DT_F32, (shape){1, 6, 6, 2, 1, 8, 1});
    op_check_refused(&t);
    t = relative_case("relative, a table of another side", DT_F32, (shape){1, 6, 6, 3, 1, 8, 0});
    t.attr.window = 2;
    op_check_refused(&t);
    t = relative_case("relative, one table", DT_F32, (shape){1, 6, 6, 3, 1, 8, 0});
    free(t.in[3].data);
    t.in[3] = (tensor){.type = DT_NONE};
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),          cmocka_unit_test(types),
        cmocka_unit_test(blocks),          cmocka_unit_test(relative_positions),
        cmocka_unit_test(relative_blocks), cmocka_unit_test(wide_rows),
        cmocka_unit_test(not_finite),      cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
