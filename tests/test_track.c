/* sambench track and image run a small model on generated frames: what they write, and the order things are done in.
 * The weights are random, so masks mean nothing here; that equal requests give equal bytes does. */
#include "command.h"
#include "documented.h"
#include "image_io.h"
#include "listing.h"
#include "safetensors.h"
#include "small_model.h"
#include "synthetic_clip.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIDE = 32 }; /* of low-res logits at --imgsz 128 */

static temp_tree tree;

static int make_files(void **state)
{
    (void)state;
    static uint8_t mask[SYNTHETIC_WIDTH * SYNTHETIC_HEIGHT];
    tree_open(&tree);
    small_model_make(&tree);
    small_clip_make(&tree, "clip", 10);
    small_clip_make(&tree, "short", 5);
    fill_box(mask, SYNTHETIC_WIDTH, 30, 30, 90, 80, 1);
    tree_gray(&tree, "mask.png", mask, SYNTHETIC_WIDTH, SYNTHETIC_HEIGHT);
    setenv("XDG_CACHE_HOME", tree_path(&tree, "cache"), 1);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

/* Tracks frames of root/clip with these further arguments, root for @, and expects success. */
static void track(const char *clip, const char *arguments)
{
    static command_result r;
    char full[2048];
    size_t at = 0;
    for (const char *c = arguments; *c && at + sizeof tree.root < sizeof full; c++) {
        if (*c == '@')
            at += (size_t)snprintf(full + at, sizeof full - at, "%s", tree.root);
        else
            full[at++] = *c;
    }
    full[at] = 0;
    command(&r, "sambench track --weights %s/tiny.safetensors --device cpu --imgsz 128 --input %s/%s %s", tree.root,
            tree.root, clip, full);
    assert_int_equal(r.code, 0);
}

static void open_dump(const char *name, st_file *f)
{
    sam_error err;
    if (st_open(tree_path(&tree, "%s", name), f, &err) != SAM_OK)
        fail_msg("%s", err.text);
}

static const st_tensor *expect_tensor(const st_file *f, const char *name, st_dtype type, int64_t rows, int64_t cols)
{
    const st_tensor *t = st_find(f, name);
    if (!t)
        fail_msg("%s is not in the dump", name);
    assert_int_equal(t->dtype, type);
    assert_int_equal(t->n_dims, cols ? 2 : 1);
    assert_int_equal(t->shape[0], rows);
    if (cols)
        assert_int_equal(t->shape[1], cols);
    return t;
}

/* Whether two dumps hold the same bytes of a frame of object 1. */
static int same_frame(const st_file *a, const st_file *b, int frame)
{
    static const char *const what[] = {"low_res_logits", "object_score", "object_pointer", "mask"};
    int same = 1;
    for (int k = 0; k < 4; k++) {
        char name[64];
        snprintf(name, sizeof name, "frame_%05d/obj_1/%s", frame, what[k]);
        const st_tensor *x = st_find(a, name), *y = st_find(b, name);
        assert_true(x && y && x->n_bytes == y->n_bytes);
        same &= !memcmp(x->data, y->data, x->n_bytes);
    }
    return same;
}

/* Every row of OUT/objects.csv says of a written mask what the mask says. */
static void check_objects(const char *path, int n_frames, int n_objects)
{
    csv_table t = documented_table(&tree, path, "columns.md", "OUT/objects.csv");
    image mask = {0};
    sam_error err;
    int n_empty = 0;
    assert_int_equal(t.n_rows, n_frames * n_objects);
    for (int r = 0; r < t.n_rows; r++) {
        int w = SYNTHETIC_WIDTH, h = SYNTHETIC_HEIGHT, area = 0, x0 = w, y0 = h, x1 = -1, y1 = -1;
        char want[80] = "0,,,,", got[80];
        const char *png = tree_path(&tree, "out/deep/masks/%03d/%s.png", atoi(csv_cell(&t, r, 2)), csv_cell(&t, r, 1));
        assert_int_equal(image_read_mask(png, MASK_IDS, &mask, &err), SAM_OK);
        for (int i = 0; i < w * h; i++)
            if (mask.data[i]) {
                area++;
                x0 = i % w < x0 ? i % w : x0;
                x1 = i % w > x1 ? i % w : x1;
                y0 = i / w < y0 ? i / w : y0;
                y1 = i / w;
            }
        if (area)
            snprintf(want, sizeof want, "%d,%d,%d,%d,%d", area, x0, y0, x1, y1);
        n_empty += !area;
        snprintf(got, sizeof got, "%s,%s,%s,%s,%s", csv_cell(&t, r, 5), csv_cell(&t, r, 6), csv_cell(&t, r, 7),
                 csv_cell(&t, r, 8), csv_cell(&t, r, 9));
        assert_string_equal(got, want);
        assert_int_equal(atoi(csv_cell(&t, r, 0)), r / n_objects);
        assert_true(*csv_cell(&t, r, 3) && *csv_cell(&t, r, 4));
    }
    printf("%d rows of objects.csv, %d of empty masks\n", t.n_rows, n_empty);
    csv_close(&t);
    image_free(&mask);
}

static void writes_masks_overlay_dump_and_figures(void **state)
{
    (void)state;
    st_file dump;
    sam_error err;
    image mask = {0};
    track(
        "clip",
        "--point 50,60 --object 12 --box 60,20,120,90 --out @/out/deep --json @/figures.json --dump @/all.safetensors");
    open_dump("all.safetensors", &dump);
    assert_int_equal(dump.n_tensors, 10 * 2 * 4);
    for (int t = 0; t < 10; t++)
        for (int k = 0; k < 2; k++) {
            char name[64];
            int id = k ? 12 : 1, n = snprintf(name, sizeof name, "frame_%05d/obj_%d/", t, id);
            strcpy(name + n, "low_res_logits");
            expect_tensor(&dump, name, ST_F32, SIDE, SIDE);
            strcpy(name + n, "object_score");
            expect_tensor(&dump, name, ST_F32, 1, 0);
            strcpy(name + n, "object_pointer");
            expect_tensor(&dump, name, ST_F32, 256, 0);
            strcpy(name + n, "mask");
            const st_tensor *m = expect_tensor(&dump, name, ST_U8, SYNTHETIC_HEIGHT, SYNTHETIC_WIDTH);
            const char *path = tree_path(&tree, "out/deep/masks/%03d/%05d.png", id, t);
            assert_int_equal(image_read_mask(path, MASK_IDS, &mask, &err), SAM_OK);
            for (int64_t i = 0; i < st_count(m); i++)
                assert_int_equal(((const uint8_t *)m->data)[i], mask.data[i] != 0);
        }
    st_close(&dump);
    image_free(&mask);
    assert_true(path_is_file(tree_path(&tree, "out/deep/overlay.mp4")));
    check_objects("out/deep/objects.csv", 10, 2);

    json_t *root = json_load_file(tree_path(&tree, "figures.json"), 0, NULL);
    documented_keys(root, "files.md", "## `track --json");
    documented_fields(root, "files.md", NULL);
    const char *model, *backend, *device, *precision;
    int imgsz, frames, objects, steady_frames, full_bank, interrupted;
    json_t *p90, *p99;
    double ms, stage[5], official, end_to_end, waits;
    json_int_t weights, state_bytes, scratch, rss;
    json_t *engine;
    assert_int_equal(json_unpack(root, "{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:F, s:F, s:I, s:F}", "model", &model,
                                 "backend", &backend, "device", &device, "precision", &precision, "imgsz", &imgsz,
                                 "frames", &frames, "objects", &objects, "interrupted", &interrupted,
                                 "official_protocol_fps", &official, "end_to_end_fps", &end_to_end, "rss_peak_bytes",
                                 &rss, "syncs_per_steady_frame", &waits),
                     0);
    assert_int_equal(json_unpack(root, "{s:{s:F, s:o, s:o, s:i, s:b, s:{s:F, s:F, s:F, s:F, s:F}}}", "steady",
                                 "ms_per_frame", &ms, "p90", &p90, "p99", &p99, "frames", &steady_frames, "full_bank",
                                 &full_bank, "stages_ms", "encode", &stage[0], "memory_attention", &stage[1],
                                 "mask_decoder", &stage[2], "memory_encoder", &stage[3], "post", &stage[4]),
                     0);
    assert_int_equal(json_unpack(root, "{s:{s:I, s:I, s:I}, s:{s:o}}", "peak_bytes", "weights", &weights, "state",
                                 &state_bytes, "scratch", &scratch, "allocations_by", "engine", &engine),
                     0);
    assert_string_equal(model, "sam2.1_hiera_tiny");
    assert_string_equal(backend, "cpu");
    assert_string_equal(precision, "fp32");
    assert_true(imgsz == 128 && frames == 10 && objects == 2 && !interrupted && *device);
    assert_true(steady_frames == 3 && full_bank);
    assert_true(ms > 0 && official > 0 && end_to_end > 0);
    assert_true(json_is_null(p90) && json_is_null(p99)); /* of three frames */
    assert_true(json_number_value(json_object_get(root, "cold_start_ms")) > 10);
    assert_true(
        json_is_null(json_object_get(json_object_get(root, "steady"), "host_ms"))); /* the CPU is its own host */
    assert_true(weights > 1 << 26 && state_bytes > 0 && scratch > 0 && rss > weights);
    for (int k = 0; k < 5; k++)
        assert_true(stage[k] > 0);
    assert_true(waits == 0); /* nothing is waited for on the CPU */
    assert_true(json_is_null(engine) || json_number_value(engine) == 0);
    json_decref(root);
}

static void takes_flags_and_json_alike(void **state)
{
    (void)state;
    st_file a, b;
    tree_text(&tree, "prompts.json",
              "{\"objects\": [{\"id\": 1, \"prompts\": [{\"frame\": 3, \"points\": [[80, 40]], \"labels\": [0]},"
              "{\"frame\": 0, \"box\": [20, 20, 90, 90]}, {\"frame\": 0, \"points\": [[50, 60]], \"labels\": [1]}]}]}");
    track("clip", "--frames 5 --prompts @/prompts.json --dump @/a.safetensors");
    track(
        "clip",
        "--frames 5 --frame 3 --point 80,40,0 --frame 0 --point 50,60 --box 20,20,90,90 --dump @/b.safetensors --overlap");
    open_dump("a.safetensors", &a);
    open_dump("b.safetensors", &b);
    assert_int_equal(a.n_tensors, 5 * 4);
    for (int t = 0; t < 5; t++)
        assert_true(same_frame(&a, &b, t));
    st_close(&a);
    st_close(&b);
}

/* Low-res logits of object 1 on a frame, b's relative distance from a's. */
static double logits_apart(const st_file *a, const st_file *b, int frame)
{
    char name[64];
    double d = 0, norm = 0;
    snprintf(name, sizeof name, "frame_%05d/obj_1/low_res_logits", frame);
    const st_tensor *x = expect_tensor(a, name, ST_F32, SIDE, SIDE), *y = expect_tensor(b, name, ST_F32, SIDE, SIDE);
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        float u, v;
        memcpy(&u, (const char *)x->data + 4 * i, 4);
        memcpy(&v, (const char *)y->data + 4 * i, 4);
        d += ((double)u - (double)v) * ((double)u - (double)v);
        norm += (double)u * (double)u;
    }
    return sqrt(d / norm);
}

