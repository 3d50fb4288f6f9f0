/* sambench from its command line: verbs, usage errors and everything the outside world can get wrong before a run. */
#include "command.h"
#include "physical_cores.h"
#include "small_model.h"
#include "synthetic_clip.h"
#include "tiny_model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static temp_tree tree;

static void write_prompts(const char *name, const char *text)
{
    tree_text(&tree, name, text);
}

/* The first part of the weights, as an interrupted download leaves them. */
static void truncate_weights(void)
{
    static char bytes[1 << 20];
    char to[256];
    FILE *in = fopen(tree_path(&tree, "tiny.safetensors"), "rb");
    snprintf(to, sizeof to, "%s", tree_path(&tree, "truncated.safetensors"));
    FILE *out = fopen(to, "wb");
    assert_true(in && out && fread(bytes, 1, sizeof bytes, in) == sizeof bytes);
    assert_true(fwrite(bytes, 1, sizeof bytes, out) == sizeof bytes);
    fclose(in);
    fclose(out);
}

static int make_files(void **state)
{
    (void)state;
    static uint8_t mask[SYNTHETIC_WIDTH * SYNTHETIC_HEIGHT];
    tree_open(&tree);
    small_model_make(&tree);
    small_clip_make(&tree, "clip", 3);
    tiny_model_write(tree_path(&tree, "vit.safetensors"), TINY_SAM1, tiny_names[TINY_SAM1]);
    tree_folder(&tree, "renamed");
    tiny_model_write(tree_path(&tree, "renamed/sam_b.pt"), TINY_SAM21, tiny_names[TINY_SAM21]);
    truncate_weights();
    tree_gray(&tree, "empty.png", mask, SYNTHETIC_WIDTH, SYNTHETIC_HEIGHT);
    fill_box(mask, 40, 5, 5, 20, 20, 1);
    tree_gray(&tree, "small.png", mask, 40, 30);
    tree_text(&tree, "notes.txt", "not a folder\n");
    write_prompts("tracked.json", "{\"objects\": [{\"id\": 1, \"prompts\": [{\"frame\": 1, \"points\": [[1, 1]], "
                                  "\"labels\": [1], \"when\": \"tracked\"}]}]}");
    write_prompts("broken.json", "{\"objects\": [{\"id\": 1, \"prompts\": [{\"frame\": 0, \"pints\": []}]}]}");
    write_prompts("late.json", "{\"objects\": [{\"id\": 3, \"prompts\": [{\"frame\": 7, \"box\": [1, 1, 9, 9]}]}]}");
    write_prompts("mask.json", "{\"objects\": [{\"id\": 3, \"prompts\": [{\"frame\": 0, \"mask\": \"small.png\"}]}]}");
    write_prompts("logits.json", "{\"objects\": [{\"id\": 1, \"prompts\": [{\"frame\": 0, \"points\": [[9, 9]], "
                                 "\"labels\": [1]}, {\"frame\": 0, \"logits\": \"tiny.safetensors\"}]}]}");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

/* `line` with every @ replaced by the test's folder. */
static void run(command_result *r, const char *line)
{
    char full[2048];
    size_t at = 0;
    for (; *line && at + strlen(tree.root) < sizeof full; line++) {
        if (*line == '@')
            at += (size_t)snprintf(full + at, sizeof full - at, "%s", tree.root);
        else
            full[at++] = *line;
    }
    full[at] = 0;
    command(r, "sambench %s", full);
}

typedef struct wrong_case {
    const char *line;
    int code;
    const char *part; /* of what it says */
} wrong_case;

#define TRACK "track --weights @/tiny.safetensors --imgsz 128 --input @/clip "
#define IMAGE "image --weights @/tiny.safetensors --imgsz 128 --input @/clip/00000.png "

static const wrong_case wrong_cases[] = {
    {"", 2, "usage: sambench VERB"},
    {"trak", 2, "the nearest is 'track'"},
    {"xylophone", 2, "there is no verb 'xylophone'; `sambench --help`"},
    {"track --wieghts x", 2, "the nearest is --weights"},
    {"track --input @/clip --point 1,1", 2, "--weights FILE is required"},
    {"track --weights x --point 1,1", 2, "--input PATH is required"},
    {TRACK, 2, "nothing to segment: give --point, --box, --mask or --prompts"},
    {TRACK "--point 1,1 --prompts @/late.json", 2, "exclude each other"},
    {TRACK "--point 1", 2, "--point: '1' is not x,y"},
    {TRACK "--point 1,2,3", 2, "label 1 (object) or 0 (background)"},
    {TRACK "--box 1,2,3", 2, "--box: '1,2,3' is not x0,y0,x1,y1"},
    {TRACK "--frame=-1 --point 1,1", 2, "--frame: '-1' is not a whole number from 0"},
    {TRACK "--object x --point 1,1", 2, "--object: 'x' is not a whole number"},
    {TRACK "--point nan,1", 2, "--point: 'nan,1' is not x,y"},
    {TRACK "--device tpu --point 1,1", 2, "--device: 'tpu' is not one of cpu|cuda|auto"},
    {TRACK "--frames 0 --point 1,1", 2, "--frames: 0 is out of range"},
    {TRACK "--point 500,20", 1, "object 1, frame 0: point (500, 20) is outside the 160 x 120 frame"},
    {TRACK "--object 4 --box 200,10,300,20", 1, "object 4, frame 0: box (200, 10, 300, 20) is outside the 160 x 120"},
    {TRACK "--box 30,10,20,20", 1, "expected x0 <= x1"},
    {TRACK "--frame 3 --point 1,1", 1, "object 1 has a prompt on frame 3, but the clip"},
    {TRACK "--frames 2 --frame 2 --point 1,1", 1, "has the frames 0 to 1"},
    {TRACK "--point 1,1 --frame 2", 2, "--frame: no --point, --box or --mask follows"},
    {TRACK "--point 1,1 --frames 1", 0, "only the prompted frame, none tracked; end to end"},
    {TRACK "--point 1,1 --frames 2 --threads 1", 0, "1 thread: 2 frames of 160 x 120"},
    {TRACK "--start_frame 9 --point 1,1", 1, "start_frame 9, but the clip"},
    {TRACK "--reverse --point 1,1", 1, "reverse from frame 0 has nowhere to go; give --start_frame"},
    {TRACK "--prompts @/late.json", 1, "object 3 has a prompt on frame 7"},
    {TRACK "--prompts @/tracked.json", 1, "tracking needs one before it"},
    {TRACK "--prompts @/broken.json", 1, "objects[0].prompts[0]"},
    {TRACK "--prompts @/none.json", 1, "none.json"},
    {TRACK "--prompts @/logits.json", 1, "previous logits are a prompt for images"},
    {TRACK "--mask @/none.png", 1, "none.png"},
    {TRACK "--mask @/notes.txt", 1, "notes.txt"},
    {TRACK "--mask @/small.png --frames 1", 0, "only the prompted frame"}, /* of any size */
    {TRACK "--prompts @/mask.json --frames 1", 0, "only the prompted frame"},
    {TRACK "--point 1,1 --labels", 2, "--labels, --rle and --mot write into the folder of --out"},
    {TRACK "--point 1,1 --boxes @/none.txt", 2, "exclude each other"},
    {TRACK "--boxes @/notes.txt", 1, "notes.txt: line 1: expected frame,id,left,top,width,height"},
    {TRACK "--load_state @/notes.txt --start_frame 1", 1, "no saved state of a session"},
    {TRACK "--tracker kalman --point 1,1", 2, "is not one of sam2|samurai"},
    {TRACK "--mask @/empty.png --frames 1", 0, "1 of the mask prompts are empty"},
    {"track --weights @/vit.safetensors --input @/clip --point 1,1", 1,
     "tiny_sam1: SAM v1 tracks no video, it takes single images; sam2_tiny does"},
    {"speed --models sam_b --weights_dir @/renamed --sizes 128", 1,
     "renamed/sam_b.pt: holds tiny_sam2.1, not sam_vit_b: rename or remove it"},
    {"kernels --models sam_b --weights_dir @/renamed", 1,
     "renamed/sam_b.pt: holds tiny_sam2.1, not sam_vit_b: rename or remove it"},
    {TRACK "--point 1,1 --out @/notes.txt", 1, "notes.txt: this folder cannot be made: a file has that name"},
    {TRACK "--point 1,1 --out /proc/nowhere", 1, "/proc/nowhere: this folder cannot be made"},
    {TRACK "--point 1,1 --json /proc/nowhere/x.json", 1, "/proc/nowhere: this folder cannot be made"},
    {TRACK "--point 1,1 --frames 1 --dump /proc/x.safetensors", 1, "/proc/x.safetensors"},
    {TRACK "--point 1,1 --mem_limit 20M", 1, "the limit is 20 MiB"},
    {TRACK "--point 1,1 --object 2 --point 2,2 --objects_max 1", 1, "--objects_max 1, but the prompts name 2 objects"},
    {"track --weights @/none.pt --input @/clip --point 1,1", 1, "--weights "},
    {"track --weights @/notes.txt --input @/clip --point 1,1", 1, "notes.txt"},
    {"track --weights @ --input @/clip --point 1,1", 1, "is a folder, expected a file"},
    {"track --weights @/truncated.safetensors --input @/clip --point 1,1", 1, "truncated.safetensors"},
    {"track --weights @/tiny.safetensors --input @/none --point 1,1", 1, "none: cannot open frames"},
    {"track --weights @/tiny.safetensors --input @/notes.txt --point 1,1", 1, "notes.txt"},
    {"track --weights @/tiny.safetensors --imgsz 100 --input @/clip --point 1,1", 1, "expected a multiple of 32"},
    {IMAGE, 2, "nothing to segment"},
    {IMAGE "--frame 1 --point 1,1", 1, "an image has frame 0 only"},
    {IMAGE "--mask @/small.png", 0, ""},
    {IMAGE "--point 200,1", 1, "object 1: point (200, 1) is outside the 160 x 120 frame"},
    {IMAGE "--prompts @/logits.json", 1, "holds no F32 tensor of 32 x 32"},
    {IMAGE "--prompts @/tracked.json", 1, "an image has frame 0 only"},
    {IMAGE "--point 1,1 --out @/notes.txt", 1, "a file has that name"},
    {"plan --weights @/tiny.safetensors --imgsz 128 --mem_limit 20M", 1, "the limit is 20 MiB"},
    {"plan --weights @/tiny.safetensors --imgsz 128 --width 0", 2, "--width: 0 is out of range"},
    {"plan --weights @/tiny.safetensors --imgsz 128 --history -1", 2, "--history: -1 is out of range"},
    {"track --input @/clip --point 1,1 --history 100001", 2, "--history: 100001 is out of range"},
    {"run --split_dir @/none --models baseline_copy", 1, "none: no such folder"},
    {"run --split_dir " SOURCE_DIR "/README.md --models baseline_copy", 1, "README.md: is a file, and a folder is due"},
    {"run --split_dir @/none --models baseline_copy", 1, "none: no such folder"}, /* nor did that make it */
    {"doctor --now", 2, "unknown flag --now"},
};

static void says_what_is_wrong(void **state)
{
    (void)state;
    static command_result r;
    int n_failed = 0;
    for (size_t i = 0; i < sizeof wrong_cases / sizeof *wrong_cases; i++) {
        const wrong_case *w = &wrong_cases[i];
        run(&r, w->line);
        if (r.code != w->code || !strstr(r.text, w->part))
            printf("WRONG, %d: expected exit %d and '%s'\n", ++n_failed, w->code, w->part);
    }
    assert_int_equal(n_failed, 0);
}

/* By the system's own reason, not by that of a later look. */
static void says_why_a_folder_cannot_be_made(void **state)
{
    (void)state;
    static command_result r;
    if (!mkdir("/sys/nowhere", 0777))
        fail_msg("/sys/nowhere could be made");
    const char *why = strerror(errno);
    run(&r, TRACK "--point 1,1 --out /sys/nowhere");
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(r.text, why));
    printf("/sys/nowhere: %s\n", why);
}

