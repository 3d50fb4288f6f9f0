/* run_shard.h - the share of a split that this process of `run` works on, and the list of its rows for `merge`. */
#ifndef RUN_SHARD_H
#define RUN_SHARD_H

#include "dataset.h"
#include "model_list.h"
#include "shard.h"

#define SHARD_FILE "shard.json" /* beside a shard's table: {"index", "count", "rows": [[video, object, model], ...]} */

/* Start with {0}. */
typedef struct run_shard {
    shard s;
    int *owner; /* [units]; NULL: all is ours                                 */
    int *first; /* [n_videos]: first unit of a video; its objects follow it   */
    int n_units, n_ours;
} run_shard;

/* Divides the objects of the set by their frames; a video whose objects cannot be found is one unit. max_clip_frames 0: all.
 * whole_videos: objects of a video stay together, since their masks go into the same pictures. */
sam_status run_shard_divide(run_shard *r, dataset *set, int max_clip_frames, int whole_videos, sam_error *err);
int run_shard_has(const run_shard *r, int video, int object);
/* Writes OUT_DIR/shard.json. */
sam_status run_shard_write(const run_shard *r, const dataset *set, const model_list *models, const char *out_dir,
                           sam_error *err);
void run_shard_free(run_shard *r);

/* Folder of one of several shards below `out_dir`, for the caller to free. */
sam_status run_shard_folder(const run_shard *r, const char *out_dir, char **path, sam_error *err);
/* Which of several GPUs the process takes. */
int run_shard_device(const run_shard *r);

#endif
