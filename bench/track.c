/* track.c - the verb `track`: prompts and a clip in, masks, an overlay video and figures out. */
#include "alloc_count.h"
#include "clock.h"
#include "folders.h"
#include "frame_gaps.h"
#include "image_format.h"
#include "interrupt.h"
#include "json_out.h"
#include "listing.h"
#include "nvtx.h"
#include "open_model.h"
#include "process_memory.h"
#include "progress.h"
#include "prompt_flags.h"
#include "track_files.h"
#include "track_report.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_INTERRUPTED = 130 };

typedef struct track_options {
    model_choice model;
    prompt_choice prompts;
    const char *input, *raw, *pipe, *out, *dump, *json, *save_state, *load_state;
    int n_frames, start, reverse, realtime, no_overlap, fill_hole_area, remove_speck_area, overlay, labels, rle, mot,
        quiet, max_objects;
} track_options;

/* Everything one run holds; closed in one place. */
typedef struct track_run {
    const track_options *o;
    prompt_file *prompts; /* of the options */
    frame_source *frames;
    sam_model *model;
    sam_session *session;
    sam_session_options of_state; /* --load_state: some of them */
    clip clip;
    track_files files;
    track_report report;
    track_setting setting;
    int cut_short; /* not all frames were tracked */
    nvtx ranges;
} track_run;

/* A lost frame shall not be found out by the masks. */
static void say_gaps(const char *input)
{
    listing frames = {0};
    if (path_is_folder(input) && listing_scan(input, IMAGE_SUFFIXES, &frames, NULL) == SAM_OK)
        frame_gaps_say("track", input, &frames);
    listing_free(&frames);
}

static int is_prompted(const void *prompts, int64_t index)
{
    return clip_prompts_on(prompts, index);
}

static sam_status check_live(const track_options *o, int reverse, sam_error *err)
{
    if (reverse)
        return fail(err, SAM_E_ARG, "%s: what is live cannot be tracked in reverse", o->input);
    if (o->model.overlap)
        return fail(err, SAM_E_ARG, "--overlap encodes the frame after; of %s it has not come yet", o->input);
    return SAM_OK;
}

/* The clip: its length, its first frame, and that the prompts fit it. Nothing of the model is needed for that. */
static sam_status open_clip(track_run *r, int *reverse, sam_error *err)
{
    const track_options *o = r->o;
    int n_empty = 0, start = 0;
    *reverse = o->reverse >= 0 ? o->reverse : r->prompts->reverse;
    /* Frames are decoded ahead only a little, to not compete with what is measured. */
    live_options live = {.raw = o->raw,
                         .realtime = o->realtime,
                         .first = o->start > 0 ? o->start : 0,
                         .stopped = interrupt_requested,
                         .keep = is_prompted,
                         .user = r->prompts};
    frames_options opt = {.prefetch = 8, .pixels = model_frames(&o->model, o->out && o->overlay), .live = &live};
    TRY(frames_open(o->input, &opt, &r->frames, err));
    r->setting.is_live = frames_are_live(r->frames);
    if (r->setting.is_live)
        TRY(check_live(o, *reverse, err));
    else
        say_gaps(o->input);
    int64_t count = frames_count(r->frames);
    int n_frames = o->n_frames && o->n_frames < count ? o->n_frames : count < INT_MAX ? (int)count : INT_MAX;
    frames_size(r->frames, &r->setting.width, &r->setting.height);
    TRY(clip_start(r->prompts, o->start, n_frames, *reverse, o->load_state != NULL, o->input, &start, err));
    TRY(clip_check_masks(r->prompts, &n_empty, err));
    if (n_empty)
        fprintf(stderr, "sambench track: %d of the mask prompts are empty: their objects start as absent\n", n_empty);
    if (!r->setting.is_live && (start || *reverse))
        TRY(frames_restart(r->frames, start, *reverse, err));
    r->clip = (clip){.frames = r->frames,
                     .prompts = r->prompts,
                     .n_frames = n_frames,
                     .start = start,
                     .direction = *reverse ? SAM_REVERSE : SAM_FORWARD,
                     .count_allocations = 1,
                     .current = -1};
    return SAM_OK;
}

