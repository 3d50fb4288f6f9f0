/* Live sources: pipes, raw frames, HTTP on 127.0.0.1; streams that stall, are cut, change size; frames that are dropped; masks
 * to standard output. With a miniature model, whose results must be those of the same frames from files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "frames.h"
#include "image_io.h"
#include "jpeg_write.h"
#include "listing.h"
#include "synthetic_clip.h"
#include "tiny_model.h"
#include "verb_line.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum {
    W = SYNTHETIC_WIDTH,
    H = SYNTHETIC_HEIGHT,
    FRAMES = 17 /* from 16 on the length of a clip does not matter */,
    FRAME_BYTES = 3 * W * H
};

static temp_tree tree;
static uint8_t pixels[FRAMES][FRAME_BYTES]; /* [H, W, 3] */

#define HEADER "YUV4MPEG2 W160 H120 F24:1 Ip A1:1 C444 XCOLORRANGE=FULL\n"
#define TRACK  "track --weights @/tiny.safetensors --quiet --no-overlay --point 40,75 --object 2 --point 110,45 "

/* A frame of the synthetic clip as planes, which libav turns into about the same colours: what matters is that they are the
 * same wherever they come from. */
static size_t put_y4m_frame(FILE *to, int t)
{
    fputs("FRAME\n", to);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < W * H; i++)
            fputc(pixels[t][3 * i + c], to);
    return 6 + FRAME_BYTES;
}

static void write_y4m(FILE *to)
{
    fputs(HEADER, to);
    for (int t = 0; t < FRAMES; t++)
        put_y4m_frame(to, t);
}

