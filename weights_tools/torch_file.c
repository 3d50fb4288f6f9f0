/* torch_file.c - see torch_file.h. A torch.save file is a zip archive: <top>/data.pkl holds the structure and
 * <top>/data/<key> the bytes of each storage (torch/serialization.py, _save). */
#include "torch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle.h"
#include "zip.h"

typedef struct torch_file {
    const char *path;
    zip_archive zip;
    pickle pickle;
    void *pickle_owned;
    char top[256];                   /* folder of data.pkl inside the archive, with its slash */
    const uint8_t **loaded;          /* per zip entry: its bytes once read; owned by the tensor set or in place */
    size_t copied_bytes, copy_limit; /* inflated and made contiguous */
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
    TRY(zip_read(&f->zip, e, &text, &owned, f->err));
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

static sam_status load_storage(torch_file *f, const char *name, const pickle_value *storage, const uint8_t **bytes)
{
    void *owned = NULL;
    const zip_entry *e = find_entry(f, "data/", storage->text, storage->n_text);
    if (!e)
        return fail(f->err, SAM_E_FORMAT, "%s: tensor %.100s: its storage data/%.*s is not in the archive", f->path,
                    name, (int)(storage->n_text < 40 ? storage->n_text : 40), storage->text);
    if ((uint64_t)storage->integer > e->n_bytes / st_dtype_bytes(storage->dtype))
        return fail(f->err, SAM_E_FORMAT,
                    "%s: tensor %.100s: its storage should hold %lld elements of %s but has %zu bytes", f->path, name,
                    (long long)storage->integer, st_dtype_name(storage->dtype), e->n_bytes);
    size_t i = (size_t)(e - f->zip.entries);
    if (!f->loaded[i]) {
        TRY(count_copy(f, e->deflated ? e->n_bytes : 0));
        TRY(zip_read(&f->zip, e, &f->loaded[i], &owned, f->err));
        TRY(keep(f, e, owned, &f->loaded[i]));
    }
    *bytes = f->loaded[i];
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
        bad = t->shape[d] < 0 || t->strides[d] < 0;
        if (!bad && t->shape[d] > 1) {
            *contiguous = *contiguous && t->strides[d] == count;
            bad = __builtin_mul_overflow(t->shape[d] - 1, t->strides[d], &reach) ||
                  __builtin_add_overflow(last, reach, &last);
        }
        bad = bad || __builtin_mul_overflow(count, t->shape[d], &count);
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
            at += index[d] * t->strides[d];
        memcpy(to + (size_t)i * element, from + (size_t)at * element, element);
        for (int d = t->n_dims - 1; d >= 0 && ++index[d] == t->shape[d]; d--)
            index[d] = 0;
    }
}

static sam_status add_tensor(torch_file *f, const char *name, const pickle_value *t)
{
    const uint8_t *bytes = NULL;
    int contiguous = 0;
    size_t element = st_dtype_bytes(t->storage->dtype);
    TRY(load_storage(f, name, t->storage, &bytes));
    TRY(check_layout(f, name, t, &contiguous));
    st_tensor *added = tensor_set_add(f->out, name, t->storage->dtype, t->n_dims, t->shape, NULL);
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

static const pickle_value *state_dict(const pickle_value *root)
{
    static const char *const keys[] = {"model", "state_dict"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const pickle_value *inside = pickle_get(root, keys[i]);
        if (inside && inside->kind == PICKLE_DICT)
            return inside;
    }
    return root;
}

/* Entries that are not tensors (an epoch, a version) are passed over. */
static sam_status add_state_dict(torch_file *f)
{
    const pickle_value *dict = state_dict(f->pickle.root);
    char name[256];
    if (dict->kind != PICKLE_DICT)
        return fail(f->err, SAM_E_FORMAT, "%s: expected a dict of tensors or {\"model\": dict}", f->path);
    for (size_t i = 0; i + 1 < dict->n_items; i += 2) {
        const pickle_value *key = dict->items[i], *value = dict->items[i + 1];
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
    TRY(zip_read(&f->zip, e, &text, &f->pickle_owned, f->err));
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
