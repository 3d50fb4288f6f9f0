/* metrics.h - region (J) and boundary (F) scores of masks against annotations, by four published conventions.
 *
 *   davis          davisvideochallenge/davis2017-evaluation, davis2017/evaluation.py and metrics.py, semi-supervised
 *   sav            facebookresearch/sam2, sav_dataset/utils/sav_benchmark.py
 *   vos_benchmark  hkchengrex/vos-benchmark, vos_benchmark/evaluator.py
 *   seed           antpln/VideoSegmentationComparison, sav_benchmark/metrics.py
 *
 * J = |A and B| / |A or B|, 1 when both are empty. F = 2PR / (P + R) of boundary pixels that have a boundary pixel of
 * the other mask within a radius. The first three take the boundary map of Martin's seg2bmap and a disk of radius
 * ceil(0.008 diagonal); `seed` takes the 3x3 morphological gradient and a square of half width round(0.008 diagonal).
 * An object's score is the mean over its frames, the global score the plain mean over objects. Everything is a
 * fraction; sav and vos_benchmark print percent in the originals.
 *
 * Masks are not kept: a frame is scored as soon as it is tracked, and an object keeps 16 bytes a frame. */
#ifndef METRICS_H
#define METRICS_H

#include "error.h"

typedef enum metric_kind { METRIC_DAVIS, METRIC_SAV, METRIC_VOS_BENCHMARK, METRIC_SEED } metric_kind;

#define METRIC_CHOICES "davis|sav|vos_benchmark|seed"

/* By its name in METRIC_CHOICES; anything else is SAM_E_ARG. */
sam_status metric_from_name(const char *name, metric_kind *out, sam_error *err);
const char *metric_name(metric_kind kind);

/* An object in an image of u8 pixels, or already packed, which is scored where it lies. */
typedef struct mask_view {
    const uint8_t *px;     /* [height, row_bytes]                               */
    size_t row_bytes;      /* >= width                                          */
    int value;             /* 0: every nonzero pixel; else pixels that equal it */
    const uint64_t *words; /* not NULL: sam_mask.words instead                  */
} mask_view;

typedef struct frame_score {
    double j, f;
    int64_t gt_px, pred_px, both_px;
    int64_t gt_boundary_px, pred_boundary_px;
} frame_score;

/* Working memory of metric_frame, kept between frames. Start with {0}. */
typedef struct metric_scratch {
    uint64_t *words;
    size_t n_words;
} metric_scratch;

void metric_scratch_free(metric_scratch *scratch);

/* Scores one mask pair of the same size. Working memory is 4 bits a pixel. */
sam_status metric_frame(metric_kind kind, const mask_view *gt, const mask_view *pred, int width, int height,
                        metric_scratch *scratch, frame_score *out, sam_error *err);

/* Whether annotated frame `i` of `n_annotated` is scored: the first (where the prompt is) and the last are left out
 * unless the caller keeps them. `seed` scores every annotated frame; its callers pass skip_first_last = 0. */
int metric_counts_frame(int skip_first_last, int n_annotated, int i);
int metric_skips_first_last(metric_kind kind); /* the convention's default */

/* One object's frames so far. Start with {.kind = ...}; frames are added in order. */
typedef struct object_score {
    metric_kind kind;
    int in_gt;     /* the annotation has shown the object in a scored frame */
    double *j, *f; /* [n_frames]                                            */
    size_t n_frames, capacity;
} object_score;

/* Adds a scored frame. sav and vos_benchmark count an object from the first scored frame in which annotation or
 * prediction shows it; davis and seed count every frame given. */
sam_status object_score_add(object_score *s, const frame_score *frame, sam_error *err);

/* A frame for which there is no prediction at all: 0 by `seed`; by the others an error, as in the originals. */
sam_status object_score_add_missing(object_score *s, sam_error *err);
void object_score_free(object_score *s);

typedef struct object_result {
    int scored; /* 0: no frame to score, or (sav, vos_benchmark) never in the scored annotations; figures are 0 then */
    size_t n_frames;
    double j, f, j_and_f;
    double j_recall, f_recall; /* share of frames above 0.5              */
    double j_decay, f_decay;   /* mean of the first quarter of frames minus mean of the last */
} object_result;

/* Recall and decay as davis2017-evaluation, davis2017/utils.py, db_statistics. There the bounds of the quarters are
 * cast to 8 bits, so beyond 256 scored frames its decay is taken over other frames than meant (or none); here the
 * bounds do not wrap: equal figures up to 256 frames, the intended ones beyond. */
void object_score_conclude(const object_score *s, object_result *out);

typedef struct global_result {
    int n_scored, n_dropped;
    double j, f, j_and_f, j_recall, f_recall, j_decay, f_decay;
} global_result;

/* Mean over the scored objects; all zero if none is. */
void metric_aggregate(const object_result *objects, size_t n, global_result *out);

#endif
