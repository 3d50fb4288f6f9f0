/* resample.h - resizing images and masks exactly as the reference programs do.
 *
 *   RESAMPLE_PIL_BICUBIC    RGB u8; Pillow's default filter: a = -0.5, support widened when shrinking, 22-bit fixed
 *   RESAMPLE_PIL_BILINEAR   RGB u8; point, rounded to u8 after each pass. Bit-identical to Pillow 13, whose first pass
 *                           goes down where the height shrinks by more than twice what the width does; else across
 *   RESAMPLE_RGB_ANTIALIAS  RGB u8 -> f32; torchvision's Resize of the float tensor in 0..1 (antialiased bilinear)
 *   RESAMPLE_ANTIALIAS      f32 plane; F.interpolate(mode="bilinear", align_corners=False, antialias=True)
 *   RESAMPLE_BILINEAR       f32 plane; F.interpolate(mode="bilinear", align_corners=False)
 *
 * An object belongs to one pair of sizes; it holds the weights and the rows between the two passes. Running allocates
 * nothing. An object serves one call at a time; two objects are independent. Which functions fit a kind is asserted. */
#ifndef RESAMPLE_H
#define RESAMPLE_H

#include "nv12.h"
#include "packed_mask.h"

typedef enum resample_kind {
    RESAMPLE_PIL_BICUBIC,
    RESAMPLE_PIL_BILINEAR,
    RESAMPLE_RGB_ANTIALIAS,
    RESAMPLE_ANTIALIAS,
    RESAMPLE_BILINEAR
} resample_kind;

typedef struct resample resample;

/* Sides in pixels, 1..65535. NULL: no memory. */
resample *resample_open(resample_kind kind, int in_w, int in_h, int out_w, int out_h);
/* RESAMPLE_BILINEAR of [side,side] planes to [mid,mid], of which the first cut_w x cut_h go to out_w x out_h by
 * RESAMPLE_BILINEAR: both in one pass whose weights are the products. For resample_plane and resample_mask. */
resample *resample_open_cut(int side, int mid, int cut_w, int cut_h, int out_w, int out_h);
size_t resample_cut_bytes(int side, int mid, int out_w, int out_h);
void resample_close(resample *r); /* NULL is a no-op */

/* What an object of these sizes takes, for plans. n_nv12_threads: for resample_take_nv12; 0: without. */
size_t resample_bytes(resample_kind kind, int in_w, int in_h, int out_w, int out_h, int n_nv12_threads);

/* Use the code of one instruction set ("baseline", "avx2", ...; open took the best one). 0: this machine lacks it. */
int resample_select(resample *r, const char *variant);

/* RESAMPLE_PIL_*: rgb [in_h,in_w,3] u8, rows row_bytes apart -> out [out_h,out_w,3] u8. */
void resample_rgb(resample *r, const uint8_t *rgb, size_t row_bytes, uint8_t *out, int n_threads);
/* RESAMPLE_PIL_*, RESAMPLE_RGB_ANTIALIAS: -> out [out_h,out_w,3] f32, (x/255 - mean)/std. */
void resample_rgb_normalised(resample *r, const uint8_t *rgb, size_t row_bytes, float *out, int n_threads);
/* The same of an NV12 frame: bit for bit what its RGB pixels (nv12.h) give. They exist one row at a time, or all at once
 * where the first pass goes down. First resample_take_nv12, with at least as many threads; 0: no memory. */
int resample_take_nv12(resample *r, int n_threads);
void resample_nv12_normalised(resample *r, const nv12_image *in, float *out, int n_threads);
/* RESAMPLE_ANTIALIAS, RESAMPLE_BILINEAR: plane [in_h,in_w] f32 -> out [out_h,out_w] f32. */
void resample_plane(resample *r, const float *plane, float *out, int n_threads);
/* The same as a mask: 1 where the result is > 0 (not where it is NaN). rows [out_h, mask_row_words(out_w)]: packed_mask.h. */
void resample_mask(resample *r, const float *plane, uint64_t *rows, int n_threads);
/* The mask of the pixels above l->at, whole with its header, which counts those above l->low and l->high, too. The same pixels as
 * of resample_plane, of which those of words far from the levels are never made. */
void resample_screen(resample *r, const float *plane, const mask_levels *l, packed_mask *m, int n_threads);

/* rgb [n_px,3] u8 -> out [n_px,3] f32: (x/255 - mean)/std with the mean (0.485, 0.456, 0.406) and standard deviation
 * (0.229, 0.224, 0.225) of SAM 2. */
void normalise_rgb(const uint8_t *rgb, size_t n_px, float *out, int n_threads);

#endif
