/* backend.h - what runs graphs: the CPU or a CUDA device.
 *
 * A backend is a struct of functions; models, sessions and the tracker know no other difference. Work of a session is
 * enqueued on its stream and happens in that order; `wait` waits for all of it. On the CPU everything has happened when
 * a call returns. Functions that return text return NULL, or what went wrong.
 *
 * Addresses handed to write, read, copy, operators and images are the backend's own memory, except those called host.
 * A fault of a device sticks: whatever is asked of it afterwards says the same. */
#ifndef BACKEND_H
#define BACKEND_H

#include "device_libraries.h"
#include "error.h"
#include "nv12.h"
#include "op.h"
#include "packed_mask.h"
#include "resample.h"

typedef struct backend backend;
typedef struct images images;

/* What a session does with pictures. */
typedef struct image_sizes {
    int width, height;                /* of the frame                                          */
    int side_px;                      /* of the network's input                                */
    int covered_across, covered_down; /* of it, from the top left; the rest is zeros  */
    int masks_by_input; /* 1: logits are enlarged to side_px and cut there before they become masks of the frame */
    int low_px;         /* side of the low-res logits                            */
    int max_masks;      /* rendered at once                                      */
    resample_kind
        to_input; /* RESAMPLE_PIL_BICUBIC as the official video predictor, or RESAMPLE_RGB_ANTIALIAS as the image one */
    int no_overlap; /* 1: a pixel belongs to the mask with the highest logit */
    int prepared;   /* 1: frames may be the network's input as half precision */
    int max_hole_area, max_speck_area;
    float hole_value, speck_value; /* what those become */
    int n_threads;                 /* of the host */
} image_sizes;

typedef struct device_memory {
    size_t free_bytes, total_bytes; /* of the device, whoever uses it; 0: it has no memory of its own      */
    size_t used_bytes;              /* since the backend was opened: as the device sees it, at least what
                                       alloc gave out. Other processes' changes count                      */
} device_memory;

