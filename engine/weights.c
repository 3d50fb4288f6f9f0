#include "weights.h"

#include "cpu_math.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

sam_status weights_open(weights *w, const st_file *file, const char *path, sam_error *err)
{
    *w = (weights){.file = file, .path = path};
    w->used = calloc(file->n_tensors + 1, 1);
    return w->used ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: no memory for %zu tensor entries", path, file->n_tensors);
}

void weights_close(weights *w)
{
    for (int i = 0; i < w->count; i++)
        if (w->entry[i].owned)
            w->entry[i].owner->api->release(w->entry[i].owner, w->entry[i].owned);
    free(w->entry);
    free(w->used);
    *w = (weights){0};
}

static sam_status new_entry(weights *w, const char *name, int *index, sam_error *err)
{
    if (strlen(name) >= sizeof w->entry->name)
        return fail(err, SAM_E_FORMAT, "%s: tensor name too long: %s", w->path, name);
    if (w->count == w->capacity) {
        int capacity = w->capacity ? 2 * w->capacity : 256;
        weight *entry = realloc(w->entry, (size_t)capacity * sizeof *entry);
        if (!entry)
            return fail(err, SAM_E_MEMORY, "%s: no memory for %d weights", w->path, capacity);
        w->entry = entry;
        w->capacity = capacity;
    }
    *index = w->count++;
    w->entry[*index] = (weight){0};
    memcpy(w->entry[*index].name, name, strlen(name) + 1);
    return SAM_OK;
}

static dtype dtype_of_file(st_dtype t)
{
    return t == ST_F32 ? DT_F32 : t == ST_BF16 ? DT_BF16 : t == ST_F16 ? DT_F16 : DT_NONE;
}

/* The file keeps the axes of the checkpoint; the first of them are the rows, the others the columns. Equal counts are not
 * enough: a transposed matrix has them too. */
static int has_shape(const st_tensor *t, int rows, int cols)
{
    int64_t left = 1;
    if (st_count(t) != (int64_t)rows * cols)
        return 0;
    for (int d = 0; d <= t->n_dims; d++) {
        if (left == rows)
            return 1;
        left *= d < t->n_dims ? t->shape[d] : 1;
    }
    return 0;
}

static const char *shape_text(const st_tensor *t, char *text, size_t n_text)
{
    size_t at = 0;
    text[0] = 0;
    for (int d = 0; d < t->n_dims && at < n_text; d++)
        at += (size_t)snprintf(text + at, n_text - at, "%s%lld", d ? ", " : "", (long long)t->shape[d]);
    return text;
}

sam_status weights_request(weights *w, const char *name, int file_rows, int first_row, int rows, int cols, dtype type,
                           int *index, sam_error *err)
{
    for (int i = 0; i < w->count; i++) {
        weight *e = &w->entry[i];
        if (e->src && e->first_row == first_row && e->t.rows == rows && e->t.type == type && !strcmp(e->name, name)) {
            *index = i;
            return SAM_OK;
        }
    }
    const st_tensor *src = st_find(w->file, name);
    if (!src)
        return fail(err, SAM_E_FORMAT, "%s: tensor %s is missing (expected %d x %d); convert the checkpoint again",
                    w->path, name, file_rows, cols);
    if (!has_shape(src, file_rows, cols)) {
        char shape[ST_MAX_DIMS * 24];
        return fail(err, SAM_E_FORMAT, "%s: tensor %s is [%s], expected %d x %d; convert the checkpoint again", w->path,
                    name, shape_text(src, shape, sizeof shape), file_rows, cols);
    }
    if (dtype_of_file(src->dtype) == DT_NONE)
        return fail(err, SAM_E_FORMAT, "%s: tensor %s has type %s, expected F32, F16 or BF16", w->path, name,
                    st_dtype_name(src->dtype));
    TRY(new_entry(w, name, index, err));
    weight *e = &w->entry[*index];
    e->src = src;
    e->first_row = first_row;
    e->t = (tensor){.type = type, .n = 1, .rows = rows, .cols = cols};
    w->used[src - w->file->tensors] = 1;
    return SAM_OK;
}

sam_status weights_derive(weights *w, const char *name, dtype type, int rows, int cols, const derive *how, int *index,
                          sam_error *err)
{
    for (int i = 0; i < w->count; i++)
        if (!w->entry[i].src && w->entry[i].t.type == type && w->entry[i].t.rows == rows &&
            !strcmp(w->entry[i].name, name)) {
            *index = i;
            return SAM_OK;
        }
    TRY(new_entry(w, name, index, err));
    w->entry[*index].how = *how;
    w->entry[*index].t = (tensor){.type = type, .n = 1, .rows = rows, .cols = cols};
    return SAM_OK;
}

