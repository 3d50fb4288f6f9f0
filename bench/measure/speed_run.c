/* speed_run.c - see speed_run.h. */
#include "speed_run.h"

#include "clip.h"
#include "clock.h"
#include "noise_clip.h"
#include "process_memory.h"
#include "tap.h"

#include <stdio.h>
#include <string.h>

const char *const speed_part_names[N_SPEED_PARTS] = {
    "frame", "image_encoder", "prompt_encoder", "mask_decoder", "memory_attention", "memory_encoder", "resize", "post"};

/* The operators of one frame, summed by component. */
typedef struct part_sums {
    double ms[N_SPEED_PARTS], flops[N_SPEED_PARTS];
} part_sums;

static speed_part part_of(const tap_node *n)
{
    if (!strcmp(n->graph, "encode"))
        return SPEED_IMAGE_ENCODER;
    if (!strcmp(n->graph, "attend"))
        return SPEED_MEMORY_ATTENTION;
    if (!strcmp(n->graph, "remember") || !strcmp(n->graph, "keep"))
        return SPEED_MEMORY_ENCODER;
    if (strcmp(n->graph, "decode") || !strcmp(n->op, "point_tokens"))
        return SPEED_PROMPT_ENCODER; /* src and src_mask are its dense part */
    return SPEED_MASK_DECODER;
}

static void on_node(void *user, const tap_node *n)
{
    part_sums *s = user;
    s->ms[part_of(n)] += n->ms;
    s->flops[part_of(n)] += n->cost.flops;
}

/* One frame; where `sums` is given its operators are timed, else the frame as a whole. */
static sam_status one_frame(speed_run *r, noise_clip *c, part_sums *sums, int counts, sam_error *err)
{
    noise_clip_draw(c);
    if (sums)
        *sums = (part_sums){0};
    double start = clock_ms();
    TRY(noise_clip_track(c, err));
    double ms = clock_ms() - start;
    TRY(sam_get_stats(c->session, &r->stats, err));
    if (!counts)
        return SAM_OK;
    if (!sums) {
        TRY(samples_add(&r->ms[SPEED_POST], r->stats.stage_ms[SAM_POST], err));
        return samples_add(&r->ms[SPEED_FRAME], ms, err);
    }
    for (int k = SPEED_IMAGE_ENCODER; k <= SPEED_MEMORY_ENCODER; k++) {
        TRY(samples_add(&r->ms[k], sums->ms[k], err));
        r->flops[k] = sums->flops[k];
    }
    double resize = r->stats.stage_ms[SAM_ENCODE] - sums->ms[SPEED_IMAGE_ENCODER];
    return samples_add(&r->ms[SPEED_RESIZE], resize > 0 ? resize : 0, err);
}

static sam_status run_frames(speed_run *r, noise_clip *c, int (*stop)(void), sam_error *err)
{
    part_sums sums;
    TRY(noise_clip_start(c, r->n_objects, err));
    for (int i = 0; i < r->warmup && !stop(); i++)
        TRY(one_frame(r, c, NULL, 0, err));
    process_peak_restart();
    for (int i = 0; i < r->runs && !stop(); i++)
        TRY(one_frame(r, c, NULL, 1, err));
    r->peak_rss_mib = (double)process_peak_bytes() / (1 << 20);
    session_tap(c->session, (tap){.user = &sums, .timed = on_node});
    for (int i = 0; i < r->runs && !stop(); i++)
        TRY(one_frame(r, c, &sums, 1, err));
    for (int k = SPEED_IMAGE_ENCODER; k <= SPEED_MEMORY_ENCODER; k++)
        r->flops[SPEED_FRAME] += r->flops[k];
    return SAM_OK;
}

sam_status speed_measure(speed_run *r, int (*stop)(void), sam_error *err)
{
    sam_model *m = NULL;
    noise_clip c;
    sam_session_options options = {.width_px = r->width,
                                   .height_px = r->height,
                                   .max_objects = r->n_objects,
                                   .history = -1,
                                   .mem_limit = r->choice.mem_limit};
    TRY(noise_clip_open(&c, r->width, r->height, err));
    double start = clock_ms();
    sam_status status = model_open("speed", &r->choice, 0, 0, &m, err);
    if (status == SAM_OK) {
        c.images = !sam_model_takes(m, SAM_VIDEO);
        options.mode = c.images ? SAM_IMAGE : SAM_VIDEO;
        status = sam_session_open(m, &options, &c.session, err);
    }
    r->setup_ms = clock_ms() - start;
    if (status == SAM_OK)
        status = run_frames(r, &c, stop, err);
    snprintf(r->backend, sizeof r->backend, "%s", r->stats.backend ? r->stats.backend : "");
    snprintf(r->device, sizeof r->device, "%s", r->stats.device ? r->stats.device : "");
    r->stats.backend = r->stats.device = NULL; /* they end with the model */
    sam_session_close(c.session);
    sam_model_close(m);
    noise_clip_close(&c);
    return status;
}

void speed_run_free(speed_run *r)
{
    for (int k = 0; k < N_SPEED_PARTS; k++)
        samples_free(&r->ms[k]);
}
