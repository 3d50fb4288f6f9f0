#include "dump.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more tensor of n_bytes, whose data is in *data. */
static sam_status add(dump *d, const char *name, st_dtype type, int n_dims, const int64_t *shape, void **data,
                      sam_error *err)
{
    if (d->n == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 64;
        st_tensor *tensors = realloc(d->tensors, capacity * sizeof *tensors);
        if (!tensors)
            return fail(err, SAM_E_MEMORY, "%s: no memory to dump it", name);
        d->tensors = tensors;
        d->capacity = capacity;
    }
    st_tensor *t = &d->tensors[d->n];
    *t = (st_tensor){.dtype = type, .n_dims = n_dims};
    memcpy(t->shape, shape, (size_t)n_dims * sizeof *shape);
    t->n_bytes = (size_t)st_count(t) * st_dtype_bytes(type);
    char *copy = malloc(strlen(name) + 1);
    *data = malloc(t->n_bytes + 1);
    if (!copy || !*data) {
        free(copy);
        free(*data);
        return fail(err, SAM_E_MEMORY, "%s: no memory to dump it; --frames makes the run shorter", name);
    }
    t->name = strcpy(copy, name);
    t->data = *data;
    d->n++;
    return SAM_OK;
}

sam_status dump_f32(dump *d, const char *name, const float *data, int n_dims, const int64_t *shape, sam_error *err)
{
    void *to;
    TRY(add(d, name, ST_F32, n_dims, shape, &to, err));
    memcpy(to, data, d->tensors[d->n - 1].n_bytes);
    return SAM_OK;
}

sam_status dump_u8(dump *d, const char *name, const uint8_t *data, size_t row_bytes, int height, int width,
                   sam_error *err)
{
    void *to;
    TRY(add(d, name, ST_U8, 2, (int64_t[]){height, width}, &to, err));
    for (int y = 0; y < height; y++)
        memcpy((uint8_t *)to + (size_t)y * (size_t)width, data + (size_t)y * row_bytes, (size_t)width);
    return SAM_OK;
}

static float from_bf16(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static float from_f16(uint16_t x)
{
    uint32_t exponent = x >> 10 & 31, mantissa = x & 1023, bits;
    float f, sign = x >> 15 ? -1.0f : 1.0f;
    if (exponent == 0)
        return sign * (float)mantissa * 0x1p-24f;
    bits = (exponent == 31 ? 255u : exponent + 112) << 23 | mantissa << 13;
    memcpy(&f, &bits, sizeof f);
    return sign * f;
}

sam_status dump_tensor(dump *d, const char *name, const tensor *t, sam_error *err)
{
    void *to;
    size_t n = (size_t)t->rows * (size_t)t->cols;
    TRY(add(d, name, ST_F32, 2, (int64_t[]){t->rows, t->cols}, &to, err));
    float *out = to;
    const uint16_t *half = t->data;
    switch (t->type) {
    case DT_F32:
        memcpy(out, t->data, n * sizeof *out);
        return SAM_OK;
    case DT_BF16:
        for (size_t i = 0; i < n; i++)
            out[i] = from_bf16(half[i]);
        return SAM_OK;
    case DT_F16:
        for (size_t i = 0; i < n; i++)
            out[i] = from_f16(half[i]);
        return SAM_OK;
    default:
        return fail(err, SAM_E_ARG, "%s: only floating point values are dumped", name);
    }
}

sam_status dump_write(const dump *d, const char *path, sam_error *err)
{
    st_meta meta = {.key = "writer", .value = "sambench " SAM_VERSION};
    return st_write(path, d->tensors, d->n, &meta, 1, err);
}

void dump_free(dump *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free((char *)d->tensors[i].name);
        free((void *)d->tensors[i].data);
    }
    free(d->tensors);
    *d = (dump){0};
}
