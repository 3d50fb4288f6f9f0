/* follow_motion against the public filter as it is written, with matrices of 8 x 8 and every pixel of the enlarged masks, in
 * float64. tests/test_samurai.c holds the same filter against numbers that the public code made. */
#include "op_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "motion_filter.h"

enum { MASKS, IOUS, SCORE, LEAST, MODE, FILTERS, SLOT, RESTART, RULE };

/* ---- kalman_filter.py --------------------------------------------------------------------------------------------- */

typedef struct kalman {
    double mean[8], cov[8][8];
} kalman;

static void set_std(double *var, dtype round, int by_width, double h, double position, double velocity, double ratio,
                    double ratio_velocity)
{
    for (int k = 0; k < 4; k++) {
        double at = k == 2 && !by_width ? ratio : rounded(round, position * h);
        double moving = k == 2 && !by_width ? ratio_velocity : rounded(round, velocity * h);
        var[k] = rounded(round, at * at);
        var[4 + k] = rounded(round, moving * moving);
    }
}

static void start(kalman *f, dtype round, int by_width, const double *z)
{
    double var[8];
    memset(f, 0, sizeof *f);
    set_std(var, round, by_width, z[3], 2.0 / 20, 10.0 / 160, 1e-2, 1e-5);
    for (int k = 0; k < 8; k++) {
        f->mean[k] = k < 4 ? z[k] : 0;
        f->cov[k][k] = var[k];
    }
}

static void predict(kalman *f, dtype round, int by_width)
{
    double motion[8][8] = {{0}}, half[8][8], var[8];
    set_std(var, round, by_width, f->mean[3], 1.0 / 20, 1.0 / 160, 1e-2, 1e-5);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            motion[i][j] = i == j || j == i + 4;
    for (int k = 0; k < 4; k++)
        f->mean[k] = rounded(round, f->mean[k] + f->mean[4 + k]);
    for (int pass = 0; pass < 2; pass++) { /* F P, then (F P) F^T */
        for (int i = 0; i < 8; i++)
            for (int j = 0; j < 8; j++) {
                half[i][j] = 0;
                for (int k = 0; k < 8; k++)
                    half[i][j] += pass ? f->cov[i][k] * motion[j][k] : motion[i][k] * f->cov[k][j];
                half[i][j] = rounded(round, half[i][j]);
            }
        memcpy(f->cov, half, sizeof half);
    }
    for (int k = 0; k < 8; k++)
        f->cov[k][k] = rounded(round, f->cov[k][k] + var[k]);
}

static void invert(double a[4][4], double inverse[4][4])
{
    memset(inverse, 0, 16 * sizeof(double));
    for (int i = 0; i < 4; i++)
        inverse[i][i] = 1;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            double factor = j == i ? 0 : a[j][i] / a[i][i];
            for (int k = 0; k < 4; k++) {
                a[j][k] -= factor * a[i][k];
                inverse[j][k] -= factor * inverse[i][k];
            }
        }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            inverse[i][k] /= a[i][i];
}

static void update(kalman *f, dtype round, int by_width, const double *z)
{
    double projected[4][4], copy[4][4], inverse[4][4], gain[8][4], noise[8], step[4], cov[8][8];
    set_std(noise, round, by_width, f->mean[3], 1.0 / 20, 0, 1e-1, 0);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            projected[i][j] = rounded(round, f->cov[i][j] + (i == j ? noise[i] : 0));
    memcpy(copy, projected, sizeof copy);
    invert(copy, inverse);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 4; j++) {
            gain[i][j] = 0;
            for (int k = 0; k < 4; k++)
                gain[i][j] += f->cov[i][k] * inverse[k][j];
            gain[i][j] = rounded(round, gain[i][j]);
        }
    for (int k = 0; k < 4; k++)
        step[k] = rounded(round, z[k] - f->mean[k]);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            cov[i][j] = f->cov[i][j];
            for (int k = 0; k < 4; k++)
                for (int l = 0; l < 4; l++)
                    cov[i][j] -= gain[i][k] * projected[k][l] * gain[j][l];
        }
    memcpy(f->cov, cov, sizeof cov);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 4; k++)
            f->mean[i] = rounded(round, f->mean[i] + gain[i][k] * step[k]);
}

