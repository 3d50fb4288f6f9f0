#include "prompt_flags.h"

#include "box_tracks.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "1,2.5,3" to numbers. Returns how many, or -1 if it is not such a list or has more than max. */
static int read_numbers(const char *text, double *to, int max)
{
    for (int n = 0; n < max; n++) {
        char *end;
        to[n] = strtod(text, &end);
        if (end == text || !isfinite(to[n]))
            return -1;
        if (!*end)
            return n + 1;
        if (*end != ',')
            return -1;
        text = end + 1;
    }
    return -1;
}

static sam_status read_whole(const char *name, const char *text, int *out, sam_error *err)
{
    double x;
    if (read_numbers(text, &x, 1) != 1 || x < 0 || x > INT_MAX || x != floor(x))
        return fail(err, SAM_E_ARG, "--%s: '%s' is not a whole number from 0", name, text);
    *out = (int)x;
    return SAM_OK;
}

static sam_status on_object(void *value, const char *name, const char *text, sam_error *err)
{
    prompt_choice *c = value;
    int id = 0;
    TRY(read_whole(name, text, &id, err));
    c->id = id;
    c->unused = name;
    return SAM_OK;
}

static sam_status on_frame(void *value, const char *name, const char *text, sam_error *err)
{
    prompt_choice *c = value;
    c->unused = name;
    return read_whole(name, text, &c->frame, err);
}

/* The prompt that the next flag adds to: of the current object and frame, kept in the order of frames. */
static sam_status find_prompt(prompt_choice *c, prompt **out, sam_error *err)
{
    prompt p = {.frame = c->frame, .when = PROMPT_BEFORE};
    c->unused = NULL;
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < c->file.n_objects; i++)
            for (int k = 0; c->file.objects[i].id == c->id && k < c->file.objects[i].n_prompts; k++)
                if (c->file.objects[i].prompts[k].frame == c->frame) {
                    *out = &c->file.objects[i].prompts[k];
                    return SAM_OK;
                }
        TRY(prompts_add(&c->file, c->id, &p, err));
    }
    return fail(err, SAM_E_MEMORY, "no memory for prompts");
}

static void drop_mask(prompt *p)
{
    free(p->mask_path);
    p->mask_path = NULL;
}

static sam_status on_point(void *value, const char *name, const char *text, sam_error *err)
{
    double x[3] = {0, 0, 1};
    int n = read_numbers(text, x, 3);
    if (n < 2 || (x[2] != 0 && x[2] != 1))
        return fail(err, SAM_E_ARG, "--%s: '%s' is not x,y or x,y,label with label 1 (object) or 0 (background)", name,
                    text);
    prompt *p = NULL;
    TRY(find_prompt(value, &p, err));
    sam_point *points = realloc(p->points, (size_t)(p->n_points + 1) * sizeof *points);
    if (!points)
        return fail(err, SAM_E_MEMORY, "no memory for prompts");
    p->points = points;
    points[p->n_points++] = (sam_point){(float)x[0], (float)x[1], (int32_t)x[2]};
    drop_mask(p);
    return SAM_OK;
}

static sam_status on_box(void *value, const char *name, const char *text, sam_error *err)
{
    double x[4];
    if (read_numbers(text, x, 4) != 4)
        return fail(err, SAM_E_ARG, "--%s: '%s' is not x0,y0,x1,y1", name, text);
    prompt *p = NULL;
    TRY(find_prompt(value, &p, err));
    p->has_box = 1;
    p->box = (sam_box){(float)x[0], (float)x[1], (float)x[2], (float)x[3]};
    drop_mask(p);
    return SAM_OK;
}

static sam_status on_mask(void *value, const char *name, const char *text, sam_error *err)
{
    prompt *p = NULL;
    TRY(find_prompt(value, &p, err));
    char *path = malloc(strlen(text) + 1);
    if (!path)
        return fail(err, SAM_E_MEMORY, "--%s: no memory", name);
    drop_mask(p);
    free(p->points);
    *p = (prompt){.frame = p->frame, .when = p->when, .mask_path = strcpy(path, text)};
    return SAM_OK;
}

