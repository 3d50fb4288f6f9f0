#include "open_model.h"

#include "backend.h"
#include "convert.h"
#include "folders.h"
#include "listing.h"
#include "physical_cores.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int library_flags(model_choice *c, flag *to)
{
    const flag flags[N_LIBRARY_FLAGS] = {
        {.name = "tune",
         .group = "CUDA libraries",
         .kind = FLAG_SWITCH,
         .value = &c->tune,
         .help = "CUDA: time algorithms for work that the tuning cache does not know, and keep the fastest (default: "
                 "off, the libraries' first guess)."},
        {.name = "tuning_cache",
         .kind = FLAG_STRING,
         .value = &c->tuning_cache,
         .meta = "FILE",
         .help = "CUDA: where choices are kept (default: $XDG_CACHE_HOME/sambench/tuning.json)."},
        {.name = "workspace_mb",
         .kind = FLAG_INT,
         .value = &c->workspace_mb,
         .meta = "MB",
         .min = 1,
         .max = 1 << 20,
         .help = "Scratch memory that a library's algorithm may take (default 32; edge: 256)."},
        {.name = "deterministic",
         .kind = FLAG_SWITCH,
         .value = &c->deterministic,
         .help = "CUDA: the same bits each run: no choice by time, no sums in any order (default: off)."},
        {.name = "disable_cublas",
         .kind = FLAG_SWITCH,
         .value = &c->disable_cublas,
         .help = "CUDA: products by our own kernels only (default: large ones by cuBLASLt where it is installed)."},
        {.name = "disable_cudnn",
         .kind = FLAG_SWITCH,
         .value = &c->disable_cudnn,
         .help = "CUDA: convolutions by our own kernels only (default: cuDNN where tuning found it faster)."},
    };
    memcpy(to, flags, sizeof flags);
    return N_LIBRARY_FLAGS;
}

int model_flags(model_choice *c, flag *to)
{
    const flag flags[N_MODEL_FLAGS - N_LIBRARY_FLAGS] = {
        {.name = "weights",
         .kind = FLAG_STRING,
         .value = &c->weights,
         .meta = "FILE",
         .required = 1,
         .help = "Converted weights (samconvert), or an official .pt, .pth or .safetensors file."},
        {.name = "device",
         .group = "model and device",
         .kind = FLAG_CHOICE,
         .value = &c->device,
         .meta = "NAME",
         .choices = "cpu|cuda|auto",
         .help = "Where to run (default: auto, the GPU if this build and machine have one, which is said)."},
        {.name = "precision",
         .kind = FLAG_CHOICE,
         .value = &c->precision,
         .meta = "NAME",
         .choices = "fp32|fp16|bf16",
         .help = "Type of weights and activations (default: fp32)."},
        {.name = "imgsz",
         .kind = FLAG_INT,
         .value = &c->image_px,
         .meta = "PX",
         .min = MIN_IMGSZ,
         .max = MAX_IMGSZ,
         .help =
             "Side of the network's input, a multiple of 32 (default: what the model was trained for: 1024, demo 256)."},
        {.name = "threads",
         .kind = FLAG_INT,
         .value = &c->n_threads,
         .meta = "N",
         .min = 1,
         .max = 1024,
         .help = "Threads of the CPU backend (default: one per physical core)."},
        {.name = "mem_limit",
         .kind = FLAG_BYTES,
         .value = &c->mem_limit,
         .meta = "BYTES",
         .help = "Refuse to start if more memory than this is needed, as in 600M (default: none)."},
        {.name = "cpu_variant",
         .kind = FLAG_CHOICE,
         .value = &c->cpu_variant,
         .meta = "NAME",
         .choices = "baseline|avx2|avx512|avx512bf16|avx512amx|avx2twin|neonbf16",
         .help = "Instruction set of the CPU backend (default: the best this machine has; `sambench doctor`)."},
    };
    memcpy(to, flags, sizeof flags);
    return N_MODEL_FLAGS - N_LIBRARY_FLAGS + library_flags(c, to + N_MODEL_FLAGS - N_LIBRARY_FLAGS);
}

int session_flags(model_choice *c, flag *to)
{
    const flag flags[N_SESSION_FLAGS] = {
        {.name = "overlap",
         .group = "session",
         .kind = FLAG_SWITCH,
         .value = &c->overlap,
         .help =
             "On a GPU, encode the next frame while one is tracked, for a second set of features' memory (default: off)."},
        {.name = "no_recording",
         .kind = FLAG_SWITCH,
         .value = &c->no_recording,
         .help = "On a GPU, enqueue every operator anew each frame instead of replaying a recording (default: off)."},
        {.name = "check_kernels",
         .kind = FLAG_SWITCH,
         .value = &c->check_kernels,
         .help = "Wait after every operator, so that an error of the GPU names it; slow (default: off)."},
    };
    memcpy(to, flags, sizeof flags);
    return N_SESSION_FLAGS;
}