void weights_ignore(weights *w, const char *name)
{
    const st_tensor *t = st_find(w->file, name);
    if (t)
        w->used[t - w->file->tensors] = 1;
}

sam_status weights_check(const weights *w, sam_error *err)
{
    size_t left = 0;
    const char *first = NULL;
    for (size_t i = 0; i < w->file->n_tensors; i++)
        if (!w->used[i] && !left++)
            first = w->file->tensors[i].name;
    if (left)
        return fail(err, SAM_E_FORMAT, "%s: tensor %s%s is not part of this model; convert the checkpoint again",
                    w->path, first, left > 1 ? " (and others)" : "");
    return SAM_OK;
}

static const char *source_bytes(const weight *e)
{
    return (const char *)e->src->data + (size_t)e->first_row * (size_t)e->t.cols * st_dtype_bytes(e->src->dtype);
}

static sam_status derive_f32(const weights *w, const weight *e, float *to, sam_error *err)
{
    float *in[MAX_SOURCES] = {0};
    tensor shape[MAX_SOURCES] = {{0}};
    sam_status status = SAM_OK;
    for (int i = 0; i < e->how.n_src && status == SAM_OK; i++) {
        shape[i] = w->entry[e->how.src[i]].t;
        in[i] = malloc(tensor_count(&shape[i]) * sizeof(float));
        status = in[i] ? weights_read_f32(w, e->how.src[i], in[i], err)
                       : fail(err, SAM_E_MEMORY, "%s: no memory to compute %s", w->path, e->name);
    }
    if (status == SAM_OK)
        e->how.fill(to, (const float *const *)in, shape, e->how.args);
    for (int i = 0; i < MAX_SOURCES; i++)
        free(in[i]);
    return status;
}

sam_status weights_read_f32(const weights *w, int index, float *to, sam_error *err)
{
    const weight *e = &w->entry[index];
    if (!e->src)
        return derive_f32(w, e, to, err);
    load_row(to, source_bytes(e), dtype_of_file(e->src->dtype), tensor_count(&e->t));
    return SAM_OK;
}

/* Entry's bytes in its type, to host memory. */
static sam_status read_bytes(const weights *w, int index, void *to, sam_error *err)
{
    const weight *e = &w->entry[index];
    size_t n = tensor_count(&e->t);
    if (e->t.type == DT_F32)
        return weights_read_f32(w, index, to, err);
    if (e->src && dtype_of_file(e->src->dtype) == e->t.type) {
        memcpy(to, source_bytes(e), n * dtype_bytes(e->t.type));
        return SAM_OK;
    }
    float *f = malloc(n * sizeof *f);
    if (!f)
        return fail(err, SAM_E_MEMORY, "%s: no memory to convert %s", w->path, e->name);
    sam_status status = weights_read_f32(w, index, f, err);
    if (status == SAM_OK)
        store_row(to, f, e->t.type, n);
    free(f);
    return status;
}

sam_status weights_write(const weights *w, int index, backend *b, void *to, sam_error *err)
{
    const weight *e = &w->entry[index];
    if (b->api->host_memory)
        return read_bytes(w, index, to, err);
    void *host = malloc(tensor_bytes(&e->t));
    if (!host)
        return fail(err, SAM_E_MEMORY, "%s: no memory to read %s", w->path, e->name);
    sam_status status = read_bytes(w, index, host, err);
    const char *wrong = NULL;
    if (status == SAM_OK) {
        wrong = b->api->write(b, NULL, to, host, tensor_bytes(&e->t));
        wrong = wrong ? wrong : b->api->wait(b, NULL);
    }
    free(host);
    return wrong ? fail(err, SAM_E_DEVICE, "%s: %s: %s", w->path, e->name, wrong) : status;
}

sam_status weights_make_resident(weights *w, int index, backend *b, weight_room *took, sam_error *err)
{
    weight *e = &w->entry[index];
    if (e->t.data)
        return SAM_OK;
    if (b->api->host_memory && e->src && dtype_of_file(e->src->dtype) == e->t.type &&
        (uintptr_t)source_bytes(e) % 16 == 0) {
        e->t.data = (void *)(uintptr_t)source_bytes(e);
        return SAM_OK;
    }
    e->owned = b->api->alloc(b, tensor_bytes(&e->t));
    e->owner = b;
    if (!e->owned)
        return no_room(b, "weights", tensor_bytes(&e->t), err);
    TRY(weights_write(w, index, b, e->owned, err));
    e->t.data = e->owned;
    *(e->src ? &took->weights : &took->tables) += tensor_bytes(&e->t);
    return SAM_OK;
}
