/* replay_steps REQUEST.json FOLDER: what this engine outputs for sequences of prompts and tracking, for
 * tests/parity/sequences.py, which compares it with the official code. A program, not a test.
 *
 * REQUEST: model, seed (of the hash weights), imgsz, clip (a file of RGB bytes), width, height, n_frames, history, and
 * `sequences`: [{name, steps}]. FOLDER/NAME.safetensors has, for output k of a sequence (each prompt and each tracked frame is
 * one) and object i, k/obj_i/low_res_logits, object_score, object_pointer, iou, incomplete and mask. */
#include "dump.h"
#include "hash_model.h"
#include "replay.h"
#include "temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OBJECTS = 4, MAX_PROMPTED = 16 };

typedef struct recorder {
    sam_session *s;
    dump out;
    int n, width, height;
    sam_status status;
    sam_error err;
    uint8_t *bytes; /* of one mask */
} recorder;

static sam_status dump_mask(recorder *r, int object, const sam_mask *m, sam_error *err)
{
    enum { N = 6 };
    char name[N][64];
    float incomplete = (float)m->incomplete;
    static const char *const what[N] = {"low_res_logits", "object_score", "object_pointer", "iou",
                                        "mask",           "incomplete"};
    for (int i = 0; i < N; i++)
        snprintf(name[i], sizeof name[i], "%04d/obj_%d/%s", r->n, object, what[i]);
    sam_mask_bytes(m, r->bytes, (size_t)r->width);
    TRY(dump_f32(&r->out, name[0], m->logits, 2, (int64_t[]){m->logits_px, m->logits_px}, err));
    TRY(dump_f32(&r->out, name[1], &m->presence, 1, (int64_t[]){1}, err));
    TRY(dump_f32(&r->out, name[2], m->pointer, 1, (int64_t[]){m->n_pointer}, err));
    TRY(dump_f32(&r->out, name[3], &m->iou, 1, (int64_t[]){1}, err));
    TRY(dump_f32(&r->out, name[5], &incomplete, 1, (int64_t[]){1}, err));
    return dump_u8(&r->out, name[4], r->bytes, (size_t)r->width, r->height, r->width, err);
}

static void see(void *user, int frame)
{
    recorder *r = user;
    sam_mask m;
    (void)frame;
    for (int o = 1; o <= MAX_OBJECTS && r->status == SAM_OK; o++)
        if (sam_get_mask(r->s, o, &m, NULL) == SAM_OK)
            r->status = dump_mask(r, o, &m, &r->err);
    r->n++;
}

static sam_status replay_all(replay *at, recorder *r, const json_t *steps, sam_error *err)
{
    size_t i;
    const json_t *step;
    json_array_foreach(steps, i, step)
    {
        TRY(replay_step(at, step, err));
        if (r->status != SAM_OK)
            return fail(err, r->status, "%s", r->err.text);
    }
    return SAM_OK;
}

static sam_status run_sequence(sam_model *m, const json_t *request, const uint8_t *clip, const json_t *sequence,
                               const char *folder, sam_error *err)
{
    char path[600];
    int width = (int)json_integer_value(json_object_get(request, "width"));
    int height = (int)json_integer_value(json_object_get(request, "height"));
    int n_frames = (int)json_integer_value(json_object_get(request, "n_frames"));
    sam_session_options opt = {.width_px = width,
                               .height_px = height,
                               .max_objects = MAX_OBJECTS,
                               .n_frames = n_frames,
                               .fill_hole_area = -1,
                               .history = (int)json_integer_value(json_object_get(request, "history"))};
    recorder r = {.width = width, .height = height, .bytes = malloc((size_t)width * (size_t)height)};
    replay at = {
        .clip = clip, .width = width, .height = height, .n_frames = n_frames, .current = -1, .see = see, .user = &r};
    sam_status status = r.bytes ? sam_session_open(m, &opt, &r.s, err) : fail(err, SAM_E_MEMORY, "no memory");
    at.s = r.s;
    if (status == SAM_OK)
        status = replay_all(&at, &r, json_object_get(sequence, "steps"), err);
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, json_string_value(json_object_get(sequence, "name")));
    if (status == SAM_OK)
        status = dump_write(&r.out, path, err);
    dump_free(&r.out);
    sam_session_close(r.s);
    free(r.bytes);
    return status;
}

static sam_status open_model(const json_t *request, sam_model **m, sam_error *err)
{
    char weights[400];
    temp_dir dir;
    temp_dir_make(&dir);
    temp_dir_file(&dir, "weights.safetensors", weights, sizeof weights);
    sam_model_options opt = {.image_px = (int)json_integer_value(json_object_get(request, "imgsz")),
                             .n_threads = 1,
                             .max_prompted_frames = MAX_PROMPTED};
    int made = hash_model_make(weights, json_string_value(json_object_get(request, "model")),
                               (unsigned)json_integer_value(json_object_get(request, "seed")), 0, err);
    sam_status status = made ? sam_model_open(weights, &opt, m, err) : err->status;
    temp_dir_remove(&dir); /* mapped until the model is closed */
    return status;
}

static sam_status run_request(const json_t *request, const char *folder, sam_error *err)
{
    const char *clip_path = json_string_value(json_object_get(request, "clip"));
    sam_model *m = NULL;
    size_t i, n_bytes = 3;
    const json_t *sequence;
    static const char *const sizes[] = {"width", "height", "n_frames"};
    for (i = 0; i < 3; i++)
        n_bytes *= (size_t)json_integer_value(json_object_get(request, sizes[i]));
    uint8_t *clip = malloc(n_bytes + 1);
    FILE *f = fopen(clip_path, "rb");
    size_t got = f && clip ? fread(clip, 1, n_bytes, f) : 0;
    if (f)
        fclose(f);
    sam_status status = got == n_bytes ? open_model(request, &m, err)
                                       : fail(err, SAM_E_IO, "%s: expected %zu bytes of frames", clip_path, n_bytes);
    json_array_foreach(json_object_get(request, "sequences"), i, sequence)
    {
        if (status == SAM_OK)
            status = run_sequence(m, request, clip, sequence, folder, err);
        if (status != SAM_OK)
            break;
    }
    sam_model_close(m);
    free(clip);
    return status;
}

int main(int argc, char **argv)
{
    sam_error err = {0};
    json_error_t wrong;
    if (argc != 3) {
        fprintf(stderr, "usage: replay_steps REQUEST.json FOLDER\n");
        return 2;
    }
    json_t *request = json_load_file(argv[1], 0, &wrong);
    if (!request) {
        fprintf(stderr, "%s: %s\n", argv[1], wrong.text);
        return 1;
    }
    sam_status status = run_request(request, argv[2], &err);
    if (status != SAM_OK)
        fprintf(stderr, "replay_steps: %s\n", err.text);
    json_decref(request);
    return status != SAM_OK;
}
