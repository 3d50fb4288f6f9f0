/* A pretended libcublasLt: the entries that kernels/cublaslt.c calls, on host memory. Written from what cublasLt.h
 * promises, column-major, one element after the other; every condition that the library states is checked, and a call that
 * breaks one is refused. Products are summed in double. */
#include "fake_cublaslt.h"

#include "cpu_math.h"

#include <stdio.h>
#include <stdlib.h>

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum { MAGIC = 0x5A5A0001 };

__attribute__((visibility("default"))) fake_lt_record fake_lt;

typedef struct layout {
    int type;
    uint64_t rows, cols;
    int64_t ld, stride;
    int32_t batches;
} layout;

typedef struct desc {
    int compute, scale;
    int32_t trans_a;
    uint32_t epilogue;
    const void *bias;
} desc;

typedef struct preference {
    uint64_t bytes;
    uint32_t reductions, alignment[4];
} preference;

typedef struct algorithm {
    uint64_t data[8]; /* MAGIC, which, hash of the product, workspace */
} algorithm;

typedef struct heuristic {
    algorithm algo;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
} heuristic;

#define EXPORT __attribute__((visibility("default")))

static int refuse(const char *why)
{
    fprintf(stderr, "fake cuBLASLt: %s\n", why);
    return INVALID_VALUE;
}

/* ---- objects ------------------------------------------------------------------------------------------------------ */

EXPORT size_t cublasLtGetVersion(void)
{
    return FAKE_LT_VERSION;
}
EXPORT int cublasLtCreate(void **handle)
{
    if (fake_lt.refuse_create)
        return NOT_INITIALIZED;
    *handle = &fake_lt;
    fake_lt.n_handles++;
    return SUCCESS;
}
EXPORT int cublasLtDestroy(void *handle)
{
    fake_lt.n_handles--;
    return handle == &fake_lt ? SUCCESS : NOT_INITIALIZED;
}

EXPORT int cublasLtMatrixLayoutCreate(layout **l, int type, uint64_t rows, uint64_t cols, int64_t ld)
{
    if ((type != 0 && type != 2 && type != 14) || ld < (int64_t)rows)
        return refuse("layout");
    *l = malloc(sizeof **l);
    **l = (layout){type, rows, cols, ld, 0, 1};
    fake_lt.n_layouts++;
    return SUCCESS;
}
EXPORT int cublasLtMatrixLayoutDestroy(layout *l)
{
    free(l);
    fake_lt.n_layouts--;
    return SUCCESS;
}
EXPORT int cublasLtMatrixLayoutSetAttribute(layout *l, int attribute, const void *value, size_t bytes)
{
    if (attribute == 5 && bytes == sizeof l->batches)
        memcpy(&l->batches, value, bytes);
    else if (attribute == 6 && bytes == sizeof l->stride)
        memcpy(&l->stride, value, bytes);
    else
        return refuse("layout attribute");
    return SUCCESS;
}

EXPORT int cublasLtMatmulDescCreate(desc **d, int compute, int scale)
{
    *d = malloc(sizeof **d);
    **d = (desc){compute, scale, 0, 1, NULL};
    fake_lt.n_descs++;
    return SUCCESS;
}
EXPORT int cublasLtMatmulDescDestroy(desc *d)
{
    free(d);
    fake_lt.n_descs--;
    return SUCCESS;
}
EXPORT int cublasLtMatmulDescSetAttribute(desc *d, int attribute, const void *value, size_t bytes)
{
    if (attribute == 3 && bytes == sizeof d->trans_a)
        memcpy(&d->trans_a, value, bytes);
    else if (attribute == 7 && bytes == sizeof d->epilogue)
        memcpy(&d->epilogue, value, bytes);
    else if (attribute == 8 && bytes == sizeof d->bias)
        memcpy(&d->bias, value, bytes);
    else
        return refuse("desc attribute");
    return SUCCESS;
}

EXPORT int cublasLtMatmulPreferenceCreate(preference **p)
{
    *p = malloc(sizeof **p);
    **p = (preference){0, 7, {256, 256, 256, 256}};
    fake_lt.n_preferences++;
    return SUCCESS;
}
EXPORT int cublasLtMatmulPreferenceDestroy(preference *p)
{
    free(p);
    fake_lt.n_preferences--;
    return SUCCESS;
}
EXPORT int cublasLtMatmulPreferenceSetAttribute(preference *p, int attribute, const void *value, size_t bytes)
{
    if (attribute == 1 && bytes == sizeof p->bytes)
        memcpy(&p->bytes, value, bytes);
    else if (attribute == 3 && bytes == sizeof p->reductions)
        memcpy(&p->reductions, value, bytes);
    else if (attribute >= 5 && attribute <= 8 && bytes == sizeof p->alignment[0])
        memcpy(&p->alignment[attribute - 5], value, bytes);
    else
        return refuse("preference attribute");
    return SUCCESS;
}

/* ---- products ----------------------------------------------------------------------------------------------------- */

/* What the library's table of types and its rules for shapes allow. */
static const char *wrong_product(const desc *d, const layout *a, const layout *b, const layout *c, const layout *out)
{
    uint64_t m = d->trans_a ? a->cols : a->rows, k = d->trans_a ? a->rows : a->cols;
    if (d->compute != 68 || d->scale != 0)
        return "compute or scale type";
    if (a->type != b->type || c->type != out->type || (out->type != a->type && out->type != 0))
        return "types";
    if (b->rows != k || out->rows != m || out->cols != b->cols || c->rows != out->rows || c->cols != out->cols)
        return "shapes";
    if (a->batches != out->batches || b->batches != out->batches || c->batches != out->batches)
        return "batches";
    if (out->batches > 1 && out->stride < out->ld * (int64_t)out->cols)
        return "batches of D overlap";
    if (d->epilogue != 1 && d->epilogue != 2 && d->epilogue != 4 && d->epilogue != 6)
        return "epilogue";
    if ((d->epilogue & 4) && !d->bias)
        return "no bias";
    return (uintptr_t)d->bias % 16 ? "alignment of the bias" : NULL;
}

