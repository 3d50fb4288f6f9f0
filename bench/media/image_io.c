/* image_io.c - still images, see image_io.h.
 *
 * What the official code sees is what PIL decodes, so pixels follow PIL: no EXIF rotation, no gamma or ICC conversion.
 * PIL is also followed in what it accepts, except that damaged compressed data is an error here and never gray filler:
 * a benchmark must not score it. */
#include "image_io.h"

#include "atomic_file.h"
#include "image_decoders.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jpeglib.h> /* needs stdio.h before it */

#include <jerror.h>
#include <spng.h>

enum {
    MAX_SIDE_PX = 32768,
    MAX_JPEG_SCANS = 200,          /* real progressive files have about ten */
    MAX_JPEG_MEMORY = 1 << 30,     /* of libjpeg itself; progressive files keep all coefficients */
    MAX_PNG_CHUNK_BYTES = 16 << 20 /* profiles and texts */
};

/* ---- memory ---------------------------------------------------------------------------------------------------- */

size_t image_mask_area(const image *mask)
{
    size_t n = 0, all = (size_t)mask->width * (size_t)mask->height;
    for (size_t i = 0; i < all; i++)
        n += mask->data[i] != 0;
    return n;
}

void image_free(image *im)
{
    if (!im)
        return;
    free(im->data);
    *im = (image){0};
}

/* The old pixels need not survive, so this is not realloc. */
static int reserve(image *im, size_t n_bytes)
{
    if (im->capacity >= n_bytes)
        return 1;
    uint8_t *grown = malloc(n_bytes);
    if (!grown)
        return 0;
    free(im->data);
    im->data = grown;
    im->capacity = n_bytes;
    return 1;
}

int image_blank(image *im, int width, int height)
{
    size_t n = (size_t)width * (size_t)height;
    if (!reserve(im, n))
        return 0;
    *im = (image){width, height, 1, im->data, im->capacity};
    memset(im->data, 0, n);
    return 1;
}

