/* soak_session MODEL N: a session tracks N frames, is reset, and tracks them again. Prints a digest of all masks of both passes
 * and the process's memory as it goes. Fails if the digests differ, or if the resident memory grows by more than 1 MiB after
 * the first hundred frames. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sam.h"

enum { WIDTH = 160, HEIGHT = 120, WARM = 100 };

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

static uint64_t pass(sam_session *s, long n, long *least, long *most)
{
    static uint8_t rgb[HEIGHT * WIDTH * 3];
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    sam_mask mask;
    for (long t = 0; t < n; t++) {
        draw(t, rgb);
        must(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = WIDTH * 3, .index = t}, &err), "push");
        if (t == 0)
            must(sam_prompt(s, 1, &(sam_prompt_set){.points = &(sam_point){35, 35, 1}, .n_points = 1}, &err), "prompt");
        else
            must(sam_track(s, SAM_FORWARD, &err), "track");
        must(sam_get_mask(s, 1, &mask, &err), "mask");
        h = add(h, mask.words, mask.row_words * HEIGHT * sizeof *mask.words);
        h = add(h, &mask.presence, sizeof mask.presence);
        if (t < WARM)
            continue;
        long now = resident_kib();
        *least = !*least || now < *least ? now : *least;
        *most = now > *most ? now : *most;
        if ((t + 1) % 1000 == 0)
            printf("%ld frames, %ld KiB\n", t + 1, now);
    }
    return h;
}

int main(int argc, char **argv)
{
    sam_model *m;
    sam_session *s;
    long n = argc == 3 ? atol(argv[2]) : 0, least = 0, most = 0;
    if (n <= WARM) {
        fprintf(stderr, "usage: soak_session MODEL FRAMES, more than %d\n", WARM);
        return 2;
    }
    must(sam_model_open(argv[1], NULL, &m, &err), argv[1]);
    must(sam_session_open(m, &(sam_session_options){.width_px = WIDTH, .height_px = HEIGHT}, &s, &err), "session");
    uint64_t first = pass(s, n, &least, &most);
    must(sam_session_reset(s, &err), "reset");
    uint64_t second = pass(s, n, &least, &most);
    printf("%ld frames twice: digests %016" PRIx64 " %016" PRIx64 ", memory %ld to %ld KiB\n", n, first, second, least,
           most);
    sam_session_close(s);
    sam_model_close(m);
    return first == second && most - least <= 1024 ? 0 : 1;
}
