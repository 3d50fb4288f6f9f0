/* sam.h - promptable segmentation of video and images: SAM 2, SAM 2.1, EdgeTAM; of images alone: SAM v1.
 *
 *   sam_model *m; sam_session *s; sam_mask mask; sam_error err;
 *   sam_model_open("sam2.1_tiny.safetensors", NULL, &m, &err);
 *   sam_session_open(m, &(sam_session_options){.width_px = 960, .height_px = 540}, &s, &err);
 *   sam_push_frame(s, &(sam_frame){.rgb = pixels, .row_bytes = 960 * 3, .index = 0}, &err);
 *   sam_prompt(s, 1, &(sam_prompt_set){.points = &(sam_point){210, 350, 1}, .n_points = 1}, &err);
 *   sam_get_mask(s, 1, &mask, &err);                  mask of object 1 on frame 0
 *   for (int t = 1; next_frame(pixels); t++) {
 *       sam_push_frame(s, &(sam_frame){.rgb = pixels, .row_bytes = 960 * 3, .index = t}, &err);
 *       sam_track(s, SAM_FORWARD, &err);              every object, in one batch
 *       sam_get_mask(s, 1, &mask, &err);
 *   }
 *   sam_session_close(s); sam_model_close(m);
 *
 * A model holds weights and graphs; it does not change after sam_model_open and may be shared by threads. A session
 * is one video (or a series of images): its current frame, prompts, memory bank and scratch; one thread at a time.
 * All memory is taken inside the two *_open calls; of a GPU's, the driver takes more for the recording that is made of the first
 * frame with a certain number of objects. Nothing here is global.
 *
 * Every function that can fail returns sam_status and takes a last `sam_error *err`, which may be NULL. On failure
 * outputs are untouched (handles are set to NULL) and err->text says what, where and what was expected. After
 * SAM_E_DEVICE a session only accepts sam_get_stats and sam_session_close. A missing (NULL) model, session, frame or place for a
 * result is SAM_E_ARG; functions that return no status do nothing then.
 *
 * Pixels: (0,0) is the top left corner of the frame; x to the right, y down, in pixels of the frame given. */
#ifndef SAM_H
#define SAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* the shared library hides everything else */
#endif

typedef struct sam_model sam_model;
typedef struct sam_session sam_session;

typedef enum sam_status {
    SAM_OK = 0,
    SAM_E_ARG,    /* argument outside its contract                          */
    SAM_E_STATE,  /* right call, wrong moment: e.g. track before any prompt */
    SAM_E_FULL,   /* more objects, points, prompted or corrected frames than the session was opened for */
    SAM_E_IO,     /* file missing, unreadable or not writable               */
    SAM_E_FORMAT, /* readable, but not what this build understands          */
    SAM_E_MEMORY, /* allocation refused; only from *_open                   */
    SAM_E_DEVICE  /* backend not built in, no such device, a launch failed  */
} sam_status;

typedef struct sam_error {
    sam_status status;
    char text[504];
} sam_error; /* owned by the caller */

typedef enum sam_backend { SAM_CPU = 1, SAM_CUDA = 2 } sam_backend; /* no "auto": say what you mean */
typedef enum sam_dtype { SAM_F32 = 1, SAM_F16 = 2, SAM_BF16 = 3 } sam_dtype;
typedef enum sam_direction { SAM_FORWARD = 0, SAM_REVERSE = 1 } sam_direction;