/* A video as NV12 is nearly what it is as RGB, whether an overlay needs the pixels or not. */
static void takes_nv12(void **state)
{
    (void)state;
    st_file rgb, nv12, shown;
    double worst = 0;
    track("short", "--point 50,60 --out @/video");
    track("video/overlay.mp4", "--point 50,60 --dump @/rgb.safetensors");
    track("video/overlay.mp4", "--point 50,60 --dump @/nv12.safetensors --frame_format nv12");
    track("video/overlay.mp4", "--point 50,60 --dump @/shown.safetensors --frame_format nv12 --out @/video_shown");
    open_dump("rgb.safetensors", &rgb);
    open_dump("nv12.safetensors", &nv12);
    open_dump("shown.safetensors", &shown);
    for (int t = 0; t < 5; t++) {
        assert_true(same_frame(&nv12, &shown, t));
        double apart = logits_apart(&rgb, &nv12, t);
        worst = apart > worst ? apart : worst;
    }
    printf("logits of NV12 frames are %.1e from those of RGB\n", worst);
    assert_true(worst > 0 && worst < 0.05);
    assert_true(path_is_file(tree_path(&tree, "video_shown/overlay.mp4")));
    st_close(&rgb);
    st_close(&nv12);
    st_close(&shown);
}

/* A file of five frames and the first five of ten are the same clip, also for the age of pointers. */
static void truncates_like_a_shorter_clip(void **state)
{
    (void)state;
    st_file a, b;
    track("clip", "--frames 5 --point 50,60 --dump @/a.safetensors");
    track("short", "--point 50,60 --dump @/b.safetensors");
    open_dump("a.safetensors", &a);
    open_dump("b.safetensors", &b);
    for (int t = 0; t < 5; t++)
        assert_true(same_frame(&a, &b, t));
    st_close(&a);
    st_close(&b);
}

