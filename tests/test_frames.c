/* Frame sources: order, names, bounds, random access, reverse, damage; of folders and of videos. */
#include "frames.h"
#include "image_decoders.h"
#include "image_io.h"
#include "overlay.h"
#include "resample.h"

#include "small_images.h"
#include "temp_dir.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { WIDTH = 64, HEIGHT = 48 };

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        if ((call) != SAM_OK)                                                                                          \
            fail_msg("%s", err.text);                                                                                  \
    } while (0)

static uint64_t hash_of(const frame *f)
{
    uint64_t h = UINT64_C(14695981039346656037);
    size_t n = (size_t)f->width * (size_t)f->height * 3;
    for (size_t i = 0; i < n; i++)
        h = (h ^ f->rgb[i]) * UINT64_C(1099511628211);
    return h;
}

/* A frame whose colour tells its number. */
static void write_frame(const temp_dir *dir, const char *name, int number, int width, int height)
{
    char path[512];
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    sam_error err = {0};
    for (int i = 0; i < width * height * 3; i++)
        rgb[i] = (uint8_t)(number * 3 + i % 3);
    CHECK(image_write_rgb(temp_dir_file(dir, name, path, sizeof path), rgb, (size_t)width * 3, width, height, &err));
    free(rgb);
}

static void write_frames(const temp_dir *dir, int n)
{
    for (int i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.png", i);
        write_frame(dir, name, i, WIDTH, HEIGHT);
    }
}

static void folder_is_in_numeric_order(void **state)
{
    temp_dir dir;
    char path[512];
    sam_error err = {0};
    frame_source *s;
    const frame *f;
    int width, height, n = 0;
    (void)state;
    temp_dir_make(&dir);
    write_frames(&dir, 12); /* by name 10 comes before 2 */
    write_file(temp_dir_file(&dir, "notes.txt", path, sizeof path), "x", 1);
    write_file(temp_dir_file(&dir, "._3.png", path, sizeof path), "x", 1); /* left by macOS */
    CHECK(frames_open(dir.path, NULL, &s, &err));
    frames_size(s, &width, &height);
    assert_true(width == WIDTH && height == HEIGHT);
    assert_int_equal(frames_count(s), 12);
    assert_int_equal(frames_planned(s), 12);
    assert_false(frames_is_video(s));
    for (;;) {
        char name[16];
        CHECK(frames_next(s, &f, &err));
        if (!f)
            break;
        snprintf(name, sizeof name, "%d", n);
        assert_string_equal(f->name, name);
        assert_int_equal(f->index, n);
        assert_int_equal(f->rgb[0], n * 3);
        assert_true(f->decode_ms >= 0);
        frames_release(s, f);
        n++;
    }
    assert_int_equal(n, 12);
    CHECK(frames_next(s, &f, &err));
    assert_null(f); /* and stays at the end */
    print_message("12 frames in order, %zu bytes of pixels\n", frames_memory(s));
    frames_close(s);
    frames_close(NULL);
    temp_dir_remove(&dir);
}

/* Reads everything and compares indices with first, first + step, ... */
static void expect_indices(const char *path, const frames_options *opt, int first, int step, int n)
{
    sam_error err = {0};
    frame_source *s;
    const frame *f;
    CHECK(frames_open(path, opt, &s, &err));
    assert_int_equal(frames_planned(s), n);
    for (int i = 0; i < n; i++) {
        CHECK(frames_next(s, &f, &err));
        assert_non_null(f);
        assert_int_equal(f->index, first + i * step);
        frames_release(s, f);
    }
    CHECK(frames_next(s, &f, &err));
    assert_null(f);
    frames_close(s);
}

