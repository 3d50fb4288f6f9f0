/* eval_video.h - scores a folder of predicted masks of one video against its annotations.
 *
 * Two layouts, told apart by the annotations: FOLDER/<object>/<frame>.png with one object a file (SA-V), and
 * FOLDER/<frame>.png with object ids as pixel values (DAVIS, MOSE, YouTube-VOS). Which objects and frames count is
 * decided by the convention (metrics.h); the published evaluators are followed as they run:
 *
 *   davis          ids 1..max of the first annotation (255 is background); all scored frames; a higher id in a scored
 *                  prediction is an error. In the SA-V layout, which the original does not read, every folder counts.
 *   vos_benchmark  every id (255 too) once it was seen in annotation or prediction; ids never in the scored annotations
 *                  are left out. In the SA-V layout, which the original does not read: as sav, but left out, no error.
 *   sav            SA-V layout: an object never in its scored annotations is an error. DAVIS layout: as vos_benchmark.
 *   seed           SA-V layout: every annotated frame. DAVIS layout, which the original does not read: every id except
 *                  255 from the first annotation that shows it; a video whose annotations hold only 255 is one object. */
#ifndef EVAL_VIDEO_H
#define EVAL_VIDEO_H

#include "metrics.h"
#include "pred_masks.h"

typedef struct eval_object {
    char *name; /* "video/001": the folder of the object, or its id in three digits */
    object_result result;
    object_score frames; /* per frame figures behind `result` */
} eval_object;

typedef struct eval_results {
    eval_object *objects;
    int n, capacity;
} eval_results;

/* Adds the objects of `video`, found as gt_root/video and pred_root/video (in whatever form of pred_masks.h), to `out`, those that are not scored
 * (result.scored == 0) too. Errors name the file: a scored frame without prediction, different sizes, nothing to score. */
sam_status eval_video(metric_kind metric, int skip_first_last, const char *gt_root, const char *pred_root,
                      pred_form form, const char *video, eval_results *out, sam_error *err);
void eval_results_free(eval_results *r);

#endif