static sam_status no_memory(const char *path, int width, int height, sam_error *err)
{
    return fail(err, SAM_E_MEMORY, "%s: no memory for an image of %d x %d", path, width, height);
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

/* Opens a regular file at its start and tells what it holds. stat comes first: opening a FIFO would wait for ever. */
static sam_status open_image(const char *path, FILE **file, image_format *format, sam_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return fail(err, SAM_E_IO, "%s: cannot open image: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return fail(err, SAM_E_IO, "%s: expected an image file, this is a %s", path,
                    S_ISDIR(info.st_mode) ? "folder" : "special file");
    FILE *f = fopen(path, "rb");
    if (!f)
        return fail(err, SAM_E_IO, "%s: cannot open image: %s", path, strerror(errno));

    uint8_t first[IMAGE_FORMAT_BYTES] = {0};
    size_t n = fread(first, 1, sizeof first, f);
    *format = image_format_of(first, n);
    if (*format == IMAGE_UNKNOWN) {
        fclose(f);
        if (n == 0)
            return fail(err, SAM_E_FORMAT, "%s: the file is empty, expected an image", path);
        return fail(err, SAM_E_FORMAT,
                    "%s: not a " IMAGE_FORMATS_SAY " picture (first bytes %02x %02x %02x %02x); convert it to PNG",
                    path, first[0], first[1], first[2], first[3]);
    }
    rewind(f);
    *file = f;
    return SAM_OK;
}

static sam_status check_size(const char *path, int64_t width, int64_t height, sam_error *err)
{
    if (width < 1 || height < 1 || width > MAX_SIDE_PX || height > MAX_SIDE_PX)
        return fail(err, SAM_E_FORMAT, "%s: image of %lld x %lld pixels, sides of 1 to %d are accepted", path,
                    (long long)width, (long long)height, MAX_SIDE_PX);
    return SAM_OK;
}

/* ---- JPEG ------------------------------------------------------------------------------------------------------ */

typedef struct jpeg_reader {
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf give_up;
    char text[JMSG_LENGTH_MAX];
} jpeg_reader;

static void jpeg_on_error(j_common_ptr codec)
{
    jpeg_reader *r = codec->client_data;
    codec->err->format_message(codec, r->text);
    longjmp(r->give_up, 1);
}

/* libjpeg only warns about damaged data and goes on with gray; here that is an error. Level -1 is a warning. */
static void jpeg_on_message(j_common_ptr codec, int level)
{
    if (level >= 0)
        return;
    switch (codec->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
        jpeg_on_error(codec);
        break;
    default: /* unknown versions of headers, bytes between segments: pixels are not affected */
        break;
    }
}

/* A small file can ask for any number of passes over a large image. */
static void jpeg_on_progress(j_common_ptr codec)
{
    jpeg_reader *r = codec->client_data;
    if (codec->is_decompressor && ((j_decompress_ptr)codec)->input_scan_number > MAX_JPEG_SCANS) {
        snprintf(r->text, sizeof r->text, "more than %d scans", MAX_JPEG_SCANS);
        longjmp(r->give_up, 1);
    }
}

/* The caller has done setjmp(r->give_up). */
static void jpeg_begin(jpeg_reader *r, FILE *file)
{
    jpeg_create_decompress(&r->codec);
    r->codec.client_data = r;
    r->codec.progress = &r->progress;
    r->codec.mem->max_memory_to_use = MAX_JPEG_MEMORY;
    jpeg_stdio_src(&r->codec, file);
    jpeg_read_header(&r->codec, TRUE);
}

static void jpeg_prepare(jpeg_reader *r)
{
    memset(r, 0, sizeof *r);
    r->codec.err = jpeg_std_error(&r->errors);
    r->codec.client_data = r; /* an error inside jpeg_create_decompress needs it */
    r->errors.error_exit = jpeg_on_error;
    r->errors.emit_message = jpeg_on_message;
    r->progress.progress_monitor = jpeg_on_progress;
}

static uint8_t mul_255(int a, int b)
{
    int t = a * b + 128;
    return (uint8_t)((t + (t >> 8)) >> 8);
}

/* As PIL: Adobe's files hold inverted inks. */
static void cmyk_to_rgb(const uint8_t *cmyk, int inverted, int width, uint8_t *rgb)
{
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        int paper = inverted ? cmyk[3] : 255 - cmyk[3];
        for (int c = 0; c < 3; c++) {
            int ink = inverted ? 255 - cmyk[c] : cmyk[c];
            rgb[c] = (uint8_t)(paper - mul_255(ink, paper));
        }
    }
}

static void jpeg_read_rows(jpeg_reader *r, int width, int channels, uint8_t *out)
{
    j_decompress_ptr codec = &r->codec;
    JSAMPARRAY inks = NULL;
    if (codec->out_color_space == JCS_CMYK)
        inks = codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE, (JDIMENSION)width * 4, 1);
    while (codec->output_scanline < codec->output_height) {
        JSAMPROW row = out + (size_t)codec->output_scanline * (size_t)width * (size_t)channels;
        if (jpeg_read_scanlines(codec, inks ? inks : &row, 1) == 1 && inks)
            cmyk_to_rgb(inks[0], codec->saw_Adobe_marker, width, row);
    }
    jpeg_finish_decompress(codec); /* reads up to the end marker: a file cut short is noticed */
}