/* Without CUDA, in the build or the machine, --device cuda is refused and auto says that it is the CPU, and why. */
static void says_what_the_device_is(void **state)
{
    (void)state;
    static command_result r;
    run(&r, "doctor");
    int has_gpu = strstr(r.text, "--device auto takes it") != NULL;
    run(&r, TRACK "--point 1,1 --frames 1 --device cuda");
    assert_int_equal(r.code, has_gpu ? 0 : 1);
    if (!has_gpu)
        assert_non_null(strstr(r.text, "CUDA"));
    run(&r, IMAGE "--point 1,1 --device cuda");
    assert_int_equal(r.code, has_gpu ? 0 : 1);
    run(&r, TRACK "--point 1,1 --frames 1");
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, has_gpu ? "--device auto is the GPU" : "--device auto is the CPU: "));
    run(&r, TRACK "--point 1,1 --frames 1 --device cpu --overlap");
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, "--overlap: it has no effect on the CPU"));
    assert_null(strstr(r.text, "--device auto"));
}

static void answers_questions_about_itself(void **state)
{
    (void)state;
    static command_result r;
    static const char *const verbs[] = {"track", "image", "eval", "plan", "doctor"};
    run(&r, "--version");
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, "sambench " SAM_VERSION));
    run(&r, "--help");
    assert_int_equal(r.code, 0);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        char line[64], head[64];
        run(&r, "--help");
        assert_non_null(strstr(r.text, verbs[i]));
        snprintf(line, sizeof line, "%s --help", verbs[i]);
        snprintf(head, sizeof head, "sambench %s: ", verbs[i]);
        run(&r, line);
        assert_int_equal(r.code, 0);
        assert_non_null(strstr(r.text, head));
    }
    run(&r, "doctor");
    assert_int_equal(r.code, 0);
    static const char *const told[] = {"CPU backend", "bf16", "CUDA", "oneDNN", "libav", "libjpeg", "libspng", "cache"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        assert_non_null(strstr(r.text, told[i]));
}

