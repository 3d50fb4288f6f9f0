/* torch_file.c - see torch_file.h. A torch.save file is a zip archive: <top>/data.pkl holds the structure and
 * <top>/data/<key> the bytes of each storage (torch/serialization.py, _save). Before torch 1.6 (_legacy_save) it is a row
 * of pickles: a magic number, a version, facts about the machine, the structure, and the keys of the storages, behind
 * which each storage follows in that order: the number of elements, then their bytes. */
#include "torch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle.h"
#include "state_dict.h"
#include "zip.h"

enum { TENSORS_MAX = 1 << 16 }; /* SAM 2.1 large has 1,000, with an optimizer 3,000 */
/* A deflated data.pkl: names repeat, and deflate makes a twentieth of them. */
#define PICKLE_RATIO 64
#define PICKLE_ROOM  ((size_t)1 << 20)

/* A storage of the old format. */
typedef struct old_storage {
    const pickle_value *value; /* as the structure mentions it */
    const uint8_t *bytes;      /* NULL: its key did not come */
    size_t n_bytes;
} old_storage;

typedef struct torch_file {
    const char *path;
    zip_archive zip;
    pickle pickle;
    void *pickle_owned;
    char top[256];                   /* folder of data.pkl inside the archive, with its slash */
    const uint8_t **loaded;          /* per zip entry: its bytes once read; owned by the tensor set or in place */
    size_t copied_bytes, copy_limit; /* inflated and made contiguous */
    old_storage *old;                /* sorted by key; of the old format only */
    size_t n_old;
    tensor_set *out;
    sam_error *err;
} torch_file;

static sam_status find_top(torch_file *f)
{
    static const char wanted[] = "/data.pkl";
    const size_t n_wanted = sizeof wanted - 1;
    for (size_t i = 0; i < f->zip.n_entries; i++) {
        const zip_entry *e = &f->zip.entries[i];
        if (e->name_bytes > n_wanted && e->name_bytes - n_wanted < sizeof f->top - 16 &&
            memcmp(e->name + e->name_bytes - n_wanted, wanted, n_wanted) == 0 &&
            !memchr(e->name, '/', e->name_bytes - n_wanted) && !memchr(e->name, 0, e->name_bytes)) {
            size_t n = e->name_bytes - n_wanted + 1;
            memcpy(f->top, e->name, n);
            f->top[n] = 0;
            return SAM_OK;
        }
    }
    return fail(f->err, SAM_E_FORMAT, "%s: a zip archive without data.pkl: not a file of torch.save", f->path);
}

static const zip_entry *find_entry(const torch_file *f, const char *folder, const char *name, size_t n_name)
{
    char full[512];
    if (n_name > 100)
        return NULL;
    snprintf(full, sizeof full, "%s%s%.*s", f->top, folder, (int)n_name, name);
    return zip_find(&f->zip, full);
}

static sam_status check_byte_order(torch_file *f)
{
    const zip_entry *e = find_entry(f, "", "byteorder", 9);
    const uint8_t *text = NULL;
    void *owned = NULL;
    if (!e) /* older files have none and are little endian */
        return SAM_OK;
    TRY(zip_read(&f->zip, e, 64, &text, &owned, f->err));
    int little = e->n_bytes == 6 && memcmp(text, "little", 6) == 0;
    free(owned);
    return little ? SAM_OK : fail(f->err, SAM_E_FORMAT, "%s: written on a big-endian machine: not supported", f->path);
}

static sam_status count_copy(torch_file *f, size_t n_bytes)
{
    if (n_bytes > f->copy_limit - f->copied_bytes)
        return fail(f->err, SAM_E_FORMAT, "%s: its tensors take far more memory than the file", f->path);
    f->copied_bytes += n_bytes;
    return SAM_OK;
}

/* Inflated bytes are handed to the set, so that they live as long as the tensors that point there. */
static sam_status keep(torch_file *f, const zip_entry *e, void *owned, const uint8_t **bytes)
{
    if (!owned)
        return SAM_OK;
    void *copy = tensor_set_alloc(f->out, e->n_bytes);
    if (copy)
        memcpy(copy, owned, e->n_bytes);
    free(owned);
    *bytes = copy;
    return copy ? SAM_OK : fail(f->err, SAM_E_MEMORY, "%s: no memory for %zu bytes", f->path, e->n_bytes);
}