/* Under a profiler graphs are ranges, and operators if asked for; tests/fake_nvtx is the profiler. */
static void names_ranges(void **state)
{
    (void)state;
    static char text[1 << 20];
    char path[300];
    if (access(BUILD_DIR "/tests/fake_nvtx.so", R_OK))
        skip(); /* built without nvtx3 headers */
    snprintf(path, sizeof path, "%s", tree_path(&tree, "ranges"));
    setenv("FAKE_NVTX_LOG", path, 1);
    setenv("NVTX_INJECTION64_PATH", BUILD_DIR "/tests/fake_nvtx.so", 1);
    for (int operators = 0; operators <= 1; operators++) {
        if (operators)
            setenv("SAMBENCH_NVTX", "operators", 1);
        track("short", "--frames 2 --point 50,60");
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        size_t n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[n] = 0;
        int begun = 0, ended = 0;
        for (const char *c = text; *c; c++)
            if (*c == '\n')
                *(c > text && c[-1] == '.' ? &ended : &begun) += 1;
        printf("%d ranges%s\n", begun, operators ? " with operators" : "");
        assert_true(begun && begun == ended);
        assert_true(strstr(text, "encode\n") && strstr(text, "attend\n") && strstr(text, "remember\n"));
        assert_true((strstr(text, "layernorm\n") != NULL) == operators);
    }
    unsetenv("SAMBENCH_NVTX");
    unsetenv("NVTX_INJECTION64_PATH");
    unsetenv("FAKE_NVTX_LOG");
}

