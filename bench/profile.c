/* profile.c - the verb `profile`: where the time of a frame goes, by stage and by operator.
 *
 * Stages are timed in --profile_runs runs of the clip as they are; operators in one more run in which each is waited for,
 * since that costs time of its own. */
#include "csv.h"
#include "external_tool.h"
#include "folder_lock.h"
#include "folders.h"
#include "interrupt.h"
#include "machine.h"
#include "nvtx.h"
#include "object_pass.h"
#include "old_flags.h"
#include "process_memory.h"
#include "profile_files.h"
#include "progress.h"
#include "workload.h"

#include <stdio.h>
#include <string.h>

/* The bank holds the prompted frame and the six before the current one. */
enum { FULL_BANK = 7 };
enum { PEAK_RUNS = 5 };

extern const verb verb_profile;

typedef struct profile_options {
    workload w;
    int warmup, runs, top, external;
    progress bar; /* in frames of all models and runs */
    int64_t frames_done;
    const char *tool, *mode;
    conditions conditions;
    old_flags old;
} profile_options;

/* What a frame's callback needs. */
typedef struct pass_state {
    profile_model *m;
    int from;   /* first position measured     */
    int counts; /* the samples of this run count */
    int record; /* operators are recorded      */
    int run;    /* from 1, of those that count */
    profile_runs *runs;
    nvtx *ranges;
} pass_state;

static void on_graph(void *user, const char *graph, int begins)
{
    pass_state *s = user;
    nvtx_range(s->ranges, begins ? graph : NULL);
    profile_on_graph(&s->m->record, graph, begins);
}

static void on_node(void *user, const tap_node *n)
{
    profile_on_node(&((pass_state *)user)->m->record, n);
}

static sam_status on_begin(void *user, const pass_clip *c, sam_error *err)
{
    pass_state *s = user;
    (void)err;
    if (s->record)
        session_tap(c->session, (tap){.user = s, .timed = on_node, .span = on_graph});
    else
        session_tap(c->session, (tap){0}); /* of the run before */
    if (!s->record)
        nvtx_watch(s->ranges, c->session);
    return SAM_OK;
}

static sam_status on_frame(void *user, const pass_frame *f, sam_error *err)
{
    pass_state *s = user;
    if (s->record)
        profile_on_frame(&s->m->record, f->start_ms, f->ms);
    if (s->counts && f->position >= s->from) {
        TRY(samples_add(&s->m->stages[PROFILE_FRAME], f->ms, err));
        for (int k = 0; k < SAM_N_STAGES; k++)
            TRY(samples_add(&s->m->stages[PROFILE_STAGE + k], f->stats.stage_ms[k], err));
        TRY(samples_add(&s->m->stages[PROFILE_READ], f->decode_ms, err));
    }
    return SAM_OK;
}

static int on_pass_frame(void *user, int n_done, int n_total)
{
    profile_options *o = user;
    (void)n_total;
    progress_update(&o->bar, o->frames_done + n_done);
    return interrupt_requested();
}

/* The frames of one run over all objects; what cannot be read is told when it is run. */
static int64_t frames_of_a_run(workload *w)
{
    int64_t n = 0;
    for (int v = 0; v < w->set.n_videos; v++) {
        if (dataset_find_objects(&w->set, v, NULL) != SAM_OK)
            continue;
        for (int i = 0; i < w->set.videos[v].n_objects; i++)
            n += object_pass_planned(&w->set.videos[v], &w->set.videos[v].objects[i], w->max_clip_frames);
    }
    return n;
}

/* Every object of every video once; the record keeps the last one's frames. */
static sam_status run_all(profile_options *o, const model_entry *e, warm_model *warm, pass_state *s, sam_error *err)
{
    workload *w = &o->w;
    for (int v = 0; v < w->set.n_videos; v++) {
        TRY(dataset_find_objects(&w->set, v, err));
        for (int i = 0; i < w->set.videos[v].n_objects && !interrupt_requested(); i++) {
            pass_time times = {0};
            const pass_observer watch[] = {{.self = s, .begin = on_begin, .frame = on_frame},
                                           pass_time_observer(&times)};
            const object_pass pass = {.set = &w->set,
                                      .video = v,
                                      .object = i,
                                      .entry = e,
                                      .model = warm,
                                      .max_clip_frames = w->max_clip_frames,
                                      .prefetch = w->max_frames_in_mem,
                                      .observers = watch,
                                      .n_observers = 2,
                                      .on_frame = on_pass_frame,
                                      .user = o};
            pass_result r;
            if (s->record)
                profile_record_free(&s->m->record);
            sam_status status = object_pass_run(&pass, &r, err);
            if (status == SAM_OK && s->counts && !r.stopped)
                status =
                    profile_runs_add(s->runs, &pass, &r, &times, s->run, (double)process_peak_bytes() / 0x1p20, err);
            pass_time_free(&times);
            TRY(status);
            o->frames_done += r.n_frames;
            /* A clip too short to fill the bank is measured from its first tracked frame on. */
            s->m->full_bank = r.n_frames > FULL_BANK;
        }
    }
    return SAM_OK;
}

