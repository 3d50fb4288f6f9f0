/* pred_masks.h - the predicted masks of one video, in any of the forms that `track` and the official scripts write.
 *
 *   masks    FOLDER/<object>/<frame>.png or FOLDER/masks/<object>/<frame>.png: one object a file
 *   labels   FOLDER/<frame>.png or FOLDER/labels/<frame>.png: object numbers as pixel values
 *   rle      FOLDER/masks.json: COCO's run-length masks (coco_masks.h)
 *
 * Whichever it is, a mask comes as the annotation wants it: of one object, or all objects in one picture. Where objects overlap
 * in one picture the lowest number stays, as in the official script. */
#ifndef PRED_MASKS_H
#define PRED_MASKS_H

#include "coco_masks.h"
#include "image_io.h"

#define PRED_CHOICES "auto|masks|labels|rle"

typedef enum pred_form { PRED_AUTO, PRED_MASKS, PRED_LABELS, PRED_RLE } pred_form;

typedef struct pred_masks {
    pred_form form;
    char *folder; /* that holds object folders or pictures; of rle the file */
    coco_masks coco;
    char **objects; /* of masks: the folders' names */
    int n_objects;
    image one; /* of an object, while a picture is put together */
} pred_masks;

/* `folder` of a video. AUTO: what it holds; of several forms the first of the list above, but labels before masks where one
 * picture is wanted. Start with {0}; pred_close also after a failure. */
sam_status pred_open(pred_masks *p, const char *folder, pred_form form, int wants_picture, sam_error *err);
/* The mask of `object` (the name of its folder, or its number), 0 and 1, on a frame "00000.png". What is not there is SAM_E_IO. */
sam_status pred_object(pred_masks *p, const char *object, const char *frame, image *out, sam_error *err);
/* All objects of a frame in one picture. */
sam_status pred_picture(pred_masks *p, const char *frame, image *out, sam_error *err);
void pred_close(pred_masks *p);

/* "labels" to PRED_LABELS; NULL to PRED_AUTO. */
pred_form pred_form_of(const char *name);

#endif
