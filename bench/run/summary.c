/* summary.c - see summary.h. */
#include "summary.h"

#include "conditions.h"
#include "samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const figures_column columns[] = {{"model", "model", FIGURES_TEXT, 0, 0},
                                         {"imgsz", "px", 0, 0, 0},
                                         {"precision", "type", FIGURES_TEXT, 0, 0},
                                         {"objects", "rows", 0, 0, 1},
                                         {"failed", "failed", 0, 0, 0},
                                         {"frames", "frames", 0, 0, 5},
                                         {"J", "J", 4, 0, 4},
                                         {"F", "F", 4, 0, 3},
                                         {"JandF", "J&F", 4, 1, 0},
                                         {"JandF_error", "+-", 4, 0, 2},
                                         {"fps_median", "fps", 2, 1, 0},
                                         {"latency_ms", "ms", 1, 0, 2},
                                         {"cpu_peak_rss_MiB", "RSS MiB", 0, -1, 0},
                                         {"gpu_peak_alloc_MiB", "GPU MiB", 0, -1, 0},
                                         {"host_ms", "host ms", 2, 0, 6},
                                         {"device_ms", "device ms", 2, 0, 6}};

const figures_column *summary_columns(int *n)
{
    *n = sizeof columns / sizeof *columns;
    return columns;
}

typedef struct totals {
    int n_ok, n_failed, n_scored;
    double frames, j, f, score, squares, latency_ms, host_ms, device_ms, rss_mib, gpu_mib;
    samples fps;
} totals;

static const char *key_of(const results *r, int row, const char *column)
{
    return csv_text(&r->table, row, column);
}

/* Returns 0 without memory. */
static int add_row(const results *r, int row, totals *t)
{
    if (!results_is_ok(r, row)) {
        t->n_failed++;
        return 1;
    }
    double rss_mib = results_number(r, row, "cpu_peak_rss_MiB"), gpu_mib = results_number(r, row, "gpu_peak_alloc_MiB");
    t->n_ok++;
    t->frames += results_number(r, row, "frames");
    t->rss_mib = rss_mib > t->rss_mib ? rss_mib : t->rss_mib;
    t->gpu_mib = gpu_mib > t->gpu_mib ? gpu_mib : t->gpu_mib;
    if (key_of(r, row, "J")[0]) {
        double j = results_number(r, row, "J"), f = results_number(r, row, "F"), score = (j + f) / 2;
        t->n_scored++;
        t->j += j;
        t->f += f;
        t->score += score;
        t->squares += score * score;
    }
    if (!key_of(r, row, "fps")[0])
        return 1;
    t->latency_ms += results_number(r, row, "latency_ms");
    t->host_ms += results_number(r, row, "host_ms");
    t->device_ms += results_number(r, row, "device_ms");
    return samples_add(&t->fps, results_number(r, row, "fps"), NULL) == SAM_OK;
}

/* Of the mean over objects; NaN of fewer than two. */
static double standard_error(const totals *t)
{
    double n = t->n_scored, mean = t->score / n, variance = (t->squares - n * mean * mean) / (n - 1);
    return n > 1 ? sqrt(variance > 0 ? variance / n : 0) : NAN;
}

static void put_model(const results *r, int row, const totals *t, figures *out)
{
    int n_fps = (int)t->fps.n;
    const char *px = key_of(r, row, "imgsz");
    figures_row(out, !px[0]); /* a baseline is no model */
    figures_word(out, "model", key_of(r, row, "model"));
    figures_number(out, "imgsz", px[0] ? strtod(px, NULL) : NAN);
    figures_word(out, "precision", key_of(r, row, "precision"));
    figures_number(out, "objects", t->n_ok);
    figures_number(out, "failed", t->n_failed ? t->n_failed : NAN);
    figures_number(out, "frames", t->frames);
    if (t->n_scored) {
        figures_number(out, "J", t->j / t->n_scored);
        figures_number(out, "F", t->f / t->n_scored);
        figures_number(out, "JandF", t->score / t->n_scored);
        figures_number(out, "JandF_error", standard_error(t));
    }
    if (n_fps) {
        figures_number(out, "fps_median", samples_quantile(&t->fps, 0, 0.5));
        figures_number(out, "latency_ms", t->latency_ms / n_fps);
        figures_number(out, "host_ms", t->host_ms > 0 ? t->host_ms / n_fps : NAN);
        figures_number(out, "device_ms", t->host_ms > 0 ? t->device_ms / n_fps : NAN);
    }
    figures_number(out, "cpu_peak_rss_MiB", t->rss_mib > 0 ? t->rss_mib : NAN);
    figures_number(out, "gpu_peak_alloc_MiB", t->gpu_mib > 0 ? t->gpu_mib : NAN);
}

static int same_model(const results *r, int a, int b)
{
    static const char *const keys[] = {"model", "imgsz", "precision"};
    for (int i = 0; i < 3; i++)
        if (strcmp(key_of(r, a, keys[i]), key_of(r, b, keys[i])))
            return 0;
    return 1;
}

sam_status summary_of(const results *r, figures *out, sam_error *err)
{
    int n_rows = r->table.n_rows;
    *out = (figures){.columns = columns, .n_columns = sizeof columns / sizeof *columns};
    for (int first = 0; first < n_rows; first++) {
        int is_new = 1;
        for (int row = 0; row < first && is_new; row++)
            is_new = !same_model(r, row, first);
        if (!is_new)
            continue;
        totals t = {0};
        for (int row = first; row < n_rows; row++)
            if (same_model(r, row, first))
                out->failed |= !add_row(r, row, &t);
        put_model(r, first, &t, out);
        samples_free(&t.fps);
    }
    return out->failed ? fail(err, SAM_E_MEMORY, "out of memory: a summary of %d rows", n_rows) : SAM_OK;
}

int summary_timed(const csv_table *t, int *n_wide)
{
    int n = 0;
    *n_wide = 0;
    for (int row = 0; row < t->n_rows; row++) {
        double mean = csv_number(t, row, "latency_ms"), stddev = csv_number(t, row, "latency_stddev_ms");
        if (!status_is_ok(csv_text(t, row, "status")) || !(mean > 0))
            continue;
        n++;
        *n_wide += stddev > CONDITIONS_SPREAD * mean;
    }
    return n;
}

int summary_unscored(const results *r)
{
    int n = 0;
    for (int row = 0; row < r->table.n_rows; row++)
        n += results_is_ok(r, row) && !key_of(r, row, "J")[0];
    return n;
}