/* Zero means default in every options struct. */
typedef struct sam_model_options {
    sam_backend backend;     /* default SAM_CPU                                           */
    int device;              /* CUDA ordinal                                              */
    int n_threads;           /* CPU backend; default: one per physical core               */
    sam_dtype compute;       /* default SAM_F32                                           */
    int image_px;            /* side of the encoder's input; default from the file (1024); a multiple of 32 */
    int max_points;          /* clicks per object and frame, two more for a box; default 16       */
    int max_prompted_frames; /* frames per object whose prompts are remembered; default 4     */
    int no_fusion;           /* 1: run the graphs as written, for testing the fusion rules        */
    const char *
        cpu_variant; /* instruction set: "baseline", "avx2", "avx512", "avx512bf16", "avx512amx", on Arm "neonbf16"; default
                                the best. "avx2twin" is for tests: avx512amx without its instructions, slowly       */
    /* CUDA: which algorithms operators may take. */
    int no_cublas, no_cudnn;  /* 1: not NVIDIA's libraries, though they are there               */
    int deterministic;        /* 1: the same bits each run: no choice by time, none of the file, no sums in any order */
    int tune;                 /* 1: time what there is for work that tuning_cache does not know; opening takes longer */
    size_t workspace_bytes;   /* scratch memory that an algorithm may take; default 32 MiB      */
    const char *tuning_cache; /* file of choices, read and (with tune) written; default none    */
} sam_model_options;

/* Opens a converted weights file (samconvert). The file stays mapped until sam_model_close. */
sam_status sam_model_open(const char *path, const sam_model_options *opt, sam_model **out, sam_error *err);
void sam_model_close(sam_model *m);             /* NULL is a no-op; close its sessions first     */
const char *sam_model_name(const sam_model *m); /* "sam2.1_hiera_tiny"; lives as long as m       */
int sam_model_image_px(const sam_model *m);
/* Which of the optional libraries a device backend uses, and what there is to say about the tuning cache; "" on the CPU.
 * Valid until the next call. */
const char *sam_model_libraries(sam_model *m);

typedef enum sam_mode { SAM_VIDEO = 0, SAM_IMAGE = 1 } sam_mode;
int sam_model_takes(const sam_model *m, sam_mode mode); /* 1: sessions of this mode open; SAM v1 takes images only */

typedef struct sam_session_options {
    int width_px, height_px; /* of every frame; required                                             */
    sam_mode mode;           /* images are resized and prompted as the official image predictor does */
    int max_objects;         /* default 1; image mode: prompt sets of one sam_image_predict          */
    int n_frames;            /* length of the video if known; 0: a stream. SAM 2.1 scales the age of object
                                 pointers by it below 16 frames, so scoring a short file needs it;
                                 frames from n_frames on are then refused                             */
    int fill_hole_area;      /* holes up to this area (pixels of the low-res mask) are filled; default 8 in
                                 video mode as in the official builder, none in image mode; -1: off   */
    int remove_speck_area;   /* specks up to this area are removed; default none                     */
    int no_overlap;          /* 1: a pixel belongs to the object with the highest logit only         */
    int overlap;             /* 1: sam_push_next encodes while the current frame is tracked. Takes memory for a second
                                 frame's features on a device; ignored on the CPU, for images, and where that memory
                                 is not there: sam_stats.overlap says what it is                      */
    int prepared_frames;     /* 1: for sam_prepare_frame and frames of SAM_PREPARED_F16; small frames' staging is
                                then as large as the network's input                                 */
    int history; /* tracked frames behind (or ahead of) the current one to which one can go back, in video mode, and
                                get what the official predictor gives, which keeps all; default 32. -1: none, for streams
                                in which nobody goes back. Takes a frame's memory and logits for each and object, 769 KiB
                                at 1024 px (EdgeTAM 321); sam_mask.incomplete says when it was not enough */
    const char
        *tracker; /* video mode: which memories are attended and which of several masks is the answer; default "sam2",
                            as the official predictor. "samurai": by motion (as its public code; "samurai-paper": as its
                            paper), "dam4sam": distractor-aware memory, "sam3": SAM 3's choice of memories. docs/trackers.md */
    int no_recording;  /* 1: a device's work is enqueued operator by operator each frame, not replayed */
    int check_kernels; /* 1: wait after each operator, so that an error of the device names it; slow */
    size_t mem_limit;  /* bytes; open fails if weights + state + scratch exceed it; 0: none    */
} sam_session_options;

