/* A new current frame: its pixels to the backend, through the encoder, and, where the session overlaps, the next frame's
 * too: on a stream of its own, while the current one is tracked. */
#include "steps.h"

#include <string.h>

sam_status check_session(const sam_session *s, sam_mode mode, const char *call, sam_error *err)
{
    if (!s)
        return fail(err, SAM_E_ARG, "%s: no session", call);
    if (s->opt.mode != mode)
        return fail(err, SAM_E_STATE,
                    mode == SAM_VIDEO ? "%s: this session is for images, use sam_image_predict"
                                      : "%s: this session is for video, use sam_prompt",
                    call);
    if (s->failed)
        return fail(err, SAM_E_DEVICE, "%s: the session has failed (%s); close it", call, s->failure.text);
    return SAM_OK;
}

static sam_status check_index(const sam_session *s, int64_t index, sam_error *err)
{
    if (index < 0 || (s->opt.n_frames && index >= s->opt.n_frames))
        return fail(err, SAM_E_ARG, "frame %lld: the video has %d frames", (long long)index, s->opt.n_frames);
    return SAM_OK;
}

static sam_status check_nv12(const sam_session *s, const sam_nv12 *n, sam_error *err)
{
    size_t y_row = (size_t)s->opt.width_px, uv_row = 2 * (size_t)nv12_half(s->opt.width_px);
    if (!n->y || !n->uv)
        return fail(err, SAM_E_ARG, "frame: NV12 is two planes, y and uv; %s is NULL", n->y ? "uv" : "y");
    if (n->y_row_bytes < y_row || n->uv_row_bytes < uv_row)
        return fail(err, SAM_E_ARG,
                    "frame: NV12 rows %zu (y) and %zu (uv) bytes apart; %d pixels across need at least %zu and %zu",
                    n->y_row_bytes, n->uv_row_bytes, s->opt.width_px, y_row, uv_row);
    if (n->matrix != SAM_BT601 && n->matrix != SAM_BT709)
        return fail(err, SAM_E_ARG, "frame: NV12 of the unknown matrix %d; expected SAM_BT601 or SAM_BT709",
                    (int)n->matrix);
    return SAM_OK;
}

static sam_status check_pixels(const sam_session *s, const sam_frame *f, sam_error *err)
{
    size_t row = 3 * (size_t)s->opt.width_px;
    switch (f->format) {
    case SAM_RGB24:
        return f->rgb && f->row_bytes >= row
                   ? SAM_OK
                   : fail(err, SAM_E_ARG, "frame: expected %d x %d RGB pixels, rows of at least %zu bytes",
                          s->opt.width_px, s->opt.height_px, row);
    case SAM_NV12:
        return check_nv12(s, &f->nv12, err);
    case SAM_PREPARED_F16:
        if (!s->opt.prepared_frames)
            return fail(err, SAM_E_ARG, "frame: prepared, but the session was opened without prepared_frames");
        return f->prepared && !((uintptr_t)f->prepared % sizeof *f->prepared)
                   ? SAM_OK
                   : fail(err, SAM_E_ARG, "frame: prepared values need an address that is even and not NULL");
    }
    return fail(err, SAM_E_ARG, "frame: unknown pixel format %d; expected SAM_RGB24, SAM_NV12 or SAM_PREPARED_F16",
                (int)f->format);
}

static sam_status check_frame(const sam_session *s, const sam_frame *f, const char *call, sam_error *err)
{
    TRY(check_session(s, s ? s->opt.mode : SAM_VIDEO, call, err));
    if (!f)
        return fail(err, SAM_E_ARG, "%s: no frame; expected %d x %d pixels", call, s->opt.width_px, s->opt.height_px);
    TRY(check_pixels(s, f, err));
    return check_index(s, f->index, err);
}

/* What the work that makes the network's input depends on; below INPUT_FORMS. */
static int input_form(const sam_frame *f)
{
    if (f->format != SAM_NV12)
        return f->format == SAM_PREPARED_F16;
    return 2 + 2 * (f->nv12.matrix == SAM_BT709) + !!f->nv12.full_range;
}

static void begin_frame(sam_session *s, int64_t index)
{
    memset(s->stats.stage_ms, 0, sizeof s->stats.stage_ms);
    s->stats.waits = 0;
    s->stats.wait_ms = 0;
    s->frame = index;
    s->has_frame = 0;
    for (int i = 0; i < s->opt.max_objects; i++)
        s->objects[i].has_result = 0;
}

static sam_status make_input(sam_session *s, int place, sam_error *err)
{
    const char *wrong = s->b->api->preprocess(s->pictures, s->encode_stream, place, s->st.image);
    return device_status(s, "resizing", wrong, err);
}

/* Pixels in a place through the encoder. Its marks count for the frame that is current when they have been reached: `take`
 * says so. */