/* channels 3: RGB; 1: gray. data of *out is overwritten also on failure, its size only on success. */
static sam_status jpeg_decode(const char *path, FILE *file, int channels, image *out, sam_error *err)
{
    jpeg_reader r;
    sam_status status = SAM_OK;
    jpeg_prepare(&r);
    if (setjmp(r.give_up)) {
        jpeg_destroy_decompress(&r.codec);
        return fail(err, SAM_E_FORMAT, "%s: damaged or unsupported JPEG: %s", path, r.text);
    }
    jpeg_begin(&r, file);
    int width = (int)r.codec.image_width, height = (int)r.codec.image_height;
    int ink = r.codec.jpeg_color_space == JCS_CMYK || r.codec.jpeg_color_space == JCS_YCCK;
    r.codec.out_color_space = channels == 1 ? JCS_GRAYSCALE : ink ? JCS_CMYK : JCS_RGB;
    r.codec.dct_method = JDCT_ISLOW;
    r.codec.do_fancy_upsampling = TRUE;
    status = check_size(path, width, height, err);
    if (status == SAM_OK && !reserve(out, (size_t)width * (size_t)height * (size_t)channels))
        status = no_memory(path, width, height, err);
    if (status == SAM_OK) {
        jpeg_start_decompress(&r.codec);
        jpeg_read_rows(&r, width, channels, out->data);
        out->width = width;
        out->height = height;
        out->channels = channels;
    }
    jpeg_destroy_decompress(&r.codec);
    return status;
}

static sam_status jpeg_size(const char *path, FILE *file, int *width, int *height, sam_error *err)
{
    jpeg_reader r;
    jpeg_prepare(&r);
    if (setjmp(r.give_up)) {
        jpeg_destroy_decompress(&r.codec);
        return fail(err, SAM_E_FORMAT, "%s: damaged or unsupported JPEG: %s", path, r.text);
    }
    jpeg_begin(&r, file);
    *width = (int)r.codec.image_width;
    *height = (int)r.codec.image_height;
    jpeg_destroy_decompress(&r.codec);
    return SAM_OK;
}

/* ---- PNG ------------------------------------------------------------------------------------------------------- */

static sam_status png_failed(const char *path, int code, sam_error *err)
{
    return fail(err, code == SPNG_EMEM ? SAM_E_MEMORY : SAM_E_FORMAT, "%s: damaged or unsupported PNG: %s", path,
                spng_strerror(code));
}

static sam_status png_begin(const char *path, FILE *file, spng_ctx *png, struct spng_ihdr *header, sam_error *err)
{
    spng_set_image_limits(png, UINT32_C(0x7fffffff), UINT32_C(0x7fffffff)); /* check_size has the better message */
    spng_set_chunk_limits(png, MAX_PNG_CHUNK_BYTES, MAX_PNG_CHUNK_BYTES);
    int code = spng_set_png_file(png, file);
    if (!code)
        code = spng_get_ihdr(png, header);
    if (code)
        return png_failed(path, code, err);
    return check_size(path, header->width, header->height, err);
}

/* Decodes and then reads to the end of the file, so that a file cut short is noticed. */
static sam_status png_pixels(const char *path, spng_ctx *png, int format, uint8_t *out, size_t n_bytes, sam_error *err)
{
    int code = spng_decode_image(png, out, n_bytes, format, 0);
    if (!code)
        code = spng_decode_chunks(png);
    return code ? png_failed(path, code, err) : SAM_OK;
}

/* Values above 255 are white to PIL's convert("RGB"), and so to the official code; scaled, they would be another picture than
 * the one it sees. raw [n] u16, rgb [n, 3] u8. */
static sam_status spread_gray16(const char *path, const uint8_t *raw, size_t n, uint8_t *rgb, sam_error *err)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, raw + 2 * i, sizeof v);
        if (v > 255)
            return fail(
                err, SAM_E_FORMAT,
                "%s: 16 bit gray with the value %u; what is above 255 would be white, as PIL and the official code "
                "have it: scale it to 8 bits",
                path, (unsigned)v);
        memset(rgb + 3 * i, v, 3);
    }
    return SAM_OK;
}

static sam_status png_decode_gray16(const char *path, spng_ctx *png, size_t n_px, uint8_t *rgb, sam_error *err)
{
    uint8_t *raw = malloc(2 * n_px);
    if (!raw)
        return fail(err, SAM_E_MEMORY, "%s: no memory for its 16 bit pixels", path);
    sam_status status = png_pixels(path, png, SPNG_FMT_PNG, raw, 2 * n_px, err);
    if (status == SAM_OK)
        status = spread_gray16(path, raw, n_px, rgb, err);
    free(raw);
    return status;
}

