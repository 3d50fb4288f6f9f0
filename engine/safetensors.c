/* safetensors.c - see safetensors.h. Layout of a file, all little endian:
 *   u64 n | n bytes of JSON, may end in spaces | data
 *   JSON: {"__metadata__": {str: str}, name: {"dtype": str, "shape": [int], "data_offsets": [begin, end]}, ...}
 * Offsets count from the first byte of data; the tensors cover data exactly, without gap or overlap. */
#define _DEFAULT_SOURCE 1 /* madvise */

#include "safetensors.h"

#include "atomic_file.h"
#include "json_build.h"
#include "mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are mapped as they are in the file: little endian");

#define HEADER_MAX  ((uint64_t)100 << 20) /* the official reader's limit */
#define DATA_ALIGN  64
#define LENGTH_SIZE sizeof(uint64_t)

static const struct {
    const char *name;
    size_t n_bytes;
} dtypes[] = {
    [ST_F32] = {"F32", 4}, [ST_F16] = {"F16", 2},   [ST_BF16] = {"BF16", 2}, [ST_F64] = {"F64", 8},
    [ST_I64] = {"I64", 8}, [ST_I32] = {"I32", 4},   [ST_I16] = {"I16", 2},   [ST_I8] = {"I8", 1},
    [ST_U8] = {"U8", 1},   [ST_BOOL] = {"BOOL", 1},
};
#define N_DTYPES (sizeof dtypes / sizeof dtypes[0])

size_t st_dtype_bytes(st_dtype t)
{
    return (size_t)t < N_DTYPES ? dtypes[t].n_bytes : 0;
}

const char *st_dtype_name(st_dtype t)
{
    return (size_t)t < N_DTYPES ? dtypes[t].name : "?";
}

int64_t st_count(const st_tensor *t)
{
    int64_t n = 1;
    int too_many = 0;
    for (int d = 0; d < t->n_dims; d++)
        if (t->shape[d] == 0)
            return 0; /* whatever the others are */
    for (int d = 0; d < t->n_dims; d++)
        too_many = __builtin_mul_overflow(n, t->shape[d], &n) || too_many;
    return too_many ? INT64_MAX : n;
}

/* Storage behind the names: the parsed header owns the strings, by_name is what st_find searches. */
typedef struct names {
    json_t *header;
    const st_tensor **by_name;
} names;

static int compare_name(const void *a, const void *b)
{
    return strcmp((*(const st_tensor *const *)a)->name, (*(const st_tensor *const *)b)->name);
}