static void tracks_in_reverse(void **state)
{
    (void)state;
    st_file dump;
    track("short",
          "--frame 3 --mask @/mask.png --reverse --dump @/a.safetensors --out @/reverse --no-overlay --overlap");
    open_dump("a.safetensors", &dump);
    assert_int_equal(dump.n_tensors, 4 * 4);
    assert_string_equal(dump.tensors[0].name, "frame_00003/obj_1/low_res_logits");
    assert_non_null(st_find(&dump, "frame_00000/obj_1/mask"));
    st_close(&dump);
    assert_false(path_is_file(tree_path(&tree, "reverse/overlay.mp4")));
    assert_true(path_is_file(tree_path(&tree, "reverse/masks/001/00003.png")));
    assert_false(path_is_file(tree_path(&tree, "reverse/masks/001/00004.png")));
}

/* A correction of a tracked frame changes it and what follows, not what came before; given before tracking it is a second
 * prompted frame, which the earlier ones see. */
static void applies_corrections_when_told(void **state)
{
    (void)state;
    st_file plain, tracked, before;
#define PROMPTS(when)                                                                                                  \
    "{\"objects\": [{\"id\": 1, \"prompts\": [{\"frame\": 0, \"box\": [20, 20, 90, 90]}, {\"frame\": 2, \"points\": "  \
    "[[120, 30]], \"labels\": [1], \"when\": \"" when "\"}]}]}"
    tree_text(&tree, "tracked.json", PROMPTS("tracked"));
    tree_text(&tree, "before.json", PROMPTS("before"));
    track("short", "--box 20,20,90,90 --dump @/a.safetensors");
    track("short", "--prompts @/tracked.json --dump @/b.safetensors");
    track("short", "--prompts @/before.json --dump @/c.safetensors");
    open_dump("a.safetensors", &plain);
    open_dump("b.safetensors", &tracked);
    open_dump("c.safetensors", &before);
    assert_true(same_frame(&plain, &tracked, 0) && same_frame(&plain, &tracked, 1));
    assert_false(same_frame(&plain, &tracked, 2));
    assert_false(same_frame(&plain, &tracked, 3));
    assert_true(same_frame(&plain, &before, 0));
    assert_false(same_frame(&plain, &before, 1));
    st_close(&plain);
    st_close(&tracked);
    st_close(&before);
}

