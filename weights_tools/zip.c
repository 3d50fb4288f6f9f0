/* zip.c - see zip.h. Field offsets are those of PKWARE's APPNOTE 6.3, sections 4.3.7 to 4.3.16 and 4.5.3. */
#include "zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    COMMENT_MAX = 65535,
    EXTRA_ZIP64 = 1,
    FLAG_ENCRYPTED = 1,
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8
};
#define LOCAL_MAGIC   0x04034b50u
#define CENTRAL_MAGIC 0x02014b50u
#define END_MAGIC     0x06054b50u
#define END64_MAGIC   0x06064b50u
#define LOCATOR_MAGIC 0x07064b50u

/* Deflate cannot do better than 1032:1 (zlib's technical notes); an entry that claims more is a bomb. */
#define RATIO_MAX 1032

static uint32_t u16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const uint8_t *p)
{
    return u16(p) | u16(p + 2) << 16;
}

static uint64_t u64(const uint8_t *p)
{
    return (uint64_t)u32(p) | (uint64_t)u32(p + 4) << 32;
}

/* 1 if [at, at + n) lies within [0, total). */
static int within(uint64_t at, uint64_t n, uint64_t total)
{
    return at <= total && n <= total - at;
}

typedef struct directory {
    uint64_t at, n_bytes, n_entries;
} directory;

int zip_recognise(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 4 && (u32(bytes) == LOCAL_MAGIC || u32(bytes) == END_MAGIC);
}

static int compare_entry(const void *a, const void *b)
{
    const zip_entry *x = *(const zip_entry *const *)a, *y = *(const zip_entry *const *)b;
    size_t n = x->name_bytes < y->name_bytes ? x->name_bytes : y->name_bytes;
    int order = memcmp(x->name, y->name, n);
    return order ? order : (x->name_bytes > y->name_bytes) - (x->name_bytes < y->name_bytes);
}

/* The end record is last, before a comment of unknown length. */
static sam_status find_directory(const char *path, const uint8_t *bytes, size_t n, directory *out, sam_error *err)
{
    size_t end = 0, found = 0;
    for (size_t back = END_BYTES; back <= n && back <= END_BYTES + COMMENT_MAX && !found; back++) {
        end = n - back;
        found = u32(bytes + end) == END_MAGIC && u16(bytes + end + 20) == back - END_BYTES;
    }
    if (!found)
        return fail(err, SAM_E_FORMAT, "%s: zip archive without its directory: the file is cut short", path);
    if (u16(bytes + end + 4) != 0 && u16(bytes + end + 4) != 0xffff)
        return fail(err, SAM_E_FORMAT, "%s: multi-part zip archives are not supported", path);
    out->n_entries = u16(bytes + end + 10);
    out->n_bytes = u32(bytes + end + 12);
    out->at = u32(bytes + end + 16);
    if (end >= LOCATOR_BYTES && u32(bytes + end - LOCATOR_BYTES) == LOCATOR_MAGIC) {
        uint64_t at = u64(bytes + end - LOCATOR_BYTES + 8);
        if (!within(at, END64_BYTES, n) || u32(bytes + at) != END64_MAGIC)
            return fail(err, SAM_E_FORMAT, "%s: zip64 end record is not where its locator says", path);
        out->n_entries = u64(bytes + at + 32);
        out->n_bytes = u64(bytes + at + 40);
        out->at = u64(bytes + at + 48);
    }
    if (!within(out->at, out->n_bytes, n) || out->n_entries > out->n_bytes / CENTRAL_BYTES)
        return fail(err, SAM_E_FORMAT, "%s: zip directory lies outside the file: cut short or damaged", path);
    return SAM_OK;
}

