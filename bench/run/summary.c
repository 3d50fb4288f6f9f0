/* summary.c - see summary.h. */
#include "summary.h"

#include <stdlib.h>
#include <string.h>

typedef struct totals {
    int n_ok, n_failed, n_scored, n_timed;
    double frames, j, f, latency_ms, rss_mib, gpu_mib;
} totals;

static int is_filled(const results *r, int row, const char *column)
{
    return csv_cell(&r->table, row, csv_column(&r->table, column))[0] != 0;
}

static const char *model_of(const results *r, int row)
{
    return csv_cell(&r->table, row, csv_column(&r->table, "model"));
}

static void add_row(const results *r, int row, totals *t, double *fps)
{
    if (!results_is_ok(r, row)) {
        t->n_failed++;
        return;
    }
    double rss_mib = results_number(r, row, "cpu_peak_rss_MiB"), gpu_mib = results_number(r, row, "gpu_peak_alloc_MiB");
    t->n_ok++;
    t->frames += results_number(r, row, "frames");
    t->rss_mib = rss_mib > t->rss_mib ? rss_mib : t->rss_mib;
    t->gpu_mib = gpu_mib > t->gpu_mib ? gpu_mib : t->gpu_mib;
    if (is_filled(r, row, "J")) {
        t->n_scored++;
        t->j += results_number(r, row, "J");
        t->f += results_number(r, row, "F");
    }
    if (is_filled(r, row, "fps")) {
        fps[t->n_timed++] = results_number(r, row, "fps");
        t->latency_ms += results_number(r, row, "latency_ms");
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_size);
    return (x[(n - 1) / 2] + x[n / 2]) / 2;
}

static void print_score(FILE *out, int n, double sum)
{
    if (n)
        fprintf(out, " %7.4f", sum / n);
    else
        fprintf(out, " %7s", "-");
}

/* 0: nothing was taken there, or nothing ran. */
static void print_mib(FILE *out, double mib)
{
    if (mib > 0)
        fprintf(out, " %8.1f", mib);
    else
        fprintf(out, " %8s", "-");
}

static void print_model(FILE *out, const char *model, const totals *t, double *fps)
{
    fprintf(out, "%-20s %7d %8.0f", model, t->n_ok, t->frames);
    print_score(out, t->n_scored, t->j);
    print_score(out, t->n_scored, t->f);
    print_score(out, t->n_scored, (t->j + t->f) / 2);
    if (t->n_timed)
        fprintf(out, " %9.3f %11.1f", median(fps, t->n_timed), t->latency_ms / t->n_timed);
    else
        fprintf(out, " %9s %11s", "-", "-");
    print_mib(out, t->rss_mib);
    print_mib(out, t->gpu_mib);
    if (t->n_failed)
        fprintf(out, "   %d failed or unfinished", t->n_failed);
    fprintf(out, "\n");
}

sam_status summary_print(const results *r, FILE *out, sam_error *err)
{
    int n_rows = r->table.n_rows;
    double *fps = malloc((size_t)(n_rows + 1) * sizeof *fps);
    if (!fps)
        return fail(err, SAM_E_MEMORY, "out of memory: a summary of %d rows", n_rows);
    fprintf(out, "%-20s %7s %8s %7s %7s %7s %9s %11s %8s %8s\n", "model", "objects", "frames", "J", "F", "J&F",
            "fps (med)", "latency ms", "RSS MiB", "GPU MiB");
    for (int first = 0; first < n_rows; first++) {
        const char *model = model_of(r, first);
        int is_new = 1;
        for (int row = 0; row < first && is_new; row++)
            is_new = strcmp(model, model_of(r, row)) != 0;
        if (!is_new)
            continue;
        totals t = {0};
        for (int row = first; row < n_rows; row++)
            if (!strcmp(model, model_of(r, row)))
                add_row(r, row, &t, fps);
        print_model(out, model, &t, fps);
    }
    free(fps);
    return SAM_OK;
}

int summary_unscored(const results *r)
{
    int n = 0;
    for (int row = 0; row < r->table.n_rows; row++)
        n += results_is_ok(r, row) && !is_filled(r, row, "J");
    return n;
}
