#include "images_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLE_VALUE  0.1f /* sam2 utils/misc.py, fill_holes_in_mask_scores */
#define SPECK_VALUE (-0.1f)

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
    uint8_t *staging[2]; /* [height, width, 3] host                  */
    void *rgb;           /* the frame; NULL: staging is read in place */
    void *mid;           /* between the two passes of its resize      */
    float *clean;        /* [max_masks, low, low]                     */
    void *scratch;       /* of connected components                   */
    packed_mask *masks;  /* max_masks of them, one after the other    */
};

static size_t frame_px(const image_sizes *z)
{
    return (size_t)z->width * (size_t)z->height;
}

static size_t low_px(const image_sizes *z)
{
    return (size_t)z->low_px * (size_t)z->low_px;
}

static size_t mid_bytes(const image_sizes *z)
{
    return (size_t)z->height * (size_t)z->side_px * 3 * (z->antialias ? sizeof(float) : 1);
}

size_t images_bytes_device(const backend *b, const image_sizes *z)
{
    return (b->integrated ? 0 : frame_px(z) * 3) + mid_bytes(z) +
           (size_t)z->max_masks * (low_px(z) * sizeof(float) + packed_mask_bytes(z->width, z->height)) +
           components_cuda_bytes(z->max_masks, z->low_px, z->low_px);
}

static sam_status open_axis(images *im, axis *a, resample_kind kind, int n_in, int n_out, sam_error *err)
{
    const backend_api *api = im->b->api;
    if (!resample_axis_open(&a->host, kind, n_in, n_out))
        return fail(err, SAM_E_MEMORY, "no memory to resize %d to %d pixels", n_in, n_out);
    size_t n_bytes = image_axis_bytes(&a->host);
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

static sam_status open_all(images *im, sam_error *err)
{
    const backend_api *api = im->b->api;
    const image_sizes *z = &im->size;
    resample_kind to_input = z->antialias ? RESAMPLE_RGB_ANTIALIAS : RESAMPLE_PIL_BICUBIC;
    TRY(open_axis(im, &im->input_across, to_input, z->width, z->side_px, err));
    TRY(open_axis(im, &im->input_down, to_input, z->height, z->side_px, err));
    TRY(open_axis(im, &im->frame_across, RESAMPLE_BILINEAR, z->low_px, z->width, err));
    TRY(open_axis(im, &im->frame_down, RESAMPLE_BILINEAR, z->low_px, z->height, err));
    im->staging[0] = api->host_alloc(im->b, frame_px(z) * 3);
    im->staging[1] = api->host_alloc(im->b, frame_px(z) * 3);
    if (!im->b->integrated)
        im->rgb = api->alloc(im->b, frame_px(z) * 3);
    im->mid = api->alloc(im->b, mid_bytes(z));
    im->clean = api->alloc(im->b, (size_t)z->max_masks * low_px(z) * sizeof *im->clean);
    im->scratch = api->alloc(im->b, components_cuda_bytes(z->max_masks, z->low_px, z->low_px));
    im->masks = api->alloc(im->b, (size_t)z->max_masks * packed_mask_bytes(z->width, z->height));
    if (im->staging[0] && im->staging[1] && (im->rgb || im->b->integrated) && im->mid && im->clean && im->scratch &&
        im->masks)
        return SAM_OK;
    char what[100];
    snprintf(what, sizeof what, "%d x %d frames and %d masks", z->width, z->height, z->max_masks);
    return no_room(im->b, what, images_bytes_device(im->b, z), err);
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
    b->api->release(b, im->rgb);
    b->api->release(b, im->mid);
    b->api->release(b, im->clean);
    b->api->release(b, im->scratch);
    b->api->release(b, im->masks);
    free(im);
}

void stage_device(images *im, int place, const uint8_t *host_rgb, size_t row_bytes)
{
    size_t row = 3 * (size_t)im->size.width;
    for (size_t y = 0; y < (size_t)im->size.height; y++)
        memcpy(im->staging[place] + y * row, host_rgb + y * row_bytes, row);
}

const char *preprocess_device(images *im, void *stream, int place, float *input)
{
    const backend_api *api = im->b->api;
    void *rgb = im->rgb ? im->rgb : api->in_place(im->b, im->staging[place]);
    const char *wrong = im->rgb ? api->write(im->b, stream, rgb, im->staging[place], frame_px(&im->size) * 3) : NULL;
    return wrong ? wrong
                 : im->launch->preprocess(&im->input_across.device, &im->input_down.device, rgb,
                                          3 * (size_t)im->size.width, im->mid, input, im->launch->raw_stream(stream));
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

const char *render_device(images *im, void *stream, const float *const *logits, int n, packed_mask *const *to_host)
{
    const image_sizes *z = &im->size;
    void *raw = im->launch->raw_stream(stream);
    if (!n)
        return NULL;
    const char *wrong = im->launch->clean_logits(logits, n, z->low_px, z->low_px, z->max_hole_area, HOLE_VALUE,
                                                 z->max_speck_area, SPECK_VALUE, im->clean, im->scratch, raw);
    if (!wrong)
        wrong = im->launch->render_masks(&im->frame_across.device, &im->frame_down.device, im->clean, n, z->no_overlap,
                                         im->masks, raw);
    return wrong ? wrong : read_masks(im, stream, n, to_host);
}
