/* prepared.c - see prepared.h. Values of images are finite and small: infinities need no care. */
#include "prepared.h"

#include "steps.h"

#include <string.h>

#define EXPONENTS 0x1p-112f /* between the exponent biases of float and half */

static float half_to_float(uint16_t h)
{
    uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
    float x;
    memcpy(&x, &bits, sizeof x);
    x /= EXPONENTS;
    return h & 0x8000 ? -x : x;
}

/* To nearest, ties to even. */
static uint16_t float_to_half(float x)
{
    uint32_t sign, bits;
    memcpy(&sign, &x, sizeof sign);
    x = (sign >> 31 ? -x : x) * EXPONENTS;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0xfff + (bits >> 13 & 1)) >> 13;
    return (uint16_t)(bits | (sign >> 16 & 0x8000));
}

/* The input is three planes' worth of values; one plane of host memory is at hand: s->mask_image. */
enum { PARTS = 3 };

static size_t part_count(const sam_session *s)
{
    return (size_t)s->m->size.side_px * (size_t)s->m->size.side_px;
}

sam_status session_prepare(sam_session *s, const sam_frame *f, uint16_t *half, sam_error *err)
{
    const backend_api *api = s->b->api;
    size_t n = part_count(s);
    int place;
    TRY(begin_prepared(s, f->index, &place, err));
    api->stage(s->pictures, place, f->rgb, f->row_bytes);
    TRY(device_status(s, "resizing", api->preprocess(s->pictures, s->encode_stream, place, s->st.image), err));
    for (size_t part = 0; part < PARTS; part++) {
        const float *from = s->st.image + part * n;
        const char *wrong = api->read(s->b, s->encode_stream, s->mask_image, from, n * sizeof(float));
        wrong = wrong ? wrong : api->wait(s->b, s->encode_stream);
        TRY(device_status(s, "reading back", wrong, err));
        for (size_t i = 0; i < n; i++)
            half[part * n + i] = float_to_half(s->mask_image[i]);
    }
    return SAM_OK;
}

sam_status session_push_prepared(sam_session *s, const uint16_t *half, int64_t index, sam_error *err)
{
    const backend_api *api = s->b->api;
    size_t n = part_count(s);
    int place;
    TRY(begin_prepared(s, index, &place, err));
    for (size_t part = 0; part < PARTS; part++) {
        for (size_t i = 0; i < n; i++)
            s->mask_image[i] = half_to_float(half[part * n + i]);
        const char *wrong =
            api->write(s->b, s->encode_stream, s->st.image + part * n, s->mask_image, n * sizeof(float));
        wrong = wrong ? wrong : api->wait(s->b, s->encode_stream); /* before the plane is used again */
        s->stats.waits += !api->host_memory;
        TRY(device_status(s, "prepared frame", wrong, err));
    }
    return encode_prepared(s, place, err);
}