typedef struct backend_api {
    const char *name; /* "cpu", "cuda" */
    int host_memory;  /* 1: the backend's memory is the host's */

    sam_status (*open)(const sam_model_options *o, backend **out, sam_error *err);
    void (*close)(backend *b);
    const char *(*device)(const backend *b); /* "avx512bf16, 2 threads" */

    /* 256-byte aligned, zeroed; NULL when memory is short. Only used while something is opened. */
    void *(*alloc)(backend *b, size_t n_bytes);
    void (*release)(backend *b, void *p);

    const char *(*memory)(const backend *b, device_memory *out);

    /* Host memory that `read` and `write` move without a detour; zeroed. */
    void *(*host_alloc)(backend *b, size_t n_bytes);
    void (*host_release)(backend *b, void *p);

    const char *(*stream_open)(backend *b, void **stream);
    void (*stream_close)(backend *b, void *stream);
    const char *(*write)(backend *b, void *stream, void *to, const void *from_host, size_t n_bytes);
    const char *(*read)(backend *b, void *stream, void *to_host, const void *from, size_t n_bytes);
    const char *(*copy)(backend *b, void *stream, void *to, const void *from, size_t n_bytes);
    const char *(*wait)(backend *b, void *stream);
    /* Work that is the same each time, with the same addresses. replay: enqueues what was recorded under `key` (0..) and
     * sets *done, or sets *done = 0; then the caller enqueues it between record and play, which also runs it, or with `keep` 0
     * forgets it. Not on the CPU, which does its work as it is enqueued. */
    const char *(*replay)(backend *b, void *stream, int key, int *done);
    const char *(*record)(backend *b, void *stream, int key);
    const char *(*play)(backend *b, void *stream, int key, int keep);

    /* Points in the work of streams. mark: `m` is now where `stream` stands. follow: what is enqueued on `stream` from now
     * on happens after `m`. settle: the host waits for `m`; adds 1 to *waits if it was not reached yet. elapsed: between
     * two points that were reached. A mark made while recording moves with each replay and is only good for elapsed. */
    const char *(*mark_open)(backend *b, void **m);
    void (*mark_close)(backend *b, void *m);
    const char *(*mark)(backend *b, void *stream, void *m);
    const char *(*follow)(backend *b, void *stream, void *m);
    const char *(*settle)(backend *b, void *m, int *waits);
    const char *(*elapsed)(backend *b, void *from, void *to, double *ms);

    /* Operators: op_cpu and op_cuda of kernels/op.h behind one face. */
    unsigned (*in_packed)(const backend *b, op_id op);
    size_t (*scratch_bytes)(const backend *b, op_id op, const op_call *c);
    /* Says NO_MEMORY, with the *n_bytes it wanted, when memory is short. */
    const char *(*pack)(backend *b, op_id op, const op_call *c, void **packed, size_t *n_bytes);
    void (*unpack)(backend *b, op_id op, void *packed);
    const char *(*bind)(backend *b, op_id op, const op_call *c, void **bound);
    void (*unbind)(backend *b, op_id op, void *bound);
    const char *(*run)(backend *b, op_id op, const op_call *c);
    /* Optional: runs what `bind` prepared, so that libraries take and keep now what they otherwise would on first use.
     * Outputs are written. */
    const char *(*warm)(backend *b, op_id op, const op_call *c);
    /* Optional: runs, waits, and says by the device's own events how long that took. */
    const char *(*run_timed)(backend *b, op_id op, const op_call *c, double *ms);

    /* Pictures. stage: a frame's pixels -> one of two places, which the caller knows is no longer read (on the CPU: until
     * preprocess returns, they are the place). preprocess: a place -> normalised input [S*S, 3] f32; what is enqueued
     * depends on the place and on the frame's format, matrix and range. round_input (with image_sizes.prepared): such an
     * input as half precision, in host memory once `wait` returns; what is in `place` is lost. render: n planes of low-res
     * logits -> masks, cleaned and at the size of the frame, with boxes and areas, in host memory once `wait` returns. screen:
     * the same of the pixels above levels->at, with the counts of those above low and high, for masks most of which are not
     * wanted: only headers come to the host. bring: the whole of mask picks[i] of the last screen to to_host[picks[i]]. Not with
     * no_overlap. */
    sam_status (*images_open)(backend *b, const image_sizes *z, images **out, sam_error *err);
    void (*images_close)(backend *b, images *im);
    size_t (*images_bytes)(const backend *b, const image_sizes *z);
    void (*stage)(images *im, int place, const sam_frame *f);
    const char *(*preprocess)(images *im, void *stream, int place, float *input);
    const char *(*round_input)(images *im, void *stream, int place, const float *input, uint16_t *host_half);
    const char *(*render)(images *im, void *stream, const float *const *logits, int n, packed_mask *const *to_host);
    const char *(*screen)(images *im, void *stream, const float *const *logits, int n, const mask_levels *levels,
                          packed_mask *const *to_host);
    const char *(*bring)(images *im, void *stream, const int *picks, int n, packed_mask *const *to_host);
} backend_api;

struct backend {
    const backend_api *api;
    device_libraries *libraries; /* NULL: none */
};

extern const char *const NO_MEMORY;
/* SAM_E_MEMORY: what was to be taken, how much, what is free and what would help; SAM_E_DEVICE if the device is lost. */
sam_status no_room(const backend *b, const char *what, size_t n_bytes, sam_error *err);

/* A frame of SAM_NV12 as kernels take it. */
static inline nv12_image frame_nv12(const sam_frame *f)
{
    const sam_nv12 *n = &f->nv12;
    return (nv12_image){n->y, n->uv, n->y_row_bytes, n->uv_row_bytes,
                        nv12_weights_of(n->matrix == SAM_BT709, n->full_range)};
}

/* n_px * 3 values in another type, enqueued on `stream`; NULL, or what went wrong. */
const char *backend_cast(backend *b, void *stream, size_t n_px, const void *from, dtype from_type, void *to,
                         dtype to_type);

double now_ms(void); /* CLOCK_MONOTONIC */

/* The backend called for by o->backend. SAM_E_DEVICE, with the reason, if this build or machine has none. */
sam_status backend_open(const sam_model_options *o, backend **out, sam_error *err);

extern const backend_api backend_cpu;
/* NULL in a build without CUDA. */
const backend_api *backend_cuda(void);

#define MAX_RECORDINGS 160 /* keys of record, per stream */

#endif