static sam_status png_decode_rgb(const char *path, spng_ctx *png, const struct spng_ihdr *header, image *out,
                                 sam_error *err)
{
    size_t n_bytes = (size_t)header->width * header->height * 3;
    if (!reserve(out, n_bytes))
        return no_memory(path, (int)header->width, (int)header->height, err);
    if (header->bit_depth == 16 && header->color_type == SPNG_COLOR_TYPE_GRAYSCALE)
        TRY(png_decode_gray16(path, png, n_bytes / 3, out->data, err));
    else
        TRY(png_pixels(path, png, SPNG_FMT_RGB8, out->data, n_bytes, err));
    out->width = (int)header->width;
    out->height = (int)header->height;
    out->channels = 3;
    return SAM_OK;
}

/* Rows of 1, 2, 4 or 8 bit values, each row starting on a byte. */
static void unpack_bits(const uint8_t *packed, size_t row_bytes, int bits, int width, int height, uint8_t *out)
{
    int mask = (1 << bits) - 1;
    for (int y = 0; y < height; y++, packed += row_bytes)
        for (int x = 0; x < width; x++) {
            int bit = x * bits;
            *out++ = (uint8_t)(packed[bit >> 3] >> (8 - bits - (bit & 7)) & mask);
        }
}

/* 16 bit gray, with or without alpha. Object numbers beyond 255 have no place in a u8 mask. */
static sam_status narrow_gray16(const char *path, const uint8_t *wide, int channels, size_t n, uint8_t *out,
                                sam_error *err)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, wide + i * 2 * (size_t)channels, sizeof v);
        if (v > 255 && v != 65535)
            return fail(err, SAM_E_FORMAT, "%s: 16 bit mask holds the value %u, expected at most 255 (or 65535)", path,
                        (unsigned)v);
        out[i] = (uint8_t)(v > 255 ? 255 : v);
    }
    return SAM_OK;
}

/* What the colours of a mask are, black left out. */
typedef struct mask_colours {
    int palette, gray; /* all are of the DAVIS palette; red, green and blue are equal in all */
    int several, n;
    uint8_t first[3];
} mask_colours;

/* The 8 bit colour of a pixel; 0 if it has 16 bits that are none. */
static int pixel_colour(const uint8_t *pixel, size_t sample, uint8_t rgb[3])
{
    int exact = 1;
    for (size_t c = 0; c < 3; c++) {
        rgb[c] = pixel[c * sample];
        exact &= pixel[c * sample] == pixel[c * sample + sample - 1];
        rgb[c] |= !exact; /* not black */
    }
    return exact;
}

static mask_colours look_at_colours(const uint8_t *pixels, size_t n, size_t pixel_bytes, size_t sample)
{
    mask_colours c = {.palette = 1, .gray = 1};
    uint8_t rgb[3], last[3] = {0};
    for (size_t i = 0; i < n; i++, pixels += pixel_bytes) {
        int exact = pixel_colour(pixels, sample, rgb);
        if (exact && !memcmp(rgb, last, sizeof rgb)) /* runs of one colour are long; the first is black */
            continue;
        memcpy(last, rgb, sizeof rgb);
        if (exact && !rgb[0] && !rgb[1] && !rgb[2])
            continue;
        c.palette &= exact && palette_index(rgb) > 0;
        c.gray &= exact && rgb[0] == rgb[1] && rgb[1] == rgb[2];
        c.several |= c.n && memcmp(rgb, c.first, sizeof rgb) != 0;
        if (!c.n++)
            memcpy(c.first, rgb, sizeof rgb);
    }
    return c;
}

