/* synth.c - the verb `synth`: writes a data set of generated clips, or scores what tracking without a model gets on one. */
#include "baselines.h"
#include "flags.h"
#include "json_out.h"
#include "progress.h"
#include "synth_split.h"

#include <stdio.h>
#include <string.h>

extern const verb verb_synth;

typedef struct options {
    const char *out, *split_name, *baselines, *metric, *json;
    synth_options split;
    int seed, quiet;
} options;

static void on_frame(void *user, int n_done, int n_total)
{
    (void)n_total;
    progress_update(user, n_done);
}

static sam_status generate(options *o, sam_error *err)
{
    progress bar;
    progress_begin(&bar, stderr, o->quiet, "synth", (int64_t)o->split.n_clips * o->split.size.n_frames);
    o->split.seed = (uint64_t)o->seed;
    o->split.on_frame = on_frame;
    o->split.user = &bar;
    sam_status status = synth_split_create(o->out, o->split_name, &o->split, err);
    progress_end(&bar);
    if (status == SAM_OK && !o->quiet)
        printf("%d clips of %d frames, %d x %d, %s, seed %d: %s\n", o->split.n_clips, o->split.size.n_frames,
               o->split.size.width, o->split.size.height, o->split.difficulty, o->seed, o->out);
    return status;
}

/* ---- baselines ---------------------------------------------------------------------------------------------------- */

enum { MAX_SCORED = 1 << 16 };

typedef struct table {
    object_result scores[N_BASELINES][MAX_SCORED];
    size_t n;
    json_t *objects;
} table;

static json_t *figures(double j, double f, double j_and_f)
{
    return json_pack("{s:f, s:f, s:f}", "J", j, "F", f, "JandF", j_and_f);
}

static sam_status score_object(const dataset *d, int video, int object, metric_kind kind, table *t, sam_error *err)
{
    char name[300];
    const dataset_video *v = &d->videos[video];
    snprintf(name, sizeof name, "%.200s/%.60s", v->name, v->objects[object].name);
    if (t->n == MAX_SCORED)
        return fail(err, SAM_E_ARG, "%s: more than %d objects", d->root, MAX_SCORED);
    printf("%-28s", name);
    json_t *entry = json_object();
    for (int b = 0; b < N_BASELINES; b++) {
        object_result *r = &t->scores[b][t->n];
        sam_status status = baseline_score(d, video, object, (baseline)b, kind, r, err);
        if (status != SAM_OK) {
            json_decref(entry);
            printf("\n");
            return status;
        }
        printf("   %6.1f %6.1f %6.1f", 100 * r->j, 100 * r->f, 100 * r->j_and_f);
        json_object_set_new(entry, baseline_names[b], figures(r->j, r->f, r->j_and_f));
    }
    printf("\n");
    json_object_set_new(t->objects, name, entry);
    t->n++;
    return SAM_OK;
}

static sam_status score_videos(dataset *d, metric_kind kind, table *t, sam_error *err)
{
    for (int video = 0; video < d->n_videos; video++) {
        TRY(dataset_find_objects(d, video, err));
        for (int object = 0; object < d->videos[video].n_objects; object++)
            TRY(score_object(d, video, object, kind, t, err));
    }
    return SAM_OK;
}

static sam_status report(const options *o, table *t, sam_error *err)
{
    json_t *global = json_object();
    printf("%-28s", "mean");
    for (int b = 0; b < N_BASELINES; b++) {
        global_result g;
        metric_aggregate(t->scores[b], t->n, &g);
        printf("   %6.1f %6.1f %6.1f", 100 * g.j, 100 * g.f, 100 * g.j_and_f);
        json_object_set_new(global, baseline_names[b], figures(g.j, g.f, g.j_and_f));
    }
    printf("\nmetric %s, percent; copy: the first mask on every frame; colour: nearest-colour propagation\n",
           o->metric);
    json_t *root = json_pack("{s:s, s:o, s:O}", "metric", o->metric, "global", global, "objects", t->objects);
    if (o->json)
        return json_out(o->json, root, err);
    json_decref(root);
    return SAM_OK;
}

static sam_status score(const options *o, sam_error *err)
{
    dataset d = {0};
    metric_kind kind;
    TRY(metric_from_name(o->metric, &kind, err));
    table *t = calloc(1, sizeof *t);
    if (!t)
        return fail(err, SAM_E_MEMORY, "out of memory");
    t->objects = json_object();
    sam_status status = dataset_open(&d, o->baselines, &(dataset_options){.split_name = o->split_name}, err);
    if (status == SAM_OK) {
        printf("%-28s   %20s   %20s\n%-28s", "", "copy:  J      F    J&F", "colour:  J     F    J&F", "object");
        printf("   %6s %6s %6s   %6s %6s %6s\n", "J", "F", "J&F", "J", "F", "J&F");
        status = score_videos(&d, kind, t, err);
    }
    if (status == SAM_OK)
        status = report(o, t, err);
    dataset_close(&d);
    json_decref(t->objects);
    free(t);
    return status;
}