static void start_reverse_and_limit(void **state)
{
    temp_dir dir;
    sam_error err = {0};
    frame_source *s;
    (void)state;
    temp_dir_make(&dir);
    write_frames(&dir, 10);
    expect_indices(dir.path, &(frames_options){.start = 4}, 4, 1, 6);
    expect_indices(dir.path, &(frames_options){.start = 4, .reverse = 1}, 4, -1, 5);
    expect_indices(dir.path, &(frames_options){.start = -1, .reverse = 1, .prefetch = 2}, 9, -1, 10);
    expect_indices(dir.path, &(frames_options){.max_frames = 3}, 0, 1, 3);
    expect_indices(dir.path, &(frames_options){.start = 8, .max_frames = 30}, 8, 1, 2);
    assert_int_equal(frames_open(dir.path, &(frames_options){.start = 10}, &s, &err), SAM_E_ARG);
    print_message("%s\n", err.text);
    assert_null(s);
    assert_int_equal(frames_open(dir.path, &(frames_options){.prefetch = -1}, &s, &err), SAM_E_ARG);
    temp_dir_remove(&dir);
}

static void queue_keeps_its_bounds(void **state)
{
    temp_dir dir;
    sam_error err = {0};
    frame_source *s;
    const frame *held[4], *f;
    (void)state;
    temp_dir_make(&dir);
    write_frames(&dir, 30);
    size_t frame_bytes = WIDTH * HEIGHT * 3;
    CHECK(frames_open(dir.path, &(frames_options){.prefetch_bytes = 4 * frame_bytes + 5}, &s, &err));
    for (int i = 0; i < 4; i++)
        CHECK(frames_next(s, &held[i], &err));
    for (int i = 0; i < 4; i++)
        assert_int_equal(held[i]->rgb[0], i * 3); /* nothing was written over them */
    assert_int_equal(frames_next(s, &f, &err), SAM_E_STATE);
    print_message("%s\n", err.text);
    assert_int_equal(frames_restart(s, 0, 0, &err), SAM_E_STATE);
    for (int i = 0; i < 4; i++)
        frames_release(s, held[i]);
    for (int i = 4; i < 30; i++) {
        CHECK(frames_next(s, &f, &err));
        assert_int_equal(f->index, i);
        frames_release(s, f);
    }
    print_message("30 frames of %zu bytes through %zu bytes\n", frame_bytes, frames_memory(s));
    assert_true(frames_memory(s) <= 4 * frame_bytes);
    frames_close(s);
    CHECK(frames_open(dir.path, &(frames_options){.prefetch_bytes = 1}, &s, &err)); /* closed with a full queue */
    CHECK(frames_next(s, &f, &err));
    frames_close(s);
    temp_dir_remove(&dir);
}

static void any_frame_can_be_read(void **state)
{
    temp_dir dir;
    sam_error err = {0};
    frame_source *s;
    const frame *f, *g;
    (void)state;
    temp_dir_make(&dir);
    write_frames(&dir, 10);
    CHECK(frames_open(dir.path, NULL, &s, &err));
    CHECK(frames_next(s, &f, &err));
    CHECK(frames_read(s, 7, &g, &err));
    assert_int_equal(g->rgb[0], 21);
    assert_string_equal(g->name, "7");
    assert_int_equal(f->rgb[0], 0);
    frames_release(s, g);
    frames_release(s, f);
    assert_int_equal(frames_read(s, 10, &g, &err), SAM_E_ARG);
    print_message("%s\n", err.text);
    CHECK(frames_restart(s, 3, 1, &err));
    CHECK(frames_next(s, &f, &err));
    assert_int_equal(f->index, 3);
    frames_release(s, f);
    frames_close(s);
    temp_dir_remove(&dir);
}

/* Delivers n_good frames and then fails, again and again, with a message that holds both texts. */
static void expect_failure(const char *path, int n_good, sam_status status, const char *text, const char *more)
{
    sam_error err = {0};
    frame_source *s;
    const frame *f = NULL;
    CHECK(frames_open(path, NULL, &s, &err));
    for (int i = 0; i < n_good; i++) {
        CHECK(frames_next(s, &f, &err));
        assert_non_null(f);
        assert_int_equal(f->index, i);
        frames_release(s, f);
    }
    for (int i = 0; i < 2; i++) {
        err.text[0] = 0;
        assert_int_equal(frames_next(s, &f, &err), status);
        assert_non_null(strstr(err.text, text));
        assert_non_null(strstr(err.text, more));
    }
    print_message("%s\n", err.text);
    frames_close(s);
}

