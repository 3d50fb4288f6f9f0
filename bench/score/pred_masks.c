/* pred_masks.c - see pred_masks.h. */
#include "pred_masks.h"

#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LABEL = 255 };

pred_form pred_form_of(const char *name)
{
    static const char *const names[] = {"auto", "masks", "labels", "rle"};
    for (int i = 0; name && i < 4; i++)
        if (!strcmp(name, names[i]))
            return (pred_form)i;
    return PRED_AUTO;
}

static sam_status listed(const char *folder, const char *suffix, listing *out, sam_error *err)
{
    *out = (listing){0};
    return path_is_folder(folder) ? listing_read(folder, suffix, out, err) : SAM_OK;
}

/* Whether `folder`, or `below` in it, holds something of this suffix (NULL: folders); the one that does in *found. */
static sam_status find_folder(const char *folder, const char *below, const char *suffix, char **found, sam_error *err)
{
    static const char *const own[] = {"masks", "labels", "contact_sheets"};
    char *candidate = NULL;
    *found = NULL;
    for (int k = 0; k < 2; k++) {
        listing entries;
        TRY(path_join(&candidate, folder, k ? "" : below, err));
        sam_status status = listed(candidate, suffix, &entries, err);
        int n = entries.n;
        for (size_t i = 0; i < sizeof own / sizeof *own && !suffix && k; i++)
            n -= listing_find(&entries, own[i]) >= 0; /* no object's */
        listing_free(&entries);
        if (status == SAM_OK && n > 0) {
            *found = candidate;
            return SAM_OK;
        }
        free(candidate);
        TRY(status);
    }
    return SAM_OK;
}

/* One form; p->folder stays NULL if it is not there. */
static sam_status find_form(pred_masks *p, const char *folder, pred_form form, sam_error *err)
{
    p->form = form;
    if (form == PRED_MASKS)
        return find_folder(folder, "masks", NULL, &p->folder, err);
    if (form == PRED_LABELS)
        return find_folder(folder, "labels", "png", &p->folder, err);
    TRY(path_join(&p->folder, folder, "masks.json", err));
    if (path_is_file(p->folder))
        return SAM_OK;
    free(p->folder);
    p->folder = NULL;
    return SAM_OK;
}

static sam_status list_objects(pred_masks *p, sam_error *err)
{
    listing objects = {0};
    TRY(listing_read(p->folder, NULL, &objects, err));
    p->objects = objects.names;
    p->n_objects = objects.n;
    return SAM_OK;
}

sam_status pred_open(pred_masks *p, const char *folder, pred_form form, int wants_picture, sam_error *err)
{
    const pred_form order[2][3] = {{PRED_MASKS, PRED_LABELS, PRED_RLE}, {PRED_LABELS, PRED_MASKS, PRED_RLE}};
    if (form != PRED_AUTO)
        TRY(find_form(p, folder, form, err));
    for (int i = 0; form == PRED_AUTO && i < 3 && !p->folder; i++)
        TRY(find_form(p, folder, order[!!wants_picture][i], err));
    if (!p->folder && form != PRED_AUTO)
        return fail(err, SAM_E_IO, "%s: holds no predictions in the form that --pred_form asks for", folder);
    if (!p->folder) { /* the first frame that is asked for says what is missing */
        p->form = order[!!wants_picture][0];
        return path_join(&p->folder, folder, "", err);
    }
    if (p->form == PRED_RLE)
        return coco_masks_read(&p->coco, p->folder, err);
    return p->form == PRED_MASKS ? list_objects(p, err) : SAM_OK;
}

void pred_close(pred_masks *p)
{
    coco_masks_free(&p->coco);
    for (int i = 0; i < p->n_objects; i++)
        free(p->objects[i]);
    free(p->objects);
    free(p->folder);
    image_free(&p->one);
    *p = (pred_masks){0};
}

static sam_status read_file(const char *folder, const char *frame, mask_kind kind, image *out, sam_error *err)
{
    char *path;
    TRY(path_join(&path, folder, frame, err));
    sam_status status = path_is_file(path) ? image_read_mask(path, kind, out, err)
                                           : fail(err, SAM_E_IO,
                                                  "%s: no prediction for a scored frame; every annotated frame that is "
                                                  "scored needs one",
                                                  path);
    free(path);
    return status;
}

static sam_status object_file(pred_masks *p, const char *object, const char *frame, image *out, sam_error *err)
{
    char *folder;
    TRY(path_join(&folder, p->folder, object, err));
    sam_status status = path_is_folder(folder)
                            ? read_file(folder, frame, MASK_OBJECT, out, err)
                            : fail(err, SAM_E_IO, "%s: no such folder; this object has no predictions", folder);
    free(folder);
    return status;
}

/* The number that an object's folder is named by; -1: it is none that a picture can hold. */
static int label_of(const char *object)
{
    char *end;
    long n = strtol(object, &end, 10);
    return end != object && !*end && n >= 0 && n <= MAX_LABEL ? (int)n : -1;
}

/* SA-V's first object is 0, which a picture has for the background. */
static sam_status check_label(const pred_masks *p, const char *object, int *label, sam_error *err)
{
    *label = label_of(object);
    return *label >= 1 || (p->form == PRED_RLE && *label == 0)
               ? SAM_OK
               : fail(err, SAM_E_FORMAT, "%s: object \"%.40s\" has no number from 1 to %d, by which it could be found",
                      p->folder, object, MAX_LABEL);
}

sam_status pred_object(pred_masks *p, const char *object, const char *frame, image *out, sam_error *err)
{
    int label = 0;
    if (p->form == PRED_MASKS)
        return object_file(p, object, frame, out, err);
    TRY(check_label(p, object, &label, err));
    if (p->form == PRED_RLE)
        return coco_mask_of(&p->coco, frame, label, out, err);
    TRY(read_file(p->folder, frame, MASK_IDS, out, err));
    for (size_t i = 0; i < (size_t)out->width * (size_t)out->height; i++)
        out->data[i] = out->data[i] == label;
    return SAM_OK;
}

/* A mask into a picture of the same size, below what is there. */
static sam_status put(const pred_masks *p, image *picture, const image *mask, int label, int first, sam_error *err)
{
    size_t n = (size_t)mask->width * (size_t)mask->height;
    if (first && !image_blank(picture, mask->width, mask->height))
        return fail(err, SAM_E_MEMORY, "%s: no memory for a picture", p->folder);
    if (mask->width != picture->width || mask->height != picture->height)
        return fail(err, SAM_E_FORMAT, "%s: masks of one frame have different sizes", p->folder);
    for (size_t i = 0; i < n; i++)
        if (mask->data[i] && (!picture->data[i] || picture->data[i] > label))
            picture->data[i] = (uint8_t)label;
    return SAM_OK;
}

sam_status pred_picture(pred_masks *p, const char *frame, image *out, sam_error *err)
{
    if (p->form == PRED_LABELS)
        return read_file(p->folder, frame, MASK_IDS, out, err);
    int n = p->form == PRED_RLE ? p->coco.n_objects : p->n_objects;
    for (int i = 0; i < n; i++) {
        char number[16];
        int label;
        if (p->form == PRED_RLE)
            snprintf(number, sizeof number, "%d", p->coco.objects[i]);
        const char *object = p->form == PRED_RLE ? number : p->objects[i];
        TRY(check_label(p, object, &label, err));
        TRY(pred_object(p, object, frame, &p->one, err));
        TRY(put(p, out, &p->one, label, i == 0, err));
    }
    return n ? SAM_OK : fail(err, SAM_E_FORMAT, "%s: holds no object", p->folder);
}
