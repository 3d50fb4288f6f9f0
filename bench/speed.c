/* speed.c - the verb `speed`: the components of a model timed apart, for any list of models, image sizes, precisions and
 * numbers of objects, each in a session of its own. */
#include "conditions.h"
#include "folders.h"
#include "input_flags.h"
#include "interrupt.h"
#include "paired.h"
#include "progress.h"
#include "speed_ab.h"
#include "speed_files.h"
#include "speed_run.h"
#include "spread.h"
#include "weights_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LIST = 32 };

extern const verb verb_speed;

typedef struct speed_options {
    model_choice model;
    const char *models, *weights_dir, *sizes, *precisions, *objects, *csv, *json, *ab;
    int max_pairs;
    int runs, warmup, width, height, quiet, device_said;
    int n_sizes, n_objects, n_precisions;
    int size[MAX_LIST], object[MAX_LIST];
    char precision[MAX_LIST][8];
    const char *format;
    progress bar; /* in configurations */
    conditions conditions;
    int n_timed, n_wide; /* configurations, and those whose frames spread too far */
    int n_done;
    models_help help;
} speed_options;

/* ---- lists ---- */

static sam_status read_numbers(const char *flag_name, const char *text, int min, int max, int *to, int *n,
                               sam_error *err)
{
    *n = 0;
    while (*text) {
        char *end;
        long x = strtol(text, &end, 10);
        if (end == text || (*end && *end != ',') || x < min || x > max || *n == MAX_LIST)
            return fail(err, SAM_E_ARG, "--%s: '%.40s': expected up to %d whole numbers from %d to %d", flag_name, text,
                        MAX_LIST, min, max);
        to[(*n)++] = (int)x;
        text = end + (*end == ',');
    }
    return *n ? SAM_OK : fail(err, SAM_E_ARG, "--%s: the list is empty", flag_name);
}

static sam_status read_precisions(speed_options *o, const char *text, sam_error *err)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        if (o->n_precisions == MAX_LIST || n != 4 ||
            (memcmp(text, "fp32", 4) && memcmp(text, "fp16", 4) && memcmp(text, "bf16", 4)))
            return fail(err, SAM_E_ARG, "--precisions: '%.40s' is not one of fp32, fp16, bf16", text);
        memcpy(o->precision[o->n_precisions++], text, 4);
        text += n + (text[n] == ',');
    }
    return SAM_OK;
}

/* ---- running ---- */

static sam_status one(speed_options *o, const char *weights, const char *name, int size, int precision, int n_objects,
                      speed_files *files, sam_error *err)
{
    speed_run r = {.name = name,
                   .choice = o->model,
                   .n_objects = n_objects,
                   .width = o->width,
                   .height = o->height,
                   .warmup = o->warmup,
                   .runs = o->runs};
    sam_error why;
    r.choice.weights = weights;
    r.choice.image_px = size;
    r.choice.precision = o->precision[precision];
    snprintf(o->bar.label, sizeof o->bar.label, "%.20s %d %s", name, size, o->precision[precision]);
    progress_update(&o->bar, o->n_done);
    sam_status status = speed_measure(&r, interrupt_requested, &why);
    progress_update(&o->bar, ++o->n_done);
    if (interrupt_requested()) {
        speed_run_free(&r);
        return SAM_OK;
    }
    if (status != SAM_OK) {
        files->n_failed++;
        progress_clear(&o->bar);
        fprintf(stderr, "sambench speed: %s, %d px, %s, %d object%s: %s\n", name, size, o->precision[precision],
                n_objects, n_objects == 1 ? "" : "s", why.text);
    }
    spread ms = spread_of(&r.ms[SPEED_FRAME], 0);
    o->n_timed += ms.n > 0;
    o->n_wide += ms.stddev > CONDITIONS_SPREAD * ms.mean;
    status = speed_files_add(files, &r, status == SAM_OK ? "ok" : why.text, err);
    speed_run_free(&r);
    return status;
}

