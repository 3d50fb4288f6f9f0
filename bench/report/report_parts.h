/* report_parts.h - the sections of a report on what `profile`, `speed` and `track --json` measured. */
#ifndef REPORT_PARTS_H
#define REPORT_PARTS_H

#include "report_data.h"

#include <stdio.h>

/* A section for each verb that left something. */
void report_parts(FILE *to, const results_data *d);

#endif