/* Without --threads, one for each physical core. */
static void takes_the_cores(void **state)
{
    (void)state;
    static command_result r;
    char expected[40];
    int n = physical_cores("/sys");
    snprintf(expected, sizeof expected, "%d thread%s: 2 frames", n, n == 1 ? "" : "s");
    run(&r, TRACK "--point 1,1 --frames 2");
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, expected));
}

/* The rows of the plan: each takes more than the one before. */
static void plans_memory(void **state)
{
    (void)state;
    static command_result r;
    run(&r, "plan --weights @/tiny.safetensors --imgsz 128 --width 160 --height 120 --objects 3 --mem_limit 2G");
    assert_int_equal(r.code, 0);
    static const int rows[] = {1, 2, 3, 4, 8};
    const char *at = strstr(r.text, "each more");
    double before = 0, weights, tables, state_mib, scratch, total;
    for (size_t i = 0; i < 5; i++) {
        int n = 0;
        assert_non_null(at = strchr(at, '\n'));
        assert_int_equal(sscanf(++at, "%d %lf %lf %lf %lf %lf", &n, &weights, &tables, &state_mib, &scratch, &total),
                         6);
        assert_int_equal(n, rows[i]);
        assert_true(total > before && weights > 0 && state_mib > 0 && scratch > 0);
        before = total;
    }
    assert_non_null(strstr(r.text, "3 objects: "));
    assert_non_null(strstr(r.text, "fits the limit of 2048.0 MiB"));
    run(&r, "plan --weights @/tiny.safetensors --imgsz 128 --input @/clip --objects 12");
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.text, "frames of 160 x 120"));
    assert_non_null(strstr(r.text, "\n      12 "));
}

