#include "images_cpu.h"

#include "components.h"
#include "resample.h"
#include "resolve_overlap.h"

#include <stdlib.h>
#include <string.h>

struct images {
    backend *b;
    image_sizes size;
    int n_threads;
    resample *to_input, *to_frame;
    float *clean;        /* [low, low]                                */
    float *frame_planes; /* [max_masks, height, width], if no_overlap */
    const float **planes;
    void *components_scratch;
    sam_frame staged;
};

static size_t frame_planes_bytes(const image_sizes *z)
{
    return z->no_overlap ? (size_t)z->max_masks * (size_t)z->width * (size_t)z->height * sizeof(float) : 0;
}

size_t images_bytes_cpu(const backend *b, const image_sizes *z)
{
    (void)b;
    return sizeof(images) +
           resample_bytes(z->to_input, z->width, z->height, z->covered_across, z->covered_down, z->n_threads) +
           (z->masks_by_input ? resample_cut_bytes(z->low_px, z->side_px, z->width, z->height)
                              : resample_bytes(RESAMPLE_BILINEAR, z->low_px, z->low_px, z->width, z->height, 0)) +
           (size_t)z->low_px * (size_t)z->low_px * sizeof(float) + components_scratch_bytes(z->low_px, z->low_px) +
           frame_planes_bytes(z) + (size_t)z->max_masks * sizeof(float *);
}

sam_status images_open_cpu(backend *b, const image_sizes *z, images **out, sam_error *err)
{
    images *im = *out = calloc(1, sizeof *im);
    if (!im)
        return fail(err, SAM_E_MEMORY, "no memory for pictures");
    im->b = b;
    im->size = *z;
    im->n_threads = z->n_threads;
    im->to_input = resample_open(z->to_input, z->width, z->height, z->covered_across, z->covered_down);
    im->to_frame = z->masks_by_input ? resample_open_cut(z->low_px, z->side_px, z->covered_across, z->covered_down,
                                                         z->width, z->height)
                                     : resample_open(RESAMPLE_BILINEAR, z->low_px, z->low_px, z->width, z->height);
    im->clean = malloc((size_t)z->low_px * (size_t)z->low_px * sizeof *im->clean);
    im->components_scratch = malloc(components_scratch_bytes(z->low_px, z->low_px));
    im->planes = malloc((size_t)z->max_masks * sizeof *im->planes);
    im->frame_planes = z->no_overlap ? malloc(frame_planes_bytes(z)) : NULL;
    if (im->to_input && resample_take_nv12(im->to_input, z->n_threads) && im->to_frame && im->clean &&
        im->components_scratch && im->planes && (im->frame_planes || !z->no_overlap))
        return SAM_OK;
    images_close_cpu(b, im);
    *out = NULL;
    return fail(err, SAM_E_MEMORY, "no memory to resize %d x %d frames", z->width, z->height);
}

void images_close_cpu(backend *b, images *im)
{
    (void)b;
    if (!im)
        return;
    resample_close(im->to_input);
    resample_close(im->to_frame);
    free(im->clean);
    free(im->components_scratch);
    free(im->planes);
    free(im->frame_planes);
    free(im);
}

void stage_cpu(images *im, int place, const sam_frame *f)
{
    (void)place;
    im->staged = *f;
}

/* Rows that lie without gaps to where they are in the square input, zeros right of them. Below them are zeros: nothing else
 * is ever written there. */
static void spread_rows(const image_sizes *z, float *input)
{
    size_t side = 3 * (size_t)z->side_px, row = 3 * (size_t)z->covered_across;
    if (row == side)
        return;
    for (size_t y = (size_t)z->covered_down; y-- > 0;) {
        memmove(input + y * side, input + y * row, row * sizeof *input);
        memset(input + y * side + row, 0, (side - row) * sizeof *input);
    }
}

const char *preprocess_cpu(images *im, void *stream, int place, float *input)
{
    const sam_frame *f = &im->staged;
    size_t side = (size_t)im->size.side_px;
    (void)place;
    if (f->format == SAM_PREPARED_F16)
        return backend_cast(im->b, stream, side * side, f->prepared, DT_F16, input, DT_F32);
    const nv12_image nv12 = frame_nv12(f);
    if (f->format == SAM_NV12)
        resample_nv12_normalised(im->to_input, &nv12, input, im->n_threads);
    else
        resample_rgb_normalised(im->to_input, f->rgb, f->row_bytes, input, im->n_threads);
    spread_rows(&im->size, input);
    return NULL;
}

const char *round_input_cpu(images *im, void *stream, int place, const float *input, uint16_t *host_half)
{
    size_t side = (size_t)im->size.side_px;
    (void)place;
    return backend_cast(im->b, stream, side * side, input, DT_F32, host_half, DT_F16);
}

/* Hole filling and speck removal into im->clean; `logits` itself where nothing is asked for. */
static const float *cleaned(images *im, const float *logits)
{
    const image_sizes *z = &im->size;
    if (z->max_hole_area <= 0 && z->max_speck_area <= 0)
        return logits;
    memcpy(im->clean, logits, (size_t)z->low_px * (size_t)z->low_px * sizeof *im->clean);
    clean_logits(im->clean, z->low_px, z->low_px, z->max_hole_area, z->hole_value, z->max_speck_area, z->speck_value,
                 im->components_scratch);
    return im->clean;
}

const char *render_cpu(images *im, void *stream, const float *const *logits, int n, packed_mask *const *to_host)
{
    const image_sizes *z = &im->size;
    (void)stream;
    for (int i = 0; i < n; i++) {
        const float *clean = cleaned(im, logits[i]);
        if (!z->no_overlap) {
            resample_mask(im->to_frame, clean, mask_rows(to_host[i]), im->n_threads);
            continue;
        }
        float *plane = im->frame_planes + (size_t)i * (size_t)z->width * (size_t)z->height;
        resample_plane(im->to_frame, clean, plane, im->n_threads);
        im->planes[i] = plane;
    }
    if (z->no_overlap && n)
        resolve_overlap(im->planes, to_host, n, z->width, z->height, im->n_threads);
    for (int i = 0; i < n; i++)
        packed_mask_measure(to_host[i], z->width, z->height);
    return NULL;
}

const char *screen_cpu(images *im, void *stream, const float *const *logits, int n, const mask_levels *levels,
                       packed_mask *const *to_host)
{
    (void)stream;
    for (int i = 0; i < n; i++)
        resample_screen(im->to_frame, cleaned(im, logits[i]), levels, to_host[i], im->n_threads);
    return NULL;
}

/* Masks are where they belong as soon as they are screened. */
const char *bring_cpu(images *im, void *stream, const int *picks, int n, packed_mask *const *to_host)
{
    (void)im;
    (void)stream;
    (void)picks;
    (void)n;
    (void)to_host;
    return NULL;
}
