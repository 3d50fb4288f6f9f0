/* profile_files.h - what `sambench profile` writes: profile_summary.csv, profile_runs.csv, profile_stats.json, profile_roofline.csv and a
 * trace for each model. docs/profile.md says what is in them. */
#ifndef PROFILE_FILES_H
#define PROFILE_FILES_H

#include "csv.h"
#include "peaks.h"
#include "profile_record.h"
#include "profile_runs.h"
#include "spread.h"

enum {
    PROFILE_FRAME,
    PROFILE_STAGE, /* the first of those of sam_stage */
    PROFILE_READ = PROFILE_STAGE + SAM_N_STAGES,
    N_PROFILE_STAGES
};

/* One model's profile. */
typedef struct profile_model {
    const char *name, *precision, *backend, *device;
    int imgsz, n_runs, full_bank; /* full_bank: the frames measured are those with a full memory bank */
    samples stages[N_PROFILE_STAGES];
    profile_record record;
    int record_from; /* first frame of the record that is measured */
    peaks peaks;
    sam_stats memory;
    double peak_rss_mib;
} profile_model;

/* Start with {0}; profile_files_close also after a failure. */
typedef struct profile_files {
    const char *out_dir;
    csv_table summary, roofline;
    profile_runs runs; /* to which the verb adds */
    json_t *stats;
    int begun_summary, begun_roofline, begun_stats; /* earlier tables have become the previous ones */
} profile_files;

sam_status profile_files_open(profile_files *f, const char *out_dir, sam_error *err);
/* Adds a model and rewrites the files, so that what was measured is kept if a later model fails. */
sam_status profile_files_add(profile_files *f, const profile_model *m, sam_error *err);
void profile_files_close(profile_files *f);

/* Stages and the `n_top` longest operators, for people. */
sam_status profile_print(const profile_model *m, int n_top, sam_error *err);

#endif