static sam_status encode_work(sam_session *s, int place, sam_error *err)
{
    TRY(make_input(s, place, err));
    return step(s, STEP_ENCODE, 1, err);
}

/* The place for the next frame's pixels, when what was there has been read. */
static sam_status free_place(sam_session *s, int *place, sam_error *err)
{
    *place = !s->place;
    double start = now_ms();
    const char *wrong = s->b->api->settle(s->b, s->marks[MARK_ENCODED_0 + *place], &s->stats.waits);
    count_wait(s, start);
    return device_status(s, "pixels", wrong, err);
}

static sam_status mark_encoder(sam_session *s, int id, sam_error *err)
{
    return device_status(s, "encoding", s->b->api->mark(s->b, s->encode_stream, s->marks[id]), err);
}

static sam_status encode_pixels(sam_session *s, const sam_frame *f, int *place, sam_error *err)
{
    TRY(free_place(s, place, err));
    if (s->opt.overlap) {
        const char *wrong = s->b->api->follow(s->b, s->encode_stream, s->marks[MARK_TAKEN]);
        TRY(device_status(s, "encoding", wrong, err));
    }
    TRY(mark_encoder(s, MARK_ENCODE_0 + *place, err));
    s->b->api->stage(s->pictures, *place, f);
    TRY(enqueue_recorded(s, s->encode_stream, KEY_ENCODE + 2 * input_form(f) + *place, encode_work, *place, err));
    return mark_encoder(s, MARK_ENCODED_0 + *place, err);
}

/* What was encoded from `place` are the current frame's features. */
static sam_status take(sam_session *s, int place, sam_error *err)
{
    const backend_api *api = s->b->api;
    const char *wrong = s->opt.overlap ? api->follow(s->b, s->stream, s->marks[MARK_ENCODED_0 + place]) : NULL;
    for (int i = 0; i < s->n_outputs && !wrong; i++) {
        const encoder_output *o = &s->outputs[i];
        wrong = api->copy(s->b, s->stream, s->state[o->state], o->ahead, o->bytes);
    }
    TRY(device_status(s, "features", wrong, err));
    TRY(mark(s, s->stream, MARK_TAKEN, err));
    s->marked |= 1u << (MARK_ENCODE_0 + place) | 1u << (MARK_ENCODED_0 + place);
    s->place = place;
    s->has_next = 0;
    s->has_frame = 1;
    if (api->host_memory)
        collect_times(s);
    return SAM_OK;
}

sam_status sam_prepare_frame(sam_session *s, const sam_frame *f, uint16_t *prepared, sam_error *err)
{
    int place;
    TRY(check_frame(s, f, "sam_prepare_frame", err));
    const backend_api *api = s->b->api;
    if (!s->opt.prepared_frames)
        return fail(err, SAM_E_ARG, "sam_prepare_frame: the session was opened without prepared_frames");
    if (!prepared || f->format == SAM_PREPARED_F16)
        return fail(err, SAM_E_ARG, "sam_prepare_frame: %s",
                    prepared ? "the frame is prepared already" : "there is nowhere to put the result");
    begin_frame(s, f->index);
    s->has_next = 0;
    TRY(free_place(s, &place, err));
    api->stage(s->pictures, place, f);
    TRY(make_input(s, place, err));
    const char *wrong = api->round_input(s->pictures, s->encode_stream, place, s->st.image, prepared);
    double start = now_ms();
    wrong = wrong ? wrong : api->wait(s->b, s->encode_stream);
    s->stats.waits += !api->host_memory;
    count_wait(s, start);
    return device_status(s, "preparing", wrong, err);
}

sam_status sam_push_frame(sam_session *s, const sam_frame *f, sam_error *err)
{
    TRY(check_frame(s, f, "sam_push_frame", err));
    int place = !s->place, is_next = s->has_next && s->next == f->index;
    begin_frame(s, f->index);
    if (!is_next)
        TRY(encode_pixels(s, f, &place, err));
    return take(s, place, err);
}

sam_status push_picture(sam_session *s, const sam_frame *f, int64_t number, sam_error *err)
{
    int place;
    if (!f)
        return fail(err, SAM_E_ARG, "no picture; expected %d x %d pixels", s->opt.width_px, s->opt.height_px);
    TRY(check_pixels(s, f, err));
    begin_frame(s, number);
    s->has_next = 0;
    TRY(encode_pixels(s, f, &place, err));
    return take(s, place, err);
}

sam_status sam_push_next(sam_session *s, const sam_frame *f, sam_error *err)
{
    int place;
    TRY(check_frame(s, f, "sam_push_next", err));
    if (!s->opt.overlap)
        return SAM_OK;
    s->has_next = 0;
    TRY(encode_pixels(s, f, &place, err));
    s->has_next = 1;
    s->next = f->index;
    return SAM_OK;
}