/* Alpha is not looked at. */
static sam_status colour_to_mask(const char *path, const uint8_t *pixels, size_t n, size_t pixel_bytes, size_t sample,
                                 mask_kind kind, uint8_t *out, sam_error *err)
{
    static const uint8_t white[3] = {255, 255, 255};
    mask_colours c = look_at_colours(pixels, n, pixel_bytes, sample);
    int is_white = !memcmp(c.first, white, sizeof white);
    int one = !c.several && !c.palette && (is_white || (!c.gray && kind != MASK_IDS));
    if (c.n && !c.palette && !c.gray && !one)
        return fail(
            err, SAM_E_FORMAT,
            "%s: is an RGB picture whose colours (%d, %d, %d%s) are not those of the DAVIS palette, so which object "
            "is which is not known; write object numbers, as a palette or gray PNG",
            path, c.first[0], c.first[1], c.first[2], c.several ? " and others" : "");
    for (size_t i = 0; i < n; i++, pixels += pixel_bytes) {
        uint8_t rgb[3];
        int exact = pixel_colour(pixels, sample, rgb);
        int black = exact && !rgb[0] && !rgb[1] && !rgb[2];
        out[i] = (uint8_t)(black ? 0 : one ? 1 : c.palette ? palette_index(rgb) : rgb[0]);
    }
    return SAM_OK;
}

static sam_status png_to_mask(const char *path, const struct spng_ihdr *header, const uint8_t *raw, size_t n_bytes,
                              mask_kind kind, uint8_t *out, sam_error *err)
{
    size_t n = (size_t)header->width * header->height;
    size_t sample = header->bit_depth == 16 ? 2 : 1;
    switch (header->color_type) {
    case SPNG_COLOR_TYPE_TRUECOLOR:
        return colour_to_mask(path, raw, n, 3 * sample, sample, kind, out, err);
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA:
        return colour_to_mask(path, raw, n, 4 * sample, sample, kind, out, err);
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
        if (sample == 2)
            return narrow_gray16(path, raw, 2, n, out, err);
        for (size_t i = 0; i < n; i++)
            out[i] = raw[2 * i];
        return SAM_OK;
    default: /* gray or palette */
        if (sample == 2)
            return narrow_gray16(path, raw, 1, n, out, err);
        unpack_bits(raw, n_bytes / header->height, header->bit_depth, (int)header->width, (int)header->height, out);
        return SAM_OK;
    }
}

static sam_status png_decode_mask(const char *path, spng_ctx *png, const struct spng_ihdr *header, mask_kind kind,
                                  image *out, sam_error *err)
{
    size_t n = (size_t)header->width * header->height, n_raw = 0;
    int plain = header->bit_depth == 8 &&
                (header->color_type == SPNG_COLOR_TYPE_GRAYSCALE || header->color_type == SPNG_COLOR_TYPE_INDEXED);
    if (!reserve(out, n))
        return no_memory(path, (int)header->width, (int)header->height, err);
    if (plain) {
        TRY(png_pixels(path, png, SPNG_FMT_PNG, out->data, n, err));
    } else {
        int code = spng_decoded_image_size(png, SPNG_FMT_PNG, &n_raw);
        if (code)
            return png_failed(path, code, err);
        uint8_t *raw = malloc(n_raw);
        if (!raw)
            return no_memory(path, (int)header->width, (int)header->height, err);
        sam_status status = png_pixels(path, png, SPNG_FMT_PNG, raw, n_raw, err);
        if (status == SAM_OK)
            status = png_to_mask(path, header, raw, n_raw, kind, out->data, err);
        free(raw);
        TRY(status);
    }
    out->width = (int)header->width;
    out->height = (int)header->height;
    out->channels = 1;
    return SAM_OK;
}

/* channels 3: RGB, 1: mask, 0: only the header. */
static sam_status png_read(const char *path, FILE *file, int channels, mask_kind kind, struct spng_ihdr *header,
                           image *out, sam_error *err)
{
    spng_ctx *png = spng_ctx_new(0);
    if (!png)
        return fail(err, SAM_E_MEMORY, "%s: no memory to read a PNG", path);
    sam_status status = png_begin(path, file, png, header, err);
    if (status == SAM_OK && channels == 3)
        status = png_decode_rgb(path, png, header, out, err);
    if (status == SAM_OK && channels == 1)
        status = png_decode_mask(path, png, header, kind, out, err);
    spng_ctx_free(png);
    return status;
}

