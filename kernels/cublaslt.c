#include "cublaslt.h"

#include "cublaslt_abi.h"
#include "shared_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cublaslt {
    void *library;
    lt_handle handle;
    lt_functions call;
    char version[24];
};

/* Everything of a product but memory and the algorithm. */
struct lt_bound {
    const cublaslt *lt;
    lt_desc desc;
    lt_layout w, x, residual, y; /* the library's A, B, C, D */
    int has_residual;
};

/* ---- the library -------------------------------------------------------------------------------------------------- */

cublaslt *cublaslt_open(const char *file, char *why, size_t n_why)
{
    static const char *const usual[] = {"libcublasLt.so.13", "libcublasLt.so.12", NULL};
    const char *const given[] = {file, NULL};
    cublaslt *lt = calloc(1, sizeof *lt);
    if (!lt) {
        snprintf(why, n_why, "no memory");
        return NULL;
    }
    lt_functions *f = &lt->call;
    const library_symbol symbols[] = {
        {"cublasLtCreate", &f->create},
        {"cublasLtDestroy", &f->destroy},
        {"cublasLtGetVersion", &f->version},
        {"cublasLtMatrixLayoutCreate", &f->layout_create},
        {"cublasLtMatrixLayoutDestroy", &f->layout_destroy},
        {"cublasLtMatrixLayoutSetAttribute", &f->layout_set},
        {"cublasLtMatmulDescCreate", &f->desc_create},
        {"cublasLtMatmulDescDestroy", &f->desc_destroy},
        {"cublasLtMatmulDescSetAttribute", &f->desc_set},
        {"cublasLtMatmulPreferenceCreate", &f->preference_create},
        {"cublasLtMatmulPreferenceDestroy", &f->preference_destroy},
        {"cublasLtMatmulPreferenceSetAttribute", &f->preference_set},
        {"cublasLtMatmulAlgoGetHeuristic", &f->heuristic},
        {"cublasLtMatmul", &f->matmul},
    };
    lt->library = shared_library_open(file ? given : usual, symbols, sizeof symbols / sizeof *symbols, why, n_why);
    if (!lt->library) {
        free(lt);
        return NULL;
    }
    size_t v = f->version();
    snprintf(lt->version, sizeof lt->version, "%zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
    return lt;
}

void cublaslt_close(cublaslt *lt)
{
    if (!lt)
        return;
    if (lt->handle)
        lt->call.destroy(lt->handle);
    dlclose(lt->library);
    free(lt);
}

const char *cublaslt_version(const cublaslt *lt)
{
    return lt->version;
}

const char *cublaslt_start(cublaslt *lt)
{
    return lt->call.create(&lt->handle) == LT_SUCCESS ? NULL : "it refuses this device or driver";
}

/* ---- products ----------------------------------------------------------------------------------------------------- */

static int library_type(dtype t)
{
    return t == DT_F32 ? LT_R_32F : t == DT_F16 ? LT_R_16F : LT_R_16BF;
}

/* A row-major [rows, cols] array, batches `stride` elements apart. */
static lt_layout layout_of(const cublaslt *lt, dtype type, int64_t rows, int64_t cols, int batches, int64_t stride)
{
    lt_layout l = NULL;
    int32_t count = batches;
    if (lt->call.layout_create(&l, library_type(type), (uint64_t)cols, (uint64_t)rows, cols) != LT_SUCCESS)
        return NULL;
    if (batches > 1 && (lt->call.layout_set(l, LT_LAYOUT_BATCH_COUNT, &count, sizeof count) != LT_SUCCESS ||
                        lt->call.layout_set(l, LT_LAYOUT_BATCH_STRIDE, &stride, sizeof stride) != LT_SUCCESS)) {
        lt->call.layout_destroy(l);
        return NULL;
    }
    return l;
}

static lt_desc desc_of(const cublaslt *lt, const lt_product *p, const void *bias)
{
    lt_desc d = NULL;
    int32_t transposed = LT_OP_T;
    uint32_t epilogue = (p->relu ? LT_EPILOGUE_RELU : 0) | (p->bias ? LT_EPILOGUE_BIAS : 0);
    epilogue = epilogue ? epilogue : LT_EPILOGUE_DEFAULT;
    if (lt->call.desc_create(&d, LT_COMPUTE_32F, LT_R_32F) != LT_SUCCESS)
        return NULL;
    if (lt->call.desc_set(d, LT_DESC_TRANSA, &transposed, sizeof transposed) == LT_SUCCESS &&
        lt->call.desc_set(d, LT_DESC_EPILOGUE, &epilogue, sizeof epilogue) == LT_SUCCESS &&
        (!p->bias || lt->call.desc_set(d, LT_DESC_BIAS_POINTER, &bias, sizeof bias) == LT_SUCCESS))
        return d;
    lt->call.desc_destroy(d);
    return NULL;
}

lt_bound *cublaslt_bind(const cublaslt *lt, const lt_product *p, const void *bias)
{
    int64_t x_stride = p->x_shared ? 0 : p->rows * p->n_in, y_stride = p->rows * p->n_out;
    lt_bound *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->lt = lt;
    b->has_residual = p->residual;
    b->desc = desc_of(lt, p, bias);
    b->w = layout_of(lt, p->type, p->n_out, p->n_in, p->batches, 0);
    b->x = layout_of(lt, p->type, p->rows, p->n_in, p->batches, x_stride);
    b->residual = layout_of(lt, p->y_type, p->rows, p->n_out, p->batches, p->residual_shared ? 0 : y_stride);
    b->y = layout_of(lt, p->y_type, p->rows, p->n_out, p->batches, y_stride);
    if (b->desc && b->w && b->x && b->residual && b->y)
        return b;
    cublaslt_unbind(b);
    return NULL;
}

void cublaslt_unbind(lt_bound *b)
{
    if (!b)
        return;
    const lt_functions *f = &b->lt->call;
    const lt_layout layouts[] = {b->w, b->x, b->residual, b->y};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i])
            f->layout_destroy(layouts[i]);
    if (b->desc)
        f->desc_destroy(b->desc);
    free(b);
}

