/* results.h - sav_benchmark_summary.csv: a row for every video, object and model; docs/columns.md says what is in it.
 *
 * The file is rewritten atomically with every row. Rows of finished objects ("ok") are kept by --resume, others are
 * repeated. The settings under which a table was made lie beside it, so that tables are not mixed. */
#ifndef RESULTS_H
#define RESULTS_H

#include "model_list.h"
#include "resume.h"
#include "sam.h"

#define RESULTS_FILE     "sav_benchmark_summary.csv"
#define RESULTS_SETTINGS "sav_benchmark_settings.json"
#define RESULTS_PREVIOUS "sav_benchmark_summary.previous.csv"

enum { RESULT_STATUS_BYTES = 600 };

/* An empty cell is CSV_NONE, NaN or no text (csv_layout.h): results_clear_row makes all of them so. */
typedef struct result_row {
    const char *video, *object, *model, *precision, *metric;
    int imgsz;             /* of the model; none: a baseline                  */
    int frames, end_frame; /* none: nothing was tracked, and no measure is there */
    double fps, latency_ms, stddev_ms, e2e_fps, setup_ms;
    double host_ms, device_ms; /* host_share.h; of a device only           */
    double cold_ms;            /* of the first row that a process measures */
    double decode_ms, stage_ms[SAM_N_STAGES];
    double peak_rss_mib, gpu_peak_mib; /* gpu: 0 on the CPU */
    double j, f, j_and_f;
    int input_h, input_w, infer_px;
    char overlay[512]; /* path below out_dir */
    char backend[32], device[96];
    char status[RESULT_STATUS_BYTES]; /* "ok", "ok: ...", "interrupted", "error: ..." */
} result_row;

void results_clear_row(result_row *row);

typedef struct results {
    csv_table table;
    int n_kept;       /* rows taken over by --resume */
    int kept_earlier; /* 1: an earlier table became the previous one */
    const char *folder;
} results;

/* Starts the table in out_dir. With `resume` the finished rows of an existing one are taken over if it was made with
 * these settings and weights (else SAM_E_ARG naming the first that differs); without, an existing table is renamed to
 * RESULTS_PREVIOUS. `*renamed` tells that. Start with {0}; results_close also after a failure; it puts that table back if no
 * row came. */
sam_status results_open(results *r, const char *out_dir, const setting *settings, int n_settings,
                        const setting *weights, int n_weights, int resume, int *renamed, sam_error *err);
sam_status results_add(results *r, const result_row *row, sam_error *err);
/* Whether this object is in the table as finished: by this model, at its size and in its precision. */
int results_has(const results *r, const char *video, const char *object, const model_entry *e);
void results_close(results *r);

/* The path of a file that belongs to one row: FOLDER/KIND/VIDEO__objOBJECT__MODEL.SUFFIX, of a name over 200 bytes its beginning
 * and a hash. 0: the path is too long. */
int results_row_file(char *path, size_t n_path, const char *folder, const char *kind, const char *video,
                     const char *object, const char *model, const char *suffix);

/* Reads a number of the table: 0 if the cell is empty. */
double results_number(const results *r, int row, const char *column);
int results_is_ok(const results *r, int row);

#endif
