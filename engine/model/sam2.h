/* sam2.h - the graphs of a SAM 2 family model (SAM 2, SAM 2.1, EdgeTAM) and the states they share. */
#ifndef SAM2_H
#define SAM2_H

#include "config.h"
#include "graph.h"

/* Capacities a model is built for. S = side_px, E = side_px / 16, T = E * E. */
typedef struct model_size {
    int side_px;           /* S */
    int side;              /* E */
    int max_prompt_tokens; /* clicks, box corners and the padding point           */
    int max_frames;        /* memory frames attended: prompted + recent            */
    int max_pointers;      /* pointers attended                                    */
    int bank_slots;        /* memory frames kept per object, without history       */
    int pointer_slots;     /* pointers kept per object, without history            */
    int memory_tokens;     /* per frame: T, or the perceiver's latents             */
} model_size;

/* One graph per kind of work; the tracker runs them in the order a frame needs (see tracker.c). */
typedef enum graph_id {
    GRAPH_ENCODE, /* "image"                                  -> "features", "high_res_0", "high_res_1"             */
    GRAPH_FIRST,  /* "features"                               -> "pix_feat" of a frame without memory               */
    GRAPH_RAW,    /* "features"                               -> "pix_feat" as it is, for mask prompts              */
    GRAPH_ATTEND, /* "features", bank                         -> "pix_feat"                                         */
    GRAPH_MASK_PROMPT, /* "mask_image" 0/1 at S                    -> "mask_prompt" logits at S/4                        */
    GRAPH_SRC,      /* "pix_feat"                               -> "src" without a mask prompt                        */
    GRAPH_SRC_MASK, /* "pix_feat", "mask_prompt"                -> "src"                                              */
    GRAPH_DECODE, /* "src", "points", "labels", "n_tokens", "mode" -> "masks", "ious", "score", "low_res", "iou", "chosen", "pointer" */
    GRAPH_KEEP,     /* "low_res", "pointer", slots              -> "logits_bank", "pointer_bank"                      */
    GRAPH_REMEMBER, /* "features", "low_res", "binarise", "score", slots -> "bank"                                    */
    GRAPH_COUNT
} graph_id;

extern const char *const graph_names[GRAPH_COUNT];

/* Capacities for `c` at side_px with at most max_points clicks and max_prompted frames. */
model_size size_of_model(const model_config *c, int side_px, int max_points, int max_prompted);

/* Builds graph `id`. `b` was begun for it; errors stick to it. */
void build_graph(builder *b, graph_id id, const model_config *c, const model_size *size);

/* Tensors of the file that these models carry but never use. */
void ignore_unused(weights *w);

#endif
