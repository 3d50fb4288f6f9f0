/* open_model.h - the flags that say which model runs where, and opening it: the same for every verb that runs one. */
#ifndef OPEN_MODEL_H
#define OPEN_MODEL_H

#include "flags.h"
#include "frames.h"

/* What the flags say. Start with {0}. */
typedef struct model_choice {
    const char *weights, *device, *precision, *cpu_variant;
    int image_px, n_threads;
    int overlap, no_recording, check_kernels; /* of a session: session_flags */
    int history;                              /* of a session: history_flag; 0: none */
    const char *tracker;                      /* of a session: tracker_flag; NULL: sam2 */
    const char *frame_format;                 /* frame_flag; NULL: rgb    */
    int device_index;                         /* of several GPUs; no flag sets it */
    size_t mem_limit;                         /* of a session; 0: none */
    /* CUDA, as in sam_model_options */
    int disable_cublas, disable_cudnn, deterministic, tune, workspace_mb;
    const char *tuning_cache; /* NULL: in the cache folder */
    int *device_said;         /* the sam_backend that --device auto was said to be, 0: none yet; NULL: say each time */
} model_choice;

enum { N_LIBRARY_FLAGS = 6, N_MODEL_FLAGS = 7 + N_LIBRARY_FLAGS, N_SESSION_FLAGS = 3 };

/* Writes the flags at `to`, which has room for N_MODEL_FLAGS; returns how many. */
int model_flags(model_choice *c, flag *to);
/* Those of them that choose algorithms on CUDA; room for N_LIBRARY_FLAGS. */
int library_flags(model_choice *c, flag *to);

/* The file of choices that `c` means, in path; "" without a home for it. */
void model_tuning_cache(const model_choice *c, char *path, size_t n_path);

/* The same for how a session of a video works on a device: room for N_SESSION_FLAGS. */
int session_flags(model_choice *c, flag *to);
/* --history, of verbs that track; n_frames unless it is given. */
flag history_flag(model_choice *c, int n_frames);
enum { INTERACTIVE_HISTORY = 32 }; /* the library's default: for people who look and go back */
/* As sam_session_options.history has it. */
int session_history(const model_choice *c);
/* --tracker, of verbs that track: sam_session_options.tracker. */
flag tracker_flag(model_choice *c);
const char *model_tracker(const model_choice *c); /* "sam2" */
/* --frame_format, of verbs that read videos. */
flag frame_flag(model_choice *c);
/* What it asks of a frame source; with needs_rgb frames are looked at, too. */
frames_pixels model_frames(const model_choice *c, int needs_rgb);
const char *model_frame_format(const model_choice *c); /* "rgb" */
/* Says on stderr why --overlap was given and `s` does not overlap; nothing otherwise. */
void session_say_overlap(const char *verb, const model_choice *c, const sam_session *s);
/* Says on stderr, once (*said), why a device that should replay recordings of its work does without. */
void session_say_recording(const char *verb, const sam_session *s, int *said);

/* Opens what `c` says. Official files (.pt, .pth, safetensors of Hugging Face) are converted first, into the cache
 * folder, which is said on `verb`'s stderr, as are what --device auto became and the libraries that CUDA uses. max_points and max_prompted_frames: what the
 * prompts need; 0: the engine's default. */
sam_status model_open(const char *verb, const model_choice *c, int max_points, int max_prompted_frames, sam_model **out,
                      sam_error *err);

/* Whether the device that --device names can be had at all: before files of an earlier run are touched. `auto` always can. */
sam_status model_check_device(const model_choice *c, sam_error *err);

/* Sides that a model's input can have. */
enum { MIN_IMGSZ = 64, MAX_IMGSZ = 4096, IMGSZ_STEP = 32 };
/* SAM_E_ARG, naming the nearest, for one within those limits that is no multiple of the step. */
sam_status imgsz_check(int px, sam_error *err);

/* The converted form of `weights` in path, as model_open finds it. */
sam_status model_resolve(const char *verb, const char *weights, char *path, size_t n_path, sam_error *err);

/* The engine's options for `c`: what it will run on. */
sam_model_options model_options(const model_choice *c);

const char *model_precision(const model_choice *c); /* "fp32" */
/* Threads the engine will use. */
int model_threads(const model_choice *c);

#endif