/* By place in the file; an empty tensor comes before the one that starts at the same byte. */
static int compare_place(const void *a, const void *b)
{
    const st_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    if (x->n_bytes != y->n_bytes)
        return x->n_bytes < y->n_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static sam_status read_dtype(const char *path, const char *name, const json_t *j, st_dtype *out, sam_error *err)
{
    const char *text = json_string_value(j);
    for (size_t i = 0; text && i < N_DTYPES; i++)
        if (strcmp(text, dtypes[i].name) == 0) {
            *out = (st_dtype)i;
            return SAM_OK;
        }
    return fail(err, SAM_E_FORMAT, "%s: tensor %s: dtype %s is not supported", path, name, text ? text : "missing");
}

/* Shape and the number of bytes it takes. */
static sam_status read_shape(const char *path, const json_t *j, st_tensor *t, sam_error *err)
{
    if (!json_is_array(j) || json_array_size(j) > ST_MAX_DIMS)
        return fail(err, SAM_E_FORMAT, "%s: tensor %s: shape must be a list of at most %d sizes", path, t->name,
                    ST_MAX_DIMS);
    t->n_dims = (int)json_array_size(j);
    size_t n = st_dtype_bytes(t->dtype);
    for (int d = 0; d < t->n_dims; d++) {
        const json_t *size = json_array_get(j, (size_t)d);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return fail(err, SAM_E_FORMAT, "%s: tensor %s: size %d of its shape is not a non-negative integer", path,
                        t->name, d);
        t->shape[d] = json_integer_value(size);
        if (__builtin_mul_overflow(n, (size_t)t->shape[d], &n) || n > INT64_MAX)
            return fail(err, SAM_E_FORMAT, "%s: tensor %s: its shape has more bytes than can be counted", path,
                        t->name);
    }
    t->n_bytes = n;
    return SAM_OK;
}

static sam_status read_tensor(const char *path, const json_t *j, const uint8_t *data, size_t data_bytes, st_tensor *t,
                              sam_error *err)
{
    if (!json_is_object(j))
        return fail(err, SAM_E_FORMAT, "%s: tensor %s: its entry is not an object", path, t->name);
    if (json_object_size(j) != 3)
        return fail(err, SAM_E_FORMAT, "%s: tensor %s: expected exactly dtype, shape and data_offsets", path, t->name);
    TRY(read_dtype(path, t->name, json_object_get(j, "dtype"), &t->dtype, err));
    TRY(read_shape(path, json_object_get(j, "shape"), t, err));
    const json_t *offsets = json_object_get(j, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return fail(err, SAM_E_FORMAT, "%s: tensor %s: data_offsets must be two integers", path, t->name);
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin || (uint64_t)end > data_bytes)
        return fail(err, SAM_E_FORMAT, "%s: tensor %s: bytes %lld to %lld are not inside the file's %zu bytes of data",
                    path, t->name, (long long)begin, (long long)end, data_bytes);
    if ((size_t)(end - begin) != t->n_bytes)
        return fail(err, SAM_E_FORMAT, "%s: tensor %s: its shape takes %zu bytes, its data_offsets %lld", path, t->name,
                    t->n_bytes, (long long)(end - begin));
    t->data = data + begin;
    return SAM_OK;
}

static sam_status read_meta(const char *path, json_t *j, st_file *f, sam_error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(j))
        return fail(err, SAM_E_FORMAT, "%s: __metadata__ is not an object", path);
    f->meta = calloc(json_object_size(j) + 1, sizeof *f->meta);
    if (!f->meta)
        return fail(err, SAM_E_MEMORY, "%s: no memory for the metadata", path);
    json_object_foreach(j, key, value)
    {
        if (!json_is_string(value))
            return fail(err, SAM_E_FORMAT, "%s: metadata %s is not a string", path, key);
        f->meta[f->n_meta++] = (st_meta){.key = key, .value = json_string_value(value)};
    }
    return SAM_OK;
}

/* Tensors, sorted by place, must cover the data exactly. */
static sam_status check_cover(const char *path, const st_file *f, const uint8_t *data, size_t data_bytes,
                              sam_error *err)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < f->n_tensors; i++) {
        const st_tensor *t = &f->tensors[i];
        if ((const uint8_t *)t->data != at)
            return fail(err, SAM_E_FORMAT, "%s: tensor %s %s", path, t->name,
                        (const uint8_t *)t->data < at ? "overlaps the one before it" : "leaves a gap before it");
        at += t->n_bytes;
    }
    if (at != data + data_bytes)
        return fail(err, SAM_E_FORMAT, "%s: %zu bytes of data belong to no tensor", path,
                    (size_t)(data + data_bytes - at));
    return SAM_OK;
}

static sam_status read_header(const char *path, json_t *header, const uint8_t *data, size_t data_bytes, st_file *f,
                              sam_error *err)
{
    const char *key;
    json_t *value;
    size_t n = json_object_size(header);
    names *private_names = f->private_names;
    f->tensors = calloc(n + 1, sizeof *f->tensors);
    private_names->by_name = calloc(n + 1, sizeof *private_names->by_name);
    if (!f->tensors || !private_names->by_name)
        return fail(err, SAM_E_MEMORY, "%s: no memory for %zu tensor entries", path, n);
    json_object_foreach(header, key, value)
    {
        if (strcmp(key, "__metadata__") == 0) {
            TRY(read_meta(path, value, f, err));
            continue;
        }
        f->tensors[f->n_tensors].name = key;
        TRY(read_tensor(path, value, data, data_bytes, &f->tensors[f->n_tensors], err));
        f->n_tensors++;
    }
    qsort(f->tensors, f->n_tensors, sizeof *f->tensors, compare_place);
    TRY(check_cover(path, f, data, data_bytes, err));
    for (size_t i = 0; i < f->n_tensors; i++)
        private_names->by_name[i] = &f->tensors[i];
    qsort(private_names->by_name, f->n_tensors, sizeof *private_names->by_name, compare_name);
    return SAM_OK;
}

