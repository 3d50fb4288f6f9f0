#include "track_report.h"

#include "host_share.h"
#include "json_build.h"
#include "process_age.h"

#include <math.h>

sam_status report_reserve(track_report *r, int n_frames, sam_error *err)
{
    size_t n = n_frames < MOST_SAMPLES ? (size_t)n_frames : MOST_SAMPLES;
    TRY(samples_reserve(&r->ms, n, err));
    TRY(samples_reserve(&r->own, n, err));
    TRY(samples_reserve(&r->libraries, n, err));
    TRY(samples_reserve(&r->waits, n, err));
    TRY(samples_reserve(&r->latency, n, err));
    TRY(samples_reserve(&r->host, n, err));
    TRY(samples_reserve(&r->device, n, err));
    for (int k = 0; k < SAM_N_STAGES; k++)
        TRY(samples_reserve(&r->stage_ms[k], n, err));
    return SAM_OK;
}

/* Keeps the later half. */
static void forget_half(track_report *r)
{
    samples *const all[] = {&r->ms, &r->own, &r->libraries, &r->waits, &r->host, &r->device};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        samples_forget(all[i], MOST_SAMPLES / 2);
    for (int k = 0; k < SAM_N_STAGES; k++)
        samples_forget(&r->stage_ms[k], MOST_SAMPLES / 2);
    r->first_full = 0;
}

sam_status report_add(track_report *r, const clip_result *f, int is_live, sam_error *err)
{
    const sam_stats *s = &f->stats;
    if (r->ms.n == MOST_SAMPLES)
        forget_half(r);
    if (r->latency.n == MOST_SAMPLES)
        samples_forget(&r->latency, MOST_SAMPLES / 2);
    if (is_live)
        TRY(samples_add(&r->latency, f->latency_ms, err));
    r->stats = *s;
    if (!r->n_frames++)
        r->cold_ms = process_age_ms();
    r->n_incomplete += f->n_incomplete;
    /* Where the encoder ran for the prompts already, the times of the session are those of the prompts too. */
    r->official_ms += f->encoded ? f->ms - s->stage_ms[SAM_POST] : f->ms;
    if (!f->encoded)
        return SAM_OK;
    if (f->position < FULL_BANK_FRAMES)
        r->first_full = r->ms.n + 1;
    TRY(samples_add(&r->ms, f->ms, err));
    TRY(samples_add(&r->own, (double)f->allocations.own, err));
    TRY(samples_add(&r->libraries, (double)f->allocations.libraries, err));
    TRY(samples_add(&r->waits, s->waits, err));
    TRY(samples_add(&r->host, host_share_ms(s, f->ms), err));
    TRY(samples_add(&r->device, host_share_device_ms(s), err));
    for (int k = 0; k < SAM_N_STAGES; k++)
        TRY(samples_add(&r->stage_ms[k], s->stage_ms[k], err));
    return SAM_OK;
}

void report_free(track_report *r)
{
    samples_free(&r->ms);
    samples_free(&r->own);
    samples_free(&r->libraries);
    samples_free(&r->waits);
    samples_free(&r->latency);
    samples_free(&r->host);
    samples_free(&r->device);
    for (int k = 0; k < SAM_N_STAGES; k++)
        samples_free(&r->stage_ms[k]);
}

/* First of the frames reported as steady: those with a full bank, or all of a shorter clip. */
static size_t steady_from(const track_report *r)
{
    return r->first_full < r->ms.n ? r->first_full : 0;
}

static double per_second(int n, double ms)
{
    return n && ms > 0 ? 1e3 * n / ms : NAN;
}

/* NaN where only the prompted frame was tracked: the official figure is of the loop over the others. */
static double official_fps(const track_report *r)
{
    return r->ms.n ? per_second(r->n_frames, r->official_ms) : NAN;
}

/* Medians over the steady frames; NaN on the CPU. */
static double steady_median(const track_report *r, const samples *s)
{
    return samples_quantile(s, steady_from(r), 0.5);
}

/* NaN: not counted. */
static double per_steady_frame(const track_report *r, const samples *s)
{
    size_t from = steady_from(r), n = s->n - from;
    return n && s->x[from] >= 0 ? samples_sum(s, from) / (double)n : NAN;
}

static json_t *steady_json(const track_report *r)
{
    size_t from = steady_from(r);
    json_t *stages = json_object();
    for (int k = 0; k < SAM_N_STAGES; k++)
        json_put(&stages, sam_stage_name(k), json_figure(samples_quantile(&r->stage_ms[k], from, 0.5)));
    return json_pack("{s:o, s:o, s:o, s:I, s:b, s:o, s:o, s:o}", "ms_per_frame",
                     json_figure(samples_quantile(&r->ms, from, 0.5)), "p90",
                     json_figure(samples_percentile(&r->ms, from, 90)), "p99",
                     json_figure(samples_percentile(&r->ms, from, 99)), "frames", (json_int_t)(r->ms.n - from),
                     "full_bank", r->ms.n && from == r->first_full, "stages_ms", stages, "host_ms",
                     json_figure(steady_median(r, &r->host)), "device_ms", json_figure(steady_median(r, &r->device)));
}

/* Null of what is not live. */
static json_t *live_json(const track_report *r, const track_setting *s)
{
    if (!s->is_live)
        return json_null();
    return json_pack("{s:I, s:I, s:i, s:o, s:o, s:o}", "frames_received", (json_int_t)s->came.received,
                     "frames_dropped", (json_int_t)s->came.dropped, "damaged", s->came.damaged, "latency_ms_p50",
                     json_figure(samples_quantile(&r->latency, 0, 0.5)), "latency_ms_p95",
                     json_figure(samples_percentile(&r->latency, 0, 95)), "latency_ms_p99",
                     json_figure(samples_percentile(&r->latency, 0, 99)));
}

