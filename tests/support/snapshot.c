#include "snapshot.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

void check_mask(const sam_mask *m)
{
    int w = m->width_px, h = m->height_px, area = 0, x0 = w, y0 = h, x1 = -1, y1 = -1;
    size_t row_bytes = (size_t)w + 3;
    uint8_t *bytes = malloc(row_bytes * (size_t)h);
    assert_non_null(bytes);
    memset(bytes, 7, row_bytes * (size_t)h);
    sam_mask_bytes(m, bytes, row_bytes);
    for (int y = 0; y < h; y++) {
        const uint64_t *words = m->words + (size_t)y * m->row_words;
        const uint8_t *row = bytes + (size_t)y * row_bytes;
        for (int x = 0; x < 64 * (int)m->row_words; x++)
            assert_int_equal(words[x / 64] >> x % 64 & 1, x < w ? row[x] : 0);
        for (int x = 0; x < w; x++) {
            if (!row[x])
                continue;
            area++;
            x0 = x < x0 ? x : x0;
            x1 = x > x1 ? x : x1;
            y0 = y < y0 ? y : y0;
            y1 = y;
        }
        assert_true(row[w] == 7 && row[w + 1] == 7 && row[w + 2] == 7);
    }
    const sam_box box = {(float)x0, (float)y0, (float)x1, (float)y1};
    assert_int_equal(m->area_px, area);
    assert_memory_equal(&m->box, &box, sizeof box);
    free(bytes);
}

void snapshot_take(sam_session *s, int32_t object, int width, int height, snapshot *out)
{
    sam_mask m;
    sam_error err;
    if (sam_get_mask(s, object, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    memset(out, 0, sizeof *out);
    out->n_logits = m.logits_px * m.logits_px;
    assert_in_range(out->n_logits, 1, SNAPSHOT_LOGITS);
    memcpy(out->logits, m.logits, (size_t)out->n_logits * sizeof(float));
    memcpy(out->pointer, m.pointer, sizeof out->pointer);
    out->iou = m.iou;
    out->presence = m.presence;
    out->prompted = m.prompted;
    out->n_bits = (size_t)width * (size_t)height;
    assert_true(m.width_px == width && m.height_px == height);
    sam_mask_bytes(&m, out->bits, (size_t)width);
    for (int i = 0; i < out->n_logits; i++)
        assert_true(isfinite(out->logits[i]));
    for (int i = 0; i < SNAPSHOT_POINTER; i++)
        assert_true(isfinite(out->pointer[i]));
    check_mask(&m);
    assert_true(isfinite(out->iou) && isfinite(out->presence));
}

int snapshot_same(const snapshot *a, const snapshot *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

double relative_error(const float *a, const float *b, size_t n)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return !isfinite(error) || !isfinite(norm) ? INFINITY : norm > 0 ? sqrt(error / norm) : sqrt(error);
}

double snapshot_error(const snapshot *a, const snapshot *b)
{
    double logits = relative_error(a->logits, b->logits, (size_t)b->n_logits);
    double pointer = relative_error(a->pointer, b->pointer, SNAPSHOT_POINTER);
    return fmax(fmax(logits, pointer), fmax(fabs((double)a->iou - b->iou), fabs((double)a->presence - b->presence)));
}

size_t snapshot_bits_changed(const snapshot *a, const snapshot *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_bits; i++)
        n += a->bits[i] != b->bits[i];
    return n;
}

static void prompt(sam_session *s, int32_t object, const sam_prompt_set *p)
{
    sam_error err;
    if (sam_prompt(s, object, p, &err) != SAM_OK)
        fail_msg("%s", err.text);
}

void prompt_point(sam_session *s, int32_t object, float x, float y, int label)
{
    prompt(s, object, &(sam_prompt_set){.points = &(sam_point){x, y, label}, .n_points = 1});
}

void prompt_box(sam_session *s, int32_t object, float x0, float y0, float x1, float y1)
{
    prompt(s, object, &(sam_prompt_set){.box = &(sam_box){x0, y0, x1, y1}});
}

void prompt_mask(sam_session *s, int32_t object, const uint8_t *mask)
{
    prompt(s, object, &(sam_prompt_set){.mask = mask});
}

void track(sam_session *s, sam_direction direction)
{
    sam_error err;
    if (sam_track(s, direction, &err) != SAM_OK)
        fail_msg("%s", err.text);
}