/* Sizes that do not fit 32 bits are all ones in the record and follow, in this order, in a zip64 extra field. */
static int read_zip64(const uint8_t *extra, size_t n_extra, uint64_t *n_bytes, uint64_t *n_stored, uint64_t *local_at)
{
    uint64_t *wanted[] = {n_bytes, n_stored, local_at};
    size_t at = 0;
    while (at + 4 <= n_extra) {
        size_t n = u16(extra + at + 2), used = 0;
        if (n > n_extra - at - 4)
            return -1;
        if (u16(extra + at) == EXTRA_ZIP64) {
            for (int i = 0; i < 3; i++)
                if (*wanted[i] == 0xffffffffu) {
                    if (used + 8 > n)
                        return -1;
                    *wanted[i] = u64(extra + at + 4 + used);
                    used += 8;
                }
            return 0;
        }
        at += 4 + n;
    }
    return 0;
}

/* One record of the central directory; `*at` moves behind it. */
static sam_status read_entry(const char *path, const uint8_t *bytes, size_t n, uint64_t *at, uint64_t end, zip_entry *e,
                             sam_error *err)
{
    const uint8_t *p = bytes + *at;
    if (!within(*at, CENTRAL_BYTES, end) || u32(p) != CENTRAL_MAGIC)
        return fail(err, SAM_E_FORMAT, "%s: zip directory is damaged at byte %llu", path, (unsigned long long)*at);
    size_t n_name = u16(p + 28), n_extra = u16(p + 30), n_comment = u16(p + 32);
    if (!within(*at, CENTRAL_BYTES + n_name + n_extra + n_comment, end))
        return fail(err, SAM_E_FORMAT, "%s: zip directory is damaged at byte %llu", path, (unsigned long long)*at);
    uint64_t n_stored = u32(p + 20), n_bytes = u32(p + 24), local = u32(p + 42);
    uint32_t flags = u16(p + 8), method = u16(p + 10);
    int n_shown = n_name < 100 ? (int)n_name : 100;
    e->name = (const char *)p + CENTRAL_BYTES;
    e->name_bytes = n_name;
    if (read_zip64(p + CENTRAL_BYTES + n_name, n_extra, &n_bytes, &n_stored, &local) != 0)
        return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s: damaged extra field", path, n_shown, e->name);
    if (flags & FLAG_ENCRYPTED)
        return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s is encrypted", path, n_shown, e->name);
    if (method != METHOD_STORED && method != METHOD_DEFLATED)
        return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s: compression method %u is not supported", path, n_shown,
                    e->name, method);
    if (!within(local, LOCAL_BYTES, n) || u32(bytes + local) != LOCAL_MAGIC)
        return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s: its header is not where the directory says", path, n_shown,
                    e->name);
    uint64_t data = local + LOCAL_BYTES + u16(bytes + local + 26) + u16(bytes + local + 28);
    if (!within(data, n_stored, n))
        return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s lies outside the file: cut short or damaged", path, n_shown,
                    e->name);
    e->deflated = method == METHOD_DEFLATED;
    if (e->deflated ? n_bytes / RATIO_MAX > n_stored : n_bytes != n_stored)
        return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s: %llu bytes cannot come out of %llu", path, n_shown, e->name,
                    (unsigned long long)n_bytes, (unsigned long long)n_stored);
    e->data = bytes + data;
    e->n_stored_bytes = n_stored;
    e->n_bytes = n_bytes;
    e->crc = u32(p + 16);
    *at += CENTRAL_BYTES + n_name + n_extra + n_comment;
    return SAM_OK;
}

static sam_status read_directory(zip_archive *z, const uint8_t *bytes, size_t n, const directory *d, sam_error *err)
{
    uint64_t at = d->at;
    z->entries = calloc(d->n_entries + 1, sizeof *z->entries);
    z->by_name = calloc(d->n_entries + 1, sizeof *z->by_name);
    if (!z->entries || !z->by_name)
        return fail(err, SAM_E_MEMORY, "%s: no memory for %llu zip entries", z->path, (unsigned long long)d->n_entries);
    for (; z->n_entries < d->n_entries; z->n_entries++) {
        TRY(read_entry(z->path, bytes, n, &at, d->at + d->n_bytes, &z->entries[z->n_entries], err));
        z->by_name[z->n_entries] = &z->entries[z->n_entries];
    }
    qsort(z->by_name, z->n_entries, sizeof *z->by_name, compare_entry);
    for (size_t i = 1; i < z->n_entries; i++)
        if (compare_entry(&z->by_name[i - 1], &z->by_name[i]) == 0)
            return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s is there twice", z->path,
                        (int)(z->by_name[i]->name_bytes < 100 ? z->by_name[i]->name_bytes : 100), z->by_name[i]->name);
    return SAM_OK;
}

