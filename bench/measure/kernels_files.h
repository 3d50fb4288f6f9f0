/* kernels_files.h - what `sambench kernels` says of a configuration: the table on the terminal, and JSON. */
#ifndef KERNELS_FILES_H
#define KERNELS_FILES_H

#include "figures.h"
#include "kernels_run.h"

#include <jansson.h>

/* Longest share of the frame first; with `top` > 0 only so many rows, the sums are of all. */
void kernels_print(const kernels_run *r, int top);
/* Adds a row for each call that was timed; start with {0}. */
void kernels_figures(const kernels_run *r, figures *f);
json_t *kernels_json(const kernels_run *r); /* NULL: out of memory */

#endif
