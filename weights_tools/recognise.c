#include "recognise.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "float_convert.h"
#include "names_hf.h"

/* The tensors of a file that make up one official tensor, and the shape each of them should have. */
typedef struct parts {
    const st_tensor *found[2]; /* NULL if missing */
    st_tensor expected[2];     /* only name and shape */
    int n, row;                /* row >= 0: only this row of found[0] */
    hf_source hf;
} parts;

static void find_parts(const tensor_set *file, const st_tensor *wanted, const recognised *r, parts *p)
{
    *p = (parts){.n = 1, .row = -1, .expected = {*wanted, *wanted}};
    if (r->naming == NAMING_HF) {
        hf_source_of(wanted->name, r->config->trunk, &p->hf);
        p->expected[0].name = p->hf.name;
        p->row = p->hf.row;
        if (p->row >= 0)
            p->expected[0].shape[0] = HF_POINT_ROWS;
        if (p->hf.second[0]) {
            p->n = 2;
            p->expected[0].shape[0] /= 2;
            p->expected[1] = p->expected[0];
            p->expected[1].name = p->hf.second;
        }
    }
    for (int i = 0; i < p->n; i++) {
        p->found[i] = tensor_set_find(file, p->expected[i].name);
        if (!p->found[i] && strcmp(p->expected[i].name, HF_POSITION_TABLE) == 0)
            p->found[i] = tensor_set_find(file, HF_POSITION_SHARED);
    }
}

static int part_fits(const parts *p, int i)
{
    return p->found[i] && same_shape(p->found[i], &p->expected[i]);
}

/* ------------------------------------------------------------------------------------------ recognise ---- */

/* Official tensors that are there with the right shape. */
static size_t count_fitting(const tensor_set *file, const tensor_set *wanted, const recognised *r)
{
    size_t n = 0;
    parts p;
    for (size_t i = 0; i < wanted->n_tensors; i++) {
        find_parts(file, &wanted->tensors[i], r, &p);
        n += part_fits(&p, 0) && (p.n == 1 || part_fits(&p, 1));
    }
    return n;
}

static sam_status consider(const tensor_set *file, const known_model *c, recognised *best, double *best_share,
                           sam_error *err)
{
    tensor_set wanted;
    TRY(names_of_model(c, &wanted, err));
    for (naming n = NAMING_META; n <= NAMING_HF; n++) {
        recognised r = {.config = c, .naming = n};
        size_t fitting = count_fitting(file, &wanted, &r);
        /* in a perfect fit every tensor is wanted and every wanted one is there */
        double share = (double)fitting / (double)wanted.n_tensors + (double)fitting / (double)(file->n_tensors + 1);
        if (share > *best_share) {
            *best_share = share;
            *best = r;
        }
    }
    tensor_set_free(&wanted);
    return SAM_OK;
}

/* Bytes before the name of a tensor that every model has, in the name of one here; 0: there is none. */
static size_t find_inner_model(const tensor_set *file, const st_tensor **found)
{
    static const char *const everywhere[] = {".sam_mask_decoder.iou_token.weight", ".mask_decoder.iou_token.weight"};
    for (size_t i = 0; i < file->n_tensors; i++)
        for (size_t k = 0; k < 2; k++) {
            size_t n = strlen(file->tensors[i].name), n_end = strlen(everywhere[k]);
            if (n > n_end && strcmp(file->tensors[i].name + n - n_end, everywhere[k]) == 0) {
                *found = &file->tensors[i];
                return n - n_end + 1;
            }
        }
    return 0;
}

static sam_status refuse(const char *path, const tensor_set *file, sam_error *err)
{
    const st_tensor *inner = NULL, *other = NULL;
    size_t n_prefix = find_inner_model(file, &inner), n_inside = 0;
    for (size_t i = 0; inner && i < file->n_tensors; i++) {
        int inside = strncmp(file->tensors[i].name, inner->name, n_prefix) == 0;
        n_inside += (size_t)inside;
        other = inside ? other : &file->tensors[i];
    }
    if (other)
        return fail(err, SAM_E_FORMAT,
                    "%s: %zu of its %zu tensors are a model's, under %.*s; others, such as %.60s, are not. Save those: "
                    "torch.save({'model': {k[%zu:]: v for k, v in d.items() if k.startswith('%.*s')}}, path)",
                    path, n_inside, file->n_tensors, (int)(n_prefix < 60 ? n_prefix : 60), inner->name, other->name,
                    n_prefix, (int)(n_prefix < 60 ? n_prefix : 60), inner->name);
    return fail(
        err, SAM_E_FORMAT,
        "%s: its %zu tensors (first: %s%.100s) are not those of SAM, SAM 2, SAM 2.1 or EdgeTAM; what is close to one: "
        "samconvert convert --model NAME says what differs",
        path, file->n_tensors, file->prefix, file->n_tensors ? file->tensors[0].name : "none");
}

