/* pass_score.c - see pass_score.h. */
#include "pass_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int is_scored(const pass_score *s, int annotation)
{
    return metric_counts_frame(metric_skips_first_last(s->score.kind), s->before + s->n_annotated,
                               s->before + annotation);
}

/* Scores a mask against annotation s->next and goes on to the one after. */
static sam_status score_annotated(pass_score *s, const pass_clip *c, const mask_view *mask, sam_error *err)
{
    int annotation = s->next++;
    if (!is_scored(s, annotation))
        return SAM_OK;
    TRY(dataset_read_mask(c->set, c->video, c->object, c->o->annotated[annotation], c->width, c->height, &s->truth,
                          err));
    const mask_view truth = {.px = s->truth.data, .row_bytes = (size_t)c->width};
    frame_score score;
    TRY(metric_frame(s->score.kind, &truth, mask, c->width, c->height, &s->scratch, &score, err));
    s->j = score.j;
    s->f = score.f;
    return object_score_add(&s->score, &score, err);
}

/* Annotated frames before the prompt, all without the object: the prediction there is an empty mask. */
static sam_status score_before_prompt(pass_score *s, const pass_clip *c, sam_error *err)
{
    if (!c->prompt)
        return SAM_OK;
    uint8_t *empty = calloc((size_t)c->width, (size_t)c->height);
    const mask_view nothing = {.px = empty, .row_bytes = (size_t)c->width};
    if (!empty)
        return fail(err, SAM_E_MEMORY, "out of memory: a mask of %dx%d", c->width, c->height);
    sam_status status = SAM_OK;
    while (status == SAM_OK && s->next < c->prompt)
        status = score_annotated(s, c, &nothing, err);
    free(empty);
    return status;
}

static sam_status on_begin(void *self, const pass_clip *c, sam_error *err)
{
    pass_score *s = self;
    /* In DAVIS and flat layouts the convention's first frame is the video's, not the object's. */
    if (c->set->layout != DATASET_SAV && c->v->masks.n >= c->o->n_annotated)
        s->before = c->v->masks.n - c->o->n_annotated;
    while (s->n_annotated < c->o->n_annotated && c->o->annotated[s->n_annotated] < c->end)
        s->n_annotated++;
    s->last = c->first - 1;
    return score_before_prompt(s, c, err);
}

static int shows_something(const pass_frame *f)
{
    const pass_mask *m = f->mask;
    if (m->model.words)
        return m->model.area_px > 0;
    return memchr(m->bytes, 1, (size_t)f->clip->width * (size_t)f->clip->height) != NULL;
}

static sam_status on_frame(void *self, const pass_frame *f, sam_error *err)
{
    pass_score *s = self;
    const pass_clip *c = f->clip;
    const pass_mask *m = f->mask;
    s->j = s->f = NAN;
    s->last = f->index;
    s->n_nonempty += shows_something(f);
    if (s->next >= s->n_annotated || c->o->annotated[s->next] != f->index)
        return SAM_OK;
    const char *file = c->o->files.names[s->next];
    size_t n = stem_length(file);
    if (f->pixels && !c->v->video_file && (strncmp(f->pixels->name, file, n) || f->pixels->name[n]))
        return fail(err, SAM_E_FORMAT, "%s: frame %lld is %s, but by its name mask %s belongs to it: number both alike",
                    c->v->frames_dir, (long long)f->index, f->pixels->name, file);
    const mask_view view = m->model.words ? (mask_view){.words = m->model.words}
                                          : (mask_view){.px = m->bytes, .row_bytes = (size_t)c->width};
    return score_annotated(s, c, &view, err);
}

static sam_status on_end(void *self, const pass_clip *c, sam_error *err)
{
    const pass_score *s = self;
    if (s->next >= s->n_annotated)
        return SAM_OK;
    return fail(err, SAM_E_FORMAT, "%s: ended after frame %lld, but %s/%s annotates frame %d", c->v->name,
                (long long)s->last, c->o->name, c->o->files.names[s->next], c->o->annotated[s->next]);
}

pass_observer pass_score_observer(pass_score *s)
{
    return (pass_observer){.self = s, .begin = on_begin, .frame = on_frame, .end = on_end};
}

void pass_score_free(pass_score *s)
{
    image_free(&s->truth);
    metric_scratch_free(&s->scratch);
    object_score_free(&s->score);
}
