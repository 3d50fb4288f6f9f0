/* predictor.h - what a family of models (SAM 2, EdgeTAM, ...) is to the engine: numbers, graphs, and which graphs make a step.
 *
 * The engine knows steps; a family knows graphs. Session, tracker and image mode set controls, run steps and read results,
 * all by the states that host and graphs share (host_states.def), and name no graph of any model. A new family is files in
 * engine/model/ that fill a predictor, and one row in model/families.c.
 *
 * What a family may leave out: graphs that no step runs are not built; states that no graph of a session's mode mentions
 * take no memory; a family with modes of SAM_IMAGE only has no steps of video and no memory sizes. */
#ifndef PREDICTOR_H
#define PREDICTOR_H

#include "config.h"
#include "graph.h"
#include "resample.h"

/* Capacities a model is built for. S = side_px, E = side, L = low_px; the last block is 0 for a family without video. */
typedef struct model_size {
    int side_px;           /* S: side of the network's input                                       */
    int side;              /* E: of the grid of features that prompts are decoded against          */
    int low_px;            /* L: of the mask logits that the decoder makes                         */
    int max_prompt_tokens; /* clicks, box corners and padding points                               */
    int output_tokens;     /* of the decoder, before the prompt's                                  */

    int memory_tokens, memory_width;     /* of one frame's memory                                  */
    int recent;                          /* frames attended beside prompted ones                   */
    int max_frames, bank_slots;          /* memories attended; kept, per object, without history   */
    int pointer_width;                   /* of an object's pointer                                 */
    int recent_pointers;                 /* attended beside those of prompted frames               */
    int max_pointers, pointer_slots;     /* pointers attended; kept, per object, without history   */
    int steady_keys, steady_memory_keys; /* rows that memory attention reads of a full bank; of those, memories' */
    float motion_weight;                 /* of SAMURAI's choice, as its configuration of this size has it */
} model_size;

/* What is asked for when a model is opened. */
typedef struct size_request {
    const char *model; /* for messages */
    int side_px, max_points, max_prompted;
} size_request;

/* The steps of a session. Each runs its graphs in order, for `n` objects or prompt sets where values are per object.
 * States that a step reads and writes are in host_states.def; those of its own ("features") a family names as it likes. */
typedef enum step_id {
    STEP_ENCODE, /* image -> features of the frame; one graph, which may run ahead of the others                    */
    /* image mode: n prompt sets on one encoding -> masks, ious; low_res and iou are the answer where one is asked for;
     * score where the family has one. MASKED: the sets whose has_mask is 1 refine mask_prompt. */
    STEP_IMAGE,
    STEP_IMAGE_MASKED,
    /* video mode: what prompts are decoded against, then the decoder, then the memory */
    STEP_ALONE,  /* a frame without memory                                                                          */
    STEP_ATTEND, /* with the memories and pointers that controls name                                               */
    STEP_MASK,   /* mask_image is the answer -> mask_prompt; the decoder, as DECODE_MASKED, only makes the pointer  */
    STEP_DECODE, /* points, labels, n_tokens -> masks, ious, score                                           */
    STEP_DECODE_MASKED, /* the same, refining mask_prompt                                                           */
    STEP_FOLLOW,        /* masks, ious, score, a filter -> choice, motion, the filter; only policies by motion      */
    STEP_CHOOSE,        /* of masks, by mode -> low_res, iou, pointer                                               */
    STEP_KEEP,          /* low_res -> logits_bank, pointer -> pointer_bank, at keep_slot and keep_pointer_slot      */
    STEP_REMEMBER,      /* low_res, binarise, score -> the bank, at keep_slot                                       */
    STEP_COUNT
} step_id;

enum { MAX_STEP_GRAPHS = 4, MAX_GRAPHS = 16 };
typedef struct step_graphs {
    int n, graph[MAX_STEP_GRAPHS];
} step_graphs;

/* How a source of any size becomes the square input, and logits become masks of the source. */
typedef enum input_fit {
    FIT_STRETCH,     /* both sides to S; masks: one bilinear resize, L x L -> source                               */
    FIT_LONGEST_SIDE /* the longest side to S, zeros right and below after normalising; masks: bilinear L -> S, cut,
                        then bilinear to the source                                                               */
} input_fit;
typedef struct input_rule {
    input_fit fit;
    resample_kind resize; /* RESAMPLE_PIL_* or RESAMPLE_RGB_ANTIALIAS */
} input_rule;

/* Bits of the control `mode`: the best of several masks is the answer; an absent object's mask is empty; `choice` says which of
 * several is the best. */
enum { MODE_MULTIMASK = 1, MODE_GATE = 2, MODE_CHOSEN = 4 };

/* What the family's official automatic mask generator does its own way (engine/amg.h). */
typedef struct generator_rule {
    double pred_iou_thresh;    /* its default */
    int cleans_finished_masks; /* 1: min_mask_region_area is of finished masks, else of low-res logits        */
    int fixed;                 /* 1: it has no mask_threshold, use_m2m and single_mask */
} generator_rule;

typedef struct predictor {
    unsigned modes; /* bits 1 << SAM_VIDEO, 1 << SAM_IMAGE */

    /* The family's own numbers, from the "config" text of the weights file; `config` is zeroed, config_bytes large.
     * Errors stick to the reader. size: capacities, or SAM_E_ARG for a size the family cannot have. */
    size_t config_bytes;
    void (*read_config)(config_reader *r, void *config);
    sam_status (*size)(const void *config, const size_request *want, model_size *out, sam_error *err);

    /* Graphs: at most MAX_GRAPHS. build: `b` was begun for graph `id`; errors stick to it. */
    int n_graphs;
    const char *const *graph_names;
    void (*build)(builder *b, int id, const void *config, const model_size *z);
    const char *const *unused; /* tensors of the file that are never used on purpose; NULL ends the list, or no list */

    step_graphs steps[STEP_COUNT];
    input_rule input[2];        /* by sam_mode */
    int box_needs_no_padding;   /* 1: a padding point follows clicks alone, not a box's corners */
    float logit_limit;          /* image mode: logits are returned within +- this; 0: as they are */
    generator_rule generator;   /* image mode */
    const char *absent_pointer; /* tensor [pointer_width]: pointer of an object that is not there; NULL without video */
} predictor;

/* A row of model/families.c: "family" in the metadata of weights files, what people call it, what it is. */
typedef struct model_family {
    const char *name, *title;
    const predictor *p;
} model_family;
extern const model_family families[]; /* a row of NULLs ends the list */

/* The row called `name`; SAM_E_FORMAT names those there are. */
sam_status family_find(const model_family *rows, const char *name, const char *path, const model_family **out,
                       sam_error *err);

/* 1: sessions of this mode run graph `id`; by_motion: those whose policy chooses by motion. */
int predictor_runs(const predictor *p, sam_mode mode, int by_motion, int id);

#endif
