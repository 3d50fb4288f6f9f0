#include "torch_writer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void buffer_add(byte_buffer *b, const void *data, size_t n_bytes)
{
    if (b->n + n_bytes > b->capacity) {
        b->capacity = 2 * (b->n + n_bytes);
        b->at = realloc(b->at, b->capacity);
        assert(b->at);
    }
    if (n_bytes)
        memcpy(b->at + b->n, data, n_bytes);
    b->n += n_bytes;
}

void buffer_free(byte_buffer *b)
{
    free(b->at);
    *b = (byte_buffer){0};
}

static void add_uint(byte_buffer *b, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        uint8_t byte = i < 8 ? (uint8_t)(value >> 8 * i) : 0;
        buffer_add(b, &byte, 1);
    }
}

/* ----------------------------------------------------------------------------------------------- zip ---- */

static void deflate_into(byte_buffer *out, const void *data, size_t n_bytes)
{
    z_stream s = {0};
    size_t room = compressBound((uLong)n_bytes) + 64;
    uint8_t *to = malloc(room);
    int code = deflateInit2(&s, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    assert(to && code == Z_OK);
    s.next_in = (Bytef *)(uintptr_t)data;
    s.avail_in = (uInt)n_bytes;
    s.next_out = to;
    s.avail_out = (uInt)room;
    code = deflate(&s, Z_FINISH);
    assert(code == Z_STREAM_END);
    (void)code;
    buffer_add(out, to, room - s.avail_out);
    deflateEnd(&s);
    free(to);
}

/* The fields that local and central records share, from `version needed` to `extra length`. */
static void add_fields(byte_buffer *b, const zip_item *item, uint32_t crc, uint64_t stored, int flavour, size_t n_extra)
{
    const uint32_t all_ones = 0xffffffffu;
    add_uint(b, 45, 2);
    add_uint(b, 0, 2);
    add_uint(b, item->deflate ? 8 : 0, 2);
    add_uint(b, 0, 4);
    add_uint(b, crc, 4);
    add_uint(b, flavour == ZIP_64 ? all_ones : stored, 4);
    add_uint(b, flavour == ZIP_64 ? all_ones : item->n_bytes, 4);
    add_uint(b, strlen(item->name), 2);
    add_uint(b, n_extra, 2);
}

static void add_end(byte_buffer *out, size_t n_items, size_t central, size_t n_central, int flavour)
{
    size_t end64 = out->n;
    if (flavour == ZIP_64) {
        add_uint(out, 0x06064b50, 4);
        add_uint(out, 44, 8);
        add_uint(out, 45 | 45 << 16, 4);
        add_uint(out, 0, 8);
        add_uint(out, n_items, 8);
        add_uint(out, n_items, 8);
        add_uint(out, n_central, 8);
        add_uint(out, central, 8);
        add_uint(out, 0x07064b50, 4);
        add_uint(out, 0, 4);
        add_uint(out, end64, 8);
        add_uint(out, 1, 4);
    }
    add_uint(out, 0x06054b50, 4);
    add_uint(out, 0, 4);
    add_uint(out, flavour == ZIP_64 ? 0xffff : n_items, 2);
    add_uint(out, flavour == ZIP_64 ? 0xffff : n_items, 2);
    add_uint(out, flavour == ZIP_64 ? 0xffffffffu : n_central, 4);
    add_uint(out, flavour == ZIP_64 ? 0xffffffffu : central, 4);
    add_uint(out, 0, 2);
}

void zip_build(byte_buffer *out, const zip_item *items, size_t n_items, int flavour)
{
    byte_buffer central = {0};
    for (size_t i = 0; i < n_items; i++) {
        const zip_item *item = &items[i];
        byte_buffer data = {0};
        size_t local = out->n;
        uint32_t crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), item->data, item->n_bytes);
        if (item->deflate)
            deflate_into(&data, item->data, item->n_bytes);
        else
            buffer_add(&data, item->data, item->n_bytes);
        add_uint(out, 0x04034b50, 4);
        add_fields(out, item, crc, data.n, ZIP_PLAIN, 0);
        buffer_add(out, item->name, strlen(item->name));
        buffer_add(out, data.at, data.n);
        add_uint(&central, 0x02014b50, 4);
        add_uint(&central, 45, 2);
        add_fields(&central, item, crc, data.n, flavour, flavour == ZIP_64 ? 28 : 0);
        add_uint(&central, 0, 2 + 2 + 2 + 4);
        add_uint(&central, flavour == ZIP_64 ? 0xffffffffu : local, 4);
        buffer_add(&central, item->name, strlen(item->name));
        if (flavour == ZIP_64) {
            add_uint(&central, 1 | 24 << 16, 4);
            add_uint(&central, item->n_bytes, 8);
            add_uint(&central, data.n, 8);
            add_uint(&central, local, 8);
        }
        buffer_free(&data);
    }
    size_t at = out->n, n = central.n;
    buffer_add(out, central.at, central.n);
    buffer_free(&central);
    add_end(out, n_items, at, n, flavour);
}