static sam_status find_in_zip(torch_file *f, const char *name, const pickle_value *storage, const uint8_t **bytes,
                              size_t *n_bytes)
{
    void *owned = NULL;
    const zip_entry *e = find_entry(f, "data/", storage->text, storage->n_text);
    if (!e)
        return fail(f->err, SAM_E_FORMAT, "%s: tensor %.100s: its storage data/%.*s is not in the archive", f->path,
                    name, (int)(storage->n_text < 40 ? storage->n_text : 40), storage->text);
    size_t i = (size_t)(e - f->zip.entries);
    if (!f->loaded[i]) {
        TRY(count_copy(f, e->deflated ? e->n_bytes : 0));
        TRY(zip_read(&f->zip, e, e->n_bytes, &f->loaded[i], &owned, f->err));
        TRY(keep(f, e, owned, &f->loaded[i]));
    }
    *bytes = f->loaded[i];
    *n_bytes = e->n_bytes;
    return SAM_OK;
}

static int compare_key(const void *a, const void *b)
{
    const pickle_value *x = ((const old_storage *)a)->value, *y = ((const old_storage *)b)->value;
    int order = memcmp(x->text, y->text, x->n_text < y->n_text ? x->n_text : y->n_text);
    return order ? order : (x->n_text > y->n_text) - (x->n_text < y->n_text);
}

static old_storage *find_old(const torch_file *f, const pickle_value *key)
{
    const old_storage wanted = {.value = key};
    return f->n_old ? bsearch(&wanted, f->old, f->n_old, sizeof *f->old, compare_key) : NULL;
}

static sam_status load_storage(torch_file *f, const char *name, const pickle_value *storage, const uint8_t **bytes)
{
    size_t n_bytes = 0;
    if (f->old) {
        const old_storage *found = find_old(f, storage);
        if (!found || !found->bytes)
            return fail(f->err, SAM_E_FORMAT, "%s: tensor %.100s: its storage is not in the file", f->path, name);
        *bytes = found->bytes;
        n_bytes = found->n_bytes;
    } else
        TRY(find_in_zip(f, name, storage, bytes, &n_bytes));
    if ((uint64_t)storage->integer > n_bytes / st_dtype_bytes(storage->dtype))
        return fail(f->err, SAM_E_FORMAT,
                    "%s: tensor %.100s: its storage should hold %lld elements of %s but has %zu bytes", f->path, name,
                    (long long)storage->integer, st_dtype_name(storage->dtype), n_bytes);
    return SAM_OK;
}

/* Elements lie inside the storage, and there are not more of them than the storage has: a stride of 0 could ask for
 * any amount of memory. Sets *contiguous. */
static sam_status check_layout(torch_file *f, const char *name, const pickle_value *t, int *contiguous)
{
    int64_t count = 1, last = t->integer;
    int bad = t->integer < 0;
    *contiguous = 1;
    for (int d = t->n_dims - 1; d >= 0 && !bad; d--) {
        int64_t reach = 0;
        bad = t->layout->shape[d] < 0 || t->layout->strides[d] < 0;
        if (!bad && t->layout->shape[d] > 1) {
            *contiguous = *contiguous && t->layout->strides[d] == count;
            bad = __builtin_mul_overflow(t->layout->shape[d] - 1, t->layout->strides[d], &reach) ||
                  __builtin_add_overflow(last, reach, &last);
        }
        bad = bad || __builtin_mul_overflow(count, t->layout->shape[d], &count);
    }
    if (bad || count > t->storage->integer || (count > 0 && last >= t->storage->integer))
        return fail(f->err, SAM_E_FORMAT, "%s: tensor %.100s: its sizes and strides reach outside its storage", f->path,
                    name);
    return SAM_OK;
}

/* Row-major copy of a strided tensor. */
static void gather_elements(const pickle_value *t, const uint8_t *from, uint8_t *to, size_t element, int64_t count)
{
    int64_t index[ST_MAX_DIMS] = {0};
    for (int64_t i = 0; i < count; i++) {
        int64_t at = t->integer;
        for (int d = 0; d < t->n_dims; d++)
            at += index[d] * t->layout->strides[d];
        memcpy(to + (size_t)i * element, from + (size_t)at * element, element);
        for (int d = t->n_dims - 1; d >= 0 && ++index[d] == t->layout->shape[d]; d--)
            index[d] = 0;
    }
}

