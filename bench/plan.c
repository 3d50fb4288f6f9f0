/* plan.c - the verb `plan`: the memory a session will take, by class, before anything runs; with --predict the time of a
 * frame on devices that are not here. */
#include "frames.h"
#include "predict_plan.h"

#include <stdio.h>
#include <string.h>

typedef struct plan_options {
    model_choice model;
    const char *input, *predict, *json;
    int width, height, n_objects, max_points, max_prompted_frames;
} plan_options;

static double mib(size_t bytes)
{
    return (double)bytes / 0x1p20;
}

static sam_status plan_for(const plan_options *o, sam_model *m, int n_objects, size_t mem_limit, sam_stats *out,
                           sam_error *err)
{
    sam_session_options opt = {.width_px = o->width,
                               .height_px = o->height,
                               .max_objects = n_objects,
                               .mode = sam_model_takes(m, SAM_VIDEO) ? SAM_VIDEO : SAM_IMAGE,
                               .mem_limit = mem_limit,
                               .overlap = o->model.overlap,
                               .history = session_history(&o->model),
                               .tracker = o->model.tracker};
    return sam_session_plan(m, &opt, out, err);
}

static void print_row(int n_objects, const sam_stats *s, const sam_stats *before, int more)
{
    printf("%8d %9.1f %9.1f %9.1f %9.1f %9.1f", n_objects, mib(s->weight_bytes), mib(s->table_bytes),
           mib(s->state_bytes), mib(s->scratch_bytes), mib(sam_stats_bytes(s)));
    if (before)
        printf(" %12.1f", (mib(sam_stats_bytes(s)) - mib(sam_stats_bytes(before))) / more);
    putchar('\n');
}

/* What of the state is for going back. */
static sam_status print_history(const plan_options *o, sam_model *m, sam_error *err)
{
    plan_options none = *o;
    sam_stats with, without;
    none.model.history = 0;
    TRY(plan_for(o, m, 1, 0, &with, err));
    TRY(plan_for(&none, m, 1, 0, &without, err));
    printf("of each object's state, %.1f MiB are for going back %d frames (--history 0: none)\n",
           mib(with.state_bytes - without.state_bytes), o->model.history);
    return SAM_OK;
}

static sam_status print_plan(const plan_options *o, sam_model *m, sam_error *err)
{
    sam_stats s, before;
    int previous = 0;
    TRY(plan_for(o, m, o->n_objects, 0, &s, err));
    printf("%s, %s, %d px, frames of %d x %d, backend %s (%s)%s\n", sam_model_name(m), model_precision(&o->model),
           sam_model_image_px(m), o->width, o->height, s.backend, s.device, s.overlap ? ", overlapping" : "");
    printf("MiB\n%8s %9s %9s %9s %9s %9s %12s\n", "objects", "weights", "tables", "state", "scratch", "total",
           "each more");
    /* 1, 2, 4, 8, and the asked number in its place among them. */
    for (int n = 1; n <= 8 || previous < o->n_objects;) {
        int row = o->n_objects > previous && (o->n_objects < n || n > 8) ? o->n_objects : n;
        TRY(plan_for(o, m, row, 0, &s, err));
        print_row(row, &s, previous ? &before : NULL, row - previous);
        before = s;
        previous = row;
        n = row == n ? 2 * n : n;
    }
    return o->model.history ? print_history(o, m, err) : SAM_OK;
}

static sam_status plan(const plan_options *o, sam_model **m, sam_error *err)
{
    sam_stats s;
    plan_options sized = *o;
    if (o->input) {
        frame_source *frames;
        TRY(frames_open(o->input, &(frames_options){.max_frames = 1, .prefetch = 2}, &frames, err));
        frames_size(frames, &sized.width, &sized.height);
        frames_close(frames);
    }
    if (sized.predict)
        return predict_plan(&(predict_options){.devices = sized.predict,
                                               .json = sized.json,
                                               .width = sized.width,
                                               .height = sized.height,
                                               .n_objects = sized.n_objects,
                                               .max_points = sized.max_points,
                                               .max_prompted_frames = sized.max_prompted_frames,
                                               .history = session_history(&sized.model)},
                            &sized.model, err);
    TRY(model_open("plan", &o->model, o->max_points, o->max_prompted_frames, m, err));
    TRY(print_plan(&sized, *m, err));
    if (!o->model.mem_limit)
        return SAM_OK;
    TRY(plan_for(&sized, *m, o->n_objects, o->model.mem_limit, &s, err));
    printf("%d object%s: %.1f MiB, fits the limit of %.1f MiB\n", o->n_objects, o->n_objects == 1 ? "" : "s",
           mib(sam_stats_bytes(&s)), mib(o->model.mem_limit));
    return SAM_OK;
}

