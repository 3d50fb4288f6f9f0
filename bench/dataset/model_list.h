/* model_list.h - the names that `--models` takes: a checkpoint and how the object is shown to it.
 *
 *   sam2_{tiny,small,base,large}_{points,bbox,mask}      SAM 2.1; sam2.1_... is the same
 *   sam2.0_{tiny,small,base,large}_{points,bbox,mask}    the older checkpoints
 *   edgetam_{points,bbox,mask}
 *   demo_, edgetam_demo_{points,bbox,mask}               the models that come with the project, models/
 *   baseline_copy, baseline_colour                       no model (baselines.h), shown the mask */
#ifndef MODEL_LIST_H
#define MODEL_LIST_H

#include "baselines.h"

typedef enum ask_kind { ASK_POINTS, ASK_BBOX, ASK_MASK } ask_kind;

typedef struct model_entry {
    char name[32];          /* "sam2_tiny_points", as above, whatever alias was given   */
    const char *checkpoint; /* "sam2.1_hiera_tiny": the name in a converted file's metadata; NULL: a baseline */
    ask_kind ask;
    baseline follows;
} model_entry;

typedef struct model_list {
    model_entry *entries;
    int n;
} model_list;

/* Reads a comma separated list. A name given twice counts once; an unknown one is SAM_E_ARG and the message lists what
 * there is, as is a baseline unless they are taken. Start with {0}; model_list_free also after a failure. */
typedef enum model_list_kind { MODELS_ONLY, MODELS_AND_BASELINES } model_list_kind;
sam_status model_list_parse(const char *text, model_list_kind kind, model_list *out, sam_error *err);
void model_list_free(model_list *l);

/* The side of the input that all of them were made for: 1024, of the demo model alone 256. */
int model_list_px(const model_list *l);

#endif