flag history_flag(model_choice *c, int n_frames)
{
    c->history = n_frames;
    return (flag){.name = "history",
                  .kind = FLAG_INT,
                  .value = &c->history,
                  .meta = "N",
                  .min = 0,
                  .max = 100000,
                  .help = n_frames
                              ? "Keep the memories of N tracked frames to go back to, for a correction there; 0: none, "
                                "for endless streams (default: 32)."
                              : "Keep the memories of N tracked frames to go back to, which this verb never does: for "
                                "the memory that an interactive session takes (default: 0, none)."};
}

flag tracker_flag(model_choice *c)
{
    return (flag){.name = "tracker",
                  .kind = FLAG_CHOICE,
                  .value = &c->tracker,
                  .meta = "NAME",
                  .choices = "sam2|samurai|samurai-paper|dam4sam|sam3",
                  .help = "What tracking remembers and which mask it takes: as the official predictor, by motion, with "
                          "distractors in mind, or SAM 3's choice of memories (default: sam2)."};
}

const char *model_tracker(const model_choice *c)
{
    return c->tracker ? c->tracker : "sam2";
}

int session_history(const model_choice *c)
{
    return c->history ? c->history : -1;
}

flag frame_flag(model_choice *c)
{
    return (flag){.name = "frame_format",
                  .kind = FLAG_CHOICE,
                  .value = &c->frame_format,
                  .meta = "NAME",
                  .choices = "rgb|nv12",
                  .help = "What the model gets of a video: RGB as swscale converts it, or, where the video is 8-bit "
                          "4:2:0, NV12 as decoded, half the bytes (default: rgb, as the official code)."};
}

const char *model_frame_format(const model_choice *c)
{
    return c->frame_format ? c->frame_format : "rgb";
}

frames_pixels model_frames(const model_choice *c, int needs_rgb)
{
    if (strcmp(model_frame_format(c), "nv12"))
        return FRAMES_RGB;
    return needs_rgb ? FRAMES_NV12_AND_RGB : FRAMES_NV12;
}

void session_say_overlap(const char *verb, const model_choice *c, const sam_session *s)
{
    sam_stats t;
    if (!c->overlap || sam_get_stats(s, &t, NULL) != SAM_OK || t.overlap)
        return;
    fprintf(stderr, "sambench %s: --overlap: %s; frames are encoded one after the other\n", verb,
            strcmp(t.backend, "cpu") ? "there is no memory for a second set of features"
                                     : "it has no effect on the CPU");
}

void session_say_recording(const char *verb, const sam_session *s, int *said)
{
    sam_stats t;
    if (*said || sam_get_stats(s, &t, NULL) != SAM_OK || !t.recording_failed)
        return;
    *said = 1;
    fprintf(stderr,
            "sambench %s: frames cannot be recorded (%s); each operator is enqueued anew, as with --no_recording\n",
            verb, t.recording_failed);
}

const char *model_precision(const model_choice *c)
{
    return c->precision ? c->precision : "fp32";
}

int model_threads(const model_choice *c)
{
    return c->n_threads ? c->n_threads : physical_cores("/sys");
}

sam_status model_resolve(const char *verb, const char *weights, char *path, size_t n_path, sam_error *err)
{
    char cache[1024];
    FILE *f = path_is_folder(weights) ? NULL : fopen(weights, "rb");
    if (!f)
        return fail(err, SAM_E_IO, "--weights %s: %s", weights,
                    path_is_folder(weights) ? "is a folder, expected a file" : strerror(errno));
    fclose(f);
    /* Without a home there is no cache, which only a file that has to be converted misses. */
    sam_error no_cache = {0};
    if (convert_cache_dir(getenv("XDG_CACHE_HOME"), getenv("HOME"), cache, sizeof cache, &no_cache) != SAM_OK)
        cache[0] = 0;
    sam_status status = convert_cached(weights, cache, NULL, path, n_path, err);
    if (status == SAM_E_ARG && !cache[0])
        return fail(err, no_cache.status, "--weights %s: %s", weights, no_cache.text);
    TRY(status);
    if (strcmp(path, weights))
        fprintf(stderr, "sambench %s: %s is used in its converted form, %s\n", verb, weights, path);
    return SAM_OK;
}

