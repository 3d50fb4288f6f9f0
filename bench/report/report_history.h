/* report_history.h - how speed, memory and J&F of the models went from run to run, on each board. */
#ifndef REPORT_HISTORY_H
#define REPORT_HISTORY_H

#include "report_data.h"

#include <stdio.h>

/* For each board three plots, a line a model, the runs in the order of their dates; then all figures as a table, the newest
 * first, each with its change since the run before. */
sam_status history_write(FILE *to, const results_data *d, sam_error *err);

#endif
