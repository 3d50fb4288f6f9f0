/* pass_record.c - see pass_record.h. */
#include "pass_record.h"

#include "csv.h"
#include "folders.h"
#include "results.h"

#include <math.h>
#include <stdio.h>

/* OUT_DIR/<kind>/VIDEO__objOBJECT__MODEL.<suffix> */
static sam_status path_of(const pass_record *r, const pass_clip *c, const char *kind, const char *suffix, char *path,
                          size_t n_path, sam_error *err)
{
    return results_row_file(path, n_path, r->out_dir, kind, c->v->name, c->o->name, model_entry_label(c->entry), suffix)
               ? folders_make_for(path, err)
               : fail(err, SAM_E_ARG, "%.200s...: the path is too long", path);
}

static sam_status on_begin(void *self, const pass_clip *c, sam_error *err)
{
    pass_record *r = self;
    r->output_failed = 1;
    TRY(path_of(r, c, "frames", "csv", r->path, sizeof r->path, err));
    TRY(text_open(&r->lines, r->path, err));
    r->output_failed = 0;
    fprintf(r->lines.to, "frame,name,ms,J,F\n");
    return SAM_OK;
}

static sam_status draw_worst(pass_record *r, const pass_frame *f, sam_error *err)
{
    char label[80], title[160];
    const uint8_t *mask;
    const pass_clip *c = f->clip;
    snprintf(title, sizeof title, "%.60s %.20s", model_entry_label(c->entry), c->o->name);
    snprintf(label, sizeof label, "frame %.40s J %.3f", f->pixels->name, r->score->j);
    sheet_close(r->worst);
    r->worst = NULL;
    r->worst_j = r->score->j;
    TRY(pass_mask_bytes(f, &mask, err));
    TRY(sheet_open(1, 1, 0, &r->worst, err));
    const sheet_tile tile = {.rgb = f->pixels->rgb,
                             .width = f->pixels->width,
                             .height = f->pixels->height,
                             .mask = mask,
                             .truth = r->score->truth.data,
                             .title = title,
                             .label = label,
                             .zooms = 1};
    return sheet_add(r->worst, &tile, err);
}

static sam_status on_frame(void *self, const pass_frame *f, sam_error *err)
{
    pass_record *r = self;
    double j = r->score ? r->score->j : NAN;
    fprintf(r->lines.to, "%lld,", (long long)f->index);
    csv_put_field(r->lines.to, f->pixels ? f->pixels->name : "");
    fprintf(r->lines.to, f->clip->session && !f->dropped ? ",%.3f" : ",", f->ms);
    if (isnan(j))
        fprintf(r->lines.to, ",,\n");
    else
        fprintf(r->lines.to, ",%.6f,%.6f\n", j, r->score->f);
    if (isnan(j) || f->dropped || !r->draws_worst || (r->worst && j >= r->worst_j))
        return SAM_OK;
    return draw_worst(r, f, err);
}

static sam_status on_end(void *self, const pass_clip *c, sam_error *err)
{
    pass_record *r = self;
    r->output_failed = 1;
    TRY(text_close(&r->lines, err));
    if (r->worst) {
        TRY(path_of(r, c, "worst", "png", r->path, sizeof r->path, err));
        TRY(sheet_write(r->worst, r->path, err));
    }
    r->output_failed = 0;
    return SAM_OK;
}

pass_observer pass_record_observer(pass_record *r)
{
    return (pass_observer){.self = r, .wants_rgb = r->draws_worst, .begin = on_begin, .frame = on_frame, .end = on_end};
}

void pass_record_free(pass_record *r)
{
    text_abandon(&r->lines);
    sheet_close(r->worst);
}