/* The objects of a saved state, beside those that the prompts name. */
static sam_status load_state(track_run *r, sam_error *err)
{
    enum { MOST = 1024 };
    int32_t ids[MOST];
    TRY(sam_state_load(r->session, r->o->load_state, err));
    int n = sam_session_objects(r->session, ids, MOST);
    for (int i = 0; i < n; i++)
        TRY(prompts_add_object(r->prompts, ids[i], err));
    r->files.prompts = r->prompts;
    return SAM_OK;
}

static sam_status open_weights(track_run *r, sam_error *err)
{
    const track_options *o = r->o;
    sam_model_options saved = {.max_points = prompts_max_points(r->prompts),
                               .max_prompted_frames = prompts_max_prompted_frames(r->prompts)};
    TRY(model_check_device(&o->model, err));
    if (o->load_state)
        TRY(sam_state_options(o->load_state, &saved, &r->of_state, err));
    return model_open("track", &o->model, saved.max_points, saved.max_prompted_frames, &r->model, err);
}

static sam_status open_session(track_run *r, sam_error *err)
{
    const track_options *o = r->o;
    int n_objects = r->prompts->n_objects;
    if (o->max_objects && o->max_objects < n_objects)
        return fail(err, SAM_E_ARG, "--objects_max %d, but the prompts name %d objects", o->max_objects, n_objects);
    if (!r->model)
        TRY(open_weights(r, err));
    sam_session_options opt = {.width_px = r->setting.width,
                               .height_px = r->setting.height,
                               .max_objects = o->max_objects ? o->max_objects : n_objects,
                               .n_frames = r->setting.is_live ? 0 : r->clip.n_frames,
                               .fill_hole_area = o->fill_hole_area ? o->fill_hole_area : -1,
                               .remove_speck_area = o->remove_speck_area,
                               .no_overlap = o->no_overlap,
                               .mem_limit = o->model.mem_limit,
                               .overlap = o->model.overlap,
                               .history = session_history(&o->model),
                               .tracker = o->model.tracker,
                               .prepared_frames = prompts_have_pictures(r->prompts),
                               .no_recording = o->model.no_recording,
                               .check_kernels = o->model.check_kernels};
    if (o->load_state) { /* sizes; what the flags say otherwise is compared when it is loaded */
        opt.max_objects = r->of_state.max_objects;
        opt.history = r->of_state.history;
    }
    TRY(sam_session_open(r->model, &opt, &r->session, err));
    if (o->load_state)
        TRY(load_state(r, err));
    session_say_overlap("track", &o->model, r->session);
    nvtx_open(&r->ranges);
    nvtx_watch(&r->ranges, r->session);
    r->clip.model = r->model;
    r->clip.session = r->session;
    r->clip.overlap = o->model.overlap;
    alloc_count_watch(model_threads(&o->model));
    return clip_open(&r->clip, err);
}

/* What was computed before a damaged frame or an interruption is kept. */
static sam_status track_frames(track_run *r, sam_error *err)
{
    clip *c = &r->clip;
    clip_result at;
    progress bar;
    int total = c->direction == SAM_REVERSE ? c->start + 1 : c->n_frames - c->start;
    double begin = clock_ms(), written = 0;
    if (r->setting.is_live) /* nobody knows */
        total = 0;
    TRY(report_reserve(&r->report, total ? total : MOST_SAMPLES, err));
    TRY(clip_prompt(c, err));
    progress_begin(&bar, stderr, r->o->quiet, "track", total);
    sam_status status = SAM_OK;
    while (status == SAM_OK && !(r->setting.interrupted = interrupt_requested())) {
        status = clip_next(c, &at, err);
        if (status != SAM_OK || !at.frame) { /* a live source ends at an interruption, too */
            r->setting.interrupted = r->setting.is_live && interrupt_requested();
            break;
        }
        double start = clock_ms();
        status = files_add(&r->files, c, at.frame, err);
        if (status == SAM_OK)
            status = report_add(&r->report, &at, r->setting.is_live, err);
        if (status == SAM_OK)
            files_add_times(&r->files, &at);
        clip_release(c, &at);
        written += clock_ms() - start;
        r->report.end_to_end_ms = clock_ms() - begin - written;
        progress_update(&bar, c->n_tracked);
    }
    progress_end(&bar);
    int said = 0;
    session_say_recording("track", r->session, &said);
    return status;
}