/* ---- formats that are read from memory ------------------------------------------------------------------------- */

static const struct {
    image_size_fn *size;
    image_rgb_fn *rgb;
} decoders[N_IMAGE_FORMATS] = {
    [IMAGE_BMP] = {stb_size, stb_rgb}, [IMAGE_TGA] = {stb_size, stb_rgb},    [IMAGE_GIF] = {stb_size, stb_rgb},
    [IMAGE_PNM] = {pnm_size, pnm_rgb}, [IMAGE_WEBP] = {webp_size, webp_rgb},
};

/* The file, or its first bytes up to `most`; f->bytes is for the caller to free. */
static sam_status load(image_file *f, FILE *file, size_t most, sam_error *err)
{
    struct stat info;
    if (fstat(fileno(file), &info) != 0 || info.st_size < 0)
        return fail(err, SAM_E_IO, "%s: cannot be read: %s", f->path, strerror(errno));
    size_t n = (uintmax_t)info.st_size < most ? (size_t)info.st_size : most;
    f->bytes = malloc(n ? n : 1);
    if (!f->bytes)
        return fail(err, SAM_E_MEMORY, "%s: no memory for its %zu bytes", f->path, n);
    f->n = fread(f->bytes, 1, n, file);
    return ferror(file) ? fail(err, SAM_E_IO, "%s: cannot be read: %s", f->path, strerror(errno)) : SAM_OK;
}

static sam_status decode_size(const image_file *f, int *width, int *height, sam_error *err)
{
    int64_t w = 0, h = 0;
    TRY(decoders[f->format].size(f, &w, &h, err));
    TRY(check_size(f->path, w, h, err));
    *width = (int)w;
    *height = (int)h;
    return SAM_OK;
}

static sam_status decode_rgb(image_file *f, image *out, sam_error *err)
{
    int width = 0, height = 0;
    TRY(decode_size(f, &width, &height, err));
    if (!reserve(out, (size_t)width * (size_t)height * 3))
        return no_memory(f->path, width, height, err);
    TRY(decoders[f->format].rgb(f, width, height, out->data, err));
    out->width = width;
    out->height = height;
    out->channels = 3;
    return SAM_OK;
}

/* In place: the mask is shorter. */
static sam_status rgb_to_mask(const char *path, image *im, mask_kind kind, sam_error *err)
{
    TRY(colour_to_mask(path, im->data, (size_t)im->width * (size_t)im->height, 3, 1, kind, im->data, err));
    im->channels = 1;
    return SAM_OK;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static sam_status read_pixels(const char *path, int channels, mask_kind mask, image *out, image_format *format,
                              sam_error *err)
{
    FILE *file = NULL;
    struct spng_ihdr header;
    sam_status status;
    TRY(open_image(path, &file, format, err));
    if (*format == IMAGE_PNG) {
        status = png_read(path, file, channels, mask, &header, out, err);
    } else if (*format == IMAGE_JPEG) {
        status = jpeg_decode(path, file, channels, out, err);
    } else {
        image_file whole = {.path = path, .format = *format};
        status = load(&whole, file, SIZE_MAX, err);
        if (status == SAM_OK)
            status = decode_rgb(&whole, out, err);
        if (status == SAM_OK && channels == 1)
            status = rgb_to_mask(path, out, mask, err);
        free(whole.bytes);
    }
    fclose(file);
    return status;
}

sam_status image_read_rgb(const char *path, image *out, sam_error *err)
{
    image_format format;
    return read_pixels(path, 3, MASK_IDS, out, &format, err);
}

/* Pixels become 0 and 1; a second value is refused. */
static sam_status make_binary(const char *path, image *im, sam_error *err)
{
    size_t n = (size_t)im->width * (size_t)im->height;
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (!im->data[i])
            continue;
        if (value && im->data[i] != value)
            return fail(
                err, SAM_E_FORMAT,
                "%s: holds the values %d and %d, expected the mask of one object: one value and 0. Write each object "
                "to a file of its own; of soft edges make one value",
                path, value < im->data[i] ? value : im->data[i], value < im->data[i] ? im->data[i] : value);
        value = im->data[i];
        im->data[i] = 1;
    }
    return SAM_OK;
}

