/* By the calls that allocate nothing: those that look a digest up (EVP) end the process when memory is refused while
 * OpenSSL 3 sets itself up. They are called deprecated and are what the others call. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "digest.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

_Static_assert(DIGEST_TEXT == 2 * SHA256_DIGEST_LENGTH + 1, "two digits a byte");

static sam_status finish(SHA256_CTX *ctx, int ok, char out[DIGEST_TEXT], sam_error *err)
{
    unsigned char raw[SHA256_DIGEST_LENGTH];
    if (!ok || SHA256_Final(raw, ctx) != 1)
        return fail(err, SAM_E_MEMORY, "SHA-256 cannot be computed");
    for (unsigned i = 0; i < sizeof raw; i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
    return SAM_OK;
}

sam_status digest_bytes(const void *data, size_t n_bytes, char out[DIGEST_TEXT], sam_error *err)
{
    SHA256_CTX ctx;
    int ok = SHA256_Init(&ctx) == 1 && SHA256_Update(&ctx, data, n_bytes) == 1;
    return finish(&ctx, ok, out, err);
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

static int update_tensor(SHA256_CTX *ctx, const st_tensor *t)
{
    char text[512];
    int at = snprintf(text, sizeof text, "%.200s|%s|", t->name, numpy_name(t->dtype));
    for (int d = 0; d < t->n_dims; d++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%lld", d ? "," : "", (long long)t->shape[d]);
    text[at++] = '\n';
    return SHA256_Update(ctx, text, (size_t)at) == 1 && SHA256_Update(ctx, t->data, t->n_bytes) == 1;
}

sam_status digest_tensors(const tensor_set *s, char out[DIGEST_TEXT], sam_error *err)
{
    SHA256_CTX ctx;
    int ok = SHA256_Init(&ctx) == 1;
    for (size_t i = 0; i < s->n_tensors && ok; i++)
        ok = update_tensor(&ctx, &s->tensors[i]);
    return finish(&ctx, ok, out, err);
}
