#include "kernels_files.h"

#include "profile_record.h"
#include "spread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row's figures at one of its two times. */
typedef struct timing {
    spread us;
    roof roof;
} timing;

static timing timing_of(const kernels_run *r, const kernel_row *row, const samples *us)
{
    timing f = {.us = spread_of(us, 0)};
    const op_sum one = {
        .ms = f.us.median / 1e3, .flops = row->cost.flops, .bytes = row->cost.bytes_read + row->cost.bytes_written};
    f.roof = roof_of(&one, &r->peaks);
    return f;
}

typedef struct sums {
    double cold_us, warm_us, roof_us, flops, bytes;
    int calls, distinct;
} sums;

/* Of one frame, over the rows that were timed. */
static sums sum_rows(const kernels_run *r)
{
    sums s = {0};
    for (int i = 0; i < r->n_rows; i++) {
        const kernel_row *row = &r->rows[i];
        if (!row->timed)
            continue;
        timing cold = timing_of(r, row, &row->cold), warm = timing_of(r, row, &row->warm);
        s.cold_us += cold.us.median * row->calls;
        s.warm_us += warm.us.median * row->calls;
        s.roof_us += cold.roof.share * cold.us.median * row->calls;
        s.flops += row->cost.flops * row->calls;
        s.bytes += (row->cost.bytes_read + row->cost.bytes_written) * row->calls;
        s.calls += row->calls;
        s.distinct++;
    }
    return s;
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

typedef struct ranked {
    const kernel_row *row;
    double us; /* of a frame */
} ranked;

static int longest_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->us != y->us)
        return (x->us < y->us) - (x->us > y->us);
    return (x->row > y->row) - (x->row < y->row);
}

static void print_row(const kernels_run *r, const ranked *k, double all_us)
{
    const kernel_row *row = k->row;
    timing cold = timing_of(r, row, &row->cold), warm = timing_of(r, row, &row->warm);
    printf("%-16s %5d %10.1f %10.1f %6.1f%% %9.1f %9.3f %5.0f%% %-7s  %s%s%s\n", op_table[row->op]->name, row->calls,
           cold.us.median, warm.us.median, all_us > 0 ? 100 * k->us / all_us : 0, cold.roof.gb_s,
           cold.roof.gflop_s / 1e3, 100 * cold.roof.share, cold.roof.by_compute ? "compute" : "memory", row->shapes,
           row->attrs[0] ? "  " : "", row->attrs);
}

void kernels_print(const kernels_run *r, int top)
{
    ranked *order = malloc((size_t)r->n_rows * sizeof *order + 1);
    sums all = sum_rows(r);
    int n = 0;
    printf("%s, %d px, %s, %d object%s, %s (%s)\n", r->name, r->image_px, model_precision(&r->choice), r->n_objects,
           r->n_objects == 1 ? "" : "s", r->backend, r->device);
    printf("ceilings measured here: copy %.1f GB/s, product %.3f TFLOP/s\n\n", r->peaks.gb_s, r->peaks.gflop_s / 1e3);
    for (int i = 0; order && i < r->n_rows; i++)
        if (r->rows[i].timed)
            order[n++] = (ranked){&r->rows[i], spread_of(&r->rows[i].cold, 0).median * r->rows[i].calls};
    if (n)
        qsort(order, (size_t)n, sizeof *order, longest_first);
    printf("%-16s %5s %10s %10s %7s %9s %9s %6s %-7s  %s\n", "operator", "calls", "cold us", "warm us", "frame", "GB/s",
           "TFLOP/s", "roof", "by", "types and [batch,rows,cols]");
    for (int i = 0; i < n && (!top || i < top); i++)
        print_row(r, &order[i], all.cold_us);
    if (top && n > top)
        printf("(%d more)\n", n - top);
    printf("%-16s %5d %10.1f %10.1f          %9.1f %9.3f %5.0f%%          a frame: %d distinct of %d, %.1f us at the "
           "roof\n\n",
           "sum", all.calls, all.cold_us, all.warm_us, all.cold_us > 0 ? all.bytes / all.cold_us / 1e3 : 0,
           all.cold_us > 0 ? all.flops / all.cold_us / 1e6 : 0, all.cold_us > 0 ? 100 * all.roof_us / all.cold_us : 0,
           all.distinct, r->n_rows, all.roof_us);
    fflush(stdout);
    free(order);
}

/* ---- for programs ---------------------------------------------------------------------------------------------------- */

