/* point_tokens on the CPU: a handful of tokens, so in double with libm. */
#include "cpu_rows.h"
#include "operands.h"

#define CHUNK 256

/* Columns at..at+m of the token of one point; columns of the second half of C are cosines. */
static void token_chunk(const op_call *c, const float *point, int label, size_t at, size_t m, float *to)
{
    size_t half = (size_t)c->in[POINTS_GAUSSIAN].cols;
    const float *gaussian = c->in[POINTS_GAUSSIAN].data;
    const float *embedding = label >= -1 && label <= 3 ? (const float *)c->in[4 + label].data + at : NULL;
    double side = (double)c->attr->scale;
    double u = 2 * ((double)point[0] + 0.5) / side - 1, v = 2 * ((double)point[1] + 0.5) / side - 1;
    for (size_t i = 0; i < m; i++) {
        size_t k = (at + i) % half;
        double phase = 6.28318530717958647692 * (u * (double)gaussian[k] + v * (double)gaussian[half + k]);
        double code = label < 0 ? 0 : at + i < half ? sin(phase) : cos(phase);
        to[i] = (float)(code + (embedding ? (double)embedding[i] : 0));
    }
}

static void run(const op_call *c)
{
    const tensor *points = &c->in[POINTS_XY], *labels = &c->in[POINTS_LABELS], *y = &c->out[RESULT];
    size_t n_points = (size_t)y->rows, cols = (size_t)y->cols;
#pragma omp parallel for num_threads(threads_for(c, 16 * tensor_count(y))) schedule(static)
    for (size_t item = 0; item < (size_t)y->n * n_points; item++) {
        int object = (int)(item / n_points);
        size_t r = item % n_points;
        const float *point = element_at(points, object, 2 * r);
        const int32_t *label = element_at(labels, object, r);
        for (size_t at = 0; at < cols; at += CHUNK) {
            float token[CHUNK];
            size_t m = cols - at < CHUNK ? cols - at : CHUNK;
            token_chunk(c, point, *label, at, m, token);
            store_row(element_at(y, object, r * cols + at), token, y->type, m);
        }
    }
}

const op_cpu CPU_FN(point_tokens_cpu) = {.run = run};