static sam_status all_of_model(speed_options *o, const char *name, speed_files *files, sam_error *err)
{
    char *weights = NULL, path[4096];
    TRY(weights_find_named(o->weights_dir, name, &weights, err));
    sam_status status = model_resolve("speed", weights, path, sizeof path, err);
    if (status == SAM_OK)
        status = weights_expect_named(weights, path, name, err);
    free(weights);
    for (int s = 0; status == SAM_OK && s < o->n_sizes; s++)
        for (int p = 0; p < o->n_precisions; p++)
            for (int n = 0; n < o->n_objects && status == SAM_OK && !interrupt_requested(); n++)
                status = one(o, path, name, o->size[s], p, o->object[n], files, err);
    return status;
}

static sam_status speed(speed_options *o, int *n_failed, sam_error *err)
{
    speed_files files = {0};
    char name[512];
    TRY(read_numbers("sizes", o->sizes ? o->sizes : "1024", 64, 4096, o->size, &o->n_sizes, err));
    TRY(read_numbers("objects", o->objects ? o->objects : "1", 1, 256, o->object, &o->n_objects, err));
    TRY(read_precisions(o, o->precisions ? o->precisions : "fp32", err));
    TRY(model_check_device(&o->model, err));
    TRY(folders_make_for(o->csv, err));
    if (o->json)
        TRY(folders_make_for(o->json, err));
    sam_status status = speed_files_open(&files, o->csv, o->json, err);
    int n_models = 1;
    for (const char *at = o->models; *at; at++)
        n_models += *at == ',' && at[1];
    conditions_begin(&o->conditions);
    progress_begin(&o->bar, stderr, o->quiet, "", (int64_t)n_models * o->n_sizes * o->n_precisions * o->n_objects);
    for (const char *at = o->models; status == SAM_OK && *at && !interrupt_requested();) {
        size_t n = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), at);
        status = all_of_model(o, name, &files, err);
        at += n + (at[n] == ',');
    }
    progress_end(&o->bar);
    if (status == SAM_OK && !o->quiet)
        status = speed_files_print(&files, figures_format_of(o->format), err);
    conditions_end(&o->conditions);
    conditions_add_spread(&o->conditions, o->n_wide, o->n_timed);
    if (!o->quiet)
        conditions_say(&o->conditions, figures_format_of(o->format) == FIGURES_TABLE ? stdout : stderr);
    if (interrupt_requested())
        fprintf(stderr, "sambench speed: interrupted; %s\n",
                files.table.n_rows ? "the table has what was finished" : "no configuration was finished");
    *n_failed = files.n_failed;
    speed_files_close(&files);
    return status;
}

/* ---- the verb ---- */

