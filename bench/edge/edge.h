/* edge.h - the parts of the verb `edge`, each of which runs in a process of its own.
 *
 *   edge.c        starts the others, says how they ended, sums up
 *   edge_setup.c  phase A: looks at the data, tunes, warms up, prepares frames; writes metadata.json
 *   edge_infer.c  phase B: measures inference, a row at a time, from what metadata.json says
 *   edge_table.c  the table they share, and its summary
 *   edge_complete.c   whether a row is there for all that was asked */
#ifndef EDGE_H
#define EDGE_H

#include "conditions.h"
#include "csv_layout.h"
#include "metrics.h"
#include "old_flags.h"
#include "pass_time.h"
#include "require.h"
#include "workload.h"

#include <jansson.h>

#define EDGE_METADATA     "metadata.json"
#define EDGE_SUMMARY      "jetson_benchmark_summary.csv"
#define EDGE_SUMMARY_JSON "jetson_benchmark_summary.json"
#define EDGE_MODELS       "jetson_benchmark_models.csv" /* a row per model */
#define EDGE_SETTINGS     "jetson_benchmark_settings.json"
#define EDGE_PREVIOUS     "jetson_benchmark_summary.previous.csv"
#define EDGE_PROGRESS     "edge_progress.json" /* what a phase is at: {"pid", "phase", "video", "object", "model"} */
#define EDGE_FRAMES       "prepared frames"    /* stands for them among the names of edge_options.cold */

/* Exit status of phase B. A GPU that has failed is lost to its process, perhaps not to the next one. */
enum { EDGE_INTERRUPTED = 130, EDGE_DEVICE_LOST = 75 };

typedef struct edge_options {
    workload w;
    const char *preset, *phase, *preprocessed_dir;
    const char *format; /* of the summary; NULL: table */
    const char *require;
    requirements required;
    int n_missed;     /* models that miss it */
    double paced_fps; /* 0: as fast as it goes */
    int has_begun;    /* this process has measured a row */
    conditions conditions;
    old_flags old;
    const char *cold; /* parted by '|': models, or EDGE_FRAMES, during whose setup the process was killed */
    char *default_preprocessed;
    int save_overlays, tune, preprocess_frames, isolate_models, skip_setup, skip_inference, resume, score;
    const char *metric;
    metric_kind metric_kind;
    int device_lost;  /* by this process */
    int kept_earlier; /* an earlier table has become the previous one */
} edge_options;

/* One object of the data set, as metadata.json has it. */
typedef struct edge_object {
    const char *video, *object;
    const char *prepared; /* file of prepared frames; NULL: frames are decoded */
} edge_object;

sam_status edge_setup(edge_options *o, sam_error *err);
/* Runs every object and model that has no row yet; *stopped when Ctrl-C ended it. */
sam_status edge_infer(edge_options *o, int *n_failed, sam_error *err);

/* metadata.json, for json_decref. SAM_E_FORMAT if it is another version's or for other settings. */
sam_status edge_metadata_read(const edge_options *o, json_t **out, sam_error *err);

/* SAM_E_FORMAT if what inference relies on is not in it: videos and objects with names. */
sam_status edge_metadata_check(const char *path, const json_t *metadata, sam_error *err);

/* The settings that metadata.json states, for a split's root. */
json_t *edge_settings(const edge_options *o, const char *split);

/* edge_progress.json, for the parent if this process is killed. */
sam_status edge_say_where(const edge_options *o, const char *phase, const char *video, const char *object,
                          const char *model, sam_error *err);

/* Starts the table; with --resume it has the good rows of the one that is there, *n_kept. */
sam_status edge_table_begin(edge_options *o, const model_list *list, int *n_kept, sam_error *err);
/* The columns of the final table, for --require. */
const figures_column *edge_columns(int *n);
/* The table, with the rows it has. */
sam_status edge_table_open(const edge_options *o, csv_table *t, sam_error *err);
/* A row of the table. An empty cell is CSV_NONE, NaN or NULL (csv_layout.h). */
typedef struct edge_row {
    const char *video, *object, *model, *precision;
    int imgsz, frames;
    double fps, latency_ms, p50_ms, p95_ms, p99_ms, stddev_ms, prompt_ms, e2e_fps;
    double stage_ms[SAM_N_STAGES];
    const char *memory_kind;
    double peak_rss_mib, gpu_peak_mib, pool_peak_mib, planned_mib;
    double model_ms, session_ms, setup_ms;
    int prepared;
    const char *backend, *device, *status;
    double j, f, j_and_f;
    int nonempty;
    const char *metric;
    double max_ms, host_ms, device_ms; /* the last two: host_share.h */
    double cold_ms;                    /* of the first row that a process measures */
    double paced_fps, on_time;         /* with --fps, and so the two counts         */
    int late, dropped;
} edge_row;

/* All cells empty but names and settings. */
void edge_row_begin(edge_row *r, const edge_options *o, const char *video, const char *object, const char *model);
sam_status edge_table_add(csv_table *t, const edge_row *r, sam_error *err);
/* A row without figures. */
sam_status edge_table_add_failed(csv_table *t, const edge_options *o, const char *video, const char *object,
                                 const char *model, const char *status, sam_error *err);

/* Adds a failed row for every object of metadata.json and model that has none, with what setup said of it or else `why`. */
sam_status edge_complete(const edge_options *o, const model_list *list, const char *why, int *n_missing,
                         sam_error *err);

/* Prints a line for each model and writes jetson_benchmark_summary.json; rows that are not good are counted. */
sam_status edge_sum_up(edge_options *o, const model_list *list, int *n_failed, sam_error *err);

/* OUT_DIR/<name> and PREPROCESSED_DIR/<name>. */
sam_status edge_out(const edge_options *o, const char *name, char *path, size_t n_path, sam_error *err);
sam_status edge_prepared(const edge_options *o, const char *name, char *path, size_t n_path, sam_error *err);

#endif
