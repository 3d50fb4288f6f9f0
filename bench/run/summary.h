/* summary.h - what a table of results says about each model, size and precision. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "figures.h"
#include "results.h"

#define SUMMARY_FILE "sav_benchmark_models.csv" /* beside the table; docs/columns.md */

/* A row per model, size and precision in the table's order: finished and other objects, frames, mean J, F and J&F over the scored
 * objects (as the conventions average) with the standard error, median fps, mean latency and the largest peaks of memory.
 * Start with {0}; figures_free also after a failure. */
sam_status summary_of(const results *r, figures *out, sam_error *err);

/* Finished rows without a score. */
int summary_unscored(const results *r);

/* Finished rows with times, and those of them that spread too far (conditions.h). */
int summary_timed(const csv_table *t, int *n_wide);

/* The columns of summary_of, for --require. */
const figures_column *summary_columns(int *n);

#endif