static const figures_column columns[] = {{"model", "model", FIGURES_TEXT, 0, 0},
                                         {"imgsz", "px", 0, 0, 0},
                                         {"precision", "type", FIGURES_TEXT, 0, 0},
                                         {"op", "operator", FIGURES_TEXT, 0, 0},
                                         {"calls_per_frame", "calls", 0, 0, 0},
                                         {"cold_us", "cold us", 1, 0, 0},
                                         {"warm_us", "warm us", 1, 0, 0},
                                         {"GB_s", "GB/s", 1, 0, 0},
                                         {"TFLOP_s", "TFLOP/s", 3, 0, 0},
                                         {"share_of_roof", "of roof", 3, 0, 0},
                                         {"roof", "by", FIGURES_TEXT, 0, 0},
                                         {"shapes", "types and [batch,rows,cols]", FIGURES_TEXT, 0, 0},
                                         {"attributes", "attributes", FIGURES_TEXT, 0, 0}};

void kernels_figures(const kernels_run *r, figures *f)
{
    if (!f->columns)
        *f = (figures){.columns = columns, .n_columns = sizeof columns / sizeof *columns};
    for (int i = 0; i < r->n_rows; i++) {
        const kernel_row *row = &r->rows[i];
        if (!row->timed)
            continue;
        timing cold = timing_of(r, row, &row->cold), warm = timing_of(r, row, &row->warm);
        figures_row(f, 1);
        figures_word(f, "model", r->name);
        figures_number(f, "imgsz", r->image_px);
        figures_word(f, "precision", model_precision(&r->choice));
        figures_word(f, "op", op_table[row->op]->name);
        figures_number(f, "calls_per_frame", row->calls);
        figures_number(f, "cold_us", cold.us.median);
        figures_number(f, "warm_us", warm.us.median);
        figures_number(f, "GB_s", cold.roof.gb_s);
        figures_number(f, "TFLOP_s", cold.roof.gflop_s / 1e3);
        figures_number(f, "share_of_roof", cold.roof.share);
        figures_word(f, "roof", cold.roof.by_compute ? "compute" : "memory");
        figures_word(f, "shapes", row->shapes);
        figures_word(f, "attributes", row->attrs);
    }
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *timing_json(const timing *f)
{
    return json_pack("{s:o,s:f,s:f,s:f}", "us", spread_json(&f->us), "GB_s", f->roof.gb_s, "TFLOP_s",
                     f->roof.gflop_s / 1e3, "share_of_roof", f->roof.share);
}

static json_t *row_json(const kernels_run *r, const kernel_row *row)
{
    timing cold = timing_of(r, row, &row->cold), warm = timing_of(r, row, &row->warm);
    return json_pack("{s:s,s:s,s:s,s:s,s:i,s:f,s:f,s:s,s:o,s:o}", "op", op_table[row->op]->name, "shapes", row->shapes,
                     "attributes", row->attrs, "graphs", row->graphs, "calls_per_frame", row->calls, "GFLOP",
                     row->cost.flops / 1e9, "MB", (row->cost.bytes_read + row->cost.bytes_written) / 1e6, "roof",
                     cold.roof.by_compute ? "compute" : "memory", "cold", timing_json(&cold), "warm",
                     timing_json(&warm));
}

json_t *kernels_json(const kernels_run *r)
{
    sums all = sum_rows(r);
    json_t *rows = json_array();
    for (int i = 0; i < r->n_rows; i++)
        if (r->rows[i].timed && json_array_append_new(rows, row_json(r, &r->rows[i]))) {
            json_decref(rows);
            return NULL;
        }
    return json_pack("{s:s,s:i,s:s,s:i,s:s,s:s,s:i,s:I,s:{s:f,s:f,s:i,s:I},s:{s:f,s:f,s:f,s:f,s:f,s:i,s:i,s:i},s:o}",
                     "model", r->name, "imgsz", r->image_px, "precision", model_precision(&r->choice), "objects",
                     r->n_objects, "backend", r->backend, "device", r->device, "runs", r->runs, "flush_bytes",
                     (json_int_t)r->flush_bytes, "ceilings", "copy_GB_s", r->peaks.gb_s, "product_TFLOP_s",
                     r->peaks.gflop_s / 1e3, "product_side", r->peaks.side, "copy_bytes",
                     (json_int_t)r->peaks.copy_bytes, "frame", "cold_us", all.cold_us, "warm_us", all.warm_us,
                     "roof_us", all.roof_us, "GFLOP", all.flops / 1e9, "MB", all.bytes / 1e6, "calls", all.calls,
                     "distinct", all.distinct, "distinct_before_filter", r->n_rows, "kernels", rows);
}
