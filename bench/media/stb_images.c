/* stb_images.c - BMP, TGA and the first picture of a GIF by stb_image (a header: its code is compiled here and nowhere else).
 *
 * stb_image reads zeros beyond the end of a file, shows wrong colours where it does not know a kind, and stops without a word
 * where a GIF's data end. So each header is checked first, kinds that it and PIL read differently are refused, and a read
 * beyond the end is noticed by the reader below. */
#include "image_decoders.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_ONLY_TGA
#define STBI_ONLY_GIF
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_NO_SIMD
#define STBI_MAX_DIMENSIONS 32768
#include <stb_image.h> /* a header of the system: without warnings */

enum { RLE_MOST_PX = 128, LZW_MOST_PX = 4096 }; /* what one packet of a TGA, one code of a GIF can stand for */

static uint32_t u16(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8;
}

static uint32_t u32(const uint8_t *b)
{
    return u16(b) | u16(b + 2) << 16;
}

static sam_status damaged(const image_file *f, const char *what, sam_error *err)
{
    return fail(err, SAM_E_FORMAT, "%s: damaged or unsupported %s: %s", f->path, image_format_name(f->format), what);
}

static sam_status cut_short(const image_file *f, sam_error *err)
{
    return damaged(f, "it is cut short", err);
}

/* ---- BMP ------------------------------------------------------------------------------------------------------- */

typedef struct bmp {
    size_t pixels, header; /* where the pixels begin; bytes of the second header */
    int64_t width, height; /* the height is negative in the file where the first row is the top one */
    uint32_t bits, compression;
} bmp;

static sam_status bmp_header(const image_file *f, bmp *out, sam_error *err)
{
    const uint8_t *b = f->bytes;
    if (f->n < 54)
        return cut_short(f, err);
    int64_t height = (int32_t)u32(b + 22);
    *out =
        (bmp){u32(b + 10), u32(b + 14), (int32_t)u32(b + 18), height < 0 ? -height : height, u16(b + 28), u32(b + 30)};
    if (out->header != 40 && out->header != 108 && out->header != 124)
        return damaged(f, "its header is none of 40, 108 or 124 bytes; save it as PNG", err);
    return SAM_OK;
}

/* stb_image reads what is behind the palette as colours, PIL refuses or shows black. */
static int palette_holds(const bmp *h, const image_file *f, size_t row_bytes)
{
    size_t n_colours = (h->pixels - 14 - h->header) / 4;
    if (n_colours >= (size_t)1 << h->bits)
        return 1;
    for (int64_t y = 0; y < h->height; y++)
        for (int64_t x = 0; x < h->width; x++) {
            size_t bit = (size_t)x * h->bits;
            int byte = f->bytes[h->pixels + (size_t)y * row_bytes + bit / 8];
            if ((size_t)(byte >> (8 - h->bits - bit % 8) & ((1 << h->bits) - 1)) >= n_colours)
                return 0;
        }
    return 1;
}

static sam_status bmp_check(const image_file *f, sam_error *err)
{
    bmp h;
    TRY(bmp_header(f, &h, err));
    if (h.compression == 1 || h.compression == 2)
        return damaged(f, "run lengths (RLE) are not read; save it without compression, or as PNG", err);
    if (h.compression != 0 && !(h.compression == 3 && h.bits == 32))
        return damaged(f, "a compression that is not read; save it without, or as PNG", err);
    if (h.bits != 1 && h.bits != 4 && h.bits != 8 && h.bits != 24 && h.bits != 32)
        return damaged(f, "only 1, 4, 8, 24 and 32 bits a pixel are read; save it with 24, or as PNG", err);
    size_t row_bytes = ((size_t)h.width * h.bits + 31) / 32 * 4;
    if (h.pixels < 14 + h.header || h.pixels > f->n || f->n - h.pixels < row_bytes * (size_t)h.height)
        return cut_short(f, err);
    if (h.bits < 16 && !palette_holds(&h, f, row_bytes))
        return damaged(f, "a pixel has a colour that the palette lacks", err);
    return SAM_OK;
}

/* ---- TGA ------------------------------------------------------------------------------------------------------- */

static sam_status tga_check(const image_file *f, sam_error *err)
{
    const uint8_t *b = f->bytes;
    size_t n_px = (size_t)u16(b + 12) * u16(b + 14), bytes = b[16] / 8;
    size_t at = 18 + (size_t)b[0] + (b[1] ? (size_t)u16(b + 5) * (b[7] / 8) : 0);
    int runs = b[2] >= 8;
    if (b[17] & 0x10)
        return damaged(f, "its rows run from right to left, which is not read; save it as PNG", err);
    if (b[1] && u16(b + 3))
        return damaged(f, "its palette does not begin with colour 0, which is not read; save it as PNG", err);
    if (at > f->n || (f->n - at) / (runs ? 1 + bytes : bytes) < (runs ? (n_px + RLE_MOST_PX - 1) / RLE_MOST_PX : n_px))
        return cut_short(f, err);
    return SAM_OK;
}

/* ---- GIF ------------------------------------------------------------------------------------------------------- */

