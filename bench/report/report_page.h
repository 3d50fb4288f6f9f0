/* report_page.h - the page that `report` writes: one HTML file with everything in it. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "report_compare.h"
#include "report_data.h"

typedef struct report_page {
    const char *title;
    const results_data *data;
    report_changes changes;
    const char *before, *after; /* folders compared; NULL: none */
    int n_worst;                /* thumbnails at most */
    int history;                /* runs over time, instead of the answer for today */
    double min_fps;             /* what the best model of a board must reach; a reader can change it */
} report_page;

sam_status report_write(const report_page *p, const char *path, sam_error *err);

#endif
