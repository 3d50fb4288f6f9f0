/* model_list.h - the names that `--models` takes: a model of known_models.h and how the object is shown to it, as
 * sam2_tiny_points, sam2.0_large_bbox, edgetam_mask; without a prompt, sam2_tiny, with points and with a box, each a model of its
 * own; NAME=FILE.pt:points for any file, fine-tunes beside each other; or baseline_copy, baseline_colour (baselines.h), which
 * are shown the mask. */
#ifndef MODEL_LIST_H
#define MODEL_LIST_H

#include "baselines.h"
#include "known_models.h"

typedef enum ask_kind { ASK_POINTS, ASK_BBOX, ASK_MASK } ask_kind;

typedef struct model_entry {
    char name[32]; /* "sam2_tiny_points", as above, whatever alias was given   */
    const char
        *checkpoint; /* "sam2.1_hiera_tiny": the name in a converted file's metadata, or NAME; NULL: a baseline */
    const known_model *known; /* NULL: a baseline, or a file */
    char *file;               /* of NAME=FILE; else NULL: searched by its name */
    int file_is_shared;       /* with an entry before, which frees it          */
    ask_kind ask;
    baseline follows;
    /* What `run` makes of them (run_sweep.h): where sizes or precisions are compared, each is a model. */
    char label[64];        /* the name, in a comparison with size and precision: for files of results; "": the name */
    int image_px;          /* 0: what it was made for */
    const char *precision; /* NULL: a baseline        */
} model_entry;

/* What its files are called by. */
const char *model_entry_label(const model_entry *e);

typedef struct model_list {
    model_entry *entries;
    int n;
} model_list; /* it owns the names and files of NAME=FILE */

/* Which of them a verb takes. Models of images alone cannot track. */
typedef enum model_list_kind { MODELS_ONLY, MODELS_AND_BASELINES, MODELS_OF_IMAGES } model_list_kind;

/* Reads a comma separated list. A name given twice counts once; an unknown one is SAM_E_ARG and the message lists what
 * there is, as is one that the verb does not take. Start with {0}; model_list_free also after a failure. */
sam_status model_list_parse(const char *text, model_list_kind kind, model_list *out, sam_error *err);
void model_list_free(model_list *l);

/* The name that the metadata of its weights must have; NULL: any, of NAME=FILE. */
const char *model_entry_holds(const model_entry *e);
/* The entry as --models takes it. */
void model_entry_text(const model_entry *e, char *text, size_t n_text);

/* The side of the input that they were made for, the greatest of them: 1024, of demo models alone 256. */
int model_list_px(const model_list *l);

#endif
