/* report_head.h - the head of a report: what was measured, when, on what, by which version. */
#ifndef REPORT_HEAD_H
#define REPORT_HEAD_H

#include "report_matrix.h"

/* machines: a line for each folder that says what it ran on. */
void head_write(FILE *to, const char *title, const results_data *d, int machines);

#endif
