/* profile_runs.c - see profile_runs.h. */
#include "profile_runs.h"

#include "history.h"
#include "listing.h"
#include "spread.h"

#include <stddef.h>
#include <stdlib.h>

typedef struct run_row {
    const char *model, *precision, *backend, *device, *video, *object;
    int imgsz, run, frames;
    double fps, latency_ms, stddev_ms, max_ms, prompt_ms, decode_ms, e2e_fps, rss_mib, gpu_mib;
    double stage_ms[SAM_N_STAGES];
} run_row;

#define AT(field) offsetof(run_row, field)

static const csv_field fields[] = {{"model", CSV_TEXT, AT(model)},
                                   {"imgsz", CSV_INT, AT(imgsz)},
                                   {"precision", CSV_TEXT, AT(precision)},
                                   {"backend", CSV_TEXT, AT(backend)},
                                   {"device", CSV_TEXT, AT(device)},
                                   {"run", CSV_INT, AT(run)},
                                   {"video", CSV_TEXT, AT(video)},
                                   {"object", CSV_TEXT, AT(object)},
                                   {"frames", CSV_INT, AT(frames)},
                                   {"fps", CSV_NUMBER + 4, AT(fps)},
                                   {"latency_ms", CSV_NUMBER + 4, AT(latency_ms)},
                                   {"latency_stddev_ms", CSV_NUMBER + 4, AT(stddev_ms)},
                                   {"latency_max_ms", CSV_NUMBER + 4, AT(max_ms)},
                                   {"prompt_frame_ms", CSV_NUMBER + 4, AT(prompt_ms)},
                                   {"decode_ms", CSV_NUMBER + 4, AT(decode_ms)},
                                   {"e2e_fps", CSV_NUMBER + 4, AT(e2e_fps)},
                                   STAGE_COLUMNS(AT(stage_ms)),
                                   {"cpu_peak_rss_MiB", CSV_NUMBER + 1, AT(rss_mib)},
                                   {"gpu_peak_alloc_MiB", CSV_NUMBER + 1, AT(gpu_mib)}};

static const csv_layout layout = {fields, sizeof fields / sizeof *fields, sizeof(run_row)};

sam_status profile_runs_open(profile_runs *p, const char *out_dir, sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, out_dir, "profile_runs.csv", err));
    sam_status status = csv_open_layout(&p->table, path, &layout, 0, err);
    free(path);
    return status;
}

sam_status profile_runs_add(profile_runs *p, const object_pass *pass, const pass_result *r, const pass_time *t, int run,
                            double peak_rss_mib, sam_error *err)
{
    const dataset_video *v = &pass->set->videos[pass->video];
    spread ms = spread_of(&t->ms, 0);
    run_row row;
    csv_clear_row(&layout, &row);
    row.model = pass->entry->name;
    row.imgsz = sam_model_image_px(pass->model->model);
    row.precision = model_precision(&pass->model->choice);
    row.backend = r->stats.backend;
    row.device = r->stats.device;
    row.run = run;
    row.video = v->name;
    row.object = v->objects[pass->object].name;
    row.frames = r->n_frames;
    row.prompt_ms = t->prompt_ms;
    row.rss_mib = peak_rss_mib;
    row.gpu_mib = (double)r->stats.device_bytes / 0x1p20;
    if (r->n_frames)
        row.decode_ms = t->decode_ms / r->n_frames;
    if (r->total_ms > 0)
        row.e2e_fps = 1e3 * r->n_frames / r->total_ms;
    if (ms.n) {
        row.fps = 1e3 / ms.mean;
        row.latency_ms = ms.mean;
        row.stddev_ms = ms.stddev;
        row.max_ms = ms.max;
        for (int k = 0; k < SAM_N_STAGES; k++)
            row.stage_ms[k] = spread_of(&t->stages[k], 0).mean;
    }
    return csv_append_row(&p->table, &layout, &row, err);
}

sam_status profile_runs_save(profile_runs *p, sam_error *err)
{
    int kept;
    if (!p->begun++)
        TRY(history_keep(p->table.path, NULL, &kept, err));
    return csv_save(&p->table, err);
}

void profile_runs_close(profile_runs *p)
{
    csv_close(&p->table);
}