/* --------------------------------------------------------------------------------------- torch.save ---- */

static void op(byte_buffer *b, const char *text)
{
    buffer_add(b, text, strlen(text));
}

static void op_string(byte_buffer *b, const char *text)
{
    op(b, "X");
    add_uint(b, strlen(text), 4);
    op(b, text);
}

static void op_int(byte_buffer *b, int64_t value)
{
    op(b, "J");
    add_uint(b, (uint64_t)value, 4);
}

static void op_sizes(byte_buffer *b, const int64_t *sizes, int n)
{
    op(b, "(");
    for (int i = 0; i < n; i++)
        op_int(b, sizes[i]);
    op(b, "t");
}

static const char *storage_type(st_dtype t)
{
    switch (t) {
    case ST_F16:
        return "HalfStorage";
    case ST_BF16:
        return "BFloat16Storage";
    case ST_I64:
        return "LongStorage";
    default:
        return "FloatStorage";
    }
}

static void op_tensor(byte_buffer *b, const st_tensor *t, size_t key)
{
    char text[32];
    int64_t strides[ST_MAX_DIMS], stride = 1;
    for (int d = t->n_dims - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= t->shape[d];
    }
    op(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    op_string(b, "storage");
    op(b, "ctorch\n");
    op(b, storage_type(t->dtype));
    op(b, "\n");
    snprintf(text, sizeof text, "%zu", key);
    op_string(b, text);
    op_string(b, "cpu");
    op_int(b, stride);
    op(b, "tQ");
    op_int(b, 0);
    op_sizes(b, t->shape, t->n_dims);
    op_sizes(b, strides, t->n_dims);
    op(b, "\x89"
          "ccollections\nOrderedDict\n)RtR");
}

void torch_build(byte_buffer *out, const st_tensor *tensors, size_t n_tensors, const char *key)
{
    byte_buffer pickle = {0};
    zip_item *items = calloc(n_tensors + 3, sizeof *items);
    char(*names)[40] = calloc(n_tensors + 1, sizeof *names);
    assert(items && names);
    op(&pickle, "\x80\x02}");
    if (key) {
        op_string(&pickle, key);
        op(&pickle, "}");
    }
    for (size_t i = 0; i < n_tensors; i++) {
        op_string(&pickle, tensors[i].name);
        op_tensor(&pickle, &tensors[i], i);
        op(&pickle, "s");
        snprintf(names[i], sizeof names[i], "archive/data/%zu", i);
        items[i + 1] = (zip_item){names[i], tensors[i].data, tensors[i].n_bytes, 0};
    }
    op(&pickle, key ? "s." : ".");
    items[0] = (zip_item){"archive/data.pkl", pickle.at, pickle.n, 0};
    items[n_tensors + 1] = (zip_item){"archive/byteorder", "little", 6, 0};
    items[n_tensors + 2] = (zip_item){"archive/version", "3\n", 2, 0};
    zip_build(out, items, n_tensors + 3, ZIP_PLAIN);
    buffer_free(&pickle);
    free(items);
    free(names);
}