sam_status image_read_mask(const char *path, mask_kind mask, image *out, sam_error *err)
{
    image_format format;
    TRY(read_pixels(path, 1, mask, out, &format, err));
    if (format == IMAGE_JPEG) {
        size_t n = (size_t)out->width * (size_t)out->height;
        for (size_t i = 0; i < n; i++)
            out->data[i] = out->data[i] > 127;
    }
    return mask == MASK_OBJECT ? make_binary(path, out, err) : SAM_OK;
}

sam_status image_read_size(const char *path, int *width, int *height, sam_error *err)
{
    FILE *file = NULL;
    image_format format;
    struct spng_ihdr header;
    int w = 0, h = 0;
    TRY(open_image(path, &file, &format, err));
    sam_status status;
    if (format == IMAGE_PNG) {
        status = png_read(path, file, 0, MASK_IDS, &header, NULL, err);
        w = status == SAM_OK ? (int)header.width : 0;
        h = status == SAM_OK ? (int)header.height : 0;
    } else if (format == IMAGE_JPEG) {
        status = jpeg_size(path, file, &w, &h, err);
    } else {
        image_file head = {.path = path, .format = format};
        status = load(&head, file, IMAGE_HEAD_BYTES, err);
        if (status == SAM_OK)
            status = decode_size(&head, &w, &h, err);
        free(head.bytes);
    }
    fclose(file);
    TRY(status);
    TRY(check_size(path, w, h, err));
    *width = w;
    *height = h;
    return SAM_OK;
}

