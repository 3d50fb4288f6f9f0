#include "finite.h"

#include <string.h>

enum { BLOCK = 4096 };

/* All bits of the exponent are set in what is not finite. Blocks are looked through without a branch for each value. */
#define FIND(name, word, exponent)                                                                                     \
    static int64_t name(const char *bytes, int64_t n)                                                                  \
    {                                                                                                                  \
        for (int64_t from = 0; from < n; from += BLOCK) {                                                              \
            int64_t to = from + BLOCK < n ? from + BLOCK : n;                                                          \
            int any = 0;                                                                                               \
            for (int64_t i = from; i < to; i++) {                                                                      \
                word x;                                                                                                \
                memcpy(&x, bytes + (size_t)i * sizeof x, sizeof x);                                                    \
                any |= (x & (exponent)) == (exponent);                                                                 \
            }                                                                                                          \
            for (int64_t i = from; any && i < to; i++) {                                                               \
                word x;                                                                                                \
                memcpy(&x, bytes + (size_t)i * sizeof x, sizeof x);                                                    \
                if ((x & (exponent)) == (exponent))                                                                    \
                    return i;                                                                                          \
            }                                                                                                          \
        }                                                                                                              \
        return -1;                                                                                                     \
    }

FIND(first_f32, uint32_t, 0x7f800000u)
FIND(first_f16, uint16_t, 0x7c00u)
FIND(first_bf16, uint16_t, 0x7f80u)

int64_t first_not_finite(const void *values, st_dtype type, int64_t n)
{
    switch (type) {
    case ST_F32:
        return first_f32(values, n);
    case ST_F16:
        return first_f16(values, n);
    case ST_BF16:
        return first_bf16(values, n);
    default:
        return -1;
    }
}

sam_status tensors_check_finite(const char *path, const st_tensor *tensors, size_t n, sam_error *err)
{
    for (size_t i = 0; i < n; i++) {
        int64_t at = first_not_finite(tensors[i].data, tensors[i].dtype, st_count(&tensors[i]));
        if (at >= 0)
            return fail(
                err, SAM_E_FORMAT,
                "%s: tensor %s: value %lld of %lld is NaN or infinite, so every mask would be; the file is damaged, or "
                "its training had diverged: get it again",
                path, tensors[i].name, (long long)at, (long long)st_count(&tensors[i]));
    }
    return SAM_OK;
}
