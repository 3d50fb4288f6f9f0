#include "digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static sam_status finish(EVP_MD_CTX *ctx, int ok, char out[DIGEST_TEXT], sam_error *err)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    ok = ok && EVP_DigestFinal_ex(ctx, raw, &n) == 1 && 2 * n + 1 == DIGEST_TEXT;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return fail(err, SAM_E_MEMORY, "SHA-256 cannot be computed");
    for (unsigned i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
    return SAM_OK;
}

sam_status digest_bytes(const void *data, size_t n_bytes, char out[DIGEST_TEXT], sam_error *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(ctx, data, n_bytes) == 1;
    return finish(ctx, ok, out, err);
}

static const char *numpy_name(st_dtype t)
{
    switch (t) {
    case ST_F32:
        return "float32";
    case ST_F16:
        return "float16";
    case ST_BF16:
        return "bfloat16";
    case ST_I64:
        return "int64";
    default:
        return st_dtype_name(t);
    }
}

static int update_tensor(EVP_MD_CTX *ctx, const st_tensor *t)
{
    char text[512];
    int at = snprintf(text, sizeof text, "%.200s|%s|", t->name, numpy_name(t->dtype));
    for (int d = 0; d < t->n_dims; d++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%lld", d ? "," : "", (long long)t->shape[d]);
    text[at++] = '\n';
    return EVP_DigestUpdate(ctx, text, (size_t)at) == 1 && EVP_DigestUpdate(ctx, t->data, t->n_bytes) == 1;
}

sam_status digest_tensors(const tensor_set *s, char out[DIGEST_TEXT], sam_error *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < s->n_tensors && ok; i++)
        ok = update_tensor(ctx, &s->tensors[i]);
    return finish(ctx, ok, out, err);
}