static sam_status finish(track_run *r, sam_error *err)
{
    track_setting *s = &r->setting;
    s->model = sam_model_name(r->model);
    s->precision = model_precision(&r->o->model);
    s->input = r->o->input;
    s->image_px = sam_model_image_px(r->model);
    s->n_objects = r->prompts->n_objects;
    s->n_threads = model_threads(&r->o->model);
    s->history = r->o->model.history;
    s->tracker = model_tracker(&r->o->model);
    s->came = frames_live_counts(r->frames);
    s->frame_queue_bytes = frames_memory(r->frames);
    s->rss_peak_bytes = process_peak_bytes();
    if (!r->report.n_frames)
        return files_finish(&r->files, 0, err);
    /* A file that cannot be written does not keep back what was measured. */
    if (!r->o->quiet)
        report_print(&r->report, s, r->o->pipe || (r->o->json && !strcmp(r->o->json, "-")) ? stderr : stdout);
    sam_status figures = r->o->json ? json_out(r->o->json, report_json(&r->report, s), err) : SAM_OK;
    sam_status files = files_finish(&r->files, r->report.n_frames, figures == SAM_OK ? err : NULL);
    return figures == SAM_OK ? files : figures;
}

static sam_status open_files(track_run *r, sam_error *err)
{
    r->files.model = sam_model_name(r->model);
    return files_open(&r->files, r->prompts, r->setting.width, r->setting.height, frames_rate(r->frames), err);
}

static sam_status save_state(track_run *r, sam_error *err)
{
    TRY(folders_make_for(r->o->save_state, err));
    return sam_state_save(r->session, r->o->save_state, err);
}

static sam_status track(track_run *r, sam_error *err)
{
    int reverse;
    sam_error later;
    if (frames_is_live_name(r->o->input)) /* frames that come while the weights are read would be late or lost */
        TRY(open_weights(r, err));
    TRY(open_clip(r, &reverse, err));
    TRY(model_check_device(&r->o->model, err));
    if (r->o->json && strcmp(r->o->json, "-"))
        TRY(folders_make_for(r->o->json, err));
    if (!r->o->load_state)
        TRY(open_files(r, err));
    TRY(open_session(r, err));
    if (r->o->load_state) /* whose objects are known now */
        TRY(open_files(r, err));
    sam_status status = track_frames(r, err);
    if (r->o->save_state && r->report.n_frames && status == SAM_OK)
        status = save_state(r, err);
    if (status != SAM_OK && !r->report.n_frames)
        return status;
    r->cut_short = status != SAM_OK || r->setting.interrupted;
    sam_status written = finish(r, status == SAM_OK ? err : &later);
    return status == SAM_OK ? written : status;
}

static int run_track(const track_options *o, prompt_file *prompts)
{
    sam_error err = {0};
    track_run r = {.o = o,
                   .prompts = prompts,
                   .files = {.folder = o->out,
                             .dump_path = o->dump,
                             .draw = o->overlay,
                             .labels = o->labels,
                             .rle = o->rle,
                             .mot = o->mot,
                             .pipe = o->pipe}};
    sam_status status = track(&r, &err);
    if (status != SAM_OK && !r.frames && interrupt_requested())
        r.setting.interrupted = 1;
    else if (status != SAM_OK)
        fprintf(stderr, "sambench track: %s\n", err.text);
    if (r.setting.interrupted && !r.report.n_frames)
        fprintf(stderr, "sambench track: interrupted before the first frame\n");
    else if (r.cut_short && r.report.n_frames)
        fprintf(stderr, "sambench track: %s after %d frame%s; what %s gave is kept\n",
                r.setting.interrupted ? "interrupted" : "stopped", r.report.n_frames, r.report.n_frames == 1 ? "" : "s",
                r.report.n_frames == 1 ? "it" : "they");
    clip_close(&r.clip);
    files_close(&r.files);
    report_free(&r.report);
    sam_session_close(r.session);
    sam_model_close(r.model);
    frames_close(r.frames);
    return r.setting.interrupted ? EXIT_INTERRUPTED : status == SAM_OK ? 0 : 1;
}