static void expect_refusal(const char *path, sam_status status, const char *text)
{
    sam_error err = {0};
    frame_source *s;
    assert_int_equal(frames_open(path, NULL, &s, &err), status);
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, text));
    assert_null(s);
}

static void bad_folders_are_explained(void **state)
{
    temp_dir dir;
    char path[512];
    (void)state;
    temp_dir_make(&dir);
    expect_refusal(temp_dir_file(&dir, "missing", path, sizeof path), SAM_E_IO, "missing");
    expect_refusal(dir.path, SAM_E_IO, "no frames in this folder (.jpg, .jpeg, .png, .bmp");
    write_frames(&dir, 6);
    write_frame(&dir, "003.png", 3, WIDTH, HEIGHT);
    expect_refusal(dir.path, SAM_E_FORMAT, "have the same place in the order");
    unlink(temp_dir_file(&dir, "003.png", path, sizeof path));
    write_frame(&dir, "cover.png", 3, WIDTH, HEIGHT);
    expect_refusal(dir.path, SAM_E_FORMAT, "cover.png");
    unlink(temp_dir_file(&dir, "cover.png", path, sizeof path));
    write_frame(&dir, "4.png", 4, WIDTH + 2, HEIGHT);
    expect_failure(dir.path, 4, SAM_E_FORMAT, "frame 4", "4.png is 66 x 48");
    write_file(temp_dir_file(&dir, "2.png", path, sizeof path), "not an image", 12);
    expect_failure(dir.path, 2, SAM_E_FORMAT, "frame 2", "2.png");
    write_file(temp_dir_file(&dir, "0.png", path, sizeof path), "", 0);
    expect_refusal(dir.path, SAM_E_FORMAT, "frame 0");
    write_file(temp_dir_file(&dir, "clip.mp4", path, sizeof path), "ftyp not a video at all", 23);
    expect_refusal(path, SAM_E_FORMAT, "not a video");
    write_file(temp_dir_file(&dir, "lone.png", path, sizeof path), "\x89PNG", 4);
    expect_refusal(path, SAM_E_FORMAT, "lone.png");
    temp_dir_remove(&dir);
}

/* A folder's pictures may be of several formats, of a GIF the first picture; an animated GIF by itself is a video. */
static void every_format_is_a_frame(void **state)
{
    static const char *const names[] = {"rgb.ppm", "scaled.pgm", "rgb.bmp", "rgb.tga", "animated.gif", "lossy.webp"};
    temp_dir dir;
    char path[512];
    uint8_t bytes[4096];
    sam_error err = {0};
    frame_source *s;
    const frame *f;
    uint64_t hashes[6];
    int n = 0;
    (void)state;
    temp_dir_make(&dir);
    for (size_t k = 0; k < 6; k++) {
        if ((k > 1 && k < 5 && !stb_is_here()) || (k == 5 && !webp_version()))
            continue;
        for (size_t i = 0; i < sizeof small_images / sizeof *small_images; i++)
            if (!strcmp(small_images[i].name, names[k])) {
                snprintf(path, sizeof path, "%s/%02zu%s", dir.path, k, strrchr(names[k], '.'));
                write_file(path, bytes, unhex(small_images[i].hex, bytes));
                hashes[n++] = small_images[i].rgb_hash;
            }
    }
    CHECK(frames_open(dir.path, NULL, &s, &err));
    assert_int_equal(frames_count(s), n);
    for (int i = 0; i < n; i++) {
        CHECK(frames_next(s, &f, &err));
        print_message("frame %s: %016llx\n", f->name, (unsigned long long)hash_of(f));
        assert_true(hash_of(f) == hashes[i]);
        frames_release(s, f);
    }
    frames_close(s);
    if (n == 6) {
        CHECK(frames_open(temp_dir_file(&dir, "04.gif", path, sizeof path), NULL, &s, &err));
        assert_int_equal(frames_count(s), 2);
        frames_close(s);
    }
    temp_dir_remove(&dir);
}