int image_is_animated(const char *path)
{
    FILE *file = NULL;
    image_file whole = {.path = path};
    if (open_image(path, &file, &whole.format, NULL) != SAM_OK)
        return 0;
    int animated =
        whole.format == IMAGE_GIF && load(&whole, file, SIZE_MAX, NULL) == SAM_OK && gif_look(&whole).n_pictures > 1;
    free(whole.bytes);
    fclose(file);
    return animated;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

void palette_color(int i, uint8_t rgb[3])
{
    int r = 0, g = 0, b = 0;
    for (int bit = 7; bit >= 0; bit--, i >>= 3) { /* three bits of the index go to the top free bits of r, g and b */
        r |= (i & 1) << bit;
        g |= (i >> 1 & 1) << bit;
        b |= (i >> 2 & 1) << bit;
    }
    rgb[0] = (uint8_t)r;
    rgb[1] = (uint8_t)g;
    rgb[2] = (uint8_t)b;
}

int palette_index(const uint8_t rgb[3])
{
    uint8_t known[3];
    int i = 0;
    for (int bit = 0; bit < 3; bit++) /* as above: bit 3 * bit + c of the index is bit 7 - bit of colour c */
        for (int c = 0; c < 3; c++)
            i |= (rgb[c] >> (7 - bit) & 1) << (3 * bit + c);
    i &= 255;
    palette_color(i, known);
    return memcmp(known, rgb, sizeof known) ? -1 : i;
}

/* *temporary is for the caller to free. */
static sam_status open_temporary(const char *path, char **temporary, FILE **file, sam_error *err)
{
    int fd = atomic_file_temporary(path, temporary);
    *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (*file)
        return SAM_OK;
    sam_status status = fail(err, SAM_E_IO, "%s: cannot write image: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
        unlink(*temporary);
    }
    return status;
}

typedef struct png_source {
    const uint8_t *pixels;
    size_t row_bytes;
    int width, height;
    enum { FROM_RGB, FROM_INDEX, FROM_MASK } kind;
} png_source;

/* scratch [width] u8 holds a row whose values have to change. Returns a spng code. */
static int png_encode(spng_ctx *png, FILE *file, const png_source *s, uint8_t *scratch)
{
    struct spng_ihdr header = {.width = (uint32_t)s->width, .height = (uint32_t)s->height, .bit_depth = 8};
    header.color_type = s->kind == FROM_RGB     ? SPNG_COLOR_TYPE_TRUECOLOR
                        : s->kind == FROM_INDEX ? SPNG_COLOR_TYPE_INDEXED
                                                : SPNG_COLOR_TYPE_GRAYSCALE;
    int code = spng_set_png_file(png, file);
    if (!code)
        code = spng_set_ihdr(png, &header);
    if (!code && s->kind == FROM_INDEX) {
        struct spng_plte palette = {.n_entries = 256};
        for (int i = 0; i < 256; i++) {
            uint8_t rgb[3];
            palette_color(i, rgb);
            palette.entries[i] = (struct spng_plte_entry){.red = rgb[0], .green = rgb[1], .blue = rgb[2]};
        }
        code = spng_set_plte(png, &palette);
    }
    if (!code && s->kind != FROM_RGB) /* filters make runs of equal values longer, not shorter */
        code = spng_set_option(png, SPNG_FILTER_CHOICE, SPNG_DISABLE_FILTERING);
    if (!code)
        code = spng_encode_image(png, NULL, 0, SPNG_FMT_PNG, SPNG_ENCODE_PROGRESSIVE | SPNG_ENCODE_FINALIZE);
    for (int y = 0; y < s->height && !code; y++) {
        const uint8_t *row = s->pixels + (size_t)y * s->row_bytes;
        if (s->kind == FROM_MASK) {
            for (int x = 0; x < s->width; x++)
                scratch[x] = row[x] ? 255 : 0;
            row = scratch;
        }
        code = spng_encode_row(png, row, (size_t)s->width * (s->kind == FROM_RGB ? 3 : 1));
    }
    return code == SPNG_EOI ? 0 : code;
}

static sam_status png_write(const char *path, const png_source *s, sam_error *err)
{
    sam_status status = SAM_OK;
    FILE *file = NULL;
    TRY(check_size(path, s->width, s->height, err));
    char *temporary = NULL;
    uint8_t *scratch = malloc((size_t)s->width);
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    if (!scratch || !png) {
        status = no_memory(path, s->width, s->height, err);
        goto done;
    }
    status = open_temporary(path, &temporary, &file, err);
    if (status != SAM_OK)
        goto done;
    int code = png_encode(png, file, s, scratch);
    int why = ferror(file) ? errno : 0, bad = code || ferror(file);
    bad |= fclose(file) != 0;
    if (bad)
        status = fail(err, SAM_E_IO, "%s: cannot write image: %s", path,
                      code && !why ? spng_strerror(code) : strerror(why ? why : errno));
    else if (rename(temporary, path) != 0)
        status = fail(err, SAM_E_IO, "%s: cannot put the finished image in place: %s", path, strerror(errno));
    if (status != SAM_OK)
        unlink(temporary);
done:
    spng_ctx_free(png);
    free(scratch);
    free(temporary);
    return status;
}

sam_status image_write_mask(const char *path, const uint8_t *mask, size_t row_bytes, int width, int height, int palette,
                            sam_error *err)
{
    return png_write(path, &(png_source){mask, row_bytes, width, height, palette ? FROM_INDEX : FROM_MASK}, err);
}

sam_status image_write_rgb(const char *path, const uint8_t *rgb, size_t row_bytes, int width, int height,
                           sam_error *err)
{
    return png_write(path, &(png_source){rgb, row_bytes, width, height, FROM_RGB}, err);
}
