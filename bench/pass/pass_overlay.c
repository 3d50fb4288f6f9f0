/* pass_overlay.c - see pass_overlay.h. */
#include "pass_overlay.h"

#include "folders.h"
#include "results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sam_status on_begin(void *self, const pass_clip *c, sam_error *err)
{
    pass_overlay *o = self;
    if (!results_row_file(o->path, sizeof o->path, o->out_dir, "overlays", c->v->name, c->o->name,
                          model_entry_label(c->entry), "mp4"))
        return fail(err, SAM_E_ARG, "%.200s: the overlay's path is too long", o->path);
    o->pixels = malloc(3 * (size_t)c->width * (size_t)c->height);
    if (!o->pixels)
        return fail(err, SAM_E_MEMORY, "%s: out of memory for a frame of %dx%d", o->path, c->width, c->height);
    o->output_failed = 1;
    TRY(folders_make_for(o->path, err));
    TRY(overlay_open(o->path, &(overlay_options){.width = c->width, .height = c->height, .fps = c->fps}, &o->video,
                     err));
    o->output_failed = 0;
    return SAM_OK;
}

static void say(const pass_overlay *o, const pass_frame *f, char *text, size_t n_text)
{
    const pass_clip *c = f->clip;
    int n = snprintf(text, n_text, "%.60s %.40s/%.20s frame %lld", model_entry_label(c->entry), c->v->name, c->o->name,
                     (long long)f->index);
    if (o->score && !isnan(o->score->j) && n > 0 && (size_t)n < n_text)
        snprintf(text + n, n_text - (size_t)n, " J %.2f", o->score->j);
}

static sam_status on_frame(void *self, const pass_frame *f, sam_error *err)
{
    pass_overlay *o = self;
    const pass_clip *c = f->clip;
    const sam_prompt_set *prompts = f->position ? &(sam_prompt_set){0} : &c->prompts;
    size_t row_bytes = 3 * (size_t)c->width;
    const uint8_t *mask;
    char label[200];
    int scored = o->score && !isnan(o->score->j);
    TRY(pass_mask_bytes(f, &mask, err));
    memcpy(o->pixels, f->pixels->rgb, row_bytes * (size_t)c->height);
    const overlay_object object = {.id = c->object + 1,
                                   .mask = mask,
                                   .mask_row_bytes = (size_t)c->width,
                                   .truth = scored ? o->score->truth.data : NULL,
                                   .truth_row_bytes = (size_t)c->width,
                                   .points = prompts->points,
                                   .n_points = prompts->n_points,
                                   .box = prompts->box};
    say(o, f, label, sizeof label);
    overlay_draw(&(canvas){o->pixels, c->width, c->height, row_bytes}, &object, 1, label);
    o->output_failed = 1;
    TRY(overlay_write(o->video, o->pixels, row_bytes, err));
    o->output_failed = 0;
    return SAM_OK;
}

static sam_status on_end(void *self, const pass_clip *c, sam_error *err)
{
    pass_overlay *o = self;
    overlay *video = o->video;
    (void)c;
    o->video = NULL;
    o->output_failed = 1;
    TRY(overlay_close(video, err));
    o->output_failed = 0;
    return SAM_OK;
}

pass_observer pass_overlay_observer(pass_overlay *o)
{
    return (pass_observer){.self = o, .wants_rgb = 1, .begin = on_begin, .frame = on_frame, .end = on_end};
}

void pass_overlay_free(pass_overlay *o)
{
    overlay_abandon(o->video);
    free(o->pixels);
}