static uint64_t hash_of(const desc *d, const layout *const l[4])
{
    uint64_t h = d->epilogue * 31u + (uint64_t)d->trans_a;
    for (int i = 0; i < 4; i++)
        h = ((((h * 1000003 + (uint64_t)l[i]->type) * 1000003 + l[i]->rows) * 1000003 + l[i]->cols) * 1000003 +
             (uint64_t)l[i]->ld) *
                1000003 +
            (uint64_t)l[i]->stride * 7 + (uint64_t)l[i]->batches;
    return h;
}

EXPORT int cublasLtMatmulAlgoGetHeuristic(void *handle, desc *d, layout *a, layout *b, layout *c, layout *out,
                                          preference *p, int wanted, heuristic *result, int *found)
{
    static const size_t workspace[] = {FAKE_SPLIT_BYTES, FAKE_SMALL_BYTES, 0};
    const layout *const layouts[4] = {a, b, c, out};
    const char *wrong = wrong_product(d, a, b, c, out);
    fake_lt.n_heuristics++;
    *found = 0;
    if (handle != &fake_lt || fake_lt.refuse_heuristic)
        return NOT_SUPPORTED;
    if (wrong)
        return refuse(wrong);
    for (uint64_t i = 0; i < 3 && *found < wanted; i++) {
        if (workspace[i] > p->bytes || (i == 0 && !(p->reductions & 2)))
            continue;
        result[(*found)++] =
            (heuristic){.algo = {{MAGIC, i, hash_of(d, layouts), workspace[i]}}, .workspace = workspace[i]};
    }
    if (*found && *found < wanted) /* as the library marks what it could not prepare */
        result[(*found)++] = (heuristic){.state = NOT_SUPPORTED};
    return SUCCESS;
}

static double element(const void *p, int type, int64_t i)
{
    if (type == 0)
        return ((const float *)p)[i];
    uint16_t h = ((const uint16_t *)p)[i];
    return type == 2 ? f16_to_f32(h) : bf16_to_f32(h);
}
static void set_element(void *p, int type, int64_t i, double v)
{
    if (type == 0)
        ((float *)p)[i] = (float)v;
    else
        ((uint16_t *)p)[i] = type == 2 ? f32_to_f16((float)v) : f32_to_bf16((float)v);
}

static void record(const desc *d, const layout *a, const layout *b, const layout *c, const layout *out,
                   const algorithm *algo, float beta, void *stream)
{
    fake_lt.n_matmuls++;
    fake_lt.m = (int64_t)out->rows;
    fake_lt.n = (int64_t)out->cols;
    fake_lt.k = (int64_t)b->rows;
    fake_lt.batches = out->batches;
    fake_lt.stride_a = a->stride;
    fake_lt.stride_b = b->stride;
    fake_lt.stride_c = c->stride;
    fake_lt.stride_d = out->stride;
    fake_lt.epilogue = d->epilogue;
    fake_lt.beta = beta;
    fake_lt.algorithm = algo->data[1];
    fake_lt.stream = stream;
}

EXPORT int cublasLtMatmul(void *handle, desc *d, const void *alpha, const void *a, layout *la, const void *b,
                          layout *lb, const void *beta, const void *c, layout *lc, void *out, layout *lo,
                          const algorithm *algo, void *workspace, size_t bytes, void *stream)
{
    const layout *const layouts[4] = {la, lb, lc, lo};
    const char *wrong = wrong_product(d, la, lb, lc, lo);
    float al, be;
    if (handle != &fake_lt || fake_lt.refuse_matmul)
        return NOT_SUPPORTED;
    memcpy(&al, alpha, sizeof al);
    memcpy(&be, beta, sizeof be);
    if (wrong)
        return refuse(wrong);
    if (((uintptr_t)a | (uintptr_t)b | (uintptr_t)c | (uintptr_t)out) % 16)
        return refuse("alignment");
    if (algo->data[0] != MAGIC || algo->data[2] != hash_of(d, layouts))
        return refuse("an algorithm of another product");
    if (bytes < algo->data[3] || (algo->data[3] && (!workspace || (uintptr_t)workspace % 256)))
        return refuse("workspace");
    if (c == out && lc->stride != lo->stride)
        return refuse("C in the place of D, but with another layout");
    if (workspace)
        memset(workspace, 0xA5, algo->data[3]);
    record(d, la, lb, lc, lo, algo, be, stream);
    for (int64_t batch = 0; batch < lo->batches; batch++)
        for (int64_t col = 0; col < (int64_t)lo->cols; col++)
            for (int64_t row = 0; row < (int64_t)lo->rows; row++) {
                double sum = 0;
                for (int64_t k = 0; k < (int64_t)lb->rows; k++)
                    sum +=
                        element(a, la->type, batch * la->stride + (d->trans_a ? k + row * la->ld : row + k * la->ld)) *
                        element(b, lb->type, batch * lb->stride + k + col * lb->ld);
                sum *= al;
                if (be != 0)
                    sum += be * element(c, lc->type, batch * lc->stride + row + col * lc->ld);
                if (d->epilogue & 4)
                    sum += element(d->bias, lo->type, row);
                if ((d->epilogue & 2) && sum < 0)
                    sum = 0;
                set_element(out, lo->type, batch * lo->stride + row + col * lo->ld, sum);
            }
    return SUCCESS;
}
