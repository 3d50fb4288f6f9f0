#include "images_device.h"

#include "components.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A direction of a resize: weights on the host, and described where they lie on the device. */
typedef struct axis {
    resample_axis host, device;
    void *block;
} axis;

struct images {
    backend *b;
    const image_launchers *launch;
    image_sizes size;
    axis input_across, input_down, frame_across, frame_down;
    char *staging[2];    /* [place_bytes] host: rows without gaps; NV12: luma, then chroma at chroma_at */
    sam_frame staged[2]; /* of what is there: format, matrix and range */
    char *frame;         /* [place_bytes] the device's copy              */
    void *mid;           /* between the two passes of its resize          */
    float *clean;        /* [max_masks, low, low]                         */
    void *scratch;       /* of connected components                       */
    packed_mask *masks;  /* max_masks of them, one after the other        */
};

static size_t frame_px(const image_sizes *z)
{
    return (size_t)z->width * (size_t)z->height;
}

/* Chroma is read in pairs. */
static size_t chroma_at(const image_sizes *z)
{
    return (frame_px(z) + 1) / 2 * 2;
}

static size_t chroma_row(const image_sizes *z)
{
    return 2 * (size_t)nv12_half(z->width);
}

static size_t pixel_bytes(const image_sizes *z, sam_pixel_format format)
{
    if (format == SAM_PREPARED_F16)
        return 3 * sizeof(uint16_t) * (size_t)z->side_px * (size_t)z->side_px;
    return format == SAM_NV12 ? chroma_at(z) + (size_t)nv12_half(z->height) * chroma_row(z) : 3 * frame_px(z);
}

/* Room for any frame that the session takes. */
static size_t place_bytes(const image_sizes *z)
{
    size_t n = pixel_bytes(z, SAM_RGB24), nv12 = pixel_bytes(z, SAM_NV12), prepared = pixel_bytes(z, SAM_PREPARED_F16);
    n = nv12 > n ? nv12 : n; /* of 1 x 1 pixel */
    return z->prepared && prepared > n ? prepared : n;
}

static size_t low_px(const image_sizes *z)
{
    return (size_t)z->low_px * (size_t)z->low_px;
}

static size_t mid_bytes(const image_sizes *z)
{
    int is_pillow = z->to_input != RESAMPLE_RGB_ANTIALIAS;
    if (resample_down_first(is_pillow, z->width, z->height, z->covered_across, z->covered_down))
        return (size_t)z->covered_down * (size_t)z->width * 3;
    return (size_t)z->height * (size_t)z->covered_across * 3 * (is_pillow ? 1 : sizeof(float));
}

static size_t frame_axis_bytes(const image_sizes *z, int n_out)
{
    return z->masks_by_input ? resample_axis_cut_bytes(z->low_px, z->side_px, n_out)
                             : resample_axis_bytes(RESAMPLE_BILINEAR, z->low_px, n_out);
}

/* The weights of the four directions, which the host has, too. */
static size_t axes_bytes(const image_sizes *z)
{
    return resample_axis_bytes(z->to_input, z->width, z->covered_across) +
           resample_axis_bytes(z->to_input, z->height, z->covered_down) + frame_axis_bytes(z, z->width) +
           frame_axis_bytes(z, z->height);
}

/* Of the device's memory. */
static size_t device_bytes(const image_sizes *z)
{
    return axes_bytes(z) + place_bytes(z) + mid_bytes(z) +
           (size_t)z->max_masks * (low_px(z) * sizeof(float) + packed_mask_bytes(z->width, z->height)) +
           components_cuda_bytes(z->max_masks, z->low_px, z->low_px);
}

size_t images_bytes_device(const backend *b, const image_sizes *z)
{
    (void)b;
    return sizeof(images) + axes_bytes(z) + 2 * place_bytes(z) + device_bytes(z);
}

/* a->host, whose weights exist, to the device. */
static sam_status move_axis(images *im, axis *a, size_t n_bytes, sam_error *err)
{
    const backend_api *api = im->b->api;
    void *block = malloc(n_bytes);
    a->block = api->alloc(im->b, n_bytes);
    if (!block || !a->block) {
        free(block);
        return no_room(im->b, "the weights of a resize", n_bytes, err);
    }
    image_axis_fill(&a->host, block);
    const char *wrong = api->write(im->b, NULL, a->block, block, n_bytes);
    wrong = wrong ? wrong : api->wait(im->b, NULL);
    free(block);
    a->device = image_axis_at(&a->host, a->block);
    return wrong ? fail(err, SAM_E_DEVICE, "resizing: %s", wrong) : SAM_OK;
}

