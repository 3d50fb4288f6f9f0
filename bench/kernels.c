/* kernels.c - the verb `kernels`: every distinct operator call of a frame timed by itself, with caches cold and warm,
 * beside what the device can copy and multiply. */
#include "folders.h"
#include "history.h"
#include "input_flags.h"
#include "interrupt.h"
#include "json_out.h"
#include "kernels_files.h"
#include "progress.h"
#include "weights_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const verb verb_kernels;

typedef struct kernels_options {
    model_choice model;
    const char *models, *weights_dir, *filter, *json;
    int objects, runs, warmup, top;
    progress bar; /* in distinct calls of all models, whose number nobody knows before */
    int64_t n_calls;
    int quiet;
    int begun; /* an earlier file of --json has become the previous one */
    size_t flush_bytes;
    models_help help;
    const char *format;
    figures figures; /* of all models, where --format is not table */
} kernels_options;

static void on_row(void *user)
{
    kernels_options *o = user;
    progress_update(&o->bar, ++o->n_calls);
}

/* One model: its table is printed, its JSON goes to `list`. */
static sam_status one(kernels_options *o, const char *name, json_t *list, sam_error *err)
{
    char *weights = NULL, path[4096];
    kernels_run r = {.name = name,
                     .filter = o->filter,
                     .choice = o->model,
                     .n_objects = o->objects,
                     .runs = o->runs,
                     .warmup = o->warmup,
                     .flush_bytes = o->flush_bytes,
                     .stop = interrupt_requested,
                     .on_row = on_row,
                     .user = o};
    TRY(weights_find_named(o->weights_dir, name, &weights, err));
    sam_status status = model_resolve("kernels", weights, path, sizeof path, err);
    if (status == SAM_OK)
        status = weights_expect_named(weights, path, name, err);
    free(weights);
    r.choice.weights = path;
    progress_begin(&o->bar, stderr, o->quiet, name, 0);
    if (status == SAM_OK)
        status = kernels_measure(&r, err);
    progress_clear(&o->bar);
    if (status == SAM_OK && !interrupt_requested()) {
        if (figures_format_of(o->format) == FIGURES_TABLE)
            kernels_print(&r, o->top);
        else
            kernels_figures(&r, &o->figures);
        if (json_array_append_new(list, kernels_json(&r)))
            status = fail(err, SAM_E_MEMORY, "out of memory: results");
    }
    kernels_run_free(&r);
    return status;
}

/* A model that cannot be measured is told, and the others go on; the file is rewritten after each. */
static sam_status kernels(kernels_options *o, json_t *list, int *n_failed, sam_error *err)
{
    char name[512];
    if (!list)
        return fail(err, SAM_E_MEMORY, "out of memory: results");
    if (o->json && strcmp(o->json, "-"))
        TRY(folders_make_for(o->json, err));
    for (const char *at = o->models; *at && !interrupt_requested();) {
        size_t n = strcspn(at, ",");
        sam_error why;
        snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), at);
        at += n + (at[n] == ',');
        sam_status status = one(o, name, list, &why);
        if (status == SAM_E_ARG)
            return fail(err, status, "%s", why.text);
        if (status != SAM_OK) {
            ++*n_failed;
            fprintf(stderr, "sambench kernels: %s: %s\n", name, why.text);
        } else if (o->json && !interrupt_requested()) {
            int kept;
            if (!o->begun++)
                TRY(history_keep(o->json, NULL, &kept, err));
            TRY(json_out(o->json, json_incref(list), err));
        }
    }
    if (o->figures.n_rows)
        TRY(figures_write(&o->figures, figures_format_of(o->format), stdout, err));
    return SAM_OK;
}

/* ---- the verb ---- */

static int own_flags(kernels_options *o, flag *to)
{
    const flag flags[] = {
        checkpoints_flag(&o->models, &o->help),
        weights_dir_flag(&o->weights_dir),
        {.name = "filter",
         .kind = FLAG_STRING,
         .value = &o->filter,
         .meta = "TEXT",
         .help = "Only calls with this in the operator's name, its shapes or its graph (default: all)."},
        {.name = "objects",
         .kind = FLAG_INT,
         .value = &o->objects,
         .meta = "N",
         .min = 1,
         .max = 256,
         .help = "Objects tracked at once: the batch of all but the image encoder (default 1)."},
        {.name = "runs",
         .kind = FLAG_INT,
         .value = &o->runs,
         .meta = "N",
         .min = 1,
         .max = 100000,
         .help = "Times each call runs cold, and as often warm; the median counts (default 20)."},
        {.name = "warmup",
         .kind = FLAG_INT,
         .value = &o->warmup,
         .meta = "N",
         .min = 0,
         .max = 1000,
         .help = "Frames tracked before, which fill the memory bank (default 16: pointers too)."},
        {.name = "flush",
         .kind = FLAG_BYTES,
         .value = &o->flush_bytes,
         .meta = "BYTES",
         .help = "Moved before every cold run; more than the last cache of the device (default 256M)."},
        {.name = "top",
         .kind = FLAG_INT,
         .value = &o->top,
         .meta = "N",
         .min = 0,
         .max = 100000,
         .help = "Rows printed, longest first (default 0: all)."},
        format_flag(&o->format),
        {.name = "quiet", .kind = FLAG_SWITCH, .value = &o->quiet, .help = "No progress."},
        {.name = "json",
         .kind = FLAG_STRING,
         .value = &o->json,
         .meta = "FILE",
         .help = "All figures (default: none)."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

static int all_flags(kernels_options *o, flag *to)
{
    flag model[N_MODEL_FLAGS];
    int n = own_flags(o, to), n_model = model_flags(&o->model, model);
    for (int i = 0; i < n_model; i++)
        if (model[i].value != &o->model.weights) /* --models says it */
            to[n++] = model[i];
    return n;
}

static int kernels_main(int argc, char **argv)
{
    kernels_options o = {.objects = 1, .runs = 20, .warmup = 16, .flush_bytes = (size_t)256 << 20};
    flag flags[17 + N_MODEL_FLAGS];
    sam_error err;
    int help, n = all_flags(&o, flags), n_failed = 0, code = 0;
    json_t *list = json_array();
    sam_status status = flags_parse(&verb_kernels, flags, n, argc, argv, &help, &err);
    int is_usage = status != SAM_OK;
    if (status == SAM_OK && !help) {
        interrupt_catch();
        status = kernels(&o, list, &n_failed, &err);
        code = interrupt_requested() ? 130 : n_failed ? 1 : 0;
    }
    if (status != SAM_OK) {
        fprintf(stderr, "sambench kernels: %s\n", err.text);
        code = is_usage || status == SAM_E_ARG ? 2 : 1;
    }
    json_decref(list);
    figures_free(&o.figures);
    flags_free(flags, n);
    return code;
}

const verb verb_kernels = {
    .name = "kernels",
    .summary =
        "time every operator at a model's shapes, caches cold and warm, beside what the device can copy and multiply",
    .examples =
        "  sambench kernels --models sam2_tiny --weights_dir checkpoints --device cuda --precision bf16 --json kernels.json\n"
        "  sambench kernels --models edgetam.pt --filter attention --objects 8\n"
        "  sambench kernels --models sam2_large,edgetam --weights_dir checkpoints --filter encode --top 20\n"
        "Columns: docs/kernels.md.\n",
    .main = kernels_main,
};