/* Transparent pixels have the colour of the palette for PIL's convert("RGB"): the flag that says which they are is taken away. */
static sam_status gif_check(image_file *f, sam_error *err)
{
    gif_blocks g = gif_look(f);
    size_t n_px = (size_t)u16(f->bytes + 6) * u16(f->bytes + 8);
    if (!g.n_pictures || n_px / LZW_MOST_PX > f->n)
        return cut_short(f, err);
    if (g.x || g.y || (uint32_t)g.width != u16(f->bytes + 6) || (uint32_t)g.height != u16(f->bytes + 8))
        return damaged(f, "its first picture covers only a part, which is not read; save it as PNG", err);
    if (g.control)
        f->bytes[g.control] &= 0xfe;
    return SAM_OK;
}

/* ---- the decoder ----------------------------------------------------------------------------------------------- */

typedef struct stb_reader {
    stbi__context context;
    const image_file *f;
    size_t at;
    int beyond; /* more was asked for than there is */
} stb_reader;

/* stb_image fills its buffer with what there is; only what it asks for by name, or with nothing left, must be there. */
static int on_read(void *user, char *out, int n_wanted)
{
    stb_reader *r = user;
    size_t left = r->f->n - r->at, n = left < (size_t)n_wanted ? left : (size_t)n_wanted;
    int fills = (uint8_t *)out == r->context.buffer_start;
    r->beyond |= !n || (!fills && n < (size_t)n_wanted);
    memcpy(out, r->f->bytes + r->at, n);
    r->at += n;
    return (int)n;
}

static void on_skip(void *user, int n)
{
    stb_reader *r = user;
    size_t left = r->f->n - r->at, step = n < 0 ? 0 : (size_t)n;
    r->beyond |= n < 0 || step > left;
    r->at += step < left ? step : left;
}

static int on_eof(void *user)
{
    const stb_reader *r = user;
    return r->at >= r->f->n;
}

/* stbi__gif_load, with a look at which pixels were drawn: a raster may end early. */
static uint8_t *load_gif(stbi__context *s, int *width, int *height, int *whole)
{
    stbi__gif *g = calloc(1, sizeof *g);
    int n_channels = 0;
    if (!g)
        return NULL;
    uint8_t *rgb = stbi__gif_load_next(s, g, &n_channels, 4, NULL);
    size_t n = (size_t)g->w * (size_t)g->h;
    *whole = rgb && rgb == g->out && !memchr(g->history, 0, n);
    *width = g->w;
    *height = g->h;
    rgb = *whole ? stbi__convert_format(g->out, 4, 3, (unsigned)g->w, (unsigned)g->h) : NULL; /* frees g->out */
    if (!*whole)
        free(g->out);
    free(g->history);
    free(g->background);
    free(g);
    return rgb;
}

sam_status stb_size(const image_file *f, int64_t *width, int64_t *height, sam_error *err)
{
    const uint8_t *b = f->bytes;
    bmp h;
    switch (f->format) {
    case IMAGE_BMP:
        TRY(bmp_header(f, &h, err));
        *width = h.width;
        *height = h.height;
        return SAM_OK;
    case IMAGE_TGA: /* image_format_of has seen the whole header */
        *width = u16(b + 12);
        *height = u16(b + 14);
        return SAM_OK;
    default:
        if (f->n < 13)
            return cut_short(f, err);
        *width = u16(b + 6);
        *height = u16(b + 8);
        return SAM_OK;
    }
}

sam_status stb_rgb(image_file *f, int width, int height, uint8_t *rgb, sam_error *err)
{
    static const stbi_io_callbacks calls = {on_read, on_skip, on_eof};
    stbi__result_info info = {.bits_per_channel = 8};
    int w = 0, h = 0, n_channels = 0, whole = 1;
    TRY(f->format == IMAGE_BMP ? bmp_check(f, err) : f->format == IMAGE_TGA ? tga_check(f, err) : gif_check(f, err));
    if ((int64_t)width * height > INT_MAX / 4)
        return fail(err, SAM_E_FORMAT, "%s: %d x %d pixels are too many for a %s; save it as PNG", f->path, width,
                    height, image_format_name(f->format));
    stb_reader *r = calloc(1, sizeof *r);
    if (!r)
        return fail(err, SAM_E_MEMORY, "%s: no memory to read it", f->path);
    r->f = f;
    stbi__start_callbacks(&r->context, (stbi_io_callbacks *)(uintptr_t)&calls, r);
    uint8_t *pixels = f->format == IMAGE_BMP   ? stbi__bmp_load(&r->context, &w, &h, &n_channels, 3, &info)
                      : f->format == IMAGE_TGA ? stbi__tga_load(&r->context, &w, &h, &n_channels, 3, &info)
                                               : load_gif(&r->context, &w, &h, &whole);
    sam_status status = SAM_OK;
    if (r->beyond)
        status = cut_short(f, err);
    else if (!pixels)
        status = damaged(f, whole ? stbi_failure_reason() : "its data end before the picture does", err);
    else if (w != width || h != height)
        status = damaged(f, "its size changed while it was read", err);
    else
        memcpy(rgb, pixels, 3 * (size_t)width * (size_t)height);
    stbi_image_free(pixels);
    free(r);
    return status;
}

int stb_is_here(void)
{
    return 1;
}