/* The whole name counts, each run of digits as a number: stamps, sizes and labels in it are not the frame's number. */
static void frames_follow_whole_names(void **state)
{
    static const char *const sets[][4] = {
        {"1305031102.911206", "1305031102.944610", "1305031103.011390", "1305031103.044500"},
        {"aachen_000019_leftImg8bit", "aachen_000020_leftImg8bit", "aachen_000100_leftImg8bit",
         "bochum_000001_leftImg8bit"},
        {"f2_640x480", "f10_640x480", "f11_640x480", "f100_640x480"},
        {"2024-01-01 09.59.58", "2024-01-01 09.59.59", "2024-01-01 10.00.00", "2024-01-02 00.00.01"},
        {"frame_99999999999999999998", "frame_99999999999999999999", "frame_100000000000000000000",
         "frame_100000000000000000001"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        temp_dir dir;
        char path[512];
        sam_error err = {0};
        frame_source *s;
        const frame *f;
        temp_dir_make(&dir);
        for (int i = 3; i >= 0; i--) {
            snprintf(path, sizeof path, "%s.png", sets[k][i]);
            write_frame(&dir, path, i, WIDTH, HEIGHT);
        }
        CHECK(frames_open(dir.path, NULL, &s, &err));
        for (int i = 0; i < 4; i++) {
            CHECK(frames_next(s, &f, &err));
            assert_string_equal(f->name, sets[k][i]);
            frames_release(s, f);
        }
        frames_close(s);
        temp_dir_remove(&dir);
    }
}

/* Names whose order can be read in two ways are refused, and nothing is told to be removed. */
static void names_of_two_orders_are_refused(void **state)
{
    static const char *const pairs[][2] = {
        {"0007.png", "7.png"}, {"7.jpg", "7.png"}, {"1.25.png", "1.5.png"}, {"t9.050.png", "t9.5.png"}};
    (void)state;
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        temp_dir dir;
        sam_error err = {0};
        frame_source *s;
        temp_dir_make(&dir);
        for (int i = 0; i < 2; i++)
            write_frame(&dir, pairs[k][i], i, WIDTH, HEIGHT);
        assert_int_equal(frames_open(dir.path, NULL, &s, &err), SAM_E_FORMAT);
        print_message("%s\n", err.text);
        assert_true(strstr(err.text, pairs[k][0]) && strstr(err.text, pairs[k][1]));
        assert_true(!strstr(err.text, "remove") && !strstr(err.text, "move it"));
        temp_dir_remove(&dir);
    }
}

static void photos_differ_in_size_and_name(void **state)
{
    temp_dir dir;
    char path[512];
    sam_error err = {0};
    frame_source *s;
    const frame *f;
    static const char *names[] = {"apple", "bicycle_7", "car"};
    (void)state;
    temp_dir_make(&dir);
    for (int i = 2; i >= 0; i--) {
        snprintf(path, sizeof path, "%s.png", names[i]);
        write_frame(&dir, path, i, 20 + i, 30);
    }
    CHECK(frames_open(dir.path, &(frames_options){.photos = 1}, &s, &err));
    for (int i = 0; i < 3; i++) {
        CHECK(frames_next(s, &f, &err));
        assert_string_equal(f->name, names[i]);
        assert_int_equal(f->width, 20 + i);
        frames_release(s, f);
    }
    frames_close(s);
    CHECK(frames_open(temp_dir_file(&dir, "car.png", path, sizeof path), NULL, &s, &err));
    assert_int_equal(frames_count(s), 1);
    CHECK(frames_next(s, &f, &err));
    assert_string_equal(f->name, "car");
    frames_release(s, f);
    frames_close(s);
    temp_dir_remove(&dir);
}

/* ---- videos ---------------------------------------------------------------------------------------------------- */