static int list_flags(speed_options *o, flag *to)
{
    const flag flags[] = {
        checkpoints_flag(&o->models, &o->help),
        weights_dir_flag(&o->weights_dir),
        {.name = "sizes",
         .kind = FLAG_STRING,
         .choices = "list",
         .value = &o->sizes,
         .meta = "PX",
         .help = "Sides of the model's input, multiples of 32 (default 1024)."},
        {.name = "precisions",
         .kind = FLAG_STRING,
         .choices = "list",
         .value = &o->precisions,
         .meta = "NAMES",
         .help = "fp32, fp16, bf16 (default fp32)."},
        {.name = "objects",
         .kind = FLAG_STRING,
         .choices = "list",
         .value = &o->objects,
         .meta = "N",
         .help = "Objects tracked at once: the batch of all but the image encoder (default 1)."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

static int own_flags(speed_options *o, flag *to)
{
    const flag flags[] = {
        {.name = "runs",
         .group = "timing and output",
         .kind = FLAG_INT,
         .value = &o->runs,
         .meta = "N",
         .min = 1,
         .max = 100000,
         .help = "Frames timed as a whole, and as many again by component (default 10)."},
        {.name = "warmup",
         .kind = FLAG_INT,
         .value = &o->warmup,
         .meta = "N",
         .min = 0,
         .max = 1000,
         .help = "Tracked frames before, which fill the memory bank (default 8)."},
        {.name = "width",
         .kind = FLAG_INT,
         .value = &o->width,
         .meta = "PX",
         .min = 16,
         .max = 8192,
         .help = "Of the frames (default 1280)."},
        {.name = "height",
         .kind = FLAG_INT,
         .value = &o->height,
         .meta = "PX",
         .min = 16,
         .max = 8192,
         .help = "Of the frames (default 720)."},
        {.name = "csv",
         .kind = FLAG_STRING,
         .value = &o->csv,
         .meta = "FILE",
         .help = "The table (default component_speed.csv, with --ab speed_ab.csv), rewritten after every row."},
        {.name = "json",
         .kind = FLAG_STRING,
         .value = &o->json,
         .meta = "FILE",
         .help = "The same as JSON (default: none)."},
        {.name = "ab",
         .kind = FLAG_STRING,
         .value = &o->ab,
         .meta = "OTHER",
         .help = "Compare one configuration, A, with B: another sambench by its path, or other settings, as in "
                 "--ab='--precisions bf16'. Both run in turn, A B B A, until the difference is sure (default: off)."},
        {.name = "ab_pairs",
         .kind = FLAG_INT,
         .value = &o->max_pairs,
         .meta = "N",
         .min = PAIRED_FIRST,
         .max = PAIRED_MOST,
         .help = "Pairs at most, with --ab (default 32)."},
        format_flag(&o->format),
        {.name = "quiet", .kind = FLAG_SWITCH, .value = &o->quiet, .help = "Only errors on the terminal."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

/* Those of one model that are not lists here. */
static int model_flags_but_lists(model_choice *c, flag *to)
{
    flag all[N_MODEL_FLAGS];
    int n = model_flags(c, all), count = 0;
    for (int i = 0; i < n; i++)
        if (strcmp(all[i].name, "weights") && strcmp(all[i].name, "precision") && strcmp(all[i].name, "imgsz"))
            to[count++] = all[i];
    return count;
}

static int speed_main(int argc, char **argv)
{
    speed_options o = {.runs = 10, .warmup = 8, .width = 1280, .height = 720, .max_pairs = PAIRED_MOST};
    flag flags[48];
    sam_error err;
    int help, n_lists = list_flags(&o, flags), n = n_lists, n_failed = 0, code = 0;
    n += model_flags_but_lists(&o.model, flags + n);
    n += own_flags(&o, flags + n);
    sam_status status = flags_parse(&verb_speed, flags, n, argc, argv, &help, &err);
    int is_usage = status != SAM_OK;
    if (status == SAM_OK && !help) {
        interrupt_catch();
        o.model.device_said = &o.device_said;
        const speed_ab ab = {.argc = argc,
                             .argv = argv,
                             .other = o.ab,
                             .max_pairs = o.max_pairs,
                             .csv = o.csv ? o.csv : "speed_ab.csv",
                             .json = o.json,
                             .quiet = o.quiet,
                             .stop = interrupt_requested};
        o.csv = o.csv ? o.csv : "component_speed.csv";
        status = o.ab ? speed_ab_run(&ab, &err) : speed(&o, &n_failed, &err);
        code = interrupt_requested() ? 130 : n_failed ? 1 : 0;
    }
    if (status != SAM_OK) {
        fprintf(stderr, "sambench speed: %s\n", err.text);
        code = is_usage || status == SAM_E_ARG ? 2 : 1;
    }
    flag lists[] = {{.name = "models", .kind = FLAG_STRING, .choices = "list", .value = &o.models},
                    {.name = "sizes", .kind = FLAG_STRING, .choices = "list", .value = &o.sizes},
                    {.name = "precisions", .kind = FLAG_STRING, .choices = "list", .value = &o.precisions},
                    {.name = "objects", .kind = FLAG_STRING, .choices = "list", .value = &o.objects}};
    flags_free(lists, 4);
    return code;
}

const verb verb_speed = {
    .name = "speed",
    .summary = "time the components of models apart: encoder, decoder, memory, over sizes and precisions",
    .examples =
        "  sambench speed --models sam2_tiny,edgetam --weights_dir checkpoints --sizes 512,1024 --precisions fp32,bf16\n"
        "  sambench speed --models sam2.1_hiera_large.pt --objects 1,2,4,8 --runs 30 --json speed.json\n"
        "  sambench speed --models sam2_tiny --weights_dir checkpoints --ab='--precisions bf16'\n"
        "  sambench speed --models sam2_tiny --weights_dir checkpoints --ab ../before/build/sambench\n",
    .main = speed_main,
};