sam_status sam_session_open(sam_model *m, const sam_session_options *opt, sam_session **out, sam_error *err);
sam_status sam_session_reset(sam_session *s, sam_error *err); /* forget objects and frames, keep the memory */
void sam_session_close(sam_session *s);                       /* NULL is a no-op */

typedef enum sam_pixel_format {
    SAM_RGB24 = 0,
    SAM_NV12 = 1,        /* as decoders and cameras have it: half the bytes. Converted to 8-bit RGB while it is resized
                            (kernels/nv12.h says how), then the same as for RGB                             */
    SAM_PREPARED_F16 = 2 /* what sam_prepare_frame made                                                     */
} sam_pixel_format;

typedef enum sam_yuv_matrix { SAM_BT601 = 1, SAM_BT709 = 2 } sam_yuv_matrix; /* no default: say which it is */

typedef struct sam_nv12 {
    const uint8_t *y;  /* [height_px, width_px] u8                                        */
    const uint8_t *uv; /* [(height_px+1)/2, (width_px+1)/2, 2] u8, U then V; any address  */
    size_t y_row_bytes, uv_row_bytes;
    sam_yuv_matrix matrix;
    int full_range; /* 0: luma 16..235, chroma 16..240, as most video; 1: 0..255 */
} sam_nv12;

typedef struct sam_frame { /* pixels are borrowed for the call; only those of `format` are read */
    const uint8_t *rgb;    /* SAM_RGB24: [height_px, width_px, 3] u8        */
    size_t row_bytes;      /* of rgb, >= 3 * width_px                       */
    int64_t index;         /* frame number; gaps keep their distance in time */
    sam_pixel_format format;
    sam_nv12 nv12;
    const uint16_t *prepared; /* SAM_PREPARED_F16: [image_px, image_px, 3] IEEE half */
} sam_frame;

/* Encodes a frame and makes it the current one. Prompts and tracking work on the current frame. */
sam_status sam_push_frame(sam_session *s, const sam_frame *f, sam_error *err);

/* Hands over the frame that sam_push_frame will get next, before the current one is tracked, so that a session that
 * overlaps can encode it meanwhile. The current frame stays what it is. sam_push_frame must still be called with it: if
 * its index is this one's, its pixels are not read again. Does nothing in a session that does not overlap. */
sam_status sam_push_next(sam_session *s, const sam_frame *f, sam_error *err);

/* The network's input for `f`, resized and normalised, as IEEE half precision into prepared [image_px, image_px, 3]: to be
 * kept and pushed later, to any session of this image size and mode. Values are rounded once, so results differ by that
 * much. Waits; the session has no current frame afterwards. */
sam_status sam_prepare_frame(sam_session *s, const sam_frame *f, uint16_t *prepared, sam_error *err);

typedef struct sam_point {
    float x_px, y_px;
    int32_t label; /* 1 object, 0 background */
} sam_point;
typedef struct sam_box {
    float x0_px, y0_px, x1_px, y1_px;
} sam_box;

/* What is asked of one object on one frame. In video mode a mask excludes points and box. */
typedef struct sam_prompt_set {
    const sam_point *points;
    int n_points;
    const sam_box *box;  /* replaces earlier prompts of this object on this frame; may lie partly outside */
    const uint8_t *mask; /* [mask_height_px, mask_width_px] u8, nonzero is object */
    size_t mask_row_bytes;
    int mask_width_px, mask_height_px; /* 0: as the frame. Another size is resized as the official predictor does, which
                                          takes memory for the time of the call */
    const float *logits;               /* as sam_mask.logits of an earlier prediction, which it refines; image mode */
    int single_mask;                   /* 1: one mask even for an ambiguous prompt (multimask off)  */
    int replace;                       /* 1: forget earlier prompts of this object on this frame    */
} sam_prompt_set;

