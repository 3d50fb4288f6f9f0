/* The loops of packed masks; see packed_mask.h. */
#include "packed_mask.h"

#include "op.h"

#include <string.h>

/* Eight pixels to eight bits. */
static inline uint64_t pack_eight(uint64_t px, int value)
{
    const uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f), ones = UINT64_C(0x0101010101010101);
    uint64_t x = px ^ ones * (uint64_t)value;
    uint64_t nonzero = ((((x & low7) + low7) | x) >> 7) & ones;
    /* The product gathers bit 8i at bit 56 + i. */
    uint64_t bits = (nonzero * UINT64_C(0x0102040810204080)) >> 56;
    return value ? ~bits & 0xff : bits;
}

static void pack(const uint8_t *px, size_t n, int value, uint64_t *words)
{
    size_t x = 0;
    for (; x + 64 <= n; x += 64) {
        uint64_t word = 0;
        for (size_t k = 0; k < 8; k++) {
            uint64_t eight;
            memcpy(&eight, px + x + 8 * k, 8);
            word |= pack_eight(eight, value) << 8 * k;
        }
        words[x / 64] = word;
    }
    if (x == n)
        return;
    words[x / 64] = 0;
    for (; x < n; x++)
        words[x / 64] |= (uint64_t)(value ? px[x] == value : px[x] != 0) << (x % 64);
}

typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));

/* Bytes i and j of a word as 16 pixels: each eight times, of which each lane keeps its bit. */
#define UNPACK_16(v, i, j)                                                                                             \
    ((u8x16)((__builtin_shufflevector(v, v, i, i, i, i, i, i, i, i, j, j, j, j, j, j, j, j) & lane_bit) != 0) & 1)

static void unpack_word(uint64_t word, uint8_t px[64])
{
    const u8x16 lane_bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    u8x16 bytes = (u8x16)(u64x2){word, 0};
    u8x16 v[4] = {UNPACK_16(bytes, 0, 1), UNPACK_16(bytes, 2, 3), UNPACK_16(bytes, 4, 5), UNPACK_16(bytes, 6, 7)};
    memcpy(px, v, sizeof v);
}

static void unpack(const uint64_t *words, size_t n, uint8_t *px)
{
    uint8_t last[64];
    size_t x = 0;
    for (; x + 64 <= n; x += 64)
        unpack_word(words[x / 64], px + x);
    if (x == n)
        return;
    unpack_word(words[x / 64], last);
    memcpy(px + x, last, n - x);
}

static int64_t count(const uint64_t *a, size_t n_words)
{
    int64_t n = 0;
    for (size_t i = 0; i < n_words; i++)
        n += __builtin_popcountll(a[i]);
    return n;
}

static int64_t count_both(const uint64_t *a, const uint64_t *b, size_t n_words)
{
    int64_t n = 0;
    for (size_t i = 0; i < n_words; i++)
        n += __builtin_popcountll(a[i] & b[i]);
    return n;
}

extern const mask_loops CPU_FN(mask_loops);
const mask_loops CPU_FN(mask_loops) = {pack, unpack, count, count_both};
