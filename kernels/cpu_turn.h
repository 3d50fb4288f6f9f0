/* cpu_turn.h - rotary encoding of rows on the CPU: which rows turn, and turning one; rope and linear. */
#ifndef CPU_TURN_H
#define CPU_TURN_H

#include "op.h"

/* The table's row for row r of an object, or -1: it stays as it is. `counts` may be absent (DT_NONE). */
static inline long turn_of_row(const op_attr *a, const tensor *counts, int object, int r, int n_rows)
{
    int i = r % (a->period ? a->period : n_rows);
    int n_rotated = counts->type != DT_NONE ? *(const int32_t *)tensor_at(counts, object) : n_rows;
    return i < a->start || r >= n_rotated ? -1 : i - a->start;
}
/* Pairs of x by the pairs (cos, sin) of the table's row; y may be x. n is even. */
static inline void turn(float *y, const float *x, const float *table, size_t n)
{
    for (size_t i = 0; i < n; i += 2) {
        float a = x[i], b = x[i + 1], cosine = table[i], sine = table[i + 1];
        y[i] = a * cosine - b * sine;
        y[i + 1] = a * sine + b * cosine;
    }
}

/* Columns first .. first + n of row r, which are `values`; n and first are even, `turns` is linear's (linear.c). */
static inline void turn_columns(float *values, const op_attr *a, const tensor *turns, const tensor *counts, int object,
                                int r, int n_rows, int first, int n)
{
    long angles = turn_of_row(a, counts, object, r, n_rows);
    int width = turns->cols, end = first + n;
    for (int at = first, m; angles >= 0 && at < end; at += m, values += m) {
        const float *table = (const float *)turns->data + (size_t)angles * (size_t)width + (size_t)(at % width);
        m = width - at % width < end - at ? width - at % width : end - at;
        turn(values, values, table, (size_t)m);
    }
}

#endif