/* Frame i shows i in binary as eight bars, which survive compression. */
static void paint_number(uint8_t *rgb, int width, int height, int number)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            memset(rgb + ((size_t)y * (size_t)width + (size_t)x) * 3, number >> (x * 8 / width) & 1 ? 220 : 30, 3);
}

static int read_number(const frame *f)
{
    int number = 0;
    for (int bit = 0; bit < 8; bit++) {
        int x = (2 * bit + 1) * f->width / 16, y = f->height / 2;
        number |= (f->rgb[((size_t)y * (size_t)f->width + (size_t)x) * 3 + 1] > 128) << bit;
    }
    return number;
}

static void write_video(const char *path, int n, int mpeg4)
{
    overlay *o;
    sam_error err = {0};
    uint8_t *rgb = malloc(128 * 64 * 3);
    CHECK(overlay_open(path, &(overlay_options){.width = 128, .height = 64, .fps = 25, .mpeg4 = mpeg4}, &o, &err));
    for (int i = 0; i < n; i++) {
        paint_number(rgb, 128, 64, i);
        CHECK(overlay_write(o, rgb, 128 * 3, &err));
    }
    CHECK(overlay_close(o, &err));
    free(rgb);
}

/* Forward, backward and at random: every frame is the one asked for, and the same pixels each time. */
static void check_video(const char *path, const frames_options *opt, int numbered)
{
    sam_error err = {0};
    frame_source *s;
    const frame *f;
    CHECK(frames_open(path, opt, &s, &err));
    int64_t n = frames_count(s), i = 0;
    uint64_t *hashes = calloc((size_t)n, sizeof *hashes);
    double ms = 0;
    assert_true(frames_is_video(s));
    for (;; i++) {
        CHECK(frames_next(s, &f, &err));
        if (!f)
            break;
        assert_true(i < n && f->index == i);
        if (numbered)
            assert_int_equal(read_number(f), i & 255);
        hashes[i] = hash_of(f);
        ms += f->decode_ms;
        frames_release(s, f);
    }
    assert_int_equal(i, n);
    for (int k = 0; k < 20; k++) {
        int64_t index = (k * 7919 + 3) % n;
        CHECK(frames_read(s, index, &f, &err));
        assert_int_equal(f->index, index);
        assert_true(hash_of(f) == hashes[index]);
    }
    CHECK(frames_restart(s, -1, 1, &err));
    for (i = n - 1; i >= 0 && i >= n - 120; i--) {
        CHECK(frames_next(s, &f, &err));
        assert_int_equal(f->index, i);
        assert_true(hash_of(f) == hashes[i]);
        frames_release(s, f);
    }
    print_message("%s: %lld frames forward, backward, at random; %.1f ms a frame, %zu bytes\n", strrchr(path, '/') + 1,
                  (long long)n, ms / (double)n, frames_memory(s));
    frames_close(s);
    free(hashes);
}

static void video_frames_are_exact(void **state)
{
    temp_dir dir;
    char path[512];
    (void)state;
    temp_dir_make(&dir);
    write_video(temp_dir_file(&dir, "h264.mp4", path, sizeof path), 300, 0);
    check_video(path, NULL, 1);
    check_video(path, &(frames_options){.prefetch = 2}, 1);
    expect_indices(path, &(frames_options){.start = 255, .max_frames = 10, .decode_threads = 1}, 255, 1, 10);
    expect_indices(path, &(frames_options){.start = 255, .reverse = 1, .prefetch = 7}, 255, -1, 256);
    write_video(temp_dir_file(&dir, "mpeg4.mp4", path, sizeof path), 40, 1);
    check_video(path, NULL, 1);
    write_video(temp_dir_file(&dir, "one.mp4", path, sizeof path), 1, 0);
    check_video(path, NULL, 1);
    temp_dir_remove(&dir);
}

static size_t read_file(const char *path, uint8_t **bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t n = (size_t)ftell(file);
    rewind(file);
    *bytes = malloc(n);
    assert_int_equal(fread(*bytes, 1, n, file), n);
    fclose(file);
    return n;
}