static double overlap(const kalman *f, dtype round, int by_width, const double *b)
{
    double h = f->mean[3], w = rounded(round, by_width ? f->mean[2] : f->mean[2] * h);
    double x0 = rounded(round, f->mean[0] - w / 2), x1 = rounded(round, f->mean[0] + w / 2);
    double y0 = rounded(round, f->mean[1] - h / 2), y1 = rounded(round, f->mean[1] + h / 2);
    double both = fmax(0, fmin(x1, b[2]) - fmax(x0, b[0])) * fmax(0, fmin(y1, b[3]) - fmax(y0, b[1]));
    double all = (x1 - x0) * (y1 - y0) + (b[2] - b[0]) * (b[3] - b[1]) - both;
    return b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] == 0 ? 0 : all != 0 ? both / all : 0;
}

/* ---- sam2_base.py ------------------------------------------------------------------------------------------------- */

static double enlarged(const op_case *t, int n, int mask, int x, int y)
{
    int k = t->attr.kernel, w = t->attr.w, h = t->attr.h;
    double sx = (x + 0.5) / k - 0.5, sy = (y + 0.5) / k - 0.5;
    int x0 = (int)floor(sx), y0 = (int)floor(sy);
    double v[4];
    for (int i = 0; i < 4; i++) {
        int cx = x0 + i % 2, cy = y0 + i / 2;
        cx = cx < 0 ? 0 : cx >= w ? w - 1 : cx;
        cy = cy < 0 ? 0 : cy >= h ? h - 1 : cy;
        v[i] = value(&t->in[MASKS], n, mask, cy * w + cx);
    }
    double fx = sx - x0, fy = sy - y0;
    return (v[0] * (1 - fy) + v[2] * fy) * (1 - fx) + (v[1] * (1 - fy) + v[3] * fy) * fx;
}

static void box_of(const op_case *t, int n, int mask, double *b)
{
    int k = t->attr.kernel, any = 0;
    memset(b, 0, 4 * sizeof *b);
    if (!(value(&t->in[SCORE], n, 0, 0) > value(&t->in[LEAST], n, 0, 0)))
        return;
    for (int y = 0; y < t->attr.h * k; y++)
        for (int x = 0; x < t->attr.w * k; x++)
            if (enlarged(t, n, mask, x, y) > 0) {
                b[0] = any ? fmin(b[0], x) : x;
                b[1] = any ? fmin(b[1], y) : y;
                b[2] = any ? fmax(b[2], x) : x;
                b[3] = any ? fmax(b[3], y) : y;
                any = 1;
            }
}

static void measure(dtype round, int by_width, const double *b, double *z)
{
    double w = b[2] - b[0], h = b[3] - b[1] == 0 ? 1 : b[3] - b[1];
    z[0] = (b[0] + b[2]) / 2;
    z[1] = (b[1] + b[3]) / 2;
    z[2] = by_width ? w : rounded(round, w / h);
    z[3] = h;
}

static int largest(const double *v)
{
    return v[1] > v[0] ? (v[2] > v[1] ? 2 : 1) : v[2] > v[0] ? 2 : 0;
}

static void load(const op_case *t, int slot, kalman *f, double *stable)
{
    const tensor *in = &t->in[FILTERS];
    memset(f, 0, sizeof *f);
    for (int k = 0; k < 4; k++) {
        f->mean[k] = value(in, 0, slot, k);
        f->mean[4 + k] = value(in, 0, slot, 4 + k);
        f->cov[k][k] = value(in, 0, slot, 8 + k);
        f->cov[k][4 + k] = f->cov[4 + k][k] = value(in, 0, slot, 12 + k);
        f->cov[4 + k][4 + k] = value(in, 0, slot, 16 + k);
    }
    *stable = value(in, 0, slot, 20);
}

static void store(const kalman *f, double stable, double *to)
{
    memset(to, 0, FILTER_FLOATS * sizeof *to);
    for (int k = 0; k < 4; k++) {
        to[k] = f->mean[k];
        to[4 + k] = f->mean[4 + k];
        to[8 + k] = f->cov[k][k];
        to[12 + k] = f->cov[k][4 + k];
        to[16 + k] = f->cov[4 + k][4 + k];
    }
    to[20] = stable;
}