static sam_status add_tensor(torch_file *f, const char *name, const pickle_value *t)
{
    const uint8_t *bytes = NULL;
    int contiguous = 0;
    size_t element = st_dtype_bytes(t->storage->dtype);
    if (f->out->n_tensors == TENSORS_MAX)
        return fail(f->err, SAM_E_FORMAT, "%s: more than %d tensors: no checkpoint of a model", f->path, TENSORS_MAX);
    TRY(load_storage(f, name, t->storage, &bytes));
    TRY(check_layout(f, name, t, &contiguous));
    st_tensor *added = tensor_set_add(f->out, name, t->storage->dtype, t->n_dims, t->layout->shape, NULL);
    if (!added)
        return fail(f->err, SAM_E_MEMORY, "%s: no memory for tensor %.100s", f->path, name);
    added->data = bytes + (added->n_bytes ? (size_t)t->integer * element : 0);
    if (contiguous)
        return SAM_OK;
    TRY(count_copy(f, added->n_bytes));
    uint8_t *copy = tensor_set_alloc(f->out, added->n_bytes);
    if (!copy)
        return fail(f->err, SAM_E_MEMORY, "%s: no memory for tensor %.100s", f->path, name);
    gather_elements(t, bytes, copy, element, st_count(added));
    added->data = copy;
    return SAM_OK;
}

/* Entries that are not tensors (an epoch, a version) are passed over; numbers in a form that is not read are not. */
static sam_status add_state_dict(torch_file *f)
{
    const pickle_value *dict = NULL;
    char name[256];
    TRY(state_dict_find(f->path, f->pickle.root, &dict, f->out->part, f->err));
    for (size_t i = 0; i + 1 < dict->n_items; i += 2) {
        const pickle_value *key = dict->items[i], *value = dict->items[i + 1];
        if (key->kind == PICKLE_STRING && value->kind == PICKLE_OBJECT && value->integer)
            return fail(f->err, SAM_E_FORMAT,
                        "%s: tensor %.*s is stored as %.*s, which is not read; make plain tensors of it: "
                        "torch.as_tensor(t).detach().clone()",
                        f->path, (int)(key->n_text < 100 ? key->n_text : 100), key->text,
                        (int)(value->n_text < 60 ? value->n_text : 60), value->text);
        if (key->kind != PICKLE_STRING || value->kind != PICKLE_TENSOR)
            continue;
        if (key->n_text >= sizeof name || memchr(key->text, 0, key->n_text))
            return fail(f->err, SAM_E_FORMAT, "%s: a tensor's name is longer than %zu bytes or has a zero in it",
                        f->path, sizeof name - 1);
        memcpy(name, key->text, key->n_text);
        name[key->n_text] = 0;
        TRY(add_tensor(f, name, value));
    }
    return SAM_OK;
}

static sam_status read_all(torch_file *f)
{
    const uint8_t *text = NULL;
    TRY(find_top(f));
    TRY(check_byte_order(f));
    const zip_entry *e = find_entry(f, "", "data.pkl", 8);
    size_t limit = PICKLE_ROOM + PICKLE_RATIO * e->n_stored_bytes;
    TRY(zip_read(&f->zip, e, limit, &text, &f->pickle_owned, f->err));
    TRY(pickle_open(f->path, text, e->n_bytes, &f->pickle, f->err));
    f->loaded = calloc(f->zip.n_entries, sizeof *f->loaded);
    if (!f->loaded)
        return fail(f->err, SAM_E_MEMORY, "%s: no memory", f->path);
    return add_state_dict(f);
}

sam_status torch_read(const char *path, const uint8_t *bytes, size_t n_bytes, tensor_set *out, sam_error *err)
{
    torch_file f = {.path = path, .out = out, .err = err, .copy_limit = ((size_t)1 << 20) + 16 * n_bytes};
    TRY(zip_open(path, bytes, n_bytes, &f.zip, err));
    sam_status status = read_all(&f);
    pickle_close(&f.pickle);
    free(f.pickle_owned);
    free(f.loaded);
    zip_close(&f.zip);
    return status;
}

/* ------------------------------------------------------------------------------------ before torch 1.6 ---- */