/* A file cut in its data gives the frames before and then says so; any other damage must at least not crash. */
static void damaged_videos(void **state)
{
    temp_dir dir;
    char path[512], cut[512];
    uint8_t *bytes;
    int n_failed = 0, n_refused = 0, n_read = 0;
    uint32_t seed = 7;
    sam_error err = {0};
    (void)state;
    temp_dir_make(&dir);
    write_video(temp_dir_file(&dir, "whole.mp4", path, sizeof path), 60, 0);
    size_t n = read_file(path, &bytes);
    temp_dir_file(&dir, "cut.mp4", cut, sizeof cut);
    for (int i = 0; i < 64; i++) {
        frame_source *s;
        const frame *f;
        int64_t n_frames = 0;
        size_t length = i < 24 ? n * (size_t)(i + 1) / 25 : n;
        uint8_t *copy = malloc(n);
        memcpy(copy, bytes, n);
        for (int k = 0; i >= 24 && k < 5; k++) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % n] ^= (uint8_t)(seed | 1);
        }
        write_file(cut, copy, length);
        free(copy);
        if (frames_open(cut, NULL, &s, &err) != SAM_OK) {
            n_refused++;
            continue;
        }
        sam_status status;
        while ((status = frames_next(s, &f, &err)) == SAM_OK && f) {
            assert_true(i >= 24 || read_number(f) == n_frames);
            n_frames++;
            frames_release(s, f);
        }
        if (status != SAM_OK && n_failed++ % 8 == 0)
            print_message("after %lld frames: %s\n", (long long)n_frames, err.text);
        assert_true(i >= 24 || status != SAM_OK); /* a cut is never silent */
        n_read += status == SAM_OK;
        frames_close(s);
    }
    print_message("24 cut and 40 scrambled files: %d not opened, %d stopped with an error, %d read\n", n_refused,
                  n_failed, n_read);
    free(bytes);
    temp_dir_remove(&dir);
}

/* The display matrix of an mp4 track, changed in place, turns the frames: the bars run down, or from the other side. */
static void turned_videos_are_upright(void **state)
{
    static const struct {
        int32_t a, b, c, d; /* shown x = a x + c y, shown y = b x + d y */
        int down, from_end;
    } turns[] = {
        {0, 1, -1, 0, 1, 0}, {-1, 0, 0, -1, 0, 1}, {0, -1, 1, 0, 1, 1}, {-1, 0, 0, 1, 0, 1}, {1, 0, 0, -1, 0, 0}};
    enum { MATRIX = 4 + 4 + 20 + 16 }; /* from the box's type: version, times and ids, reserved to volume */
    temp_dir dir;
    char path[512];
    uint8_t *bytes;
    sam_error err = {0};
    (void)state;
    temp_dir_make(&dir);
    write_video(temp_dir_file(&dir, "turned.mp4", path, sizeof path), 6, 0);
    size_t n = read_file(path, &bytes), at = 0;
    while (at + MATRIX + 20 < n && memcmp(bytes + at, "tkhd", 4) != 0)
        at++;
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        const int32_t m[5] = {turns[i].a, turns[i].b, 0, turns[i].c, turns[i].d};
        frame_source *s;
        const frame *f;
        int width, height, number = 0;
        for (int k = 0; k < 5; k++) {
            const uint8_t big_endian[4] = {m[k] < 0 ? 255 : 0, m[k] < 0 ? 255 : m[k] ? 1 : 0, 0, 0};
            memcpy(bytes + at + MATRIX + 4 * (size_t)k, big_endian, 4);
        }
        write_file(path, bytes, n);
        CHECK(frames_open(path, &(frames_options){.pixels = FRAMES_NV12}, &s, &err)); /* turned: RGB all the same */
        frames_size(s, &width, &height);
        assert_int_equal(width, turns[i].down ? 64 : 128);
        CHECK(frames_read(s, 5, &f, &err));
        assert_int_equal(f->input.format, SAM_RGB24);
        for (int bit = 0; bit < 8; bit++) {
            int place = turns[i].from_end ? 15 - 2 * bit : 2 * bit + 1;
            int x = turns[i].down ? width / 2 : place * width / 16,
                y = turns[i].down ? place * height / 16 : height / 2;
            number |= (f->rgb[((size_t)y * (size_t)width + (size_t)x) * 3] > 128) << bit;
        }
        print_message("matrix %2d %2d %2d %2d: %d x %d, frame %d\n", m[0], m[1], m[3], m[4], width, height, number);
        assert_int_equal(number, 5);
        frames_close(s);
    }
    free(bytes);
    temp_dir_remove(&dir);
}