static int follow(const op_case *t, dtype round, int n, kalman *f, double *stable, double *motion)
{
    double weight = value(&t->in[RULE], n, 0, 0), threshold = value(&t->in[RULE], n, 0, 2);
    int by_width = value(&t->in[RULE], n, 0, 3) != 0, chosen;
    double iou[3], box[3][4], overlaps[3], weighted[3], z[4];
    for (int k = 0; k < 3; k++) {
        iou[k] = value(&t->in[IOUS], n, 0, 1 + k);
        box_of(t, n, 1 + k, box[k]);
    }
    if (*stable == 0) {
        chosen = largest(iou);
        measure(round, by_width, box[chosen], z);
        start(f, round, by_width, z);
        *stable = 1;
        return chosen;
    }
    predict(f, round, by_width);
    if (*stable < value(&t->in[RULE], n, 0, 1)) {
        chosen = largest(iou);
        if (!(iou[chosen] > threshold)) {
            *stable = 0;
            return chosen;
        }
        *stable += 1;
    } else {
        for (int k = 0; k < 3; k++) {
            overlaps[k] = rounded(round, overlap(f, round, by_width, box[k]));
            weighted[k] = weight * overlaps[k] + (1 - weight) * iou[k];
        }
        chosen = largest(weighted);
        *motion = overlaps[chosen];
        if (iou[chosen] < threshold) {
            *stable = 0;
            return chosen;
        }
    }
    measure(round, by_width, box[chosen], z);
    update(f, round, by_width, z);
    return chosen;
}

static void reference(const op_case *t, dtype round, double *const *out)
{
    for (int n = 0; n < t->out[0].n; n++) {
        kalman f;
        double stable;
        load(t, (int)value(&t->in[SLOT], n, 0, 0), &f, &stable);
        out[0][n] = 0;
        out[1][n] = 1;
        if ((int)value(&t->in[MODE], n, 0, 0) & 1) {
            if (value(&t->in[RESTART], n, 0, 0) != 0)
                stable = 0;
            out[0][n] = 1 + follow(t, round, n, &f, &stable, &out[1][n]);
        }
        store(&f, stable, out[2] + row_of(&t->out[2], n, 0));
    }
}

/* ---- cases -------------------------------------------------------------------------------------------------------- */

/* Filters of objects that have been followed for a while: somewhere in the frame, with covariances of such a state. */
static void followed(op_case *t, int slot, double stable)
{
    double side = t->attr.h * t->attr.kernel;
    double v[FILTER_FLOATS] = {side / 2, side / 3,  0.8,        side / 4,   1.5,      -0.75,     0.001,
                               0.25,     side / 9,  side / 8,   4e-4,       side / 9, side / 99, side / 98,
                               1e-6,     side / 97, side / 999, side / 998, 1e-7,     side / 997};
    v[20] = stable;
    for (size_t i = 0; i < FILTER_FLOATS; i++)
        set_value(&t->in[FILTERS], (size_t)slot * FILTER_FLOATS + i, v[i] * (i < 20 ? 1 + 0.01 * slot : 1));
}

static op_case follow_case(const char *label, int n, int h, int w, int kernel, int by_width)
{
    op_case t = op_case_new(OP_follow_motion, label);
    t.attr = (op_attr){.h = h, .w = w, .kernel = kernel};
    in_normal(&t, MASKS, DT_F32, n, 4, h * w);
    in_uniform(&t, IOUS, DT_F32, n, 1, 4, 0.3, 1);
    in_zero(&t, SCORE, DT_F32, n, 1, 1);
    in_zero(&t, LEAST, DT_F32, n, 1, 1);
    in_ints(&t, MODE, n, 1, 1, 7, 7);
    in_zero(&t, FILTERS, DT_F32, 1, n + 2, FILTER_FLOATS);
    in_ints(&t, SLOT, n, 1, 1, 0, 0);
    in_ints(&t, RESTART, n, 1, 1, 0, 0);
    in_zero(&t, RULE, DT_F32, n, 1, RULE_FLOATS);
    for (int i = 0; i < n; i++) {
        static const double counts[] = {0, 1, 14, 15};
        static const double rule[] = {0.25, 15, 0.3};
        set_value(&t.in[SLOT], (size_t)i, n + 1 - i);
        set_value(&t.in[LEAST], (size_t)i, -1);
        followed(&t, n + 1 - i, counts[i % 4]);
        for (size_t k = 0; k < 3; k++)
            set_value(&t.in[RULE], (size_t)i * RULE_FLOATS + k, rule[k]);
        set_value(&t.in[RULE], (size_t)i * RULE_FLOATS + 3, by_width);
    }
    /* An object somewhere, rather than noise that fills the frame: each mask a rectangle of its own. */
    for (int m = 0; m < 4 * n; m++) {
        int x0 = (int)(random_uniform(&t) * w), y0 = (int)(random_uniform(&t) * h);
        int x1 = x0 + (int)(random_uniform(&t) * (w - x0)), y1 = y0 + (int)(random_uniform(&t) * (h - y0));
        for (int i = 0; i < h * w; i++) {
            size_t at = (size_t)m * (size_t)(h * w) + (size_t)i;
            double v = fabs(value_at(&t.in[MASKS], at));
            int inside = i % w >= x0 && i % w <= x1 && i / w >= y0 && i / w <= y1;
            set_value(&t.in[MASKS], at, inside ? v : -v);
        }
    }
    t.plain = DT_F32;
    t.reference = reference;
    return t;
}

