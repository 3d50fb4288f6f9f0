/* model_list.h - the names that `--models` takes: a model of known_models.h and how the object is shown to it, as
 * sam2_tiny_points, sam2.0_large_bbox, edgetam_mask; or baseline_copy, baseline_colour (baselines.h), which are shown the mask. */
#ifndef MODEL_LIST_H
#define MODEL_LIST_H

#include "baselines.h"
#include "known_models.h"

typedef enum ask_kind { ASK_POINTS, ASK_BBOX, ASK_MASK } ask_kind;

typedef struct model_entry {
    char name[32];            /* "sam2_tiny_points", as above, whatever alias was given   */
    const char *checkpoint;   /* "sam2.1_hiera_tiny": the name in a converted file's metadata; NULL: a baseline */
    const known_model *known; /* NULL: a baseline */
    ask_kind ask;
    baseline follows;
} model_entry;

typedef struct model_list {
    model_entry *entries;
    int n;
} model_list;

/* Which of them a verb takes. Models of images alone cannot track. */
typedef enum model_list_kind { MODELS_ONLY, MODELS_AND_BASELINES, MODELS_OF_IMAGES } model_list_kind;

/* Reads a comma separated list. A name given twice counts once; an unknown one is SAM_E_ARG and the message lists what
 * there is, as is one that the verb does not take. Start with {0}; model_list_free also after a failure. */
sam_status model_list_parse(const char *text, model_list_kind kind, model_list *out, sam_error *err);
void model_list_free(model_list *l);

/* The side of the input that they were made for, the greatest of them: 1024, of demo models alone 256. */
int model_list_px(const model_list *l);

#endif
