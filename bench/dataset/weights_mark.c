#include "weights_mark.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_LANES = 4, BLOCK_BYTES = 1 << 20 };

/* One word into one lane; the multiplier is that of splitmix64. */
static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

/* n is a multiple of 32; lanes are independent, so that memory is the limit and not the multiplier. */
static void add_block(uint64_t lanes[N_LANES], const unsigned char *bytes, size_t n)
{
    for (size_t at = 0; at < n; at += 8 * N_LANES)
        for (int k = 0; k < N_LANES; k++) {
            uint64_t word;
            memcpy(&word, bytes + at + 8 * (size_t)k, 8);
            lanes[k] = mix(lanes[k], word);
        }
}

sam_status weights_mark(const char *path, char text[WEIGHTS_MARK_BYTES], sam_error *err)
{
    uint64_t lanes[N_LANES] = {1, 2, 3, 4}, size = 0, hash = 0;
    FILE *f = fopen(path, "rb");
    unsigned char *block = f ? calloc(1, BLOCK_BYTES) : NULL;
    if (!block) {
        sam_status status = f ? fail(err, SAM_E_MEMORY, "%s: out of memory", path)
                              : fail(err, SAM_E_IO, "%s: %s", path, strerror(errno));
        if (f)
            fclose(f);
        return status;
    }
    for (size_t n; (n = fread(block, 1, BLOCK_BYTES, f)) > 0; size += n) {
        size_t whole = (n + 31) / 32 * 32;
        memset(block + n, 0, whole - n);
        add_block(lanes, block, whole);
    }
    int failed = ferror(f);
    fclose(f);
    free(block);
    if (failed)
        return fail(err, SAM_E_IO, "%s: cannot be read", path);
    for (int k = 0; k < N_LANES; k++)
        hash = mix(hash, lanes[k]);
    snprintf(text, WEIGHTS_MARK_BYTES, "%" PRIu64 "-%016" PRIx64, size, hash);
    return SAM_OK;
}