/* Root mean square difference between f's pixels and its NV12 planes converted. */
static double nv12_difference(const frame *f)
{
    const sam_nv12 *n = &f->input.nv12;
    size_t n_values = 3 * (size_t)f->width * (size_t)f->height;
    float *planes = malloc(n_values * sizeof *planes), *rgb = malloc(n_values * sizeof *rgb);
    double sum = 0;
    assert_int_equal(f->input.format, SAM_NV12);
    const nv12_image in = {n->y, n->uv, n->y_row_bytes, n->uv_row_bytes,
                           nv12_weights_of(n->matrix == SAM_BT709, n->full_range)};
    resample *r = resample_open(RESAMPLE_PIL_BICUBIC, f->width, f->height, f->width, f->height);
    assert_true(r && resample_take_nv12(r, 1) && planes && rgb);
    resample_nv12_normalised(r, &in, planes, 1);
    resample_rgb_normalised(r, f->rgb, 3 * (size_t)f->width, rgb, 1);
    for (size_t i = 0; i < n_values; i++)
        sum += ((double)planes[i] - (double)rgb[i]) * ((double)planes[i] - (double)rgb[i]);
    resample_close(r);
    free(planes);
    free(rgb);
    return sqrt(sum / (double)n_values) * 255 * 0.225; /* about the deviation that values were divided by */
}

static uint64_t hash_of_nv12(const frame *f)
{
    const sam_nv12 *n = &f->input.nv12;
    uint64_t h = UINT64_C(14695981039346656037);
    size_t n_luma = (size_t)f->width * (size_t)f->height, n_chroma = n->uv_row_bytes * (((size_t)f->height + 1) / 2);
    assert_true(n->uv == n->y + n_luma);
    for (size_t i = 0; i < n_luma + n_chroma; i++)
        h = (h ^ n->y[i]) * UINT64_C(1099511628211);
    return h;
}

/* As NV12, with pixels and without, forward and at random: the same planes, and the pixels that were always there. */
static void check_nv12(const char *path, int n, double most)
{
    uint64_t hashes[64], pixels[64];
    double worst = 0;
    sam_error err = {0};
    frame_source *s;
    const frame *f;
    assert_true(n <= 64);
    for (int pass = 0; pass < 3; pass++) {
        static const frames_pixels forms[] = {FRAMES_RGB, FRAMES_NV12_AND_RGB, FRAMES_NV12};
        CHECK(frames_open(path, &(frames_options){.max_frames = n, .pixels = forms[pass]}, &s, &err));
        for (int i = 0; i < n; i++) {
            CHECK(frames_next(s, &f, &err));
            assert_true(f && f->input.index == i && f->input.format == (pass ? SAM_NV12 : SAM_RGB24));
            assert_true(pass == 2 ? !f->rgb : f->rgb && (pass || f->input.rgb == f->rgb));
            if (!pass)
                pixels[i] = hash_of(f);
            if (pass == 1) {
                assert_true(hash_of(f) == pixels[i]);
                hashes[i] = hash_of_nv12(f);
                double e = nv12_difference(f);
                worst = e > worst ? e : worst;
            }
            if (pass == 2)
                assert_true(hash_of_nv12(f) == hashes[i]);
            frames_release(s, f);
        }
        for (int i = n - 1; pass && i >= 0; i -= n / 3) {
            CHECK(frames_read(s, i, &f, &err));
            assert_true(hash_of_nv12(f) == hashes[i]);
        }
        frames_close(s);
    }
    print_message("%s: %d frames as NV12, at most %.2f (rms, of 255) from the RGB of swscale\n", strrchr(path, '/') + 1,
                  n, worst);
    assert_true(worst <= most);
}

