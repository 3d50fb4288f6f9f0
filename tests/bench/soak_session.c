/* soak_session MODEL N [PX]: a session tracks three objects for N frames and saves its state halfway; a session of another model
 * object goes on from there; then the first one is reset and tracks all N again. Prints digests of all masks and the process's
 * memory as it goes. Fails if the second halves differ, or the two whole runs, or if the resident memory grows by more than
 * 1 MiB after the first hundred frames of a session. PX: side of the model's input. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sam.h"

enum { WIDTH = 160, HEIGHT = 120, WARM = 100, N_OBJECTS = 3 };
#define FNV_START UINT64_C(0xcbf29ce484222325)

static sam_error err;

static void must(sam_status status, const char *what)
{
    if (status == SAM_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, err.text);
    exit(1);
}

/* A bright square that goes around on a gray ramp. */
static void draw(long t, uint8_t *rgb)
{
    int x0 = 20 + (int)(t * 3 % 80), y0 = 20 + (int)(t / 7 % 50);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            memset(rgb + 3 * (y * WIDTH + x), x >= x0 && x < x0 + 30 && y >= y0 && y < y0 + 30 ? 230 : x / 2, 3);
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static uint64_t add(uint64_t h, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void prompt(sam_session *s)
{
    static const sam_point clicks[N_OBJECTS] = {{35, 35, 1}, {150, 60, 1}, {5, 110, 1}};
    for (int i = 0; i < N_OBJECTS; i++)
        must(sam_prompt(s, i + 1, &(sam_prompt_set){.points = &clicks[i], .n_points = 1}, &err), "prompt");
}

typedef struct digests {
    uint64_t all, later; /* of all frames; of those from n / 2 on */
} digests;

typedef struct memory_range {
    long least, most; /* KiB */
} memory_range;

/* Tracks frames from..n, and saves the state before frame n / 2 where `state` says so. */
static digests pass(sam_session *s, long from, long n, const char *state, memory_range *kib)
{
    static uint8_t rgb[HEIGHT * WIDTH * 3];
    digests h = {FNV_START, FNV_START};
    sam_mask mask;
    for (long t = from; t < n; t++) {
        if (state && t == n / 2)
            must(sam_state_save(s, state, &err), state);
        draw(t, rgb);
        must(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = WIDTH * 3, .index = t}, &err), "push");
        if (t == 0)
            prompt(s);
        else
            must(sam_track(s, SAM_FORWARD, &err), "track");
        for (int i = 0; i < N_OBJECTS; i++) {
            must(sam_get_mask(s, i + 1, &mask, &err), "mask");
            uint64_t *const to[] = {&h.all, &h.later};
            for (int k = 0; k < (t < n / 2 ? 1 : 2); k++) {
                *to[k] = add(*to[k], mask.words, mask.row_words * HEIGHT * sizeof *mask.words);
                *to[k] = add(*to[k], mask.logits, (size_t)(mask.logits_px * mask.logits_px) * sizeof *mask.logits);
                *to[k] = add(*to[k], &mask.presence, sizeof mask.presence);
            }
        }
        if (t - from < WARM)
            continue;
        long now = resident_kib();
        kib->least = !kib->least || now < kib->least ? now : kib->least;
        kib->most = now > kib->most ? now : kib->most;
        if ((t + 1) % 1000 == 0) {
            printf("%ld frames, %ld KiB\n", t + 1, now);
            fflush(stdout);
        }
    }
    return h;
}

static sam_session *open_session(sam_model **m, const char *path, int px)
{
    sam_session *s;
    must(sam_model_open(path, &(sam_model_options){.image_px = px, .n_threads = 1}, m, &err), path);
    must(sam_session_open(*m, &(sam_session_options){.width_px = WIDTH, .height_px = HEIGHT, .max_objects = N_OBJECTS},
                          &s, &err),
         "session");
    return s;
}

int main(int argc, char **argv)
{
    sam_model *m, *other;
    char state[] = "/tmp/soak_XXXXXX";
    long n = argc >= 3 ? atol(argv[2]) : 0;
    int px = argc == 4 ? atoi(argv[3]) : 0;
    memory_range first = {0}, second = {0}, third = {0};
    if (n <= 2 * WARM) {
        fprintf(stderr, "usage: soak_session MODEL FRAMES [PX], more than %d frames\n", 2 * WARM);
        return 2;
    }
    int fd = mkstemp(state);
    must(fd >= 0 ? SAM_OK : SAM_E_IO, state);
    close(fd);
    sam_session *s = open_session(&m, argv[1], px);
    digests whole = pass(s, 0, n, state, &first);
    sam_session *resumed = open_session(&other, argv[1], px);
    must(sam_state_load(resumed, state, &err), state);
    digests later = pass(resumed, n / 2, n, NULL, &second);
    sam_session_close(resumed);
    sam_model_close(other);
    must(sam_session_reset(s, &err), "reset");
    digests again = pass(s, 0, n, NULL, &third);
    sam_session_close(s);
    sam_model_close(m);
    unlink(state);
    printf("%ld frames of %d objects: twice %016" PRIx64 " %016" PRIx64 "; second half %016" PRIx64
           ", from a saved state %016" PRIx64 "; memory grew by %ld, %ld and %ld KiB\n",
           n, N_OBJECTS, whole.all, again.all, whole.later, later.later, first.most - first.least,
           second.most - second.least, third.most - third.least);
    int is_flat =
        first.most - first.least <= 1024 && second.most - second.least <= 1024 && third.most - third.least <= 1024;
    return whole.all == again.all && whole.later == later.later && is_flat ? 0 : 1;
}