static sam_status open_input_axis(images *im, axis *a, int n_in, int n_out, sam_error *err)
{
    if (!resample_axis_open(&a->host, im->size.to_input, n_in, n_out))
        return fail(err, SAM_E_MEMORY, "no memory to resize %d to %d pixels", n_in, n_out);
    return move_axis(im, a, resample_axis_bytes(im->size.to_input, n_in, n_out), err);
}

static sam_status open_frame_axis(images *im, axis *a, int covered, int n_out, sam_error *err)
{
    const image_sizes *z = &im->size;
    int ok = z->masks_by_input ? resample_axis_open_cut(&a->host, z->low_px, z->side_px, covered, n_out)
                               : resample_axis_open(&a->host, RESAMPLE_BILINEAR, z->low_px, n_out);
    if (!ok)
        return fail(err, SAM_E_MEMORY, "no memory to resize %d to %d pixels", z->low_px, n_out);
    return move_axis(im, a, frame_axis_bytes(z, n_out), err);
}

static sam_status open_all(images *im, sam_error *err)
{
    const backend_api *api = im->b->api;
    const image_sizes *z = &im->size;
    TRY(open_input_axis(im, &im->input_across, z->width, z->covered_across, err));
    TRY(open_input_axis(im, &im->input_down, z->height, z->covered_down, err));
    TRY(open_frame_axis(im, &im->frame_across, z->covered_across, z->width, err));
    TRY(open_frame_axis(im, &im->frame_down, z->covered_down, z->height, err));
    im->staging[0] = api->host_alloc(im->b, place_bytes(z));
    im->staging[1] = api->host_alloc(im->b, place_bytes(z));
    im->frame = api->alloc(im->b, place_bytes(z));
    im->mid = api->alloc(im->b, mid_bytes(z));
    im->clean = api->alloc(im->b, (size_t)z->max_masks * low_px(z) * sizeof *im->clean);
    im->scratch = api->alloc(im->b, components_cuda_bytes(z->max_masks, z->low_px, z->low_px));
    im->masks = api->alloc(im->b, (size_t)z->max_masks * packed_mask_bytes(z->width, z->height));
    if (im->staging[0] && im->staging[1] && im->frame && im->mid && im->clean && im->scratch && im->masks)
        return SAM_OK;
    char what[100];
    snprintf(what, sizeof what, "%d x %d frames and %d masks", z->width, z->height, z->max_masks);
    return no_room(im->b, what, device_bytes(z), err);
}

sam_status images_open_device(backend *b, const image_launchers *launch, const image_sizes *z, images **out,
                              sam_error *err)
{
    images *im = *out = calloc(1, sizeof *im);
    if (!im)
        return fail(err, SAM_E_MEMORY, "no memory for pictures");
    im->b = b;
    im->launch = launch;
    im->size = *z;
    sam_status status = open_all(im, err);
    if (status != SAM_OK) {
        images_close_device(b, im);
        *out = NULL;
    }
    return status;
}

void images_close_device(backend *b, images *im)
{
    if (!im)
        return;
    axis *axes[] = {&im->input_across, &im->input_down, &im->frame_across, &im->frame_down};
    for (int i = 0; i < 4; i++) {
        resample_axis_close(&axes[i]->host);
        b->api->release(b, axes[i]->block);
    }
    b->api->host_release(b, im->staging[0]);
    b->api->host_release(b, im->staging[1]);
    b->api->release(b, im->frame);
    b->api->release(b, im->mid);
    b->api->release(b, im->clean);
    b->api->release(b, im->scratch);
    b->api->release(b, im->masks);
    free(im);
}

static void copy_rows(char *to, const void *from, size_t row_bytes, size_t row, int n)
{
    for (size_t y = 0; y < (size_t)n; y++)
        memcpy(to + y * row, (const char *)from + y * row_bytes, row);
}

void stage_device(images *im, int place, const sam_frame *f)
{
    const image_sizes *z = &im->size;
    char *to = im->staging[place];
    im->staged[place] = *f;
    if (f->format == SAM_PREPARED_F16) {
        memcpy(to, f->prepared, pixel_bytes(z, f->format));
    } else if (f->format == SAM_NV12) {
        copy_rows(to, f->nv12.y, f->nv12.y_row_bytes, (size_t)z->width, z->height);
        copy_rows(to + chroma_at(z), f->nv12.uv, f->nv12.uv_row_bytes, chroma_row(z), nv12_half(z->height));
    } else {
        copy_rows(to, f->rgb, f->row_bytes, 3 * (size_t)z->width, z->height);
    }
}

