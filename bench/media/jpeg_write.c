/* jpeg_write.c - see jpeg_write.h. Integer DCT, so that the same pixels give the same bytes everywhere. */
#include "jpeg_write.h"

#include "atomic_file.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h> /* needs stdio.h before it */

typedef struct jpeg_writer {
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr errors;
    jmp_buf on_error;
    unsigned char *bytes; /* of libjpeg's malloc */
    unsigned long n_bytes;
    char text[JMSG_LENGTH_MAX];
} jpeg_writer;

static void on_error(j_common_ptr codec)
{
    jpeg_writer *w = codec->client_data;
    codec->err->format_message(codec, w->text);
    longjmp(w->on_error, 1);
}

static void compress(jpeg_writer *w, const uint8_t *rgb, int width, int height, int quality)
{
    struct jpeg_compress_struct *c = &w->codec;
    jpeg_create_compress(c);
    jpeg_mem_dest(c, &w->bytes, &w->n_bytes);
    c->image_width = (JDIMENSION)width;
    c->image_height = (JDIMENSION)height;
    c->input_components = 3;
    c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, quality, TRUE);
    c->dct_method = JDCT_ISLOW;
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(rgb + 3 * (size_t)width * c->next_scanline);
        jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
}

sam_status jpeg_write(const char *path, const uint8_t *rgb, int width, int height, int quality, sam_error *err)
{
    sam_status status;
    jpeg_writer *w = calloc(1, sizeof *w); /* on the heap: longjmp leaves changed locals undefined */
    if (!w)
        return fail(err, SAM_E_MEMORY, "%s: out of memory", path);
    w->codec.err = jpeg_std_error(&w->errors);
    w->codec.client_data = w; /* an error inside jpeg_create_compress needs it */
    w->errors.error_exit = on_error;
    if (setjmp(w->on_error)) {
        status = fail(err, SAM_E_IO, "%s: cannot be compressed: %s", path, w->text);
    } else {
        compress(w, rgb, width, height, quality);
        status = atomic_file_write(path, w->bytes, w->n_bytes, err);
    }
    jpeg_destroy_compress(&w->codec);
    free(w->bytes);
    free(w);
    return status;
}