/* Predicts `object` on the current frame from its prompts: those given now and, unless `replace`, those given before
 * on this frame. A new object id is added. On a frame the object has not been tracked through, the result is a
 * prompted ("conditioning") frame; on one that has, it is a correction, which looks at memory the way the frame was tracked.
 * The mask can be read at once; for other frames the result counts from the next sam_track on. As in the official
 * predictor, a correction of a prompted frame that has been tracked is only shown: tracking goes on from the prompted
 * result. And a corrected frame that is tracked again is computed anew: track on from the frame after it. */
sam_status sam_prompt(sam_session *s, int32_t object, const sam_prompt_set *p, sam_error *err);

/* The same on a picture that is no frame of the video: a memory that conditions the object from then on, as if the picture came
 * before frame 0. `image` has a frame's size, its index does not count; SAM_PREPARED_F16 can hold a picture of any size. Several
 * for one object count as prompted frames each. Video mode; before the object is tracked or later. The mask can be read at once;
 * the session has no current frame once the next call has been made. */
sam_status sam_prompt_prior(sam_session *s, int32_t object, const sam_frame *image, const sam_prompt_set *p,
                            sam_error *err);

/* Predicts every object on the current frame from memory. Objects prompted on this frame keep that result. */
sam_status sam_track(sam_session *s, sam_direction direction, sam_error *err);

sam_status sam_remove_object(sam_session *s, int32_t object, sam_error *err);

/* How many objects there are; the numbers of the first `n` of them go to ids, in no order. */
int sam_session_objects(const sam_session *s, int32_t *ids, int n);

/* Borrowed until this session is given a frame or a prompt, tracks or is reset. Pixel x of a row is bit x % 64 of the row's
 * word x / 64 (in memory bit x % 8 of byte x / 8), 1 is object; bits beyond the width are 0. sam_mask_bytes unpacks. */
typedef struct sam_mask {
    const uint64_t *words; /* [height_px, row_words]                                                  */
    size_t row_words;      /* (width_px + 63) / 64                                                    */
    int width_px, height_px;
    int32_t area_px; /* pixels of the object; 0: the mask is empty                                    */
    sam_box box;     /* first and last column and row of the object, inclusive; it can be a prompt. Of an empty mask:
                        width, height, -1, -1, which cannot */
    const float *logits; /* [logits_px, logits_px] f32 as the decoder chose them: no hole filling, no resize */
    int logits_px;
    const float *pointer; /* [n_pointer] f32 object pointer (video mode)                              */
    int n_pointer;        /* 256 in the published models                                              */
    float iou;            /* predicted quality                                                        */
    float presence;       /* object score logit; > 0: the object is visible in this frame; 0 of a model
                             that has none (SAM v1) */
    int prompted;         /* 1: a prompted ("conditioning") frame of this object; corrections are not */
    int incomplete; /* 1: not what the official predictor gives. This mask, or one that it follows from, was predicted
                             without memories that the session no longer has: see sam_session_options.history */
} sam_mask;
sam_status sam_get_mask(sam_session *s, int32_t object, sam_mask *out, sam_error *err);

/* As bytes: `to` [height_px, row_bytes] u8 becomes 0 or 1 in the first width_px of each row. */
void sam_mask_bytes(const sam_mask *m, uint8_t *to, size_t row_bytes);

/* Image mode: the decoder's masks for n prompt sets on the current frame, 1 to max_objects of them, decoded in one batch. Any
 * mix of points, box and a mask or previous logits, which the decoder refines. Set i has n_masks[i] masks from masks[3 * i] on:
 * 1, or 3 unless p[i].single_mask. Unlike in video mode, where an ambiguous prompt is resolved by the model, all are returned:
 * best predicted quality is up to the caller. `masks` has room for 3 * n, `n_masks` for n. */
sam_status sam_image_predict(sam_session *s, const sam_prompt_set *p, int n, sam_mask *masks, int *n_masks,
                             sam_error *err);

