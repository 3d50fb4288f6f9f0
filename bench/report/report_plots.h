/* report_plots.h - the plots of a report: quality against speed and memory, latency, J by frame. */
#ifndef REPORT_PLOTS_H
#define REPORT_PLOTS_H

#include "report_matrix.h"

/* J&F against fps and against memory: colours are the matrix's lines, shapes its boards. */
sam_status plots_write_quality(FILE *to, const report_matrix *m, const results_data *d, sam_error *err);
/* Histograms of the times of frames, with one axis for all. */
void plots_write_latency(FILE *to, const results_data *d);
/* Of the rows in this order (worst first) the first few of each model. */
void plots_write_curves(FILE *to, const results_data *d, const int *order);

#endif
