/* pnm_image.c - netpbm's PBM, PGM and PPM, plain (P1 to P3) and raw (P4 to P6), scaled to 8 bits as PIL's PpmImagePlugin does. */
#include "image_decoders.h"

#include <math.h>
#include <string.h>

typedef struct pnm {
    const image_file *f;
    size_t at;
    int kind; /* 1 to 6, as in the first two bytes */
    int64_t width, height;
    int64_t most; /* the value of white; 1 for PBM */
} pnm;

static int is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_space(pnm *p)
{
    while (p->at < p->f->n && (is_space(p->f->bytes[p->at]) || p->f->bytes[p->at] == '#'))
        if (p->f->bytes[p->at++] == '#')
            while (p->at < p->f->n && p->f->bytes[p->at] != '\n')
                p->at++;
}

/* The next number; -1 if there is none or it has more than nine digits. */
static int64_t next_number(pnm *p)
{
    int64_t v = 0;
    int n_digits = 0;
    skip_space(p);
    for (; p->at < p->f->n && p->f->bytes[p->at] >= '0' && p->f->bytes[p->at] <= '9' && n_digits < 10; n_digits++)
        v = v * 10 + (p->f->bytes[p->at++] - '0');
    return n_digits && n_digits < 10 ? v : -1;
}

static sam_status damaged(const image_file *f, const char *what, sam_error *err)
{
    return fail(err, SAM_E_FORMAT, "%s: damaged or unsupported PNM: %s", f->path, what);
}

/* Leaves p->at at the first byte of the pixels. */
static sam_status read_header(pnm *p, const image_file *f, sam_error *err)
{
    *p = (pnm){.f = f, .at = 2, .kind = f->bytes[1] - '0', .most = 1};
    int is_bits = p->kind == 1 || p->kind == 4;
    p->width = next_number(p);
    p->height = next_number(p);
    if (!is_bits)
        p->most = next_number(p);
    if (p->width < 0 || p->height < 0 || p->most < 1 || p->most > 65535)
        return damaged(f, "its header is not width, height and greatest value (1 to 65535)", err);
    if (p->at >= f->n || !is_space(f->bytes[p->at]))
        return damaged(f, "no white space behind its header", err);
    p->at++;
    if (p->most > 255 && (p->kind == 2 || p->kind == 5))
        return fail(err, SAM_E_FORMAT,
                    "%s: 16 bit gray PNM (values up to %lld); scale it to 8 bits, or write a 16 bit PNG", f->path,
                    (long long)p->most);
    return SAM_OK;
}

sam_status pnm_size(const image_file *f, int64_t *width, int64_t *height, sam_error *err)
{
    pnm p;
    TRY(read_header(&p, f, err));
    *width = p.width;
    *height = p.height;
    return SAM_OK;
}

/* Python's round() of value / most * 255: to the nearest, halves to even. */
static uint8_t scaled(int64_t value, int64_t most)
{
    double v = rint((double)value / (double)most * 255);
    return v > 255 ? 255 : (uint8_t)v;
}

/* PBM: a set bit is black. Raw rows begin on a byte; plain bits may stand without space between them. */
static sam_status read_bits(pnm *p, uint8_t *rgb, sam_error *err)
{
    const image_file *f = p->f;
    size_t row_bytes = ((size_t)p->width + 7) / 8;
    if (p->kind == 4 && f->n - p->at < row_bytes * (size_t)p->height)
        return damaged(f, "it is cut short", err);
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++, rgb += 3) {
            int bit;
            if (p->kind == 4) {
                bit = f->bytes[p->at + (size_t)y * row_bytes + (size_t)x / 8] >> (7 - x % 8) & 1;
            } else {
                skip_space(p);
                if (p->at >= f->n || (f->bytes[p->at] != '0' && f->bytes[p->at] != '1'))
                    return damaged(f, p->at < f->n ? "a pixel is neither 0 nor 1" : "it is cut short", err);
                bit = f->bytes[p->at++] == '1';
            }
            memset(rgb, bit ? 0 : 255, 3);
        }
    return SAM_OK;
}

static sam_status next_sample(pnm *p, uint8_t *sample, sam_error *err)
{
    const uint8_t *b = p->f->bytes;
    int64_t v;
    if (p->kind < 4) {
        v = next_number(p);
        if (v < 0 || v > p->most)
            return damaged(p->f, v < 0 ? "it is cut short, or a value is no number" : "a value is above the greatest",
                           err);
    } else if (p->most > 255) { /* the caller has checked that the bytes are there */
        v = b[p->at] << 8 | b[p->at + 1];
        p->at += 2;
    } else {
        v = b[p->at++];
    }
    *sample = p->most == 255 ? (uint8_t)v : scaled(v, p->most);
    return SAM_OK;
}

sam_status pnm_rgb(image_file *f, int width, int height, uint8_t *rgb, sam_error *err)
{
    pnm p;
    TRY(read_header(&p, f, err));
    size_t n_px = (size_t)width * (size_t)height;
    if (p.kind == 1 || p.kind == 4)
        return read_bits(&p, rgb, err);
    size_t n_samples = p.kind % 3 ? 1 : 3; /* 3 and 6 are colour */
    size_t bytes = p.kind < 4     ? 2
                   : p.most > 255 ? 2
                                  : 1; /* a plain value takes a digit and a space, but for the last */
    if (f->n + (p.kind < 4) - p.at < n_px * n_samples * bytes)
        return damaged(f, "it is cut short", err);
    for (size_t i = 0; i < n_px; i++, rgb += 3) {
        for (size_t c = 0; c < n_samples; c++)
            TRY(next_sample(&p, rgb + c, err));
        if (n_samples == 1)
            rgb[1] = rgb[2] = rgb[0];
    }
    return SAM_OK;
}