static void converts_official_files_once(void **state)
{
    (void)state;
    static command_result r;
    st_file a, b;
    command(&r, "samconvert random --model sam2.1_tiny --half --format meta %s/official.pt", tree.root);
    if (r.code != 0) /* writing torch files is not what is tested here */
        command(&r, "samconvert random --model sam2.1_tiny --half --format meta %s/official.safetensors", tree.root);
    assert_int_equal(r.code, 0);
    const char *name = path_is_file(tree_path(&tree, "official.pt")) ? "official.pt" : "official.safetensors";
    command(
        &r,
        "sambench track --weights %s/%s --device cpu --imgsz 128 --input %s/short --frames 2 --point 50,60 --dump %s/b.safetensors",
        tree.root, name, tree.root, tree.root);
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, "is used in its converted form"));
    assert_non_null(strstr(r.text, "/cache/sambench/"));
    track("short", "--frames 2 --point 50,60 --dump @/a.safetensors");
    open_dump("a.safetensors", &a);
    open_dump("b.safetensors", &b);
    assert_true(same_frame(&a, &b, 0) && same_frame(&a, &b, 1));
    /* A converted file needs no cache folder, another one says what is missing. */
    char home[256], cache[256];
    snprintf(home, sizeof home, "%s", getenv("HOME") ? getenv("HOME") : "/");
    snprintf(cache, sizeof cache, "%s", getenv("XDG_CACHE_HOME"));
    unsetenv("HOME");
    unsetenv("XDG_CACHE_HOME");
    track("short", "--frames 1 --point 50,60");
    command(&r, "sambench track --weights %s/%s --device cpu --imgsz 128 --input %s/short --frames 1 --point 50,60",
            tree.root, name, tree.root);
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(r.text, "set HOME or XDG_CACHE_HOME"));
    setenv("HOME", home, 1);
    setenv("XDG_CACHE_HOME", cache, 1);
    st_close(&a);
    st_close(&b);
}

