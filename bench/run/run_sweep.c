#include "run_sweep.h"

#include "open_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sam_status read_size(run_sweep *s, const char *text, size_t n, sam_error *err)
{
    char *end;
    long px = strtol(text, &end, 10);
    if (!n || end != text + n)
        return fail(err, SAM_E_ARG, "--imgsz: '%.*s' is not a whole number", n < 40 ? (int)n : 40, text);
    if (px < MIN_IMGSZ || px > MAX_IMGSZ)
        return fail(err, SAM_E_ARG, "--imgsz: %ld is out of range, allowed are %d to %d", px, MIN_IMGSZ, MAX_IMGSZ);
    TRY(imgsz_check((int)px, err));
    for (int i = 0; i < s->n_px; i++)
        if (s->px[i] == (int)px)
            return SAM_OK;
    if (s->n_px == SWEEP_MAX)
        return fail(err, SAM_E_ARG, "--imgsz: more than %d sizes", SWEEP_MAX);
    s->px[s->n_px++] = (int)px;
    return SAM_OK;
}

static sam_status read_precision(run_sweep *s, const char *text, size_t n, sam_error *err)
{
    static const char *const names[] = {"fp32", "fp16", "bf16"};
    for (int i = 0; i < 3; i++) {
        int seen = 0;
        if (n != 4 || memcmp(text, names[i], 4))
            continue;
        for (int k = 0; k < s->n_precisions; k++)
            seen |= s->precision[k] == names[i];
        if (!seen)
            s->precision[s->n_precisions++] = names[i];
        return SAM_OK;
    }
    return fail(err, SAM_E_ARG, "--precision: '%.*s' is not one of fp32|fp16|bf16", n < 40 ? (int)n : 40, text);
}

sam_status run_sweep_parse(run_sweep *s, const char *sizes, int default_px, const char *precisions, sam_error *err)
{
    *s = (run_sweep){0};
    for (const char *at = sizes; at && *at; at += *at == ',') {
        size_t n = strcspn(at, ",");
        TRY(read_size(s, at, n, err));
        at += n;
    }
    for (const char *at = precisions; at && *at; at += *at == ',') {
        size_t n = strcspn(at, ",");
        TRY(read_precision(s, at, n, err));
        at += n;
    }
    if (!s->n_px)
        s->px[s->n_px++] = default_px;
    if (!s->n_precisions)
        s->precision[s->n_precisions++] = "fp32";
    return SAM_OK;
}

int run_sweep_is_one(const run_sweep *s)
{
    return s->n_px * s->n_precisions == 1;
}

sam_status run_sweep_apply(const run_sweep *s, model_list *l, sam_error *err)
{
    int n = 0, each = s->n_px * s->n_precisions;
    model_entry *all = calloc((size_t)l->n * (size_t)each + 1, sizeof *all);
    if (!all)
        return fail(err, SAM_E_MEMORY, "--models: out of memory");
    for (int i = 0; i < l->n; i++)
        for (int k = 0; k < (l->entries[i].checkpoint ? each : 1); k++) {
            model_entry *e = &all[n++];
            *e = l->entries[i];
            if (k) /* the first of them frees it */
                e->file_is_shared = 1;
            if (!e->checkpoint)
                continue;
            e->image_px = s->px[k / s->n_precisions];
            e->precision = s->precision[k % s->n_precisions];
            if (each > 1 && run_sweep_px(e))
                snprintf(e->label, sizeof e->label, "%s_%d_%s", e->name, run_sweep_px(e), e->precision);
            else if (each > 1)
                snprintf(e->label, sizeof e->label, "%s_%s", e->name, e->precision);
        }
    free(l->entries);
    l->entries = all;
    l->n = n;
    return SAM_OK;
}

int run_sweep_px(const model_entry *e)
{
    return e->image_px ? e->image_px : e->known ? e->known->image_px : 0;
}