/* What `plan` says of going back: 13 KiB a frame at 128 px (docs/design.md: memory, logits, pointer), of 4 frames more for corrections that
 * wait, and some hundred bytes of records. */
static void plans_history(void **state)
{
    (void)state;
    static command_result r;
    static const int frames[] = {32, 1000};
    for (size_t i = 0; i < 2; i++) {
        int n = 0;
        double said, least = 13 * (frames[i] + 4) / 1024.0;
        run(&r, i ? "plan --weights @/tiny.safetensors --imgsz 128 --history 1000"
                  : "plan --weights @/tiny.safetensors --imgsz 128");
        assert_int_equal(r.code, 0);
        const char *at = strstr(r.text, "of each object's state, ");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "of each object's state, %lf MiB are for going back %d frames", &said, &n), 2);
        printf("plan: %.1f MiB for going back %d frames, of which %.2f for tensors\n", said, n, least);
        assert_int_equal(n, frames[i]);
        assert_true(said >= least - 0.05 && said <= 1.05 * least + 0.05);
    }
    run(&r, "plan --weights @/tiny.safetensors --imgsz 128 --history 0");
    assert_int_equal(r.code, 0);
    assert_null(strstr(r.text, "going back"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_questions_about_itself),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(says_why_a_folder_cannot_be_made),
        cmocka_unit_test(says_what_the_device_is),
        cmocka_unit_test(takes_the_cores),
        cmocka_unit_test(plans_memory),
        cmocka_unit_test(plans_history),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
