/* prompts.h - what is asked of the model: prompts derived from an annotation, and the --prompts JSON file.
 *
 *   {"objects": [{"id": 1, "prompts": [
 *       {"frame": 0, "points": [[480, 270]], "labels": [1]},
 *       {"frame": 0, "box": [100, 80, 300, 400]},
 *       {"frame": 5, "points": [[100, 50]], "labels": [0], "when": "tracked"},
 *       {"frame": 0, "mask": "mask.png"},
 *       {"frame": 0, "mask": {"size": [540, 960], "counts": "..."}},
 *       {"image": "other.jpg", "mask": "other.png"}]}],
 *    "masks": [{"frame": 0, "mask": "numbers.png"}],
 *    "start_frame": 0, "reverse": false, "multimask": true}
 *
 * Coordinates are pixels of the source. A mask may have another size than the frames, be a file or COCO's run-length code. "masks"
 * are pictures whose numbers are objects, each prompted by its pixels. With "image" instead of "frame" the prompt is on a picture
 * that is no frame of the clip: a memory from before its first frame. Nothing else is accepted: an unknown key is an error, and every error names the
 * place (objects[0].prompts[2].points[1]). What the file has for one object, frame and "when" is given to the model
 * together and so becomes one prompt: points add up, of boxes and logits the last counts, and a mask and points or box
 * replace each other, as in the official predictor. */
#ifndef PROMPTS_H
#define PROMPTS_H

#include "image_io.h"

#include <jansson.h>

/* ---- from a mask: [height, row_bytes] u8, nonzero is object; an empty mask is SAM_E_ARG ---- */

/* The tight box, as the official notebooks and VideoSegmentationComparison (sav_benchmark/prompts.py,
 * extract_bbox_from_mask) have it: x0, y0, x1, y1 are the least and greatest coordinates of pixels of the mask, so a
 * single pixel has x0 == x1. */
sam_status prompt_box_from_mask(const uint8_t *mask, size_t row_bytes, int width, int height, sam_box *out,
                                sam_error *err);

/* One click on the object: the mean of its pixel coordinates, cut to whole pixels as in mask_centroid of the same file.
 * If that pixel is not of the mask (a ring, two parts), where the original clicks beside the object, the nearest
 * pixel of the mask is taken; of several as near, the topmost, then the leftmost. */
sam_status prompt_point_from_mask(const uint8_t *mask, size_t row_bytes, int width, int height, sam_point *out,
                                  sam_error *err);

/* ---- from a file ---- */

typedef enum prompt_when {
    PROMPT_BEFORE, /* "before", the default: given before tracking starts, as in the official notebooks */
    PROMPT_TRACKED /* "tracked": a correction, given once tracking has reached its frame                */
} prompt_when;

typedef struct prompt {
    int frame;
    prompt_when when;
    sam_point *points; /* [n_points] */
    int n_points;
    int has_box;
    sam_box box;
    char *mask_path;   /* relative paths are those of the JSON file's folder; NULL: none. Excludes the rest */
    int mask_value;    /* of the picture's pixels those with this number; 0: all that are not 0 */
    json_t *mask_code; /* instead of a path: run lengths; NULL: none */
    char *image_path;  /* the prompt is on this picture, not on a frame (which is -1); NULL: on a frame */
    char *logits_path; /* previous low-res logits, a safetensors file; NULL: none */
} prompt;

typedef struct prompt_object {
    int32_t id;
    prompt *prompts; /* [n_prompts], ordered by frame, then `when`; one for each */
    int n_prompts;
} prompt_object;

typedef struct prompt_file {
    prompt_object *objects; /* [n_objects], in the file's order; ids are unique */
    int n_objects;
    int start_frame; /* -1: not given, that is the first frame with a prompt  */
    int reverse;     /* track backward in time */
    int multimask;   /* default 1              */
} prompt_file;

/* Start with {0}; prompts_free also after a failure. Files over 64 MiB are refused. */
sam_status prompts_read(const char *path, prompt_file *out, sam_error *err);
void prompts_free(prompt_file *p);

/* ---- what both have ---- */

int prompt_has_mask(const prompt *p);
/* The prompt's mask, 0 and 1, of whatever size. */
sam_status prompt_read_mask(const prompt *p, image *out, sam_error *err);
/* Adds an object without prompts, unless it is there. */
sam_status prompts_add_object(prompt_file *f, int32_t id, sam_error *err);
/* Adds a prompt, which it takes over, to the object `id`, which is added if need be; prompts stay in order. */
sam_status prompts_add(prompt_file *f, int32_t id, prompt *p, sam_error *err);
/* A picture of numbers: each (but 255, if there are others) is an object, prompted on `frame` by its pixels. SAM_E_FORMAT if
 * there are none. */
sam_status prompts_add_numbers(prompt_file *f, const char *path, int frame, sam_error *err);
/* 1: some prompt is on a picture that is no frame. */
int prompts_have_pictures(const prompt_file *f);

#endif