/* What a video's session knows of its objects (memories, pointers, logits, prompts, what the tracker goes by) to a file, and back
 * into a session, of this process or another, that was opened for the same weights with the same options. Tracking then goes on
 * bit for bit as if it had not been interrupted. The current frame is not part of it: push one. Load refuses (SAM_E_FORMAT) a
 * file that is damaged or of another version, (SAM_E_ARG) one of other weights or options; the session then knows no objects.
 * Both take memory for the time of the call. Files are for machines of one byte order. */
sam_status sam_state_save(sam_session *s, const char *path, sam_error *err);
sam_status sam_state_load(sam_session *s, const char *path, sam_error *err);

/* What a session has to be opened with for a saved state: sets in *m image_px, compute, max_points and max_prompted_frames, in *s
 * width_px, height_px, max_objects, history, fill_hole_area, remove_speck_area and tracker, and leaves the rest. */
sam_status sam_state_options(const char *path, sam_model_options *m, sam_session_options *s, sam_error *err);

/* What a frame consists of, in this order. */
typedef enum sam_stage {
    SAM_ENCODE, /* resize and image encoder */
    SAM_MEMORY_ATTENTION,
    SAM_MASK_DECODER, /* and the prompt encoder */
    SAM_MEMORY_ENCODER,
    SAM_POST, /* hole filling, masks of the frame's size */
    SAM_N_STAGES
} sam_stage;
const char *sam_stage_name(sam_stage stage); /* "encode", "memory_attention", ...; "" for what is none */

typedef struct sam_stats {
    double stage_ms[SAM_N_STAGES]; /* of the last frame, by sam_stage */
    /* On the backend. weight: what is packed or converted; what is read in the mapped file is not counted. table: computed from
     * weights and sizes when the model is opened, such as positions. */
    size_t weight_bytes, table_bytes, state_bytes, scratch_bytes;
    size_t device_bytes; /* of the device's memory, at most so far, as the device counts since the model was opened (so
                            with what other processes took meanwhile); 0 on the CPU and from sam_session_plan */
    int overlap;         /* 1: the session overlaps */
    const char
        *recording_failed; /* why a device's work is not recorded and replayed; NULL: it is, or was not to be. Lives as
                                     long as the session */
    int waits;             /* for the device since the frame was pushed; 0 on the CPU */
    double wait_ms;        /* how long these took; the rest of a frame's time is the host's own work */
    const char *backend, *device; /* "cpu", "avx512bf16"; lives as long as the session       */
} sam_stats;
sam_status sam_get_stats(const sam_session *s, sam_stats *out, sam_error *err);
size_t sam_stats_bytes(
    const sam_stats *s); /* weights, tables, state and scratch: what mem_limit is held to; 0 for NULL */

/* What a session would take, without taking it. Same rules and errors as sam_session_open. */
sam_status sam_session_plan(sam_model *m, const sam_session_options *opt, sam_stats *out, sam_error *err);

/* Automatic masks: everything in an image. A grid of points, each a prompt of its own, on the image and on crops of it; of all
 * their masks those stay that are good, stable and unlike better ones. The masks are those of SamAutomaticMaskGenerator
 * (segment_anything, automatic_mask_generator.py) for SAM v1 and of SAM2AutomaticMaskGenerator (sam2) for the other families, with
 * the same options by the same names.
 *
 *   sam_amg *g;
 *   sam_amg_open(model, &(sam_amg_options){.width_px = w, .height_px = h}, &g, &err);
 *   sam_amg_generate(g, &(sam_frame){.rgb = pixels, .row_bytes = 3 * w}, &found, &err);
 *   for (int i = 0; i < found.n_masks; i++) ... found.masks[i].area_px ... */
typedef struct sam_amg sam_amg;