/* ---- flags -------------------------------------------------------------------------------------------------------- */

static int describe(flag *to, options *o)
{
    const flag table[] = {
        {.name = "out",
         .kind = FLAG_STRING,
         .value = &o->out,
         .meta = "DIR",
         .help = "Where the data set goes; new or empty."},
        {.name = "clips",
         .kind = FLAG_INT,
         .value = &o->split.n_clips,
         .meta = "N",
         .min = 1,
         .max = 9999,
         .help = "How many (default 12)."},
        {.name = "frames",
         .kind = FLAG_INT,
         .value = &o->split.size.n_frames,
         .meta = "N",
         .min = 1,
         .max = 10000,
         .help = "Of each clip (default 32)."},
        {.name = "width",
         .kind = FLAG_INT,
         .value = &o->split.size.width,
         .meta = "PX",
         .min = 64,
         .max = 4096,
         .help = "Of the frames (default 320)."},
        {.name = "height",
         .kind = FLAG_INT,
         .value = &o->split.size.height,
         .meta = "PX",
         .min = 64,
         .max = 4096,
         .help = "Of the frames (default 240)."},
        {.name = "difficulty",
         .kind = FLAG_CHOICE,
         .value = &o->split.difficulty,
         .meta = "NAME",
         .choices = SYNTH_DIFFICULTIES,
         .help =
             "medium adds distractors, occlusion, camera motion and blur; hard leaves the frame too (default mixed: "
             "each in turn)."},
        {.name = "annotate_every",
         .kind = FLAG_INT,
         .value = &o->split.annotate_every,
         .meta = "N",
         .min = 1,
         .max = 1000,
         .help = "Masks for every N-th frame (default 4, as in SA-V)."},
        {.name = "seed",
         .kind = FLAG_INT,
         .value = &o->seed,
         .meta = "N",
         .max = 1 << 30,
         .help = "Other clips for another number (default 0)."},
        {.name = "split_name",
         .kind = FLAG_STRING,
         .value = &o->split_name,
         .meta = "NAME",
         .help = "The list of clips is NAME.txt (default sav_val)."},
        {.name = "baselines",
         .kind = FLAG_STRING,
         .value = &o->baselines,
         .meta = "DIR",
         .help = "Generate nothing; score the data set DIR with the first mask copied and with nearest colours."},
        {.name = "metric",
         .kind = FLAG_CHOICE,
         .value = &o->metric,
         .meta = "NAME",
         .choices = METRIC_CHOICES,
         .help = "Of --baselines (default sav)."},
        {.name = "json",
         .kind = FLAG_STRING,
         .value = &o->json,
         .meta = "FILE",
         .help = "Scores of --baselines, as fractions."},
        {.name = "quiet", .kind = FLAG_SWITCH, .value = &o->quiet, .help = "No progress."},
    };
    memcpy(to, table, sizeof table);
    return sizeof table / sizeof *table;
}

static sam_status run(options *o, sam_error *err)
{
    if (!o->out == !o->baselines)
        return fail(err, SAM_E_ARG, "expected --out DIR to generate clips, or --baselines DIR to score some");
    if (o->out && o->json)
        return fail(err, SAM_E_ARG, "--json goes with --baselines");
    if (!*o->split_name || strchr(o->split_name, '/'))
        return fail(err, SAM_E_ARG, "--split_name: expected a file name without suffix, got \"%s\"", o->split_name);
    return o->out ? generate(o, err) : score(o, err);
}

static int synth_main(int argc, char **argv)
{
    enum { MAX_FLAGS = 16 };
    options o = {.split_name = "sav_val",
                 .metric = "sav",
                 .split = {.n_clips = 12, .size = {320, 240, 32}, .difficulty = "mixed", .annotate_every = 4}};
    flag flags[MAX_FLAGS];
    int n_flags = describe(flags, &o), help = 0;
    sam_error err;
    sam_status status = flags_parse(&verb_synth, flags, n_flags, argc, argv, &help, &err);
    int is_usage = status != SAM_OK;
    if (status == SAM_OK && !help)
        status = run(&o, &err);
    if (status == SAM_OK)
        return 0;
    fprintf(stderr, "sambench synth: %s\n", err.text);
    return is_usage || status == SAM_E_ARG ? 2 : 1;
}

const verb verb_synth = {
    .name = "synth",
    .summary = "write a data set of generated clips with exact masks, and score non-learning baselines on it",
    .examples = "  sambench synth --out demo_split --clips 12 --frames 32 --seed 7\n"
                "  sambench synth --baselines demo_split --json baselines.json\n",
    .main = synth_main,
};