/* LONG1 of ten bytes: torch.serialization.MAGIC_NUMBER, 0x1950a86a20f9469cfc6c. */
static const uint8_t magic[] = {0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

/* Protocol 2 to 5 begins with its number; 4 and 5 may put a frame before the number. */
int torch_recognise_old(const uint8_t *bytes, size_t n_bytes)
{
    size_t at = n_bytes > 11 && bytes[2] == 0x95 ? 11 : 2;
    return n_bytes >= at + sizeof magic && bytes[0] == 0x80 && memcmp(bytes + at, magic, sizeof magic) == 0;
}

typedef struct reader {
    const uint8_t *bytes;
    size_t n_bytes;
} reader;

static sam_status next_pickle(torch_file *f, reader *r, pickle *out)
{
    TRY(pickle_open(f->path, r->bytes, r->n_bytes, out, f->err));
    r->bytes += out->n_used;
    r->n_bytes -= out->n_used;
    return SAM_OK;
}

static sam_status skip_pickles(torch_file *f, reader *r, int n)
{
    for (int i = 0; i < n; i++) {
        pickle p;
        TRY(next_pickle(f, r, &p));
        pickle_close(&p);
    }
    return SAM_OK;
}

/* The storages that the structure mentions, each key once. */
static sam_status list_storages(torch_file *f)
{
    size_t n = 0, kept = 0;
    for (const pickle_value *v = f->pickle.all; v; v = v->next)
        n += v->kind == PICKLE_STORAGE;
    f->old = calloc(n + 1, sizeof *f->old);
    if (!f->old)
        return fail(f->err, SAM_E_MEMORY, "%s: no memory", f->path);
    for (const pickle_value *v = f->pickle.all; v; v = v->next)
        if (v->kind == PICKLE_STORAGE)
            f->old[f->n_old++].value = v;
    qsort(f->old, f->n_old, sizeof *f->old, compare_key);
    for (size_t i = 0; i < n; i++) {
        if (kept && compare_key(&f->old[kept - 1], &f->old[i]) == 0) {
            if (f->old[kept - 1].value->dtype != f->old[i].value->dtype)
                return fail(f->err, SAM_E_FORMAT, "%s: one storage of two types", f->path);
            continue;
        }
        f->old[kept++] = f->old[i];
    }
    f->n_old = kept;
    return SAM_OK;
}

static sam_status take_storage(torch_file *f, reader *r, const pickle_value *key)
{
    uint64_t n = 0;
    old_storage *s = key->kind == PICKLE_STRING ? find_old(f, key) : NULL;
    if (!s || s->bytes)
        return fail(f->err, SAM_E_FORMAT, "%s: a storage that no tensor mentions, or that comes twice", f->path);
    if (r->n_bytes < sizeof n)
        return fail(f->err, SAM_E_FORMAT, "%s: cut short among its storages", f->path);
    memcpy(&n, r->bytes, sizeof n);
    r->bytes += sizeof n;
    r->n_bytes -= sizeof n;
    if (n > r->n_bytes / st_dtype_bytes(s->value->dtype))
        return fail(f->err, SAM_E_FORMAT, "%s: cut short: a storage of %llu elements of %s in the last %zu bytes",
                    f->path, (unsigned long long)n, st_dtype_name(s->value->dtype), r->n_bytes);
    s->bytes = r->bytes;
    s->n_bytes = n * st_dtype_bytes(s->value->dtype);
    r->bytes += s->n_bytes;
    r->n_bytes -= s->n_bytes;
    return SAM_OK;
}

static sam_status read_old(torch_file *f, reader *r)
{
    pickle keys = {0};
    TRY(skip_pickles(f, r, 3));
    TRY(next_pickle(f, r, &f->pickle));
    TRY(list_storages(f));
    TRY(next_pickle(f, r, &keys));
    sam_status status = keys.root->kind == PICKLE_LIST
                            ? SAM_OK
                            : fail(f->err, SAM_E_FORMAT, "%s: no list of storages behind its structure", f->path);
    for (size_t i = 0; status == SAM_OK && i < keys.root->n_items; i++)
        status = take_storage(f, r, keys.root->items[i]);
    pickle_close(&keys);
    return status == SAM_OK ? add_state_dict(f) : status;
}

sam_status torch_read_old(const char *path, const uint8_t *bytes, size_t n_bytes, tensor_set *out, sam_error *err)
{
    torch_file f = {.path = path, .out = out, .err = err, .copy_limit = ((size_t)1 << 20) + 16 * n_bytes};
    reader r = {bytes, n_bytes};
    sam_status status = read_old(&f, &r);
    pickle_close(&f.pickle);
    free(f.old);
    return status;
}
