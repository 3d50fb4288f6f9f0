/* Works through blocks of pixels, all objects of one before the next, so that the running best stays in the cache. */
#include "resolve_overlap.h"

#include <assert.h>

enum { BLOCK_PX = 1024 };

/* `|` and `&` instead of `||` and `&&`: without branches the loop vectorises. */
static inline int beats(float challenger, float best)
{
    return (challenger > best) | ((challenger != challenger) & (best == best));
}

static void resolve_block(const float *const *logits, uint8_t *const *masks, int k, size_t start, size_t n)
{
    float best[BLOCK_PX];
    int winner[BLOCK_PX];
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
        uint8_t *mask = masks[o] + start;
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            mask[i] = (uint8_t)((winner[i] == o) & (best[i] > 0));
    }
}

void resolve_overlap(const float *const *logits, uint8_t *const *masks, int k, size_t n_px, int n_threads)
{
    assert(k > 0 && n_threads > 0);
    int64_t n_blocks = (int64_t)((n_px + BLOCK_PX - 1) / BLOCK_PX);
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (int64_t b = 0; b < n_blocks; b++) {
        size_t start = (size_t)b * BLOCK_PX;
        resolve_block(logits, masks, k, start, n_px - start < BLOCK_PX ? n_px - start : BLOCK_PX);
    }
}
