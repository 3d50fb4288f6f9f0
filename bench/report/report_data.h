/* report_data.h - what `report` shows: the rows of any number of result folders, gathered into groups (one folder, model,
 * size and precision), and what changed between two folders. */
#ifndef REPORT_DATA_H
#define REPORT_DATA_H

#include "report_extra.h"
#include "samples.h"

typedef struct report_row {
    char *video, *object, *status, *frames, *worst; /* frames, worst: paths of files beside the table; NULL: none */
    int group, ok;
    double fps, latency_ms, j, f, jandf, rss_mib, gpu_mib; /* NaN: not there */
    double pool_mib;                                       /* NaN unless CPU and GPU share it */
} report_row;

typedef struct report_group {
    char *folder, *model, *precision, *backend, *metric; /* metric: "" where nothing is scored (edge) */
    int run, imgsz;                                      /* run: which folder; imgsz 0: no model, a baseline */
    int n_rows, n_ok, n_scored;
    double j, f, jandf, fps_median, latency_ms, memory_mib; /* memory: the most of a row; pool, else GPU, else RSS */
    samples frame_ms;                                       /* of all tracked frames, from the files beside the table */
} report_group;

typedef struct results_data {
    report_row *rows;
    int n_rows, row_capacity;
    report_group *groups;
    int n_groups;
    char **folders;
    json_t **machines;    /* NULL: none written                        */
    report_extra *extras; /* what is not of a data set, of each folder */
    int n_folders;
} results_data;

/* Adds a folder with what run, edge, profile, speed or track wrote, at least one of them. Start with {0}; results_data_free also after a failure. */
sam_status results_add_folder(results_data *d, const char *folder, sam_error *err);
void results_sum_up(results_data *d); /* figures of the groups */
void results_data_free(results_data *d);

/* One measure of one model in two runs. */
typedef struct report_change {
    const char *model, *measure; /* "fps", "memory", "J&F" */
    int n;                       /* rows in both */
    double before, after;
    double change, error; /* mean of the paired differences and its standard error: relative, of J&F absolute */
    int incomparable;     /* J&F by two metrics; there are no figures then */
    int regressed;        /* worse by more than the limit, and by more than twice the error */
} report_change;

/* Run `after` against run `before` by video, object, model, size and precision. limit: 0.05 is 5 %; of J&F limit_score. At
 * most max changes; returns how many. */
int report_compare(const results_data *d, int before, int after, double limit, double limit_score, report_change *out,
                   int max);

#endif
