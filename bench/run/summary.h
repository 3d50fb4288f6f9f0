/* summary.h - what a table of results says about each model. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "results.h"

#include <stdio.h>

/* Prints a line per model in the table's order: finished and other objects, frames, mean J, F and J&F over the scored
 * objects (as the conventions average), median fps, mean latency and the largest peaks of memory. */
sam_status summary_print(const results *r, FILE *out, sam_error *err);

/* Finished rows without a score. */
int summary_unscored(const results *r);

#endif
