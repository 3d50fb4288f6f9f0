/* How far the roofline is from what runs: on the CPU, the method of `sambench plan --predict` against measured time.
 *
 *     bench_predict WEIGHTS [fp32|bf16 [SIDE_PX [FRAMES]]]
 *
 * One thread; a frame's operators are timed one by one in CPU time of the process, which other programs on the machine
 * disturb less than wall time, and the least of the tracked frames from the seventh on (a full bank) counts. Peaks are
 * measured in the same process, the best of many short runs. A ratio is the floor (100 % of both peaks) over the measured time. */
#include "error.h"
#include "peaks.h"
#include "sam.h"
#include "tap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_CALLS = 1000, MAX_SUMS = 200, FULL_BANK = 7, PEAK_RUNS = 100, WIDTH = 640, HEIGHT = 480 };

typedef struct timed_call {
    const char *graph, *op;
    op_cost cost;
    double ms; /* the least */
} timed_call;

typedef struct recorder {
    int n, counts;
    double last_ms;
    timed_call call[MAX_CALLS];
} recorder;

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void on_graph(void *user, const char *graph, int begins)
{
    (void)graph;
    (void)begins;
    ((recorder *)user)->last_ms = cpu_ms();
}

static void on_node(void *user, const tap_node *n)
{
    recorder *r = user;
    double ms = cpu_ms() - r->last_ms;
    if (r->counts && r->n < MAX_CALLS) {
        timed_call *c = &r->call[r->n++];
        *c = (timed_call){n->graph, n->op, n->cost, c->ms > 0 && c->ms < ms ? c->ms : ms};
    }
    r->last_ms = cpu_ms();
}

/* Noise with a disc that moves. */
static void draw(uint8_t *rgb, int t)
{
    uint32_t hash = 12345u + (uint32_t)t;
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        int x = i % WIDTH - WIDTH / 2 - 2 * t, y = i / WIDTH - HEIGHT / 2, in = x * x + y * y < 80 * 80;
        for (int k = 0; k < 3; k++) {
            hash = hash * 1664525u + 1013904223u;
            rgb[3 * i + k] = (uint8_t)((in ? 180 : 60) + (hash >> 27));
        }
    }
}

static sam_status track(sam_session *s, recorder *r, int n_frames, sam_error *err)
{
    static uint8_t rgb[WIDTH * HEIGHT * 3];
    const sam_point point = {WIDTH / 2.0f, HEIGHT / 2.0f, 1};
    session_tap(s, (tap){.user = r, .timed = on_node, .span = on_graph});
    for (int t = 0; t < n_frames; t++) {
        draw(rgb, t);
        r->counts = t >= FULL_BANK;
        r->n = 0;
        TRY(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * WIDTH, .index = t}, err));
        TRY(t ? sam_track(s, SAM_FORWARD, err)
              : sam_prompt(s, 1, &(sam_prompt_set){.points = &point, .n_points = 1}, err));
    }
    return SAM_OK;
}

typedef struct sum {
    const char *graph, *op;
    int calls;
    double ms, floor_ms, gflop, mb;
} sum;

static int longest_first(const void *a, const void *b)
{
    double x = ((const sum *)a)->ms, y = ((const sum *)b)->ms;
    return (x < y) - (x > y);
}

static int add_up(const recorder *r, const peaks *p, sum *sums)
{
    int n = 0;
    for (int i = 0; i < r->n; i++) {
        const timed_call *c = &r->call[i];
        double bytes = c->cost.bytes_read + c->cost.bytes_written;
        int k = 0;
        while (k < n && (strcmp(sums[k].op, c->op) || strcmp(sums[k].graph, c->graph)))
            k++;
        if (k == n && n < MAX_SUMS)
            sums[n++] = (sum){.graph = c->graph, .op = c->op};
        sums[k].calls++;
        sums[k].ms += c->ms;
        sums[k].floor_ms += fmax(c->cost.flops / p->gflop_s, bytes / p->gb_s) / 1e6;
        sums[k].gflop += c->cost.flops / 1e9;
        sums[k].mb += bytes / 1e6;
    }
    qsort(sums, (size_t)n, sizeof *sums, longest_first);
    return n;
}

static void print(const recorder *r, const peaks *p)
{
    static sum sums[MAX_SUMS + 1];
    int n = add_up(r, p, sums);
    double ms = 0, floor_ms = 0;
    for (int i = 0; i < n; i++) {
        ms += sums[i].ms;
        floor_ms += sums[i].floor_ms;
    }
    printf(
        "| graph | operator | calls | GFLOP | MB | floor ms | CPU ms | ratio |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < n && sums[i].ms > 0.002 * ms; i++)
        printf("| %s | %s | %d | %.2f | %.0f | %.1f | %.1f | %.2f |\n", sums[i].graph, sums[i].op, sums[i].calls,
               sums[i].gflop, sums[i].mb, sums[i].floor_ms, sums[i].ms, sums[i].floor_ms / sums[i].ms);
    printf("| frame | | %d | | | %.1f | %.1f | %.2f |\n", r->n, floor_ms, ms, floor_ms / ms);
}

static sam_status measure(const char *weights, const sam_model_options *opt, int n_frames, sam_error *err)
{
    static recorder r;
    const sam_session_options session = {.width_px = WIDTH, .height_px = HEIGHT, .max_objects = 1};
    sam_model *m = NULL;
    sam_session *s = NULL;
    peaks p;
    TRY(peaks_measure(opt, 768, 64 << 20, PEAK_RUNS, &p, err));
    TRY(sam_model_open(weights, opt, &m, err));
    sam_status status = sam_session_open(m, &session, &s, err);
    if (status == SAM_OK)
        status = track(s, &r, n_frames, err);
    if (status == SAM_OK) {
        printf("%s, %d px: product %.0f GFLOP/s, copy %.1f GB/s\n\n", sam_model_name(m), sam_model_image_px(m),
               p.gflop_s, p.gb_s);
        print(&r, &p);
    }
    sam_session_close(s);
    sam_model_close(m);
    return status;
}

int main(int argc, char **argv)
{
    sam_error err;
    sam_model_options opt = {.backend = SAM_CPU, .n_threads = 1, .max_prompted_frames = 1};
    int n_frames = argc > 4 ? atoi(argv[4]) : FULL_BANK + 3;
    opt.compute = argc > 2 && !strcmp(argv[2], "bf16") ? SAM_BF16 : SAM_F32;
    opt.image_px = argc > 3 ? atoi(argv[3]) : 0;
    if (argc < 2 || n_frames <= FULL_BANK) {
        fprintf(stderr, "bench_predict WEIGHTS [fp32|bf16 [SIDE_PX [FRAMES, at least %d]]]\n", FULL_BANK + 1);
        return 2;
    }
    if (measure(argv[1], &opt, n_frames, &err) == SAM_OK)
        return 0;
    fprintf(stderr, "bench_predict: %s\n", err.text);
    return 1;
}