static void shapes(void **state)
{
    (void)state;
    for (int by_width = 0; by_width < 2; by_width++) {
        op_case t = follow_case("smallest", 1, 1, 1, 4, by_width);
        op_check(&t);
        t = follow_case("every count", 4, 16, 16, 4, by_width);
        op_check(&t);
        t = follow_case("odd", 5, 7, 13, 3, by_width);
        op_check(&t);
        t = follow_case("objects", 24, 12, 12, 4, by_width);
        op_check(&t);
    }
    op_case t = follow_case("large", 4, 64, 64, 4, 0);
    op_check(&t);
}

static void losses(void **state)
{
    (void)state;
    op_case t = follow_case("absent: every box is empty", 4, 16, 16, 4, 0);
    for (size_t n = 0; n < 4; n++)
        set_value(&t.in[SCORE], n, n == 3 ? NAN : -1);
    op_check(&t);
    t = follow_case("the IoU is at the threshold: lost before 15 frames, not after", 4, 16, 16, 4, 0);
    for (size_t n = 0; n < 4; n++) {
        set_value(&t.in[RULE], n * RULE_FLOATS + 2, 0.5);
        for (size_t k = 1; k < 4; k++)
            set_value(&t.in[IOUS], 4 * n + k, 0.5);
    }
    op_check(&t);
    t = follow_case("a poor IoU is a loss", 4, 16, 16, 4, 0);
    for (size_t i = 0; i < 16; i++)
        set_value(&t.in[IOUS], i, 0.01 * (double)(i % 5));
    op_check(&t);
    t = follow_case("restart", 4, 16, 16, 4, 1);
    for (size_t n = 0; n < 4; n++)
        set_value(&t.in[RESTART], n, 1);
    op_check(&t);
    t = follow_case("one mask was asked for: nothing happens", 4, 16, 16, 4, 0);
    for (size_t n = 0; n < 4; n++) {
        set_value(&t.in[MODE], n, 6);
        set_value(&t.in[RESTART], n, n % 2);
    }
    op_check(&t);
}

/* Where the filter has a say it outweighs a better IoU; where it has none it does not. */
static void motion_decides(void **state)
{
    (void)state;
    for (int stable = 14; stable <= 15; stable++) {
        op_case t = follow_case(stable < 15 ? "before 15 frames" : "from 15 frames on", 1, 16, 16, 4, 0);
        followed(&t, 2, stable);
        set_value(&t.in[SLOT], 0, 2);
        for (size_t i = 0; i < 4 * 256; i++) { /* mask 2 lies where the filter is, the others in a corner */
            size_t m = i / 256, x = i % 16, y = i / 16 % 16;
            int inside = m == 2 ? x >= 6 && x <= 9 && y >= 3 && y <= 7 : x < 3 && y > 12;
            set_value(&t.in[MASKS], i, inside ? 3 : -3);
        }
        for (size_t k = 1; k < 4; k++)
            set_value(&t.in[IOUS], k, k == 2 ? 0.8 : 0.9);
        op_check(&t);
    }
}

static void refused(void **state)
{
    (void)state;
    op_case t = follow_case("three masks", 1, 4, 4, 4, 0);
    t.in[MASKS].rows = 3;
    op_check_refused(&t);
    t = follow_case("another grid", 1, 4, 4, 4, 0);
    t.attr.w = 5;
    op_check_refused(&t);
    t = follow_case("filters of each object", 2, 4, 4, 4, 0);
    t.in[FILTERS].n = 2;
    op_check_refused(&t);
    t = follow_case("batches", 2, 4, 4, 4, 0);
    t.in[RULE].n = 3;
    op_check_refused(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(losses),
        cmocka_unit_test(motion_decides),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
