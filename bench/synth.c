/* synth.c - the verb `synth`: writes a data set of generated clips. */
#include "flags.h"
#include "interrupt.h"
#include "progress.h"
#include "synth_split.h"

#include <stdio.h>
#include <string.h>

extern const verb verb_synth;

typedef struct options {
    const char *out, *split_name;
    synth_options split;
    int seed, quiet;
} options;

static int on_frame(void *user, int n_done, int n_total)
{
    (void)n_total;
    progress_update(user, n_done);
    return interrupt_requested();
}

static sam_status generate(options *o, sam_error *err)
{
    progress bar;
    if (!*o->split_name || strchr(o->split_name, '/'))
        return fail(err, SAM_E_ARG, "--split_name: expected a file name without suffix, got \"%s\"", o->split_name);
    interrupt_catch();
    progress_begin(&bar, stderr, o->quiet, "synth", (int64_t)o->split.n_clips * o->split.size.n_frames);
    o->split.seed = (uint64_t)o->seed;
    o->split.on_frame = on_frame;
    o->split.user = &bar;
    sam_status status = synth_split_create(o->out, o->split_name, &o->split, err);
    progress_end(&bar);
    if (status == SAM_OK && !o->quiet)
        printf("%d clip%s of %d frame%s, %d x %d, %s, seed %d: %s\n", o->split.n_clips,
               o->split.n_clips == 1 ? "" : "s", o->split.size.n_frames, o->split.size.n_frames == 1 ? "" : "s",
               o->split.size.width, o->split.size.height, o->split.difficulty, o->seed, o->out);
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
         .required = 1,
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
        {.name = "quiet", .kind = FLAG_SWITCH, .value = &o->quiet, .help = "No progress."},
    };
    memcpy(to, table, sizeof table);
    return sizeof table / sizeof *table;
}

static int synth_main(int argc, char **argv)
{
    enum { MAX_FLAGS = 16, EXIT_INTERRUPTED = 130 };
    options o = {.split_name = "sav_val",
                 .split = {.n_clips = 12, .size = {320, 240, 32}, .difficulty = "mixed", .annotate_every = 4}};
    flag flags[MAX_FLAGS];
    int n_flags = describe(flags, &o), help = 0;
    sam_error err;
    sam_status status = flags_parse(&verb_synth, flags, n_flags, argc, argv, &help, &err);
    int is_usage = status != SAM_OK;
    if (status == SAM_OK && !help)
        status = generate(&o, &err);
    if (status == SAM_OK)
        return 0;
    fprintf(stderr, "sambench synth: %s\n", err.text);
    return interrupt_requested() ? EXIT_INTERRUPTED : is_usage || status == SAM_E_ARG ? 2 : 1;
}

const verb verb_synth = {
    .name = "synth",
    .summary = "write a data set of generated clips with exact masks",
    .examples =
        "  sambench synth --out demo_split --clips 12 --frames 32 --seed 7\n"
        "  sambench run --split_dir demo_split --models baseline_copy,baseline_colour,demo_points --weights_dir "
        "models\n",
    .main = synth_main,
};