/* Names with commas and quotes, prompts with a byte order mark, a box a fraction of a pixel outside. */
static void takes_what_others_write(void **state)
{
    (void)state;
    csv_table t = {0};
    sam_error err = {0};
    static uint8_t rgb[SYNTHETIC_WIDTH * SYNTHETIC_HEIGHT * 3];
    for (int i = 0; i < 2; i++) {
        tree_folder(&tree, "odd");
        const char *name = tree_path(&tree, "odd/a, \"b\" %d.png", i);
        assert_int_equal(image_write_rgb(name, rgb, 3 * SYNTHETIC_WIDTH, SYNTHETIC_WIDTH, SYNTHETIC_HEIGHT, &err),
                         SAM_OK);
    }
    tree_text(&tree, "marked.json",
              "\xef\xbb\xbf{\"objects\": [{\"id\": 1, \"prompts\": [{\"frame\": 0, \"box\": [-0.4, -0.2, 90, 90]}]}]}");
    track("odd", "--prompts @/marked.json --out @/odd_out --no-overlay");
    assert_int_equal(csv_read(&t, tree_path(&tree, "odd_out/objects.csv"), &err), SAM_OK);
    assert_int_equal(t.n_rows, 2);
    assert_string_equal(csv_text(&t, 0, "name"), "a, \"b\" 0");
    assert_string_equal(csv_text(&t, 0, "object"), "1");
    csv_close(&t);
}

/* A mask with two ids is two objects: neither of them is guessed. */
static void a_mask_prompt_is_one_object(void **state)
{
    (void)state;
    static command_result r;
    static uint8_t mask[SYNTHETIC_WIDTH * SYNTHETIC_HEIGHT];
    fill_box(mask, SYNTHETIC_WIDTH, 10, 10, 40, 40, 1);
    fill_box(mask, SYNTHETIC_WIDTH, 60, 10, 90, 40, 2);
    tree_mask(&tree, "two.png", mask, SYNTHETIC_WIDTH, SYNTHETIC_HEIGHT);
    command(&r,
            "sambench track --weights %s/model.safetensors --device cpu --imgsz 64 --input %s/short --mask %s/two.png",
            tree.root, tree.root, tree.root);
    printf("%s", r.text);
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(r.text, "two.png: holds the values 1 and 2, expected the mask of one object"));
}

/* Ctrl-C between frames: what has been tracked is written, the exit status says that it is not all. */
static void keeps_results_when_interrupted(void **state)
{
    (void)state;
    char weights[256], clip[256], out[256], json[256], third[256];
    small_clip_make(&tree, "long", 120);
    snprintf(weights, sizeof weights, "%s", tree_path(&tree, "tiny.safetensors"));
    snprintf(clip, sizeof clip, "%s", tree_path(&tree, "long"));
    snprintf(out, sizeof out, "%s", tree_path(&tree, "interrupted"));
    snprintf(json, sizeof json, "%s", tree_path(&tree, "interrupted.json"));
    snprintf(third, sizeof third, "%s", tree_path(&tree, "interrupted/masks/001/00002.png"));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/bin/sh", SAMBENCH_WORDS, "track", "--weights", weights, "--imgsz", "128", "--input", clip, "--point",
              "50,60", "--out", out, "--json", json, (char *)NULL);
        _exit(99);
    }
    for (int i = 0; i < 6000 && !path_is_file(third); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    kill(child, SIGINT);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    json_t *root = json_load_file(json, 0, NULL);
    int interrupted, frames;
    assert_int_equal(json_unpack(root, "{s:b, s:i}", "interrupted", &interrupted, "frames", &frames), 0);
    json_decref(root);
    assert_true(interrupted && frames >= 3 && frames < 120);
    assert_true(path_is_file(tree_path(&tree, "interrupted/overlay.mp4")));
    assert_true(path_is_file(tree_path(&tree, "interrupted/masks/001/%05d.png", frames - 1)));
    assert_false(path_is_file(tree_path(&tree, "interrupted/masks/001/%05d.png", frames)));
}

/* ---- image -------------------------------------------------------------------------------------------------------- */

