/* packed_mask.h - masks of one bit a pixel, with their box and area: what leaves a device, and what the API's users get.
 *
 * A mask of w x h pixels is one block of packed_mask_bytes(w, h): this header, then h rows of mask_row_words(w) words of 64
 * bits. Pixel x of a row is bit x % 64 of word x / 64, which in memory is bit x % 8 of byte x / 8; bits beyond the width
 * are 0. 1920 x 1080 pixels take 253 KiB. Blocks are aligned for uint64_t. Plain C, for kernels too. */
#ifndef PACKED_MASK_H
#define PACKED_MASK_H

#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words of 64 bits are written as bytes and as words of 32 bits"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Source: sam2 utils/misc.py mask_to_box. */
typedef struct packed_mask {
    int32_t box[4];                /* x_min, y_min, x_max, y_max in pixels, inclusive; w, h, -1, -1 of an empty mask */
    int32_t area;                  /* pixels of the object; 0: empty                                                 */
    int32_t above_low, above_high; /* of screened masks: pixels above those levels; else 0 */
    int32_t unused;
} packed_mask;

/* Logits that masks are cut at: `at` makes the mask; how much it grows down to `low` and shrinks up to `high` tells how
 * stable it is. low <= at <= high. */
typedef struct mask_levels {
    float low, at, high;
} mask_levels;

static inline size_t mask_row_words(int w)
{
    return ((size_t)w + 63) / 64;
}
static inline size_t packed_mask_bytes(int w, int h)
{
    return sizeof(packed_mask) + (size_t)h * mask_row_words(w) * 8;
}
/* [h, mask_row_words(w)] */
static inline uint64_t *mask_rows(packed_mask *m)
{
    return (uint64_t *)(m + 1);
}
static inline const uint64_t *mask_rows_of(const packed_mask *m)
{
    return (const uint64_t *)(m + 1);
}

/* Fills the header from the rows of a mask of w x h pixels. */
void packed_mask_measure(packed_mask *m, int w, int h);

/* n pixels from the start of a row on, to and from bits; of the last word all bits are written. A pixel is 1 where its byte
 * is not 0 (value 0) or equals `value`; bytes become 0 or 1. */
void mask_pack(const uint8_t *px, size_t n, int value, uint64_t *words);
void mask_unpack(const uint64_t *words, size_t n, uint8_t *px);

/* Bits set in a, and in both. */
int64_t mask_count(const uint64_t *a, size_t n_words);
int64_t mask_count_both(const uint64_t *a, const uint64_t *b, size_t n_words);

/* Each instruction set has its copy of the loops (packed_mask_cpu.c). */
typedef struct mask_loops {
    void (*pack)(const uint8_t *px, size_t n, int value, uint64_t *words);
    void (*unpack)(const uint64_t *words, size_t n, uint8_t *px);
    int64_t (*count)(const uint64_t *a, size_t n_words);
    int64_t (*count_both)(const uint64_t *a, const uint64_t *b, size_t n_words);
} mask_loops;

/* Those of "baseline", "avx2", ...; NULL: this machine's best. NULL if it lacks them. */
const mask_loops *mask_loops_select(const char *variant);

#ifdef __cplusplus
}
#endif

#endif
