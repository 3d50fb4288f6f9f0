#include "image_format.h"

#include <string.h>

static int begins(const uint8_t *first, size_t n, size_t at, const char *mark, size_t n_mark)
{
    return n >= at + n_mark && memcmp(first + at, mark, n_mark) == 0;
}

/* After "P5": white space, or a comment. */
static int is_pnm(const uint8_t *first, size_t n)
{
    return n > 2 && first[0] == 'P' && first[1] >= '1' && first[1] <= '6' && strchr(" \t\r\n\v\f#", first[2]) &&
           first[2];
}

/* The size of the second header tells a bitmap from a text that begins with "BM". */
static int is_bmp(const uint8_t *first, size_t n)
{
    return begins(first, n, 0, "BM", 2) && n >= 18 && first[14] >= 12 && first[14] <= 124 && !first[15] && !first[16] &&
           !first[17];
}

/* Truevision's header: id length, has a palette, kind, palette (first, count, bits), origin, width, height, bits, flags. */
static int is_tga(const uint8_t *first, size_t n)
{
    static const uint8_t none[5] = {0};
    if (n < 18 || !(first[12] | first[13]) || !(first[14] | first[15]) || first[17] & 0xc0)
        return 0;
    int palette_bits = first[7], bits = first[16];
    switch (first[2]) {
    case 1:
    case 9:
        return first[1] == 1 && bits == 8 && (palette_bits == 16 || palette_bits == 24 || palette_bits == 32);
    case 2:
    case 10:
        return !first[1] && !memcmp(first + 3, none, sizeof none) && (bits == 16 || bits == 24 || bits == 32);
    case 3:
    case 11:
        return !first[1] && !memcmp(first + 3, none, sizeof none) && (bits == 8 || bits == 16);
    default:
        return 0;
    }
}

image_format image_format_of(const uint8_t *first, size_t n)
{
    if (begins(first, n, 0, "\x89PNG\r\n\x1a\n", 8))
        return IMAGE_PNG;
    if (begins(first, n, 0, "\xff\xd8\xff", 3))
        return IMAGE_JPEG;
    if (begins(first, n, 0, "GIF87a", 6) || begins(first, n, 0, "GIF89a", 6))
        return IMAGE_GIF;
    if (begins(first, n, 0, "RIFF", 4) && begins(first, n, 8, "WEBP", 4))
        return IMAGE_WEBP;
    if (is_bmp(first, n))
        return IMAGE_BMP;
    if (is_pnm(first, n))
        return IMAGE_PNM;
    return is_tga(first, n) ? IMAGE_TGA : IMAGE_UNKNOWN;
}

const char *image_format_name(image_format f)
{
    static const char *const names[N_IMAGE_FORMATS] = {"unknown", "JPEG", "PNG", "BMP", "TGA", "PNM", "GIF", "WebP"};
    return f > 0 && f < N_IMAGE_FORMATS ? names[f] : names[0];
}