static int make(void **state)
{
    char path[400];
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    tree_open(&tree);
    tiny_model_write(tree_path(&tree, "tiny.safetensors"), TINY_SAM21, "sam2.1_miniature");
    snprintf(path, sizeof path, "%s", tree_path(&tree, "clip.y4m"));
    FILE *y4m = fopen(path, "wb");
    FILE *raw = fopen(tree_path(&tree, "clip.rgb"), "wb");
    assert_true(y4m && raw);
    for (int t = 0; t < FRAMES; t++)
        synthetic_frame(W, H, SYNTHETIC_SEED, t, pixels[t], NULL);
    write_y4m(y4m);
    fclose(y4m);
    fwrite(pixels, 1, sizeof pixels, raw);
    fclose(raw);
    assert_int_equal(mkfifo(tree_path(&tree, "pipe"), 0600), 0);
    verb_line(&(command_result){0}, &tree, 0, TRACK "--input @/clip.y4m --out @/file --labels");
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

static size_t file_bytes(const char *run, int frame, uint8_t *to, size_t n)
{
    FILE *file = fopen(tree_path(&tree, "%s/masks/001/%05d.png", run, frame), "rb");
    if (!file)
        return 0;
    size_t got = fread(to, 1, n, file);
    fclose(file);
    return got;
}

/* Masks of the first n frames; there must be no more. */
static void same_masks(const char *a, const char *b, int n)
{
    static uint8_t x[W * H], y[W * H];
    for (int t = 0; t < n; t++) {
        size_t n_x = file_bytes(a, t, x, sizeof x), n_y = file_bytes(b, t, y, sizeof y);
        if (!n_x || n_x != n_y || memcmp(x, y, n_x))
            fail_msg("frame %d of %s and of %s differ", t, a, b);
    }
    assert_false(path_is_file(tree_path(&tree, "%s/masks/001/%05d.png", b, n)));
}

/* Runs `sambench LINE` in the folder, with a shell's redirections; @/ is the folder, too. */
static void piped(int code, const char *words, const char *before, const char *line)
{
    char full[1500], text[1000];
    command_result r;
    size_t at = 0;
    snprintf(text, sizeof text, "cd @/; %s { " EMULATOR BUILD_DIR "/sambench %s; }", before, line);
    for (const char *c = text; *c && at + sizeof tree.root < sizeof full; c++)
        at += (size_t)snprintf(full + at, sizeof full - at, !strncmp(c, "@/", 2) ? "%s" : "%.1s",
                               !strncmp(c, "@/", 2) ? tree.root : c);
    shell(&r, "%s", full);
    assert_int_equal(r.code, code);
    if (words && !strstr(r.text, words))
        fail_msg("it does not say '%s'", words);
}

static void pipes_give_the_frames_of_files(void **state)
{
    (void)state;
    piped(0, NULL, "cat clip.y4m |", TRACK "--input - --out @/piped");
    same_masks("file", "piped", FRAMES);
    piped(0, NULL, "", TRACK "--input - --out @/redirected < clip.y4m");
    same_masks("file", "redirected", FRAMES);
    pid_t child = verb_start(&tree, TRACK "--input @/pipe --out @/named");
    FILE *to = fopen(tree_path(&tree, "pipe"), "wb");
    assert_non_null(to);
    write_y4m(to);
    fclose(to);
    assert_int_equal(verb_end(child), 0);
    same_masks("file", "named", FRAMES);
    piped(1, "not a stream", "echo no video |", TRACK "--input -");
    piped(1, "playlist", "printf '#EXTM3U\\n#EXT-X-TARGETDURATION:1\\n#EXTINF:1,\\nclip.y4m\\n#EXT-X-ENDLIST\\n' |",
          TRACK "--input -");
    piped(1, "the first frame", "", TRACK "--input - --raw 160x120 < /dev/null");
    piped(1, "cannot be tracked in reverse", "cat clip.y4m |", TRACK "--input - --reverse --start_frame 3");
    piped(1, "a time of its own", "", TRACK "--input clip.y4m --realtime");
}

/* Pixels that are given are pixels that are seen. */
static void raw_frames_are_exact(void **state)
{
    static const char *const raw[] = {"160x120", "160x120:rgb24@25/2", "160x360:gray", "240x120:bgr24"};
    static const int good[] = {1, 1, 0, 0};
    (void)state;
    for (int k = 0; k < 4; k++) {
        frame_source *s;
        const frame *f;
        sam_error err;
        pid_t child = fork();
        if (!child) {
            execl("/bin/sh", "sh", "-c", "cat $0/clip.rgb > $0/pipe", tree.root, (char *)NULL);
            _exit(1);
        }
        live_options live = {.raw = raw[k], .first = 10};
        assert_int_equal(frames_open(tree_path(&tree, "pipe"), &(frames_options){.live = &live}, &s, &err), SAM_OK);
        assert_true(frames_are_live(s) && frames_count(s) == INT64_MAX);
        for (int t = 0; t < FRAMES && good[k]; t++) {
            assert_int_equal(frames_next(s, &f, &err), SAM_OK);
            assert_true(f && f->index == 10 + t && f->input.index == 10 + t && f->width == W && f->height == H);
            assert_memory_equal(f->rgb, pixels[t], FRAME_BYTES);
            frames_release(s, f);
        }
        int n = 0;
        while (frames_next(s, &f, &err) == SAM_OK && f) {
            n++;
            if (k == 2) /* planes as they are, gray */
                assert_true(f->rgb[0] == pixels[n - 1][0] && f->rgb[3] == pixels[n - 1][1]);
            if (k == 3) /* other colours in other places */
                assert_true(f->rgb[2] == ((const uint8_t *)pixels)[(size_t)(n - 1) * 240 * 120 * 3]);
            frames_release(s, f);
        }
        printf("  %s: %d frames\n", raw[k], n);
        assert_int_equal(n, k == 2 ? FRAMES : k == 3 ? FRAMES * W / 240 : 0);
        if (k < 3)
            assert_int_equal(frames_next(s, &f, &err), SAM_OK);
        assert_int_equal(frames_read(s, 0, &f, &err), SAM_E_STATE);
        assert_int_equal(frames_restart(s, 0, 0, &err), SAM_E_STATE);
        frames_close(s);
    }
    static const char *const bad[] = {
        "160", "160x", "0x120", "160x120:", "160x120:none", "160x120@", "160x120:rgb24@25x", "160x120:vaapi"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        frame_source *s;
        sam_error err;
        assert_int_equal(frames_open("-", &(frames_options){.live = &(live_options){.raw = bad[i]}}, &s, &err),
                         SAM_E_ARG);
        assert_non_null(strstr(err.text, "--raw: "));
        printf("  %s\n", err.text);
    }
    piped(1, "raw frames are read from", "", TRACK "--input clip.rgb --raw 160x120");
}

/* What came before the cut is there, and it is said. */
static void streams_that_are_cut(void **state)
{
    (void)state;
    piped(1, "frame 3: standard input: it ends in the middle of a frame", "head -c 200000 clip.y4m |",
          TRACK "--input - --out @/cut --json @/cut.json");
    same_masks("file", "cut", 3);
    piped(1, "frame 3: standard input: it ends in the middle of a frame", "head -c 200000 clip.rgb |",
          TRACK "--input - --raw 160x120 --out @/cut_raw");
    assert_true(path_is_file(tree_path(&tree, "cut_raw/masks/002/00002.png")));
    json_t *doc = verb_json(&tree, "cut.json");
    assert_int_equal(json_integer_value(json_object_get(doc, "frames")), 3);
    json_decref(doc);
    piped(1, "after 17 frames", "cat clip.y4m clip.rgb |", TRACK "--input - --out @/noise");
    same_masks("file", "noise", FRAMES);
}

/* ---- a server on 127.0.0.1 ---------------------------------------------------------------------------------------- */

/* Answers connections one after the other, each with the next text of the list, then with the file. */
typedef struct server {
    int socket, port;
    pthread_t thread;
    const char *const *heads;
    const char *body; /* a file */
} server;

static void *serve(void *user)
{
    server *s = user;
    for (int k = 0; s->heads[k]; k++) {
        char request[4096], bytes[8192];
        int to = accept(s->socket, NULL, NULL);
        if (to < 0)
            break;
        ssize_t got = *s->heads[k] ? read(to, request, sizeof request) : 1;
        FILE *body = s->body ? fopen(s->body, "rb") : NULL;
        size_t n = strlen(s->heads[k]);
        int ok = got > 0 && (!n || write(to, s->heads[k], n) == (ssize_t)n);
        while (ok && body && (n = fread(bytes, 1, sizeof bytes, body)) > 0)
            ok = write(to, bytes, n) == (ssize_t)n;
        if (body)
            fclose(body);
        close(to);
    }
    return NULL;
}

static void serve_begin(server *s, const char *const *heads, const char *body)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    *s = (server){.socket = socket(AF_INET, SOCK_STREAM, 0), .heads = heads, .body = body};
    assert_int_equal(bind(s->socket, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(s->socket, 4), 0);
    assert_int_equal(getsockname(s->socket, (struct sockaddr *)&at, &n), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void serve_end(server *s)
{
    shutdown(s->socket, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->socket);
}

static void track_url(server *s, const char *scheme, int code, const char *words, const char *more)
{
    char line[500];
    snprintf(line, sizeof line, TRACK "--input %s://127.0.0.1:%d/clip %s", scheme, s->port, more);
    verb_says(&tree, code, words, line);
}

#define OK_HEAD "HTTP/1.0 200 OK\r\nContent-Type: video/x-whatever\r\nConnection: close\r\n\r\n"

static void urls_that_the_user_names(void **state)
{
    static const char *const
        plain[] = {OK_HEAD, NULL},
        *const promised[] = {"HTTP/1.0 200 OK\r\nContent-Length: 9000000\r\n\r\n", NULL}, *const bare[] = {"", NULL},
        *const list[] = {OK_HEAD "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n"
                                 "#EXT-X-ENDLIST\n",
                         NULL},
        *const away[] = {"HTTP/1.0 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", NULL},
        *const missing[] = {"HTTP/1.0 404 Not Found\r\n\r\n", NULL};
    char body[400];
    server s;
    (void)state;
    snprintf(body, sizeof body, "%s", tree_path(&tree, "clip.y4m"));
    serve_begin(&s, plain, body);
    track_url(&s, "http", 0, "", "--out @/http");
    serve_end(&s);
    same_masks("file", "http", FRAMES);
    serve_begin(&s, bare, body);
    track_url(&s, "tcp", 0, "", "--out @/tcp");
    serve_end(&s);
    same_masks("file", "tcp", FRAMES);
    serve_begin(&s, promised, body);
    track_url(&s, "http", 1, "after 17 frames", "--out @/short");
    serve_end(&s);
    same_masks("file", "short", FRAMES);
    serve_begin(&s, list, NULL);
    track_url(&s, "http", 1, "a playlist", "");
    serve_end(&s);
    serve_begin(&s, away, NULL);
    track_url(&s, "http", 1, "not a kind of stream", "");
    serve_end(&s);
    serve_begin(&s, missing, NULL);
    track_url(&s, "http", 1, "404", "");
    serve_end(&s);
    verb_says(&tree, 1, "expected a URL of http", TRACK "--input file://@/clip.y4m");
    verb_says(&tree, 1, "expected a URL of http", TRACK "--input concat://@/clip.y4m");
    verb_says(&tree, 1, "`track` alone",
              "image --weights @/tiny.safetensors --input http://127.0.0.1/a.jpg --point 1,1");
}

static void put_jpeg(FILE *to, int width, int height)
{
    char path[400];
    uint8_t bytes[65536];
    sam_error err;
    snprintf(path, sizeof path, "%s", tree_path(&tree, "one.jpg"));
    if (jpeg_write(path, pixels[0], width, height, 90, &err) != SAM_OK)
        fail_msg("%s", err.text);
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    size_t n = fread(bytes, 1, sizeof bytes, from);
    fclose(from);
    fprintf(to, "--next\r\nContent-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n", n);
    fwrite(bytes, 1, n, to);
    fputs("\r\n", to);
}

/* As web cameras send pictures. */
static void a_stream_that_changes_size(void **state)
{
    static const char *const heads[] = {
        "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=next\r\nConnection: close\r\n\r\n", NULL};
    char body[400];
    server s;
    (void)state;
    snprintf(body, sizeof body, "%s", tree_path(&tree, "camera"));
    FILE *to = fopen(body, "wb");
    assert_non_null(to);
    for (int t = 0; t < 8; t++)
        put_jpeg(to, t < 4 ? W : W / 2, H);
    fclose(to);
    serve_begin(&s, heads, body);
    track_url(&s, "http", 1, "frame 4: http://127.0.0.1", "--out @/grown");
    serve_end(&s);
    assert_true(path_is_file(tree_path(&tree, "grown/masks/001/00003.png")));
    assert_true(path_is_file(tree_path(&tree, "grown/objects.csv")));
}

/* ---- time --------------------------------------------------------------------------------------------------------- */

static void wait_for(const char *name)
{
    for (int i = 0; i < 6000 && !path_is_file(tree_path(&tree, "%s", name)); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(path_is_file(tree_path(&tree, "%s", name)));
}

/* Three frames, then nothing: Ctrl-C ends the run, before the first frame too. */
static void streams_that_stall(void **state)
{
    (void)state;
    pid_t child = verb_start(&tree, TRACK "--input @/pipe --out @/stalled --json @/stalled.json");
    FILE *to = fopen(tree_path(&tree, "pipe"), "wb");
    assert_non_null(to);
    fputs(HEADER, to);
    for (int t = 0; t < 3; t++)
        put_y4m_frame(to, t);
    fputs("FRAME\nand no more", to);
    fflush(to);
    wait_for("stalled/masks/002/00002.png");
    kill(child, SIGINT);
    assert_int_equal(verb_end(child), 130);
    fclose(to);
    same_masks("file", "stalled", 3);
    json_t *doc = verb_json(&tree, "stalled.json");
    assert_true(json_is_true(json_object_get(doc, "interrupted")));
    assert_int_equal(json_integer_value(json_object_get(doc, "frames")), 3);
    json_decref(doc);
    child = verb_start(&tree, TRACK "--input @/pipe --json @/never.json");
    int held = open(tree_path(&tree, "pipe"), O_WRONLY); /* it reads, so it catches signals already */
    kill(child, SIGINT);
    assert_int_equal(verb_end(child), 130);
    close(held);
    assert_false(path_is_file(tree_path(&tree, "never.json")));
}

/* All frames come at once. Of those that wait the newest is tracked, and the ones that prompts name; the engine sees a video
 * without gaps. */
static void late_frames_are_dropped(void **state)
{
    (void)state;
    pid_t child = verb_start(&tree, TRACK "--object 7 --frame 3 --point 60,60 --input @/pipe --realtime --out @/late "
                                          "--json @/late.json --save_state @/late.state");
    FILE *to = fopen(tree_path(&tree, "pipe"), "wb");
    assert_non_null(to);
    fputs(HEADER, to);
    for (int k = 0; k < 50; k++)
        put_y4m_frame(to, k % FRAMES);
    fclose(to);
    assert_int_equal(verb_end(child), 0);
    json_t *doc = verb_json(&tree, "late.json"), *live = json_object_get(doc, "live");
    int n = (int)json_integer_value(json_object_get(doc, "frames"));
    int received = (int)json_integer_value(json_object_get(live, "frames_received"));
    int dropped = (int)json_integer_value(json_object_get(live, "frames_dropped"));
    double p50 = json_number_value(json_object_get(live, "latency_ms_p50"));
    printf("  %d frames, %d dropped, %d tracked; %.1f ms\n", received, dropped, n, p50);
    assert_int_equal(received, 50);
    assert_int_equal(received, dropped + n);
    assert_true(dropped > 0 && p50 > 0 && json_is_null(json_object_get(live, "latency_ms_p99")));
    json_decref(doc);
    assert_true(path_is_file(tree_path(&tree, "late/masks/001/00000.png")));
    assert_true(path_is_file(tree_path(&tree, "late/masks/007/00003.png")));
    assert_true(path_is_file(tree_path(&tree, "late/masks/007/00049.png")));
    assert_false(path_is_file(tree_path(&tree, "late/masks/007/00000.png")));
}

/* ---- masks to standard output ------------------------------------------------------------------------------------- */

static void masks_to_standard_output(void **state)
{
    frame_source *s;
    const frame *f;
    sam_error err;
    uint8_t picture[W * H];
    (void)state;
    piped(0, NULL, "cat clip.y4m |", TRACK "--input - --pipe y4m > masks.y4m");
    piped(0, NULL, "", TRACK "--input clip.y4m --pipe raw > masks.gray");
    FILE *raw = fopen(tree_path(&tree, "masks.gray"), "rb");
    assert_non_null(raw);
    assert_int_equal(frames_open(tree_path(&tree, "masks.y4m"), NULL, &s, &err), SAM_OK);
    size_t n_object = 0;
    for (int t = 0; t < FRAMES; t++) {
        image numbers = {0};
        const char *path = tree_path(&tree, "file/labels/%05d.png", t);
        assert_int_equal(image_read_mask(path, MASK_IDS, &numbers, &err), SAM_OK);
        assert_int_equal(fread(picture, 1, W * H, raw), W * H);
        assert_memory_equal(picture, numbers.data, W * H);
        assert_int_equal(frames_next(s, &f, &err), SAM_OK);
        for (int i = 0; f && i < W * H; i++) {
            assert_int_equal(f->rgb[3 * i], picture[i]);
            n_object += picture[i] > 0;
        }
        assert_non_null(f);
        frames_release(s, f);
        image_free(&numbers);
    }
    printf("  %d frames, %zu pixels of objects\n", FRAMES, n_object);
    assert_true(n_object > 0);
    assert_int_equal(fread(picture, 1, 1, raw), 0);
    fclose(raw);
    frames_close(s);
    piped(2, "both write to standard output", "", TRACK "--input clip.y4m --pipe raw --json -");
    piped(1, "holds numbers from 1", "", TRACK "--object 300 --point 5,5 --input clip.y4m --pipe raw");
    /* A reader that goes away. */
    piped(0, "cannot be written to standard output", "",
          TRACK "--input clip.y4m --pipe raw --out @/gone 2> said | head -c 30000 > /dev/null; cat said");
    assert_true(path_is_file(tree_path(&tree, "gone/objects.csv")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipes_give_the_frames_of_files), cmocka_unit_test(raw_frames_are_exact),
        cmocka_unit_test(streams_that_are_cut),           cmocka_unit_test(urls_that_the_user_names),
        cmocka_unit_test(a_stream_that_changes_size),     cmocka_unit_test(streams_that_stall),
        cmocka_unit_test(late_frames_are_dropped),        cmocka_unit_test(masks_to_standard_output),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