sam_status recognise(const char *path, const tensor_set *file, const char *model, recognised *out, sam_error *err)
{
    const known_model *only = NULL;
    const double enough = 1.0, perfect = 1.9; /* 2, but for what a trainer's checkpoint holds besides */
    double share = 0.0, share_of_only = 0.0;
    recognised best = {.config = NULL}, asked = {.config = NULL};
    if (model)
        TRY(known_model_find(model, &only, err));
    if (only)
        TRY(consider(file, only, &asked, &share_of_only, err));
    for (size_t i = 0; i < n_known_models && share_of_only < perfect; i++)
        TRY(consider(file, &known_models[i], &best, &share, err));
    if (only && share > share_of_only && share >= perfect)
        return fail(err, SAM_E_FORMAT, "%s: holds %s, not %s", path, best.config->name, only->name);
    if (only)
        best = (recognised){.config = only, .naming = asked.naming};
    if (!best.config || (!only && share < enough))
        return refuse(path, file, err);
    *out = best;
    return SAM_OK;
}

/* ------------------------------------------------------------------------------------------- assemble ---- */

/* What does not fit, of one kind: how many, and the first few in words. */
enum { SHOWN = 2 };
typedef struct complaints {
    size_t n;
    char text[330];
} complaints;

__attribute__((format(printf, 2, 3))) static void complain(complaints *c, const char *format, ...)
{
    if (c->n++ >= SHOWN)
        return;
    size_t at = strlen(c->text);
    va_list args;
    if (at > 0 && at + 2 < sizeof c->text)
        at += (size_t)snprintf(c->text + at, sizeof c->text - at, ", ");
    va_start(args, format);
    vsnprintf(c->text + at, sizeof c->text - at, format, args);
    va_end(args);
}

typedef struct assembly {
    const char *path;
    const tensor_set *file;
    tensor_set *out;
    unsigned char *used; /* per tensor of the file */
    complaints missing, unexpected, misshapen, not_float;
} assembly;

/* Checks one part and marks it as used. */
static int accept(assembly *a, const parts *p, int i, st_dtype wanted)
{
    char expected[SHAPE_TEXT], found[SHAPE_TEXT];
    const st_tensor *t = p->found[i];
    if (!t) {
        if (wanted != ST_I64)
            complain(&a->missing, "%s", p->expected[i].name);
        return 0;
    }
    a->used[t - a->file->tensors] = 1;
    if (!same_shape(t, &p->expected[i]))
        complain(&a->misshapen, "%s: expected %s, found %s", t->name, shape_text(&p->expected[i], expected),
                 shape_text(t, found));
    else if (wanted != ST_I64 && !float_is(t->dtype) && t->dtype != ST_F64)
        complain(&a->not_float, "%s: %s", t->name, st_dtype_name(t->dtype));
    else
        return 1;
    return 0;
}

/* F64 becomes F32, as load_state_dict makes it; anything else stays. NULL if memory is refused. */
static const void *as_stored(tensor_set *out, const st_tensor *t, st_dtype *dtype)
{
    *dtype = t->dtype == ST_F64 ? ST_F32 : t->dtype;
    if (t->dtype != ST_F64)
        return t->data;
    size_t n = (size_t)st_count(t);
    float *to = tensor_set_alloc(out, n * sizeof *to);
    for (size_t i = 0; to && i < n; i++) {
        double value; /* not aligned in old files */
        memcpy(&value, (const uint8_t *)t->data + i * sizeof value, sizeof value);
        to[i] = (float)value;
    }
    return to;
}