sam_status zip_open(const char *path, const uint8_t *bytes, size_t n_bytes, zip_archive *out, sam_error *err)
{
    directory d = {0};
    *out = (zip_archive){.path = path};
    TRY(find_directory(path, bytes, n_bytes, &d, err));
    sam_status status = read_directory(out, bytes, n_bytes, &d, err);
    if (status != SAM_OK)
        zip_close(out);
    return status;
}

void zip_close(zip_archive *z)
{
    free(z->entries);
    free(z->by_name);
    *z = (zip_archive){0};
}

const zip_entry *zip_find(const zip_archive *z, const char *name)
{
    const zip_entry key = {.name = name, .name_bytes = strlen(name)}, *key_at = &key;
    if (z->n_entries == 0)
        return NULL;
    const zip_entry **found = bsearch(&key_at, z->by_name, z->n_entries, sizeof *z->by_name, compare_entry);
    return found ? *found : NULL;
}

/* zlib counts in 32 bits: input and output are handed over in pieces. Returns 1 if exactly n_bytes came out. */
static int inflate_entry(const zip_entry *e, uint8_t *out)
{
    z_stream s = {0};
    const size_t piece = (size_t)1 << 30;
    size_t n_in = e->n_stored_bytes, n_out = e->n_bytes;
    int code = inflateInit2(&s, -MAX_WBITS);
    if (code != Z_OK)
        return 0;
    s.next_in = (Bytef *)(uintptr_t)e->data; /* zlib's input is not const unless ZLIB_CONST */
    s.next_out = out;
    do {
        if (s.avail_in == 0) {
            s.avail_in = (uInt)(n_in < piece ? n_in : piece);
            n_in -= s.avail_in;
        }
        if (s.avail_out == 0) {
            s.avail_out = (uInt)(n_out < piece ? n_out : piece);
            n_out -= s.avail_out;
        }
        code = inflate(&s, Z_NO_FLUSH);
    } while (code == Z_OK && (s.avail_in > 0 || n_in > 0 || n_out > 0));
    int whole = code == Z_STREAM_END && s.avail_out == 0 && n_out == 0;
    inflateEnd(&s);
    return whole;
}

sam_status zip_read(const zip_archive *z, const zip_entry *e, size_t limit, const uint8_t **data, void **owned,
                    sam_error *err)
{
    int n_shown = (int)(e->name_bytes < 100 ? e->name_bytes : 100);
    const uint8_t *bytes = e->data;
    *owned = NULL;
    if (e->deflated && e->n_bytes > limit)
        return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s would become %zu bytes; at most %zu are expected", z->path,
                    n_shown, e->name, e->n_bytes, limit);
    if (e->deflated) {
        *owned = malloc(e->n_bytes + 1);
        if (!*owned)
            return fail(err, SAM_E_MEMORY, "%s: no memory to inflate %zu bytes", z->path, e->n_bytes);
        if (!inflate_entry(e, *owned)) {
            free(*owned);
            *owned = NULL;
            return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s does not inflate: the file is damaged", z->path, n_shown,
                        e->name);
        }
        bytes = *owned;
    }
    /* torch.serialization.set_crc32_options(False) leaves zeros */
    if (e->crc != 0 && crc32_z(crc32_z(0, NULL, 0), bytes, e->n_bytes) != e->crc) {
        free(*owned);
        *owned = NULL;
        return fail(err, SAM_E_FORMAT, "%s: zip entry %.*s: checksum differs, the file is damaged; fetch it again",
                    z->path, n_shown, e->name);
    }
    *data = bytes;
    return SAM_OK;
}