static int own_flags(plan_options *o, flag *to)
{
    const flag flags[] = {
        {.name = "objects",
         .kind = FLAG_INT,
         .value = &o->n_objects,
         .meta = "N",
         .min = 1,
         .max = 1024,
         .help = "Objects tracked at once (default: 1)."},
        {.name = "width",
         .kind = FLAG_INT,
         .value = &o->width,
         .meta = "PX",
         .min = 1,
         .max = 32768,
         .help = "Width of the frames (default: 1920)."},
        {.name = "height",
         .kind = FLAG_INT,
         .value = &o->height,
         .meta = "PX",
         .min = 1,
         .max = 32768,
         .help = "Height of the frames (default: 1080)."},
        {.name = "input",
         .kind = FLAG_STRING,
         .value = &o->input,
         .meta = "PATH",
         .help = "Take the size from this video, folder or image instead."},
        {.name = "max_points",
         .kind = FLAG_INT,
         .value = &o->max_points,
         .meta = "N",
         .min = 1,
         .max = 1000,
         .help = "Clicks per object and frame (default: 16)."},
        {.name = "max_prompted_frames",
         .kind = FLAG_INT,
         .value = &o->max_prompted_frames,
         .meta = "N",
         .min = 1,
         .max = 1000,
         .help = "Frames per object whose prompts are remembered (default: 4)."},
        {.name = "predict",
         .kind = FLAG_STRING,
         .value = &o->predict,
         .meta = "GPU,GPU",
         .help = "Predict memory and the time of a tracked frame on these GPUs, none of which need be here: all, or "
                 "H200,RTX4090,OrinNano and so on."},
        {.name = "json",
         .kind = FLAG_STRING,
         .value = &o->json,
         .meta = "FILE",
         .help = "Write the prediction there; - is standard output."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

extern const verb verb_plan;

static int plan_main(int argc, char **argv)
{
    plan_options o = {.width = 1920, .height = 1080, .n_objects = 1};
    flag flags[48];
    int n = model_flags(&o.model, flags), help;
    n += session_flags(&o.model, flags + n);
    flags[n++] = tracker_flag(&o.model);
    flags[n++] = history_flag(&o.model, INTERACTIVE_HISTORY);
    int first_own = n;
    n += own_flags(&o, flags + n);
    flags[first_own].group = "what is planned";
    sam_error err;
    sam_status status = flags_parse(&verb_plan, flags, n, argc, argv, &help, &err);
    if (status == SAM_OK && help)
        return 0;
    if (status == SAM_OK && o.json && !o.predict)
        status = fail(&err, SAM_E_ARG, "--json is of --predict: name the devices, as in --predict H200,OrinNano");
    int code = status == SAM_OK ? 1 : 2;
    sam_model *m = NULL;
    if (status == SAM_OK)
        status = plan(&o, &m, &err);
    sam_model_close(m);
    if (status == SAM_OK)
        return 0;
    fflush(stdout);
    fprintf(stderr, "sambench plan: %s\n", err.text);
    return code;
}

const verb verb_plan = {
    .name = "plan",
    .summary = "say how much memory a session will take, before anything runs, and predict its speed",
    .examples =
        "  sambench plan --weights sam2.1_hiera_tiny.pt --width 1280 --height 720 --objects 4 --mem_limit 2G\n"
        "  sambench plan --weights edgetam.pt --precision bf16 --predict OrinNano,RTX4090 --json predicted.json\n",
    .main = plan_main,
};
