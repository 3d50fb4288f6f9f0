/* Saved states of a session, with a checksum that is right: whoever damages a file on purpose can mend it. The first byte says
 * which tracker, and whether the bytes are changes of a state that was saved (each: where, in three bytes, and what is flipped
 * there) or a file by themselves. What is loaded is tracked with, and what is refused leaves a session that works. */
#include "fuzz_file.h"
#include "memory_policy.h"
#include "tiny_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 40, HEIGHT = 24, FRAMES = 3, TRACKERS = 5, CHANGE_BYTES = 4, STATE_MAX = 1 << 20 };

typedef struct target {
    sam_session *s;
    char *state; /* [n] */
    size_t n;
} target;

static void must(int ok)
{
    if (!ok)
        abort();
}

static sam_model *model(void)
{
    static sam_model *m;
    char path[256];
    if (m)
        return m;
    snprintf(path, sizeof path, "%s/tiny.safetensors", fuzz_folder());
    tiny_model_write(path, TINY_SAM21, "tiny");
    must(sam_model_open(path, &(sam_model_options){.n_threads = 1}, &m, NULL) == SAM_OK);
    return m;
}

/* One frame; the first one with prompts. */
static sam_status track(sam_session *s, int64_t index, int prompts)
{
    static uint8_t rgb[HEIGHT * WIDTH * 3];
    const sam_point clicks[] = {{10, 10, 1}, {30, 5, 1}};
    sam_status status;
    tiny_frame(WIDTH, HEIGHT, (int)(index % 7), rgb);
    status = sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = WIDTH * 3, .index = index}, NULL);
    for (int i = 0; i < 2 && prompts && status == SAM_OK; i++)
        status = sam_prompt(s, 3 * i, &(sam_prompt_set){.points = &clicks[i], .n_points = 1}, NULL);
    return status == SAM_OK ? sam_track(s, SAM_FORWARD, NULL) : status;
}

/* The checksum of engine/saved_state.c, of all but its own place. */
static void mend(char *bytes, size_t n)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325), word;
    size_t n_summed = n - sizeof h, i = 0;
    for (; i + sizeof word <= n_summed; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    for (; i < n_summed; i++)
        h = (h ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001B3);
    memcpy(bytes + n_summed, &h, sizeof h);
}

/* A session of a tracker, and the state of it that changes are made to. */
static target *target_of(int tracker)
{
    static target all[TRACKERS];
    target *t = &all[tracker];
    char path[256];
    if (t->s)
        return t;
    const sam_session_options opt = {.width_px = WIDTH,
                                     .height_px = HEIGHT,
                                     .max_objects = 3,
                                     .history = 2,
                                     .tracker = memory_policies[tracker].name};
    must(sam_session_open(model(), &opt, &t->s, NULL) == SAM_OK);
    for (int i = 0; i < FRAMES; i++)
        must(track(t->s, i, i == 0) == SAM_OK);
    snprintf(path, sizeof path, "%s/whole.state", fuzz_folder());
    must(sam_state_save(t->s, path, NULL) == SAM_OK);
    FILE *file = fopen(path, "rb");
    t->state = malloc(STATE_MAX);
    must(file && t->state);
    t->n = fread(t->state, 1, STATE_MAX, file);
    must(t->n > 0 && t->n < STATE_MAX);
    fclose(file);
    uint64_t sum, mended;
    memcpy(&sum, t->state + t->n - sizeof sum, sizeof sum);
    mend(t->state, t->n);
    memcpy(&mended, t->state + t->n - sizeof sum, sizeof sum);
    must(sum == mended);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static char changed[STATE_MAX];
    sam_model_options m = {0};
    sam_session_options o = {0};
    if (n_bytes < 1)
        return 0;
    const target *t = target_of(bytes[0] % TRACKERS);
    size_t n = t->n;
    memcpy(changed, t->state, n);
    if (bytes[0] & 0x80) { /* a file by itself */
        n = n_bytes - 1 < STATE_MAX ? n_bytes - 1 : STATE_MAX;
        memcpy(changed, bytes + 1, n);
    } else {
        for (size_t i = 1; i + CHANGE_BYTES <= n_bytes; i += CHANGE_BYTES) {
            size_t at = bytes[i] | (size_t)bytes[i + 1] << 8 | (size_t)bytes[i + 2] << 16;
            changed[at % n] = (char)(changed[at % n] ^ bytes[i + 3]);
        }
        if (bytes[0] & 0x40) /* and cut short */
            n = n * bytes[n_bytes - 1] / 256 + sizeof(uint64_t);
    }
    if (!(bytes[0] & 0x20) && n >= sizeof(uint64_t))
        mend(changed, n);
    const char *path = fuzz_file("changed.state", (const uint8_t *)changed, n);
    sam_state_options(path, &m, &o, NULL);
    sam_status status = sam_state_load(t->s, path, NULL);
    must(status == SAM_OK || n_bytes > 1 || bytes[0] >= 0x20); /* nothing was changed */
    if (status == SAM_OK) {
        for (int i = 0; i < 2; i++)
            track(t->s, FRAMES + i, 0);
        sam_mask mask;
        for (int id = 0; id < 4; id++)
            sam_get_mask(t->s, id, &mask, NULL);
    } else {
        must(sam_session_objects(t->s, NULL, 0) == 0);
        must(track(t->s, 0, 1) == SAM_OK);
    }
    return 0;
}