/* 0 is the default. Where 0 itself is meant (every mask passes, no overlap), give -1. */
typedef struct sam_amg_options {
    int width_px, height_px;       /* of every image; required                                                    */
    int points_per_side;           /* of the grid; default 32                                                     */
    int points_per_batch;          /* decoded at once; default 64, fewer where memory is short. The masks do not
                                      depend on it                                                                */
    double pred_iou_thresh;        /* predicted quality must be above it; default 0.8, SAM v1 0.88; -1: all pass  */
    double stability_score_thresh; /* stability must reach it; default 0.95; -1: all pass                         */
    double stability_score_offset; /* logits: stability is the area above mask_threshold + offset over that above
                                      mask_threshold - offset, in the image; default 1                            */
    double mask_threshold;         /* logit: pixels above it are the mask; default 0. Not SAM v1                  */
    double box_nms_thresh;         /* of masks of a crop whose boxes overlap by more (intersection over union) the one
                                      of the highest predicted quality stays; default 0.7                         */
    int crop_n_layers;             /* layer i, from 1 on, has 2^i x 2^i crops; default 0: the image alone         */
    double crop_nms_thresh;        /* the same between crops, where that of the smaller crop stays; default 0.7   */
    double crop_overlap_ratio;     /* of the image's short side, by which the crops of layer 1 overlap; deeper ones
                                      by less; default 512 / 1500                                                 */
    int crop_n_points_downscale_factor; /* grids of layer i have points_per_side / factor^i points; default 1     */
    int min_mask_region_area; /* default 0. SAM v1: holes and islands of fewer pixels of the image are filled and
                                           removed at the end. Others: those of up to so many pixels of the low-res
                                           logits (a quarter of image_px a side), before anything is measured     */
    int use_m2m;              /* 1: each mask is refined once, as a prompt to itself. Not SAM v1        */
    int single_mask;          /* 1: one mask for each point, not three (multimask_output off). Not SAM v1 */
    size_t mem_limit;         /* bytes; as in sam_session_options                                       */
    /* Called after each batch with points done and points in all; anything but 0 ends the call with SAM_E_STATE. */
    int (*progress)(void *user, int n_done, int n_points);
    void *user; /* of progress */
} sam_amg_options;

typedef struct sam_rect {
    int32_t x_px, y_px, width_px, height_px;
} sam_rect;

/* Of the whole image, whatever crop it was found in. */
typedef struct sam_amg_mask {
    const uint32_t *runs; /* pixels down the columns, column after column: so many 0, then 1, then 0, ...; COCO's
                             "counts". sam_runs_bytes makes pixels of them                                        */
    size_t n_runs;
    int32_t area_px;
    sam_rect bbox; /* from the first to the last column and row; as the official code has it, width is last - first */
    sam_rect crop_box;
    float predicted_iou;
    float stability_score; /* NaN of a mask that is empty at both levels, if such masks are wanted */
    float x_px, y_px;      /* the point that asked for it                                          */
} sam_amg_mask;

/* Best predicted quality first; with crops: smaller crops first. */
typedef struct sam_amg_result {
    const sam_amg_mask *masks; /* [n_masks]; borrowed until the generator is used again or closed */
    int n_masks;
    int width_px, height_px;
} sam_amg_result;

/* Takes the memory of a session for images with points_per_batch objects, which it has. Found masks take memory as they are found,
 * some KB each. */
sam_status sam_amg_open(sam_model *m, const sam_amg_options *opt, sam_amg **out, sam_error *err);
void sam_amg_close(sam_amg *g); /* NULL is a no-op */
/* All masks of an image of the generator's size; RGB24 only. */
sam_status sam_amg_generate(sam_amg *g, const sam_frame *image, sam_amg_result *out, sam_error *err);
int sam_amg_points(const sam_amg *g); /* in all crops; 0 of NULL */
/* How the generator's memory is used, and the times of its last crop. */
sam_status sam_amg_stats(const sam_amg *g, sam_stats *out, sam_error *err);
/* to [height_px, row_bytes] u8 becomes 0 or 1 in the first width_px of each row. */
void sam_runs_bytes(const uint32_t *runs, size_t n_runs, int width_px, int height_px, uint8_t *to, size_t row_bytes);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
