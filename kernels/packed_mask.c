/* Packed masks on the host; see packed_mask.h. */
#include "packed_mask.h"

#include "op.h"

extern const mask_loops mask_loops_baseline;
#ifdef __x86_64__
extern const mask_loops mask_loops_avx2;
#endif

/* AVX-512 is no gain: 1080p is unpacked in 0.06 ms with AVX2, in 0.16 ms by what GCC 12 makes of the comparison. */
const mask_loops *mask_loops_select(const char *variant)
{
    int level = op_cpu_level(variant);
#ifdef __x86_64__
    if (level > 0)
        return &mask_loops_avx2;
#endif
    return level < 0 ? NULL : &mask_loops_baseline;
}

void mask_pack(const uint8_t *px, size_t n, int value, uint64_t *words)
{
    mask_loops_select(NULL)->pack(px, n, value, words);
}

void mask_unpack(const uint64_t *words, size_t n, uint8_t *px)
{
    mask_loops_select(NULL)->unpack(words, n, px);
}

int64_t mask_count(const uint64_t *a, size_t n_words)
{
    return mask_loops_select(NULL)->count(a, n_words);
}

int64_t mask_count_both(const uint64_t *a, const uint64_t *b, size_t n_words)
{
    return mask_loops_select(NULL)->count_both(a, b, n_words);
}

void packed_mask_measure(packed_mask *m, int w, int h)
{
    size_t n = mask_row_words(w);
    const uint64_t *rows = mask_rows_of(m);
    *m = (packed_mask){.box = {w, h, -1, -1}, .area = (int32_t)mask_count(rows, n * (size_t)h)};
    for (int y = 0; m->area && y < h; y++) {
        const uint64_t *row = rows + (size_t)y * n;
        size_t first = 0, last = n - 1;
        while (first < n && !row[first])
            first++;
        if (first == n)
            continue;
        while (!row[last])
            last--;
        int x0 = (int)first * 64 + __builtin_ctzll(row[first]), x1 = (int)last * 64 + 63 - __builtin_clzll(row[last]);
        m->box[0] = x0 < m->box[0] ? x0 : m->box[0];
        m->box[1] = y < m->box[1] ? y : m->box[1];
        m->box[2] = x1 > m->box[2] ? x1 : m->box[2];
        m->box[3] = y;
    }
}
