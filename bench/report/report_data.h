/* report_data.h - what `report` shows: the rows of any number of result folders, gathered into groups (one folder, model,
 * size and precision). */
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
    char *folder, *model, *precision, *backend, *device, *metric; /* metric: "" where nothing is scored */
    int run, imgsz;                                               /* run: which folder; imgsz 0: no model, a baseline */
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
    json_t **settings;    /* of its table; NULL: none               */
    report_extra *extras; /* what is not of a data set, of each folder */
    int n_folders;
    int n_earlier;        /* the last so many folders are old runs, to compare with: they win nothing */
    int n_unreadable;     /* files of frames that could not be read, so their times are missing */
    sam_error unreadable; /* the first */
} results_data;

/* Adds a folder with what run, edge, profile, speed or track wrote, at least one of them. Start with {0}; results_data_free also after a failure. */
sam_status results_add_folder(results_data *d, const char *folder, sam_error *err);
void results_sum_up(results_data *d); /* figures of the groups */
void results_data_free(results_data *d);

/* When a folder was measured, "2026-11-28 14:05 UTC": as its machine.json says, else when its table was written; "" if nothing
 * tells it. */
void results_date(const results_data *d, int run, char text[32]);

int results_is_earlier(const results_data *d, int run);
/* What a baseline does worst teaches nothing about the models beside it: only where there are none is it shown. */
int results_is_of_interest(const results_data *d, int group);

/* A text of a JSON object; "" if it has none by this name, or there is no object. */
const char *member_text(const json_t *object, const char *key);

/* What counts as a row's memory: the pool that CPU and GPU share, else the GPU's, else RSS. */
double results_memory_mib(const report_row *r);

#endif