static sam_status on_masks(void *value, const char *name, const char *text, sam_error *err)
{
    prompt_choice *c = value;
    (void)name;
    if (c->unused && !strcmp(c->unused, "frame"))
        c->unused = NULL;
    return prompts_add_numbers(&c->file, text, c->frame, err);
}

int prompt_flags(prompt_choice *c, flag *to)
{
    const flag flags[N_PROMPT_FLAGS] = {
        {.name = "prompts",
         .kind = FLAG_STRING,
         .value = &c->json,
         .meta = "FILE",
         .help = "JSON file of objects and their prompts (default: the flags below)."},
        {.name = "object",
         .kind = FLAG_EVENT,
         .value = c,
         .on_event = on_object,
         .meta = "ID",
         .help = "Object of the prompts that follow (default: 1)."},
        {.name = "frame",
         .kind = FLAG_EVENT,
         .value = c,
         .on_event = on_frame,
         .meta = "N",
         .help = "Frame of the prompts that follow (default: 0)."},
        {.name = "point",
         .kind = FLAG_EVENT,
         .value = c,
         .on_event = on_point,
         .meta = "X,Y[,LABEL]",
         .help = "A click in pixels; label 1 object (default), 0 background."},
        {.name = "box",
         .kind = FLAG_EVENT,
         .value = c,
         .on_event = on_box,
         .meta = "X0,Y0,X1,Y1",
         .help = "A box in pixels."},
        {.name = "mask",
         .kind = FLAG_EVENT,
         .value = c,
         .on_event = on_mask,
         .meta = "FILE",
         .help = "A mask of any size; nonzero is object."},
        {.name = "masks",
         .kind = FLAG_EVENT,
         .value = c,
         .on_event = on_masks,
         .meta = "FILE",
         .help = "A picture of numbers, each an object of its own; --object does not count."},
    };
    memcpy(to, flags, sizeof flags);
    return N_PROMPT_FLAGS;
}

sam_status prompt_choice_finish(prompt_choice *c, int *usage, sam_error *err)
{
    int flags = c->file.n_objects > 0;
    *usage = !c->json + !flags + !c->boxes != 2 || c->unused;
    if (*usage && !c->unused && (c->json || flags || c->boxes))
        return fail(err, SAM_E_ARG,
                    c->boxes ? "--boxes, --prompts and --point, --box, --mask or --masks exclude each other"
                             : "--prompts and --point, --box or --mask exclude each other");
    if (!c->json && !flags && !c->boxes && c->optional && !c->unused) {
        *usage = 0;
        c->file.start_frame = -1;
        c->file.multimask = 1;
        return SAM_OK;
    }
    if (!c->json && !flags && !c->boxes)
        return fail(err, SAM_E_ARG, "nothing to segment: give --point, --box, --mask or --prompts FILE");
    if (c->unused)
        return fail(err, SAM_E_ARG, "--%s: no --point, --box or --mask follows for it to apply to", c->unused);
    if (c->json)
        return prompts_read(c->json, &c->file, err);
    c->file.start_frame = -1;
    c->file.multimask = 1;
    return c->boxes ? box_tracks_read(c->boxes, c->boxes_every, &c->file, err) : SAM_OK;
}

void prompt_choice_free(prompt_choice *c)
{
    prompts_free(&c->file);
}

int prompts_max_points(const prompt_file *p)
{
    int most = 1;
    for (int i = 0; i < p->n_objects; i++) {
        const prompt_object *o = &p->objects[i];
        for (int k = 0, n = 0; k < o->n_prompts; k++) {
            /* Corrections of a frame add to what was given before. */
            n = o->prompts[k].n_points + (k && o->prompts[k - 1].frame == o->prompts[k].frame ? n : 0);
            most = n > most ? n : most;
        }
    }
    return most;
}

int prompts_max_prompted_frames(const prompt_file *p)
{
    int most = 1;
    for (int i = 0; i < p->n_objects; i++) {
        const prompt_object *o = &p->objects[i];
        int n = 0;
        for (int k = 0; k < o->n_prompts; k++)
            n += !k || o->prompts[k].image_path || o->prompts[k - 1].frame != o->prompts[k].frame;
        most = n > most ? n : most;
    }
    return most;
}