/* What algorithms may ask for. */
static lt_preference preference_of(const cublaslt *lt, const op_libraries *l)
{
    const lt_functions *f = &lt->call;
    lt_preference p = NULL;
    uint64_t bytes = l->workspace_bytes;
    uint32_t reductions = LT_REDUCTION_NONE, alignment = 16;
    if (f->preference_create(&p) != LT_SUCCESS)
        return NULL;
    int ok = f->preference_set(p, LT_PREF_WORKSPACE, &bytes, sizeof bytes) == LT_SUCCESS;
    /* Splitting the depth adds the parts in the order in which they arrive. */
    if (l->deterministic)
        ok &= f->preference_set(p, LT_PREF_REDUCTION_MASK, &reductions, sizeof reductions) == LT_SUCCESS;
    for (int i = 0; i < 4; i++)
        ok &= f->preference_set(p, LT_PREF_ALIGNMENT_A + i, &alignment, sizeof alignment) == LT_SUCCESS;
    if (ok)
        return p;
    f->preference_destroy(p);
    return NULL;
}

int cublaslt_ways(const cublaslt *lt, const lt_product *p, const op_libraries *l, way *to, int max)
{
    static const char aligned; /* stands for the bias, of which only the alignment counts here */
    lt_heuristic found[MAX_WAYS];
    int n_found = 0, n = 0;
    max = max < MAX_WAYS ? max : MAX_WAYS;
    lt_bound *b = cublaslt_bind(lt, p, (const void *)((uintptr_t)&aligned / 256 * 256));
    lt_preference preference = preference_of(lt, l);
    if (b && preference &&
        lt->call.heuristic(lt->handle, b->desc, b->w, b->x, b->residual, b->y, preference, max, found, &n_found) !=
            LT_SUCCESS)
        n_found = 0;
    for (int i = 0; i < n_found && n < max; i++) {
        if (found[i].state != LT_SUCCESS || found[i].workspace_bytes > l->workspace_bytes)
            continue;
        to[n] = (way){.kind = WAY_CUBLASLT, .workspace_bytes = found[i].workspace_bytes};
        memcpy(to[n++].algorithm, &found[i].algorithm, sizeof found[i].algorithm);
    }
    if (preference)
        lt->call.preference_destroy(preference);
    cublaslt_unbind(b);
    return n;
}

const char *cublaslt_run(const lt_bound *b, const way *w, const lt_operands *o)
{
    const float one = 1, beta = b->has_residual ? 1 : 0;
    lt_algorithm algorithm;
    memcpy(&algorithm, w->algorithm, sizeof algorithm);
    /* Without a residual the library still wants to know C's place; it does not read it. */
    int status = b->lt->call.matmul(b->lt->handle, b->desc, &one, o->w, b->w, o->x, b->x, &beta,
                                    b->has_residual ? o->residual : o->y, b->residual, o->y, b->y, &algorithm,
                                    o->workspace, w->workspace_bytes, o->stream);
    return status == LT_SUCCESS ? NULL : "cuBLASLt refuses a product that it had offered; --disable_cublas avoids it";
}
