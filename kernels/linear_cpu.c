/* linear on tiles where the processor has them (cpu_amx_product.h), else through oneDNN (dnnl_product.h) with turned rows
 * afterwards; rows with weights of their own in a loop here. */
#include "cpu_amx_product.h"

static bool is_grouped(const op_call *c)
{
    return c->attr->groups > 0;
}

static size_t scratch_bytes(const op_call *c)
{
    return is_grouped(c) ? 0 : tiles_serve(c, false) ? tiles_scratch_bytes(c, false) : product_scratch_bytes(c, false);
}

/* Of groups: w as f32. */
static void *pack(const op_call *c, size_t *bytes)
{
    const tensor *w = &c->in[PRODUCT_W];
    if (tiles_serve(c, false))
        return tiles_pack(c, bytes, false);
    if (!is_grouped(c))
        return product_pack(c, bytes, false);
    *bytes = tensor_count(w) * sizeof(float);
    float *packed = malloc(*bytes);
    if (packed)
        load_row(packed, w->data, w->type, tensor_count(w));
    return packed;
}
static void *bind(const op_call *c)
{
    return is_grouped(c) || tiles_serve(c, false) ? calloc(1, sizeof(product)) : product_bind(c, false);
}

static void run_groups(const op_call *c)
{
    const tensor *x = &c->in[PRODUCT_X], *b = &c->in[PRODUCT_B], *y = c->out;
    int n_in = x->cols, n_out = y->cols, n_rows = y->n * y->rows;
    const float *w = c->packed, *bias = b->type != DT_NONE ? b->data : NULL;
#pragma omp parallel for num_threads(c->n_threads) schedule(static)
    for (int item = 0; item < n_rows * n_out; item++) {
        int row = item / n_out, o = item % n_out, object = row / y->rows, g = row % y->rows;
        const char *from =
            (const char *)tensor_at(x, object) + (size_t)(c->attr->first + g) * (size_t)n_in * dtype_bytes(x->type);
        const float *weights = w + ((size_t)g * (size_t)n_out + (size_t)o) * (size_t)n_in;
        float sum = 0;
        for (int at = 0; at < n_in; at += 64) {
            float values[64], part = 0;
            int m = n_in - at < 64 ? n_in - at : 64;
            load_row(values, from + (size_t)at * dtype_bytes(x->type), x->type, (size_t)m);
#pragma omp simd reduction(+ : part)
            for (int k = 0; k < m; k++)
                part += values[k] * weights[at + k];
            sum += part;
        }
        sum += bias ? bias[g * n_out + o] : 0;
        act_row(c->attr->act, &sum, 1);
        store_row((char *)tensor_at(y, object) + (size_t)(g * n_out + o) * dtype_bytes(y->type), &sum, y->type, 1);
    }
}

#define CHUNK 256 /* even: pairs stay together */

static void turn_rows(const op_call *c)
{
    const tensor *turns = &c->in[PRODUCT_TURNS], *counts = &c->in[PRODUCT_N_ROTATED], *y = c->out;
    int count = c->attr->count ? c->attr->count : y->cols;
#pragma omp parallel for num_threads(c->n_threads) schedule(static)
    for (int item = 0; item < y->n * y->rows; item++) {
        int object = item / y->rows, r = item % y->rows;
        char *to = (char *)tensor_at(y, object) + (size_t)r * (size_t)y->cols * dtype_bytes(y->type);
        if (turn_of_row(c->attr, counts, object, r, y->rows) < 0)
            continue;
        for (int at = 0, m; at < count; at += m, to += (size_t)m * dtype_bytes(y->type)) {
            float values[CHUNK];
            m = count - at < CHUNK ? count - at : CHUNK;
            load_row(values, to, y->type, (size_t)m);
            turn_columns(values, c->attr, turns, counts, object, r, y->rows, at, m);
            store_row(to, values, y->type, (size_t)m);
        }
    }
}

static void run(const op_call *c)
{
    if (is_grouped(c)) {
        run_groups(c);
        return;
    }
    if (tiles_serve(c, false)) {
        tiles_run(c, false);
        return;
    }
    product_run(c);
    if (c->in[PRODUCT_TURNS].type != DT_NONE)
        turn_rows(c);
}

const op_cpu CPU_FN(linear_cpu) = {.run = run,
                                   .scratch_bytes = scratch_bytes,
                                   .pack = pack,
                                   .unpack = product_unpack,
                                   .in_packed = 1u << PRODUCT_W,
                                   .bind = bind,
                                   .unbind = product_unbind};