/* What a server sends in place of a file begins with a tag. */
static int is_page(const char *bytes, size_t n)
{
    size_t at = 0;
    while (at < n && strchr(" \t\r\n", bytes[at]) && bytes[at])
        at++;
    return at + 1 < n && bytes[at] == '<' &&
           (bytes[at + 1] == '!' || bytes[at + 1] == 'h' || bytes[at + 1] == 'H' || bytes[at + 1] == '?');
}

static sam_status parse(const char *path, st_file *f, sam_error *err)
{
    uint64_t n;
    if (f->map_bytes < LENGTH_SIZE)
        return fail(err, SAM_E_FORMAT, "%s: %zu bytes are too few for a safetensors file", path, f->map_bytes);
    memcpy(&n, f->map, LENGTH_SIZE);
    size_t rest = f->map_bytes - LENGTH_SIZE;
    if (is_page(f->map, f->map_bytes))
        return fail(err, SAM_E_FORMAT,
                    "%s: is a web page, no weights: a download that was refused or moved; get it again", path);
    if (n > HEADER_MAX || n > rest)
        return fail(err, SAM_E_FORMAT,
                    "%s: not a safetensors file, or cut short: header of %llu bytes in a file of %zu", path,
                    (unsigned long long)n, f->map_bytes);
    const char *text = (const char *)f->map + LENGTH_SIZE;
    if (n == 0 || text[0] != '{')
        return fail(err, SAM_E_FORMAT, "%s: not a safetensors file: its header does not start with '{'", path);
    names *private_names = f->private_names = calloc(1, sizeof *private_names);
    if (!private_names)
        return fail(err, SAM_E_MEMORY, "%s: no memory for the header", path);
    json_error_t why;
    private_names->header = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!private_names->header)
        return fail(err, SAM_E_FORMAT, "%s: header: %s (byte %d)", path, why.text, why.position);
    return read_header(path, private_names->header, (const uint8_t *)text + n, rest - n, f, err);
}

sam_status st_open(const char *path, st_file *out, sam_error *err)
{
    st_file f = {0};
    *out = f;
    sam_status status = file_map(path, &f.map, &f.map_bytes, err);
    if (status == SAM_OK)
        status = parse(path, &f, err);
    if (status != SAM_OK) {
        st_close(&f);
        return status;
    }
    *out = f;
    return SAM_OK;
}

void st_close(st_file *f)
{
    names *private_names = f->private_names;
    if (private_names) {
        json_decref(private_names->header);
        free(private_names->by_name);
        free(private_names);
    }
    free(f->tensors);
    free(f->meta);
    file_unmap(f->map, f->map_bytes);
    *f = (st_file){0};
}

void st_release_pages(const st_file *f)
{
    if (f->map)
        madvise(f->map, f->map_bytes, MADV_DONTNEED);
}

const st_tensor *st_find(const st_file *f, const char *name)
{
    const names *private_names = f->private_names;
    if (!private_names)
        return NULL;
    const st_tensor key = {.name = name}, *key_at = &key;
    const st_tensor **found =
        bsearch(&key_at, private_names->by_name, f->n_tensors, sizeof *private_names->by_name, compare_name);
    return found ? *found : NULL;
}