/* A frame of the given format that lies at `at` as stage_device leaves it. */
static frame_pixels pixels_at(const image_sizes *z, const sam_frame *f, const char *at)
{
    const uint8_t *first = (const uint8_t *)at;
    if (f->format != SAM_NV12)
        return (frame_pixels){.rgb = first, .row_bytes = 3 * (size_t)z->width};
    nv12_image nv12 = frame_nv12(f);
    nv12.y = first;
    nv12.y_row_bytes = (size_t)z->width;
    nv12.uv = first + chroma_at(z);
    nv12.uv_row_bytes = chroma_row(z);
    return (frame_pixels){.nv12 = nv12};
}

const char *preprocess_device(images *im, void *stream, int place, float *input)
{
    const backend_api *api = im->b->api;
    const image_sizes *z = &im->size;
    const sam_frame *f = &im->staged[place];
    const char *wrong = api->write(im->b, stream, im->frame, im->staging[place], pixel_bytes(z, f->format));
    if (wrong)
        return wrong;
    if (f->format == SAM_PREPARED_F16)
        return backend_cast(im->b, stream, (size_t)z->side_px * (size_t)z->side_px, im->frame, DT_F16, input, DT_F32);
    const frame_pixels pixels = pixels_at(z, f, im->frame);
    return im->launch->preprocess(&im->input_across.device, &im->input_down.device, &pixels, im->mid, input, z->side_px,
                                  im->launch->raw_stream(stream));
}

const char *round_input_device(images *im, void *stream, int place, const float *input, uint16_t *host_half)
{
    const image_sizes *z = &im->size;
    const char *wrong =
        backend_cast(im->b, stream, (size_t)z->side_px * (size_t)z->side_px, input, DT_F32, im->frame, DT_F16);
    (void)place;
    return wrong ? wrong : im->b->api->read(im->b, stream, host_half, im->frame, pixel_bytes(z, SAM_PREPARED_F16));
}

/* Masks that are neighbours on the host, as those of a session's objects are, come in one copy. */
static const char *read_masks(images *im, void *stream, int n, packed_mask *const *to_host)
{
    size_t bytes = packed_mask_bytes(im->size.width, im->size.height);
    const char *wrong = NULL;
    for (int first = 0, end; first < n && !wrong; first = end) {
        for (end = first + 1; end < n && (char *)to_host[end] == (char *)to_host[end - 1] + bytes;)
            end++;
        wrong = im->b->api->read(im->b, stream, to_host[first], (const char *)im->masks + (size_t)first * bytes,
                                 (size_t)(end - first) * bytes);
    }
    return wrong;
}

/* Logits cleaned, enlarged and cut, into im->masks. */
static const char *cut_masks(images *im, void *raw, const float *const *logits, int n, const mask_levels *levels)
{
    const image_sizes *z = &im->size;
    const char *wrong = im->launch->clean_logits(logits, n, z->low_px, z->low_px, z->max_hole_area, z->hole_value,
                                                 z->max_speck_area, z->speck_value, im->clean, im->scratch, raw);
    return wrong ? wrong
                 : im->launch->render_masks(&im->frame_across.device, &im->frame_down.device, im->clean, n,
                                            z->no_overlap, levels, im->masks, raw);
}

const char *render_device(images *im, void *stream, const float *const *logits, int n, packed_mask *const *to_host)
{
    if (!n)
        return NULL;
    const char *wrong = cut_masks(im, im->launch->raw_stream(stream), logits, n, NULL);
    return wrong ? wrong : read_masks(im, stream, n, to_host);
}

static const char *mask_on_device(const images *im, int i)
{
    return (const char *)im->masks + (size_t)i * packed_mask_bytes(im->size.width, im->size.height);
}

const char *screen_device(images *im, void *stream, const float *const *logits, int n, const mask_levels *levels,
                          packed_mask *const *to_host)
{
    const char *wrong = n ? cut_masks(im, im->launch->raw_stream(stream), logits, n, levels) : NULL;
    for (int i = 0; i < n && !wrong; i++)
        wrong = im->b->api->read(im->b, stream, to_host[i], mask_on_device(im, i), sizeof **to_host);
    return wrong;
}

const char *bring_device(images *im, void *stream, const int *picks, int n, packed_mask *const *to_host)
{
    const char *wrong = NULL;
    for (int i = 0; i < n && !wrong; i++)
        wrong = im->b->api->read(im->b, stream, to_host[picks[i]], mask_on_device(im, picks[i]),
                                 packed_mask_bytes(im->size.width, im->size.height));
    return wrong;
}
