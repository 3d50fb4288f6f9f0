/* A new current frame: its pixels to the backend, through the encoder, and, where the session overlaps, the next frame's
 * too: on a stream of its own, while the current one is tracked. */
#include "steps.h"

sam_status check_session(const sam_session *s, sam_mode mode, const char *call, sam_error *err)
{
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

static sam_status check_frame(const sam_session *s, const sam_frame *f, const char *call, sam_error *err)
{
    TRY(check_session(s, s->opt.mode, call, err));
    if (!f || !f->rgb || f->row_bytes < 3 * (size_t)s->opt.width_px)
        return fail(err, SAM_E_ARG, "frame: expected %d x %d RGB pixels, rows of at least %zu bytes", s->opt.width_px,
                    s->opt.height_px, 3 * (size_t)s->opt.width_px);
    return check_index(s, f->index, err);
}

static void begin_frame(sam_session *s, int64_t index)
{
    s->stats.encode_ms = s->stats.memory_attention_ms = s->stats.mask_decoder_ms = 0;
    s->stats.memory_encoder_ms = s->stats.post_ms = 0;
    s->stats.waits = 0;
    s->frame = index;
    s->has_frame = 0;
    for (int i = 0; i < s->opt.max_objects; i++)
        s->objects[i].has_result = 0;
}

/* Pixels in `place`, or (place 2) what is in st.image, through the encoder. Its marks count for the frame that is current
 * when they have been reached: `take` says so. */
static sam_status encode_work(sam_session *s, int place, sam_error *err)
{
    if (place < 2) {
        const char *wrong = s->b->api->preprocess(s->pictures, s->encode_stream, place, s->st.image);
        TRY(device_status(s, "resizing", wrong, err));
    }
    return step(s, GRAPH_ENCODE, 1, err);
}

/* The place for the next frame's pixels, when what was there has been read. */
static sam_status free_place(sam_session *s, int *place, sam_error *err)
{
    *place = !s->place;
    const char *wrong = s->b->api->settle(s->b, s->marks[MARK_ENCODED_0 + *place], &s->stats.waits);
    return device_status(s, "pixels", wrong, err);
}

static sam_status mark_encoder(sam_session *s, int id, sam_error *err)
{
    return device_status(s, "encoding", s->b->api->mark(s->b, s->encode_stream, s->marks[id]), err);
}

static sam_status begin_encoding(sam_session *s, int *place, sam_error *err)
{
    TRY(free_place(s, place, err));
    if (s->opt.overlap) {
        const char *wrong = s->b->api->follow(s->b, s->encode_stream, s->marks[MARK_TAKEN]);
        TRY(device_status(s, "encoding", wrong, err));
    }
    return mark_encoder(s, MARK_ENCODE_0 + *place, err);
}

static sam_status encode(sam_session *s, int place, int key, sam_error *err)
{
    TRY(enqueue_recorded(s, s->encode_stream, key, encode_work, key - KEY_ENCODE, err));
    return mark_encoder(s, MARK_ENCODED_0 + place, err);
}

static sam_status encode_pixels(sam_session *s, const sam_frame *f, int *place, sam_error *err)
{
    TRY(begin_encoding(s, place, err));
    s->b->api->stage(s->pictures, *place, f->rgb, f->row_bytes);
    return encode(s, *place, KEY_ENCODE + *place, err);
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

sam_status begin_prepared(sam_session *s, int64_t index, int *place, sam_error *err)
{
    TRY(check_session(s, SAM_VIDEO, "prepared frame", err));
    TRY(check_index(s, index, err));
    begin_frame(s, index);
    return begin_encoding(s, place, err);
}

sam_status encode_prepared(sam_session *s, int place, sam_error *err)
{
    TRY(encode(s, place, KEY_ENCODE_PREPARED, err));
    return take(s, place, err);
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