static void videos_as_nv12(void **state)
{
    temp_dir dir;
    char path[512];
    sam_error err = {0};
    frame_source *s;
    const frame *f;
    (void)state;
    temp_dir_make(&dir);
    write_video(temp_dir_file(&dir, "h264.mp4", path, sizeof path), 20, 0);
    check_nv12(path, 20, 1);
    write_frame(&dir, "picture.png", 5, WIDTH, HEIGHT);
    CHECK(frames_open(temp_dir_file(&dir, "picture.png", path, sizeof path), &(frames_options){.pixels = FRAMES_NV12},
                      &s, &err));
    CHECK(frames_next(s, &f, &err));
    assert_true(f->rgb && f->input.format == SAM_RGB24 && f->input.rgb == f->rgb);
    frames_release(s, f);
    frames_close(s);
    temp_dir_remove(&dir);
    for (int i = 0; i < 2; i++) { /* BT.601 and BT.709 */
        snprintf(path, sizeof path, "%s/data/videos/%s.mp4", SHARED_DIR, i ? "03_skateboarder" : "06_pingpong");
        if (access(path, R_OK) == 0)
            check_nv12(path, 4, 1);
    }
}

static void real_videos_are_exact(void **state)
{
    char path[1024];
    int width, height;
    sam_error err = {0};
    frame_source *s;
    (void)state;
    snprintf(path, sizeof path, "%s/data/videos/03_skateboarder.mp4", SHARED_DIR);
    if (access(path, R_OK) != 0)
        skip();
    CHECK(frames_open(path, &(frames_options){.max_frames = 1}, &s, &err));
    frames_size(s, &width, &height);
    assert_true(width == 1280 && height == 720 && frames_count(s) == 192 && frames_rate(s) == 24);
    frames_close(s);
    check_video(path, NULL, 0);
    snprintf(path, sizeof path, "%s/data/sav_bedroom/JPEGImages_24fps/bedroom", SHARED_DIR);
    if (access(path, R_OK) == 0)
        expect_indices(path, NULL, 0, 1, 80);
}

/* A playlist names further files, and whoever wrote it would choose which: it is no video. */
static void playlists(void **state)
{
    (void)state;
    static const char *const texts[] = {"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
                                        "ffconcat version 1.0\nfile /etc/passwd\n"};
    temp_dir d;
    char path[300];
    temp_dir_make(&d);
    for (int i = 0; i < 2; i++) {
        frame_source *s;
        sam_error err;
        write_file(temp_dir_file(&d, i ? "list.ffconcat" : "list.m3u8", path, sizeof path), texts[i], strlen(texts[i]));
        assert_int_equal(frames_open(path, NULL, &s, &err), SAM_E_FORMAT);
        assert_non_null(strstr(err.text, "a playlist"));
        printf("%s\n", err.text);
    }
    temp_dir_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(playlists),
        cmocka_unit_test(folder_is_in_numeric_order),
        cmocka_unit_test(start_reverse_and_limit),
        cmocka_unit_test(queue_keeps_its_bounds),
        cmocka_unit_test(any_frame_can_be_read),
        cmocka_unit_test(bad_folders_are_explained),
        cmocka_unit_test(every_format_is_a_frame),
        cmocka_unit_test(frames_follow_whole_names),
        cmocka_unit_test(names_of_two_orders_are_refused),
        cmocka_unit_test(photos_differ_in_size_and_name),
        cmocka_unit_test(video_frames_are_exact),
        cmocka_unit_test(damaged_videos),
        cmocka_unit_test(turned_videos_are_upright),
        cmocka_unit_test(real_videos_are_exact),
        cmocka_unit_test(videos_as_nv12),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