sam_model_options model_options(const model_choice *c)
{
    const char *precision = model_precision(c);
    return (sam_model_options){.backend = c->device && !strcmp(c->device, "cuda") ? SAM_CUDA : SAM_CPU,
                               .device = c->device_index,
                               .n_threads = model_threads(c),
                               .compute = !strcmp(precision, "fp16")   ? SAM_F16
                                          : !strcmp(precision, "bf16") ? SAM_BF16
                                                                       : SAM_F32,
                               .image_px = c->image_px,
                               .cpu_variant = c->cpu_variant,
                               .no_cublas = c->disable_cublas,
                               .no_cudnn = c->disable_cudnn,
                               .deterministic = c->deterministic,
                               .tune = c->tune,
                               .workspace_bytes = (size_t)c->workspace_mb << 20};
}

void model_tuning_cache(const model_choice *c, char *path, size_t n_path)
{
    char folder[1024];
    if (c->tuning_cache)
        snprintf(path, n_path, "%s", c->tuning_cache);
    else if (convert_cache_dir(getenv("XDG_CACHE_HOME"), getenv("HOME"), folder, sizeof folder, NULL) == SAM_OK)
        snprintf(path, n_path, "%s/tuning.json", folder);
    else
        path[0] = 0;
}

/* sam_model_open, which says what libraries it found. */
static sam_status open_and_say(const char *verb, const char *path, const sam_model_options *opt, sam_model **out,
                               sam_error *err)
{
    TRY(sam_model_open(path, opt, out, err));
    const char *libraries = sam_model_libraries(*out);
    if (*libraries)
        fprintf(stderr, "sambench %s: %s\n", verb, libraries);
    return SAM_OK;
}

/* Once, and again when it changes: a GPU may be lost between two models. */
static void say_device(const char *verb, const model_choice *c, sam_backend on, const char *why)
{
    if (!c->device_said || *c->device_said != (int)on)
        fprintf(stderr, "sambench %s: --device auto is %s%s\n", verb, on == SAM_CPU ? "the CPU: " : "the GPU", why);
    if (c->device_said)
        *c->device_said = (int)on;
}

sam_status imgsz_check(int px, sam_error *err)
{
    int below = px / IMGSZ_STEP * IMGSZ_STEP;
    return px == below ? SAM_OK
                       : fail(err, SAM_E_ARG, "--imgsz %d: not a multiple of %d; the nearest are %d and %d", px,
                              IMGSZ_STEP, below, below + IMGSZ_STEP);
}

sam_status model_check_device(const model_choice *c, sam_error *err)
{
    const sam_model_options opt = model_options(c);
    backend *b = NULL;
    if (opt.backend == SAM_CPU)
        return SAM_OK;
    TRY(backend_open(&opt, &b, err));
    b->api->close(b);
    return SAM_OK;
}

sam_status model_open(const char *verb, const model_choice *c, int max_points, int max_prompted_frames, sam_model **out,
                      sam_error *err)
{
    char path[4096], cache[4096];
    int is_auto = !c->device || !strcmp(c->device, "auto");
    sam_model_options opt = model_options(c);
    opt.max_points = max_points;
    opt.max_prompted_frames = max_prompted_frames;
    *out = NULL;
    if (c->tune && c->deterministic)
        return fail(err, SAM_E_ARG, "--tune and --deterministic contradict: what is faster differs from run to run");
    model_tuning_cache(c, cache, sizeof cache);
    opt.tuning_cache = *cache ? cache : NULL;
    TRY(model_resolve(verb, c->weights, path, sizeof path, err));
    if (c->tune && *cache)
        TRY(folders_make_for(cache, err));
    if (!is_auto || c->cpu_variant)
        return open_and_say(verb, path, &opt, out, err);
    /* No other failure than of the device makes it the CPU, and never without a word. */
    opt.backend = SAM_CUDA;
    sam_error no_cuda = {0};
    sam_status status = open_and_say(verb, path, &opt, out, &no_cuda);
    if (status == SAM_OK) {
        say_device(verb, c, SAM_CUDA, "");
        return SAM_OK;
    }
    if (status != SAM_E_DEVICE)
        return fail(err, status, "%s", no_cuda.text);
    opt.backend = SAM_CPU;
    TRY(sam_model_open(path, &opt, out, err));
    say_device(verb, c, SAM_CPU, no_cuda.text);
    return SAM_OK;
}
