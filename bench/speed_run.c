/* speed_run.c - see speed_run.h. */
#include "speed_run.h"

#include "clip.h"
#include "process_memory.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
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

/* Noise that compresses to nothing, and a disc to follow. */
static void draw(uint8_t *rgb, int width, int height, int t)
{
    uint32_t hash = 12345u + (uint32_t)t;
    int cx = width / 2 + 2 * t, cy = height / 2, radius = height / 5;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, rgb += 3) {
            int in = (x - cx) * (x - cx) + (y - cy) * (y - cy) < radius * radius;
            hash = hash * 1664525u + 1013904223u;
            rgb[0] = (uint8_t)((in ? 200 : 60) + (hash >> 27));
            rgb[1] = (uint8_t)((in ? 60 : 110) + (hash >> 26 & 31));
            rgb[2] = (uint8_t)(90 + (hash >> 25 & 31));
        }
    }
}

static sam_status push(const speed_run *r, sam_session *s, uint8_t *rgb, int t, sam_error *err)
{
    const sam_frame frame = {.rgb = rgb, .row_bytes = 3 * (size_t)r->width, .index = t};
    return sam_push_frame(s, &frame, err);
}

static sam_status prompt_objects(const speed_run *r, sam_session *s, uint8_t *rgb, sam_error *err)
{
    draw(rgb, r->width, r->height, 0);
    TRY(push(r, s, rgb, 0, err));
    for (int i = 0; i < r->n_objects; i++) {
        float offset = (float)(i % 7 - 3) * (float)r->height / 64;
        const sam_point point = {(float)r->width / 2 + offset, (float)r->height / 2 + offset, 1};
        TRY(sam_prompt(s, i + 1, &(sam_prompt_set){.points = &point, .n_points = 1}, err));
    }
    return SAM_OK;
}

/* One frame; where `sums` is given its operators are timed, else the frame as a whole. */
static sam_status one_frame(speed_run *r, sam_session *s, uint8_t *rgb, int t, part_sums *sums, int counts,
                            sam_error *err)
{
    draw(rgb, r->width, r->height, t);
    if (sums)
        *sums = (part_sums){0};
    double start = clock_ms();
    TRY(push(r, s, rgb, t, err));
    TRY(sam_track(s, SAM_FORWARD, err));
    double ms = clock_ms() - start;
    TRY(sam_get_stats(s, &r->stats, err));
    if (!counts)
        return SAM_OK;
    if (!sums) {
        TRY(samples_add(&r->ms[SPEED_POST], r->stats.post_ms, err));
        return samples_add(&r->ms[SPEED_FRAME], ms, err);
    }
    for (int k = SPEED_IMAGE_ENCODER; k <= SPEED_MEMORY_ENCODER; k++) {
        TRY(samples_add(&r->ms[k], sums->ms[k], err));
        r->flops[k] = sums->flops[k];
    }
    double resize = r->stats.encode_ms - sums->ms[SPEED_IMAGE_ENCODER];
    return samples_add(&r->ms[SPEED_RESIZE], resize > 0 ? resize : 0, err);
}

static sam_status run_frames(speed_run *r, sam_session *s, uint8_t *rgb, int (*stop)(void), sam_error *err)
{
    int t = 1;
    part_sums sums;
    TRY(prompt_objects(r, s, rgb, err));
    for (int i = 0; i < r->warmup && !stop(); i++)
        TRY(one_frame(r, s, rgb, t++, NULL, 0, err));
    process_peak_restart();
    for (int i = 0; i < r->runs && !stop(); i++)
        TRY(one_frame(r, s, rgb, t++, NULL, 1, err));
    r->peak_rss_mib = (double)process_peak_bytes() / (1 << 20);
    session_tap(s, (tap){.user = &sums, .timed = on_node});
    for (int i = 0; i < r->runs && !stop(); i++)
        TRY(one_frame(r, s, rgb, t++, &sums, 1, err));
    for (int k = SPEED_IMAGE_ENCODER; k <= SPEED_MEMORY_ENCODER; k++)
        r->flops[SPEED_FRAME] += r->flops[k];
    return SAM_OK;
}

sam_status speed_measure(speed_run *r, int (*stop)(void), sam_error *err)
{
    sam_model *m = NULL;
    sam_session *s = NULL;
    const sam_session_options options = {
        .width_px = r->width, .height_px = r->height, .max_objects = r->n_objects, .mem_limit = r->choice.mem_limit};
    uint8_t *rgb = malloc(3 * (size_t)r->width * (size_t)r->height);
    double start = clock_ms();
    sam_status status = rgb ? SAM_OK : fail(err, SAM_E_MEMORY, "no memory for a frame of %d x %d", r->width, r->height);
    if (status == SAM_OK)
        status = model_open("speed", &r->choice, 0, 0, &m, err);
    if (status == SAM_OK)
        status = sam_session_open(m, &options, &s, err);
    r->setup_ms = clock_ms() - start;
    if (status == SAM_OK)
        status = run_frames(r, s, rgb, stop, err);
    snprintf(r->backend, sizeof r->backend, "%s", r->stats.backend ? r->stats.backend : "");
    snprintf(r->device, sizeof r->device, "%s", r->stats.device ? r->stats.device : "");
    r->stats.backend = r->stats.device = NULL; /* they end with the model */
    sam_session_close(s);
    sam_model_close(m);
    free(rgb);
    return status;
}

void speed_run_free(speed_run *r)
{
    for (int k = 0; k < N_SPEED_PARTS; k++)
        samples_free(&r->ms[k]);
}