json_t *report_json(const track_report *r, const track_setting *s)
{
    const sam_stats *b = &r->stats;
    double own = per_steady_frame(r, &r->own), libraries = per_steady_frame(r, &r->libraries);
    json_t *bytes = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "weights", (json_int_t)b->weight_bytes, "tables",
                              (json_int_t)b->table_bytes, "state", (json_int_t)b->state_bytes, "scratch",
                              (json_int_t)b->scratch_bytes, "frame_queue", (json_int_t)s->frame_queue_bytes, "device",
                              (json_int_t)b->device_bytes);
    json_t *allocations = json_pack("{s:o, s:o}", "engine", json_figure(own), "libraries", json_figure(libraries));
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:i, s:i, s:i, s:i, s:s, s:i, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}",
        "model", s->model, "backend", b->backend ? b->backend : "", "device", b->device ? b->device : "", "precision",
        s->precision, "imgsz", s->image_px, "threads", s->n_threads, "input", s->input, "width", s->width, "height",
        s->height, "frames", r->n_frames, "objects", s->n_objects, "tracker", s->tracker, "history", s->history,
        "incomplete_masks", r->n_incomplete, "interrupted", s->interrupted, "live", live_json(r, s), "steady",
        steady_json(r), "official_protocol_fps", json_figure(official_fps(r)), "end_to_end_fps",
        json_figure(per_second(r->n_frames, r->end_to_end_ms)), "cold_start_ms", json_figure(r->cold_ms), "peak_bytes",
        bytes, "rss_peak_bytes", (json_int_t)s->rss_peak_bytes, "allocations_per_steady_frame",
        json_figure(own + libraries), "allocations_by", allocations, "syncs_per_steady_frame",
        json_figure(per_steady_frame(r, &r->waits)));
}

/* Left out where the frames are too few for it. */
static void print_percentile(FILE *to, const samples *s, size_t from, int percent)
{
    double ms = samples_percentile(s, from, percent);
    if (!isnan(ms))
        fprintf(to, "; p%d %.1f", percent, ms);
}

static void print_live(const track_report *r, const track_setting *s, FILE *to)
{
    fprintf(to, "live: %lld frames came, %lld were dropped; from frame to mask %.1f ms", (long long)s->came.received,
            (long long)s->came.dropped, samples_quantile(&r->latency, 0, 0.5));
    print_percentile(to, &r->latency, 0, 95);
    print_percentile(to, &r->latency, 0, 99);
    fprintf(to, "\n");
    if (s->came.damaged)
        fprintf(to, "%d damaged frames or parts of frames were passed over\n", s->came.damaged);
}

void report_print(const track_report *r, const track_setting *s, FILE *to)
{
    size_t from = steady_from(r), n = r->ms.n - from;
    const sam_stats *b = &r->stats;
    fprintf(to, "%s, %s, %d px, %s (%s), %d thread%s: %d frame%s of %d x %d, %d object%s%s\n", s->model, s->precision,
            s->image_px, b->backend ? b->backend : "", b->device ? b->device : "", s->n_threads,
            s->n_threads == 1 ? "" : "s", r->n_frames, r->n_frames == 1 ? "" : "s", s->width, s->height, s->n_objects,
            s->n_objects == 1 ? "" : "s", s->interrupted ? ", interrupted" : "");
    if (n) {
        fprintf(to, "steady: %.1f ms a frame (median of %zu frame%s%s", samples_quantile(&r->ms, from, 0.5), n,
                n == 1 ? "" : "s",
                from == r->first_full ? " with a full memory bank" : ", too few for a full memory bank");
        print_percentile(to, &r->ms, from, 90);
        print_percentile(to, &r->ms, from, 99);
        fprintf(to, ")\n");
        for (int k = 0; k < SAM_N_STAGES; k++)
            fprintf(to, "  %-17s %9.2f ms\n", sam_stage_name(k), samples_quantile(&r->stage_ms[k], from, 0.5));
    }
    char limit[HOST_SHARE_BYTES];
    if (n &&
        host_share_says(steady_median(r, &r->host), steady_median(r, &r->device), steady_median(r, &r->ms), limit)[0])
        fprintf(to, "%s\n", limit);
    if (n)
        fprintf(to, "official protocol: %.2f FPS (tracking alone, frames in memory); ", official_fps(r));
    else
        fprintf(to, "only the prompted frame, none tracked; ");
    fprintf(to, "end to end: %.2f FPS (decode to mask)\n", per_second(r->n_frames, r->end_to_end_ms));
    if (s->is_live)
        print_live(r, s, to);
    fprintf(to, "cold start: %.0f ms from the start of the process to the first mask\n", r->cold_ms);
    fprintf(to, "memory: weights %.1f, state %.1f, scratch %.1f MiB; process at most %.1f MiB\n",
            (double)b->weight_bytes / 0x1p20, (double)b->state_bytes / 0x1p20, (double)b->scratch_bytes / 0x1p20,
            (double)s->rss_peak_bytes / 0x1p20);
    if (b->device_bytes)
        fprintf(to, "the device's memory: %.1f MiB, %g waits for it in a steady frame\n",
                (double)b->device_bytes / 0x1p20, per_steady_frame(r, &r->waits));
    if (r->n_incomplete)
        fprintf(to, "%d of the masks lack memories of frames that were forgotten; --history %d was not enough\n",
                r->n_incomplete, s->history);
    double own = per_steady_frame(r, &r->own), libraries = per_steady_frame(r, &r->libraries);
    if (isfinite(own))
        fprintf(to, "allocations in a steady frame: %g by the engine, %g by libraries\n", own, libraries);
}