static sam_status run_model(profile_options *o, const model_entry *e, warm_model *warm, nvtx *ranges, profile_model *m,
                            profile_runs *runs, sam_error *err)
{
    pass_state s = {.m = m, .ranges = ranges, .runs = runs};
    /* At least one run tells how long the clips are, and touches all memory. */
    for (int i = 0; i < o->warmup || i < 1; i++)
        TRY(run_all(o, e, warm, &s, err));
    s.from = m->full_bank ? FULL_BANK : 1;
    s.counts = 1;
    process_peak_restart();
    for (s.run = 1; s.run <= o->runs; s.run++)
        TRY(run_all(o, e, warm, &s, err));
    m->peak_rss_mib = (double)process_peak_bytes() / (1 << 20);
    if (!m->stages[PROFILE_FRAME].n && !interrupt_requested())
        return fail(err, SAM_E_FORMAT,
                    "the clip has no frame to track after the prompted one; --limit_videos 2 takes "
                    "another one too");
    s.counts = 0;
    s.record = 1;
    TRY(run_all(o, e, warm, &s, err));
    m->record_from = m->record.frame > s.from ? s.from : 0;
    return sam_get_stats(warm->session, &m->memory, err);
}

static sam_status profile_one(profile_options *o, const model_entry *e, nvtx *ranges, profile_files *files,
                              sam_error *err)
{
    warm_model warm = {0};
    profile_model m = {.name = e->name, .precision = model_precision(&o->w.model), .n_runs = o->runs};
    model_choice choice = o->w.model;
    choice.weights = workload_weights(&o->w, e);
    sam_status status = warm_open(&warm, "profile", &choice, model_entry_holds(e), err);
    if (status == SAM_OK)
        status = run_model(o, e, &warm, ranges, &m, &files->runs, err);
    if (status == SAM_OK && !interrupt_requested()) {
        sam_model_options options = model_options(&choice);
        options.backend = strcmp(m.memory.backend, "cpu") ? SAM_CUDA : SAM_CPU; /* what `auto` has become */
        m.imgsz = sam_model_image_px(warm.model);
        m.backend = m.memory.backend;
        m.device = m.memory.device;
        status = peaks_measure(&options, 0, 0, PEAK_RUNS, &m.peaks, err);
    }
    if (status == SAM_OK && !interrupt_requested())
        status = profile_files_add(files, &m, err);
    progress_clear(&o->bar);
    if (status == SAM_OK && !interrupt_requested())
        status = profile_print(&m, o->top, err);
    for (int k = 0; k < N_PROFILE_STAGES; k++)
        samples_free(&m.stages[k]);
    profile_record_free(&m.record);
    warm_close(&warm);
    return status;
}

/* What makes the times doubtful, said and kept beside them. */
static sam_status judge_times(profile_options *o, sam_error *err)
{
    conditions_end(&o->conditions);
    if (o->conditions.n)
        printf("\n");
    conditions_say(&o->conditions, stdout);
    return machine_add_conditions(o->w.out_dir, &o->conditions, err);
}

static sam_status profile(profile_options *o, int *n_failed, sam_error *err)
{
    profile_files files = {0};
    folder_lock lock = {0};
    nvtx ranges;
    int n_done = 0;
    TRY(workload_open(&o->w, "profile", err));
    TRY(model_check_device(&o->w.model, err));
    nvtx_open(&ranges);
    sam_status status = folder_lock_take(&lock, o->w.out_dir, err);
    if (status == SAM_OK)
        status = machine_write(o->w.out_dir, err);
    if (status == SAM_OK)
        status = profile_files_open(&files, o->w.out_dir, err);
    conditions_begin(&o->conditions);
    if (status == SAM_OK) /* operators are timed in one run more */
        progress_begin(&o->bar, stderr, o->w.quiet, "",
                       frames_of_a_run(&o->w) * ((o->warmup ? o->warmup : 1) + o->runs + 1) * o->w.list.n);
    for (int i = 0; status == SAM_OK && i < o->w.list.n && !interrupt_requested(); i++) {
        sam_error why;
        snprintf(o->bar.label, sizeof o->bar.label, "%.30s", o->w.list.entries[i].name);
        if (profile_one(o, &o->w.list.entries[i], &ranges, &files, &why) == SAM_OK) {
            n_done += !interrupt_requested();
            continue;
        }
        progress_clear(&o->bar);
        fprintf(stderr, "sambench profile: %s: %s\n", o->w.list.entries[i].name, why.text);
        ++*n_failed;
    }
    if (status == SAM_OK && interrupt_requested())
        fprintf(stderr, "sambench profile: interrupted; %d of %d models were finished\n", n_done, o->w.list.n);
    if (status == SAM_OK && n_done)
        status = judge_times(o, err);
    if (status == SAM_OK && n_done)
        printf(
            "\n%s: profile_summary.csv, profile_runs.csv, profile_stats.json, profile_roofline.csv, trace_MODEL.json (open it at "
            "https://ui.perfetto.dev)\n",
            o->w.out_dir);
    profile_files_close(&files);
    folder_lock_free(&lock);
    return status;
}

