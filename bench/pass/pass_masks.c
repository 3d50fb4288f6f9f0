/* pass_masks.c - see pass_masks.h. */
#include "pass_masks.h"

#include "folders.h"
#include "index_mask.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_BYTES = 4096 };

static sam_status write_mask(pass_masks *m, const pass_clip *c, const char *frame_name, const uint8_t *bytes,
                             sam_error *err)
{
    size_t row_bytes = (size_t)c->width;
    char path[PATH_BYTES];
    int by_object = dataset_masks_by_object(c->set);
    int n = snprintf(path, sizeof path, "%s/masks/%s/%s/%s%s%s.png", m->out_dir, model_entry_label(c->entry),
                     c->v->name, by_object ? c->o->name : "", by_object ? "/" : "", frame_name);
    if (n >= (int)sizeof path)
        return fail(err, SAM_E_ARG, "%.200s...: the mask's path is too long", path);
    m->output_failed = 1;
    TRY(folders_make_for(path, err));
    TRY(by_object ? image_write_mask(path, bytes, row_bytes, c->width, c->height, 0, err)
                  : index_mask_put(path, c->o->value, bytes, row_bytes, c->width, c->height, err));
    m->output_failed = 0;
    return SAM_OK;
}

/* Pictures of an earlier run would stay in those that objects are put into. */
static sam_status clear_old(const pass_masks *m, const pass_clip *c, sam_error *err)
{
    char path[PATH_BYTES];
    if (!m->is_first || dataset_masks_by_object(c->set))
        return SAM_OK;
    if (snprintf(path, sizeof path, "%s/masks/%s/%s", m->out_dir, model_entry_label(c->entry), c->v->name) >=
        (int)sizeof path)
        return fail(err, SAM_E_ARG, "%.200s...: the masks' path is too long", path);
    return index_mask_clear(path, err);
}

/* Annotated frames before the prompt have empty masks. */
static sam_status on_begin(void *self, const pass_clip *c, sam_error *err)
{
    pass_masks *m = self;
    TRY(clear_old(m, c, err));
    if (!c->prompt)
        return SAM_OK;
    uint8_t *empty = calloc((size_t)c->width, (size_t)c->height);
    if (!empty)
        return fail(err, SAM_E_MEMORY, "out of memory: a mask of %dx%d", c->width, c->height);
    sam_status status = SAM_OK;
    for (int a = 0; status == SAM_OK && a < c->prompt; a++) {
        const char *file = c->o->files.names[a];
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)stem_length(file), file);
        status = write_mask(m, c, name, empty, err);
    }
    free(empty);
    return status;
}

static sam_status on_frame(void *self, const pass_frame *f, sam_error *err)
{
    const uint8_t *bytes;
    TRY(pass_mask_bytes(f, &bytes, err));
    return write_mask(self, f->clip, f->pixels->name, bytes, err);
}

pass_observer pass_masks_observer(pass_masks *m)
{
    return (pass_observer){.self = m, .begin = on_begin, .frame = on_frame};
}