/* One above the other. */
static const void *stack(tensor_set *out, const void *a, const void *b, size_t n_bytes)
{
    uint8_t *both = a && b ? tensor_set_alloc(out, 2 * n_bytes) : NULL;
    if (both) {
        memcpy(both, a, n_bytes);
        memcpy(both + n_bytes, b, n_bytes);
    }
    return both;
}

static void add(assembly *a, const st_tensor *wanted, const recognised *r)
{
    parts p;
    find_parts(a->file, wanted, r, &p);
    int ok = accept(a, &p, 0, wanted->dtype);
    if (p.n == 2)
        ok = accept(a, &p, 1, wanted->dtype) && ok;
    if (!ok)
        return;
    const st_tensor *first = p.found[0];
    st_dtype dtype = first->dtype;
    if (p.n == 2 && p.found[1]->dtype != first->dtype) {
        complain(&a->not_float, "%s: another dtype than %s", p.found[1]->name, first->name);
        return;
    }
    const void *data = as_stored(a->out, first, &dtype);
    size_t n_bytes = (size_t)st_count(first) * st_dtype_bytes(dtype);
    if (p.n == 2)
        data = stack(a->out, data, as_stored(a->out, p.found[1], &dtype), n_bytes);
    else if (p.row >= 0 && data)
        data = (const uint8_t *)data + (size_t)p.row * (n_bytes / HF_POINT_ROWS);
    tensor_set_add(a->out, wanted->name, dtype, wanted->n_dims, wanted->shape, data);
}

/* The second copy of the position table must be the same: the official model has only one. */
static sam_status check_shared(assembly *a, sam_error *err)
{
    const st_tensor *one = tensor_set_find(a->file, HF_POSITION_TABLE);
    const st_tensor *other = tensor_set_find(a->file, HF_POSITION_SHARED);
    if (!other)
        return SAM_OK;
    a->used[other - a->file->tensors] = 1;
    if (one && (one->n_bytes != other->n_bytes || memcmp(one->data, other->data, one->n_bytes) != 0))
        return fail(err, SAM_E_FORMAT, "%s: %s and %s differ: not supported", a->path, HF_POSITION_TABLE,
                    HF_POSITION_SHARED);
    return SAM_OK;
}

static sam_status report(const assembly *a, const known_model *c, sam_error *err)
{
    const struct {
        const complaints *c;
        const char *what;
    } kinds[] = {{&a->missing, "missing"},
                 {&a->unexpected, "unexpected"},
                 {&a->misshapen, "of another shape"},
                 {&a->not_float, "of a dtype other than F64, F32, F16 and BF16"}};
    complaints all = {0};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].c->n) {
            all.n = 0; /* every kind is shown */
            complain(&all, "%zu %s (%.150s%s)", kinds[i].c->n, kinds[i].what, kinds[i].c->text,
                     kinds[i].c->n > SHOWN ? ", ..." : "");
        }
    if (!all.text[0])
        return SAM_OK;
    return fail(err, SAM_E_FORMAT, "%s: does not fit %s: tensors %s", a->path, c->name, all.text);
}

static sam_status assemble_all(assembly *a, const tensor_set *wanted, const recognised *r, sam_error *err)
{
    for (size_t i = 0; i < wanted->n_tensors; i++)
        add(a, &wanted->tensors[i], r);
    if (r->naming == NAMING_HF)
        TRY(check_shared(a, err));
    for (size_t i = 0; i < a->file->n_tensors; i++)
        if (!a->used[i])
            complain(&a->unexpected, "%s", a->file->tensors[i].name);
    TRY(report(a, r->config, err));
    return tensor_set_index(a->out, a->path, err);
}

sam_status assemble(const char *path, const tensor_set *file, const recognised *r, tensor_set *out, sam_error *err)
{
    tensor_set wanted;
    *out = (tensor_set){0};
    TRY(names_of_model(r->config, &wanted, err));
    assembly a = {.path = path, .file = file, .out = out, .used = calloc(file->n_tensors + 1, 1)};
    sam_status status = a.used ? assemble_all(&a, &wanted, r, err) : fail(err, SAM_E_MEMORY, "%s: no memory", path);
    free(a.used);
    tensor_set_free(&wanted);
    if (status != SAM_OK)
        tensor_set_free(out);
    return status;
}
