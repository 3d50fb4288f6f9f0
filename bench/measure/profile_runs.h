/* profile_runs.h - profile_runs.csv: a row for each counted run of each object, as docs/profile.md says. */
#ifndef PROFILE_RUNS_H
#define PROFILE_RUNS_H

#include "csv_layout.h"
#include "object_pass.h"
#include "pass_time.h"

/* Start with {0}. */
typedef struct profile_runs {
    csv_table table;
    int begun; /* an earlier table has become the previous one */
} profile_runs;

sam_status profile_runs_open(profile_runs *p, const char *out_dir, sam_error *err);
/* One object of run `run` (from 1), as the pass and its times ended; kept in memory until profile_runs_save. */
sam_status profile_runs_add(profile_runs *p, const object_pass *pass, const pass_result *r, const pass_time *t, int run,
                            double peak_rss_mib, sam_error *err);
sam_status profile_runs_save(profile_runs *p, sam_error *err);
void profile_runs_close(profile_runs *p);

#endif
