/* synthetic_clip.h - the clip of tests/parity/synthetic_clip.py, byte for byte: tests need no image files. */
#ifndef SYNTHETIC_CLIP_H
#define SYNTHETIC_CLIP_H

#include <stddef.h>
#include <stdint.h>

#define SYNTHETIC_WIDTH  160
#define SYNTHETIC_HEIGHT 120
#define SYNTHETIC_SEED   7u

/* Frame t >= 0. rgb: [height, width, 3] u8. ids: [height, width] u8, 0 background, 1..3 the ellipse that is visible;
 * may be NULL. */
void synthetic_frame(int width, int height, uint64_t seed, int t, uint8_t *rgb, uint8_t *ids);

/* FNV-1a of n bytes, continued from h; start with SYNTHETIC_FNV_START. */
#define SYNTHETIC_FNV_START UINT64_C(0xCBF29CE484222325)
uint64_t synthetic_fnv1a(const uint8_t *bytes, size_t n, uint64_t h);

/* The splitmix64 finaliser, and the sampled positions of tests/parity/hash_weights.py: out[i] is a flat index into
 * `size` elements, for i < min(size, count). */
uint64_t synthetic_mix(uint64_t z);
void synthetic_sample_indices(int64_t size, int64_t count, int64_t *out);

#endif
