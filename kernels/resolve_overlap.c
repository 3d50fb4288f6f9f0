/* Works through blocks of a row, all objects of one before the next, so that the running best stays in the cache. */
#include "resolve_overlap.h"

#include <assert.h>

enum { BLOCK_PX = 1024 }; /* whole words of a packed mask */

/* `|` and `&` instead of `||` and `&&`: without branches the loop vectorises. */
static inline int beats(float challenger, float best)
{
    return (challenger > best) | ((challenger != challenger) & (best == best));
}

/* n pixels from `start` of a plane on, which are those from word `at` of a mask's rows on. */
static void resolve_block(const float *const *logits, packed_mask *const *masks, int k, size_t start, size_t n,
                          size_t at)
{
    float best[BLOCK_PX];
    int winner[BLOCK_PX];
    uint8_t mask[BLOCK_PX];
    for (size_t i = 0; i < n; i++) {
        best[i] = logits[0][start + i];
        winner[i] = 0;
    }
    for (int o = 1; o < k; o++) {
        const float *plane = logits[o] + start;
#pragma omp simd
        for (size_t i = 0; i < n; i++) {
            float v = plane[i], b = best[i];
            int wins = beats(v, b);
            winner[i] = wins ? o : winner[i];
            best[i] = wins ? v : b;
        }
    }
    for (int o = 0; o < k; o++) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            mask[i] = (uint8_t)((winner[i] == o) & (best[i] > 0));
        mask_pack(mask, n, 0, mask_rows(masks[o]) + at);
    }
}

void resolve_overlap(const float *const *logits, packed_mask *const *masks, int k, int w, int h, int n_threads)
{
    assert(k > 0 && w > 0 && n_threads > 0);
    size_t n = (size_t)w, row_words = mask_row_words(w);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int y = 0; y < h; y++)
        for (size_t x = 0; x < n; x += BLOCK_PX)
            resolve_block(logits, masks, k, (size_t)y * n + x, n - x < BLOCK_PX ? n - x : BLOCK_PX,
                          (size_t)y * row_words + x / 64);
}