static int own_flags(track_options *o, flag *to)
{
    const flag flags[] = {
        {.name = "input",
         .kind = FLAG_STRING,
         .value = &o->input,
         .meta = "PATH",
         .required = 1,
         .help = "A folder of frames (" IMAGE_FORMATS_SAY
                 "), or a video file. Live: - (standard input) or a named pipe with Y4M, NUT, "
                 "Matroska, MPEG-TS or MJPEG; a URL (http, https, rtsp, rtmp, tcp, udp, srt); a camera, /dev/video0."},
        {.name = "raw",
         .kind = FLAG_STRING,
         .value = &o->raw,
         .meta = "WxH[:FORMAT][@FPS]",
         .help =
             "Standard input or a pipe holds nothing but frames of this size; FORMAT as ffmpeg names it: rgb24, nv12, gray, "
             "... (default rgb24@30)."},
        {.name = "realtime",
         .kind = FLAG_SWITCH,
         .value = &o->realtime,
         .help =
             "Live: track the newest frame and drop those that came meanwhile (default: every frame, however late)."},
        {.name = "out",
         .kind = FLAG_STRING,
         .value = &o->out,
         .meta = "DIR",
         .help = "Where masks/OBJECT/FRAME.png, objects.csv and overlay.mp4 go (default: nowhere)."},
        {.name = "labels",
         .kind = FLAG_SWITCH,
         .value = &o->labels,
         .help = "OUT/labels/FRAME.png too: all objects in one picture, their numbers as indices of the DAVIS palette "
                 "(default: off)."},
        {.name = "rle",
         .kind = FLAG_SWITCH,
         .value = &o->rle,
         .help = "OUT/masks.json too: run-length masks as COCO has them (default: off)."},
        {.name = "mot",
         .kind = FLAG_SWITCH,
         .value = &o->mot,
         .help = "OUT/mot.txt too: boxes as MOTChallenge has them, which --boxes reads (default: off)."},
        {.name = "pipe",
         .kind = FLAG_CHOICE,
         .value = &o->pipe,
         .meta = "FORM",
         .choices = "y4m|raw",
         .help =
             "Masks to standard output as they come, for another program: a gray picture a frame, whose values are the "
             "objects' numbers, as a Y4M stream or as bytes alone (default: none)."},
        {.name = "json",
         .kind = FLAG_STRING,
         .value = &o->json,
         .meta = "FILE",
         .help = "Figures of the run; - is stdout."},
        {.name = "dump",
         .kind = FLAG_STRING,
         .value = &o->dump,
         .meta = "FILE",
         .help = "Logits, scores, pointers and masks of every frame, safetensors (kept in memory until the end)."},
        {.name = "frames",
         .kind = FLAG_INT,
         .value = &o->n_frames,
         .meta = "N",
         .min = 1,
         .max = INT_MAX,
         .help = "Take the clip as its first N frames, as if the rest did not exist (default: all)."},
        {.name = "boxes",
         .kind = FLAG_STRING,
         .value = &o->prompts.boxes,
         .meta = "FILE",
         .help = "Boxes over time, MOT text or COCO JSON: each object starts when it first has one (default: none)."},
        {.name = "boxes_every",
         .kind = FLAG_INT,
         .value = &o->prompts.boxes_every,
         .meta = "N",
         .min = 0,
         .max = INT_MAX,
         .help = "Give an object's box again when N frames have passed since its last; 0: never (default: 0)."},
        {.name = "save_state",
         .kind = FLAG_STRING,
         .value = &o->save_state,
         .meta = "FILE",
         .help = "What is known of the objects after the last frame, for --load_state of another run (default: none)."},
        {.name = "load_state",
         .kind = FLAG_STRING,
         .value = &o->load_state,
         .meta = "FILE",
         .help = "Go on from a saved state: the same weights, sizes and flags; with --start_frame (default: none)."},
        {.name = "start_frame",
         .kind = FLAG_INT,
         .value = &o->start,
         .meta = "N",
         .min = 0,
         .max = INT_MAX,
         .help = "First frame tracked (default: the first prompted one)."},
        {.name = "reverse", .kind = FLAG_SWITCH, .value = &o->reverse, .help = "Track backward in time, to frame 0."},
        {.name = "overlay",
         .kind = FLAG_SWITCH,
         .value = &o->overlay,
         .help = "Write OUT/overlay.mp4 (default: on with --out); --no-overlay: masks only."},
        {.name = "no_overlap",
         .kind = FLAG_SWITCH,
         .value = &o->no_overlap,
         .help = "Give each pixel to one object only (default: off)."},
        {.name = "fill_hole_area",
         .kind = FLAG_INT,
         .value = &o->fill_hole_area,
         .meta = "PX",
         .min = 0,
         .max = 1 << 24,
         .help = "Fill holes up to this area, in pixels of the low-res mask; 0: none (default: 8)."},
        {.name = "remove_speck_area",
         .kind = FLAG_INT,
         .value = &o->remove_speck_area,
         .meta = "PX",
         .min = 0,
         .max = 1 << 24,
         .help = "Remove specks up to this area (default: 0, none)."},
        {.name = "objects_max",
         .kind = FLAG_INT,
         .value = &o->max_objects,
         .meta = "N",
         .min = 1,
         .max = 1024,
         .help = "Objects to take memory for (default: as many as are prompted)."},
        {.name = "quiet",
         .kind = FLAG_SWITCH,
         .value = &o->quiet,
         .help = "No progress and no figures on the terminal."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

extern const verb verb_track;

static int track_main(int argc, char **argv)
{
    track_options o = {.prompts = {.id = 1}, .start = -1, .reverse = -1, .fill_hole_area = 8, .overlay = 1};
    flag flags[64];
    int n = model_flags(&o.model, flags), help;
    n += session_flags(&o.model, flags + n);
    flags[n++] = frame_flag(&o.model);
    flags[n++] = tracker_flag(&o.model);
    flags[n++] = history_flag(&o.model, INTERACTIVE_HISTORY);
    int first_own = n;
    n += own_flags(&o, flags + n);
    flags[first_own].group = "clip and output";
    n += prompt_flags(&o.prompts, flags + n);
    sam_error err;
    sam_status status = flags_parse(&verb_track, flags, n, argc, argv, &help, &err);
    if (status == SAM_OK && help)
        return 0;
    int usage = status != SAM_OK;
    o.prompts.optional = o.load_state != NULL;
    if (status == SAM_OK && !o.out && (o.labels || o.rle || o.mot)) {
        status = fail(&err, SAM_E_ARG, "--labels, --rle and --mot write into the folder of --out; give it");
        usage = 1;
    }
    if (status == SAM_OK && o.pipe && o.json && !strcmp(o.json, "-")) {
        status = fail(&err, SAM_E_ARG, "--pipe and --json - both write to standard output; give --json a file");
        usage = 1;
    }
    if (status == SAM_OK)
        status = prompt_choice_finish(&o.prompts, &usage, &err);
    int code = usage ? 2 : 1;
    if (status == SAM_OK) {
        interrupt_catch();
        code = run_track(&o, &o.prompts.file);
    } else {
        fprintf(stderr, "sambench track: %s\n", err.text);
    }
    prompt_choice_free(&o.prompts);
    return code;
}

const verb verb_track = {
    .name = "track",
    .summary = "track prompted objects through a clip: masks, overlay video, speed and memory",
    .examples = "  sambench track --weights sam2.1_hiera_tiny.pt --input clip.mp4 --point 210,350 --out out\n"
                "  sambench track --weights edgetam.pt --input frames/ --object 1 --box 300,60,520,340 \\\n"
                "                 --object 2 --point 600,200 --frame 5 --point 640,210,0 --json figures.json\n",
    .main = track_main,
};