static void segments_an_image(void **state)
{
    (void)state;
    static command_result r;
    st_file dump;
    command(
        &r,
        "sambench image --weights %s/tiny.safetensors --imgsz 128 --input %s/clip/00000.png --point 50,60 --out %s/img "
        "--dump %s/img.safetensors",
        tree.root, tree.root, tree.root, tree.root);
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, "object 1, mask 2: predicted IoU"));
    for (int i = 0; i < 3; i++)
        assert_true(path_is_file(tree_path(&tree, "img/mask_%d.png", i)));
    assert_true(path_is_file(tree_path(&tree, "img/overlay.png")));
    open_dump("img.safetensors", &dump);
    const st_tensor *logits = st_find(&dump, "image/obj_1/low_res_logits");
    assert_true(logits && logits->n_dims == 3 && logits->shape[0] == 3 && logits->shape[1] == SIDE);
    expect_tensor(&dump, "image/obj_1/iou", ST_F32, 3, 0);
    expect_tensor(&dump, "features/image_embed", ST_F32, 64, 256);
    expect_tensor(&dump, "features/high_res_0", ST_F32, 1024, 32);
    expect_tensor(&dump, "features/high_res_1", ST_F32, 256, 64);
    st_close(&dump);
}

/* One mask's logits go back in with another click; a box gives one mask, unless three are asked for. */
static void takes_previous_logits_and_boxes(void **state)
{
    (void)state;
    static command_result r;
    st_file dump;
    command(
        &r,
        "sambench image --weights %s/tiny.safetensors --imgsz 128 --input %s/clip/00000.png --box 20,20,90,90 --object 2 --point "
        "50,60 --out %s/two --dump %s/two.safetensors",
        tree.root, tree.root, tree.root, tree.root);
    assert_int_equal(r.code, 0);
    assert_true(path_is_file(tree_path(&tree, "two/object_1_mask_0.png")));
    assert_false(path_is_file(tree_path(&tree, "two/object_1_mask_1.png")));
    assert_true(path_is_file(tree_path(&tree, "two/object_2_mask_2.png")));
    open_dump("two.safetensors", &dump);
    const st_tensor *box = st_find(&dump, "image/obj_1/low_res_logits");
    assert_true(box && box->shape[0] == 1);
    assert_non_null(st_find(&dump, "image/obj_2/iou"));
    st_close(&dump);
    tree_text(&tree, "again.json",
              "{\"objects\": [{\"id\": 1, \"prompts\": [{\"frame\": 0, \"points\": [[60, 60]], \"labels\": "
              "[1]}, {\"frame\": 0, \"logits\": \"two.safetensors\"}]}], \"multimask\": false}");
    command(
        &r,
        "sambench image --weights %s/tiny.safetensors --imgsz 128 --input %s/clip/00000.png --prompts %s/again.json",
        tree.root, tree.root, tree.root);
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, "mask 0"));
    assert_null(strstr(r.text, "mask 1"));
    command(
        &r,
        "sambench image --weights %s/tiny.safetensors --imgsz 128 --input %s/clip/00000.png --prompts %s/again.json --multimask",
        tree.root, tree.root, tree.root);
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, "mask 2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_masks_overlay_dump_and_figures),
        cmocka_unit_test(takes_flags_and_json_alike),
        cmocka_unit_test(takes_nv12),
        cmocka_unit_test(truncates_like_a_shorter_clip),
        cmocka_unit_test(tracks_in_reverse),
        cmocka_unit_test(names_ranges),
        cmocka_unit_test(applies_corrections_when_told),
        cmocka_unit_test(converts_official_files_once),
        cmocka_unit_test(takes_what_others_write),
        cmocka_unit_test(a_mask_prompt_is_one_object),
        cmocka_unit_test(keeps_results_when_interrupted),
        cmocka_unit_test(segments_an_image),
        cmocka_unit_test(takes_previous_logits_and_boxes),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