const char *st_meta_get(const st_file *f, const char *key)
{
    for (size_t i = 0; i < f->n_meta; i++)
        if (strcmp(f->meta[i].key, key) == 0)
            return f->meta[i].value;
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ writer ---- */

static json_t *header_entry(const st_tensor *t, size_t at)
{
    json_t *shape = json_array();
    for (int d = 0; d < t->n_dims; d++)
        json_add(&shape, json_integer(t->shape[d]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", st_dtype_name(t->dtype), "shape", shape, "data_offsets",
                     (json_int_t)at, (json_int_t)(at + t->n_bytes));
}

static sam_status build_header(const char *path, const st_tensor *tensors, size_t n_tensors, const st_meta *meta,
                               size_t n_meta, json_t **out, sam_error *err)
{
    json_t *header = json_object(), *strings = json_object();
    sam_status status = SAM_OK;
    size_t at = 0;
    for (size_t i = 0; i < n_meta && status == SAM_OK; i++)
        if (json_object_set_new(strings, meta[i].key, json_string(meta[i].value)) != 0)
            status = fail(err, SAM_E_ARG, "%s: metadata %s cannot be written: not UTF-8", path, meta[i].key);
    if (n_meta && status == SAM_OK)
        json_put(&header, "__metadata__", json_incref(strings));
    json_decref(strings);
    if (!header && status == SAM_OK)
        status = fail(err, SAM_E_MEMORY, "%s: no memory for the header", path);
    for (size_t i = 0; i < n_tensors && status == SAM_OK; i++) {
        const st_tensor *t = &tensors[i];
        if (t->n_dims < 0 || t->n_dims > ST_MAX_DIMS || t->n_bytes != (size_t)st_count(t) * st_dtype_bytes(t->dtype))
            status = fail(err, SAM_E_ARG, "%s: tensor %s: %zu bytes do not fit its shape", path, t->name, t->n_bytes);
        else if (json_object_get(header, t->name))
            status = fail(err, SAM_E_ARG, "%s: tensor %s is given twice", path, t->name);
        else if (json_object_set_new(header, t->name, header_entry(t, at)) != 0)
            status = fail(err, SAM_E_ARG, "%s: tensor %s cannot be written: its name is not UTF-8", path, t->name);
        at += t->n_bytes;
    }
    if (status != SAM_OK) {
        json_decref(header);
        header = NULL;
    }
    *out = header;
    return status;
}

static int write_all(int fd, const void *data, size_t n)
{
    const uint8_t *at = data;
    while (n > 0) {
        ssize_t done = write(fd, at, n < ((size_t)1 << 30) ? n : (size_t)1 << 30);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

/* Header and data; 0, or -1 with errno. The header is padded with spaces so that data starts at a multiple of 64. */
static int write_content(int fd, const char *header, const st_tensor *tensors, size_t n_tensors)
{
    static const char spaces[DATA_ALIGN + 1] = "                                                                ";
    size_t length = strlen(header);
    size_t pad = (DATA_ALIGN - (LENGTH_SIZE + length) % DATA_ALIGN) % DATA_ALIGN;
    uint64_t n = length + pad;
    if (write_all(fd, &n, LENGTH_SIZE) != 0 || write_all(fd, header, length) != 0 || write_all(fd, spaces, pad) != 0)
        return -1;
    for (size_t i = 0; i < n_tensors; i++)
        if (write_all(fd, tensors[i].data, tensors[i].n_bytes) != 0)
            return -1;
    return fsync(fd);
}

static sam_status write_file(const char *path, const char *header, const st_tensor *tensors, size_t n_tensors,
                             sam_error *err)
{
    char *temporary;
    int fd = atomic_file_temporary(path, &temporary);
    if (fd < 0)
        return fail(err, SAM_E_IO, "%s: cannot write: %s", path, strerror(errno));
    sam_status status = SAM_OK;
    int written = write_content(fd, header, tensors, n_tensors), why = errno;
    if (close(fd) != 0 && written == 0) {
        written = -1;
        why = errno;
    }
    if (written == 0 && rename(temporary, path) != 0) {
        written = -1;
        why = errno;
    }
    if (written != 0) {
        unlink(temporary);
        status = fail(err, SAM_E_IO, "%s: cannot write: %s", path, strerror(why));
    }
    free(temporary);
    return status;
}

sam_status st_write(const char *path, const st_tensor *tensors, size_t n_tensors, const st_meta *meta, size_t n_meta,
                    sam_error *err)
{
    json_t *header;
    TRY(build_header(path, tensors, n_tensors, meta, n_meta, &header, err));
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (!text)
        return fail(err, SAM_E_MEMORY, "%s: no memory for the header", path);
    sam_status status = write_file(path, text, tensors, n_tensors, err);
    free(text);
    return status;
}