static int own_flags(profile_options *o, flag *to)
{
    const flag flags[] = {
        {.name = "warmup",
         .group = "profile",
         .kind = FLAG_INT,
         .value = &o->warmup,
         .meta = "N",
         .max = 1000,
         .help = "Runs of the clip that are not counted (default 1; one is made with 0 too, for its length)."},
        {.name = "profile_runs",
         .kind = FLAG_INT,
         .value = &o->runs,
         .meta = "N",
         .min = 1,
         .max = 10000,
         .help = "Runs of the clip whose frames and stages are timed (default 3); operators are timed in one more."},
        {.name = "top",
         .kind = FLAG_INT,
         .value = &o->top,
         .meta = "N",
         .max = 1000,
         .min = 1,
         .help = "Operators printed (default 12); the files have all."},
        {.name = "external",
         .kind = FLAG_SWITCH,
         .value = &o->external,
         .help = "Run the same command under Nsight Systems or Nsight Compute, with NVTX ranges (default: off)."},
        {.name = "profile_mode",
         .kind = FLAG_CHOICE,
         .value = &o->mode,
         .meta = "NAME",
         .hidden = 1,
         .choices = "inline|external",
         .help = "external: the same as --external."},
        {.name = "external_tool",
         .kind = FLAG_CHOICE,
         .value = &o->tool,
         .meta = "NAME",
         .choices = "auto|nsys|ncu",
         .help = "Which; NSYS_CMD and NCU_CMD name other programs (default auto: nsys, then ncu)."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

/* --external: another process does the work. */
static int run_external(const profile_options *o, int argc, char **argv)
{
    sam_error err;
    int code = 1;
    sam_status status = folders_make(o->w.out_dir, &err);
    if (status == SAM_OK)
        status = external_run(o->tool, o->w.out_dir, argc, argv, &code, &err);
    if (status != SAM_OK)
        fprintf(stderr, "sambench profile: %s\n", err.text);
    return code;
}

static int profile_main(int argc, char **argv)
{
    profile_options o = {.w = {.out_dir = "profile", .limit_videos = 1, .limit_objects = 1, .max_frames_in_mem = 600},
                         .warmup = 1,
                         .runs = 3,
                         .top = 12,
                         .tool = "auto",
                         .old = OLD_FLAGS_NONE};
    flag flags[N_WORKLOAD_FLAGS + 9 + N_OLD_FLAGS];
    sam_error err;
    int help, n = workload_flags(&o.w, flags), n_failed = 0, code = 0;
    flags[n++] = tracker_flag(&o.w.model);
    n += own_flags(&o, flags + n);
    n += old_flags_table(&o.old, flags + n);
    sam_status status = flags_parse(&verb_profile, flags, n, argc, argv, &help, &err);
    if (status == SAM_OK && !help)
        status = old_flags_settle(&o.old, "profile", &o.w.model.precision, &err);
    int is_usage = status != SAM_OK;
    o.external |= o.mode && !strcmp(o.mode, "external");
    if (status == SAM_OK && !help && o.external) {
        code = run_external(&o, argc, argv);
    } else if (status == SAM_OK && !help) {
        interrupt_catch();
        status = profile(&o, &n_failed, &err);
        code = interrupt_requested() ? 130 : n_failed ? 1 : 0;
    }
    if (status != SAM_OK) {
        fprintf(stderr, "sambench profile: %s\n", err.text);
        code = is_usage || status == SAM_E_ARG ? 2 : 1;
    }
    workload_close(&o.w);
    return code;
}

const verb verb_profile = {
    .name = "profile",
    .summary = "say where a frame's time goes: stages, operators, roofline, a trace",
    .examples =
        "  sambench profile --test_mode --models edgetam_points\n"
        "  sambench profile --split_dir sav_val --models sam2_tiny_points,edgetam_points --weights_dir checkpoints \\\n"
        "                   --precision bf16 --profile_runs 5 --out_dir profile\n"
        "  NSYS_CMD=/opt/nsys/bin/nsys sambench profile --test_mode --models edgetam_points --external\n",
    .main = profile_main,
};
