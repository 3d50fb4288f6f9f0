#include "run_shard.h"

#include "frames.h"
#include "json_build.h"
#include "json_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

sam_status run_shard_folder(const run_shard *r, const char *out_dir, char **path, sam_error *err)
{
    char name[48];
    snprintf(name, sizeof name, "shard_%d_of_%d", r->s.index, r->s.count);
    return path_join(path, out_dir, name, err);
}

/* Launchers either show each process its own GPU, or all of them to all. */
int run_shard_device(const run_shard *r)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    int n = visible && *visible ? 1 : 0;
    for (const char *c = visible; c && *c; c++)
        n += *c == ',';
    return r->s.local < 0 ? 0 : n ? r->s.local % n : r->s.local;
}

/* Frames of a video; of a file by its index. 0: it does not tell. */
static int64_t video_frames(const dataset_video *v)
{
    frame_source *frames;
    if (!v->video_file)
        return v->frames.n;
    if (frames_open(v->video_file, &(frames_options){.max_frames = 1, .prefetch = 2}, &frames, NULL) != SAM_OK)
        return 0;
    int64_t n = frames_count(frames);
    frames_close(frames);
    return n;
}

static sam_status take_memory(run_shard *r, const dataset *set, int64_t **costs, sam_error *err)
{
    r->n_units = 0;
    r->first = malloc((size_t)set->n_videos * sizeof *r->first + 1);
    for (int v = 0; r->first && v < set->n_videos; v++) {
        r->first[v] = r->n_units;
        r->n_units += set->videos[v].n_objects ? set->videos[v].n_objects : 1;
    }
    r->owner = malloc((size_t)r->n_units * sizeof *r->owner + 1);
    *costs = malloc((size_t)r->n_units * sizeof **costs + 1);
    return r->first && r->owner && *costs ? SAM_OK : fail(err, SAM_E_MEMORY, "out of memory: the division into shards");
}

sam_status run_shard_divide(run_shard *r, dataset *set, int max_clip_frames, int whole_videos, sam_error *err)
{
    int64_t *costs = NULL;
    if (r->s.count <= 1)
        return SAM_OK;
    for (int v = 0; v < set->n_videos; v++)
        dataset_find_objects(set, v, NULL); /* a video that fails is told of when its turn comes */
    sam_status status = take_memory(r, set, &costs, err);
    for (int v = 0; status == SAM_OK && v < set->n_videos; v++) {
        const dataset_video *video = &set->videos[v];
        int64_t frames = video_frames(video);
        costs[r->first[v]] = 1;
        for (int o = 0; o < video->n_objects; o++) {
            int64_t n = frames - video->objects[o].annotated[0];
            n = max_clip_frames && n > max_clip_frames ? max_clip_frames : n;
            costs[r->first[v] + o] = whole_videos && o ? 0 : n;
            costs[r->first[v]] += whole_videos && o ? n : 0;
        }
    }
    if (status == SAM_OK)
        status = shard_divide(costs, r->n_units, r->s.count, r->owner, err);
    for (int v = 0; status == SAM_OK && whole_videos && v < set->n_videos; v++)
        for (int o = 1; o < set->videos[v].n_objects; o++)
            r->owner[r->first[v] + o] = r->owner[r->first[v]];
    for (int i = 0; status == SAM_OK && i < r->n_units; i++)
        r->n_ours += r->owner[i] == r->s.index;
    free(costs);
    return status;
}

int run_shard_has(const run_shard *r, int video, int object)
{
    return !r->owner || r->owner[r->first[video] + object] == r->s.index;
}

sam_status run_shard_write(const run_shard *r, const dataset *set, const model_list *models, const char *out_dir,
                           sam_error *err)
{
    char *path = NULL;
    json_t *rows = json_array();
    for (int v = 0; v < set->n_videos; v++) {
        const dataset_video *video = &set->videos[v];
        for (int o = 0; o < (video->n_objects ? video->n_objects : 1); o++)
            for (int m = 0; m < models->n && run_shard_has(r, v, o); m++)
                json_add(&rows,
                         json_pack("[o,o,s]", json_text(video->name),
                                   json_text(video->n_objects ? video->objects[o].name : ""), models->entries[m].name));
    }
    TRY(path_join(&path, out_dir, SHARD_FILE, err));
    sam_status status =
        json_out(path, json_pack("{s:i,s:i,s:o}", "index", r->s.index, "count", r->s.count, "rows", rows), err);
    free(path);
    return status;
}

void run_shard_free(run_shard *r)
{
    free(r->owner);
    free(r->first);
    *r = (run_shard){0};
}
