/* The library as others get it: installed into an empty folder, found by CMake and by pkg-config from another one, and the
 * example program's masks those of the library in this tree. */
#include "command.h"
#include "sam.h"
#include "synthetic_clip.h"
#include "temp_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WEIGHTS SOURCE_DIR "/models/demo_sam2.1.safetensors"

enum { W = SYNTHETIC_WIDTH, H = SYNTHETIC_HEIGHT, FRAMES = 2, X = 40, Y = 60 };

static temp_tree tree;
static char lib[64]; /* "lib", "lib/x86_64-linux-gnu": where this system has libraries */

static void must(const command_result *r)
{
    if (r->code)
        fail_msg("exit status %d", r->code);
}

static int install(void **state)
{
    (void)state;
    command_result r;
    tree_open(&tree);
    shell(&r, "cmake --install %s --prefix %s/usr", BUILD_DIR, tree.root);
    must(&r);
    shell(&r, "cd %s/usr && dirname $(find . -name libsam.so) | cut -c3- | tr -d '\n'", tree.root);
    must(&r);
    snprintf(lib, sizeof lib, "%.60s", r.text);
    return 0;
}

static int uninstall(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

/* FRAMES frames as the example reads them. */
static void write_clip(const char *path)
{
    static uint8_t rgb[3 * W * H];
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (int t = 0; t < FRAMES; t++) {
        synthetic_frame(W, H, SYNTHETIC_SEED, t, rgb, NULL);
        assert_int_equal(fwrite(rgb, 1, sizeof rgb, f), sizeof rgb);
    }
    assert_int_equal(fclose(f), 0);
}

/* What the example does, through the library of this tree: [FRAMES, H, W], 0 or 255. */
static void track_here(uint8_t *masks)
{
    static uint8_t rgb[3 * W * H];
    const sam_point click = {X, Y, 1};
    sam_model *m;
    sam_session *s;
    sam_mask mask;
    sam_error err;
    if (sam_model_open(WEIGHTS, NULL, &m, &err) != SAM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sam_session_open(m, &(sam_session_options){.width_px = W, .height_px = H}, &s, &err), SAM_OK);
    for (int t = 0; t < FRAMES; t++) {
        synthetic_frame(W, H, SYNTHETIC_SEED, t, rgb, NULL);
        assert_int_equal(sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = 3 * W, .index = t}, &err), SAM_OK);
        assert_int_equal(t ? sam_track(s, SAM_FORWARD, &err)
                           : sam_prompt(s, 1, &(sam_prompt_set){.points = &click, .n_points = 1}, &err),
                         SAM_OK);
        assert_int_equal(sam_get_mask(s, 1, &mask, &err), SAM_OK);
        sam_mask_bytes(&mask, masks + t * W * H, W);
    }
    for (int i = 0; i < FRAMES * W * H; i++)
        masks[i] = masks[i] ? 255 : 0;
    sam_session_close(s);
    sam_model_close(m);
}

static void check_example(const char *program)
{
    static uint8_t want[FRAMES * W * H], got[FRAMES * W * H + 1];
    command_result r;
    int n_object = 0;
    write_clip(tree_path(&tree, "clip.rgb"));
    track_here(want);
    shell(&r, "cd %s && LD_LIBRARY_PATH=usr/%s %s %s %d %d %d %d < clip.rgb > masks.gray", tree.root, lib, program,
          WEIGHTS, W, H, X, Y);
    must(&r);
    FILE *f = fopen(tree_path(&tree, "masks.gray"), "rb");
    assert_non_null(f);
    assert_int_equal(fread(got, 1, sizeof got, f), sizeof want);
    fclose(f);
    assert_memory_equal(got, want, sizeof want);
    for (size_t i = 0; i < sizeof want; i++)
        n_object += want[i] != 0;
    printf("%s: %d masks identical to those made in this tree, %d pixels of the object\n", program, FRAMES, n_object);
    assert_in_range(n_object, 1, sizeof want - 1);
}

/* An error's text reaches the user. */
static void check_refusal(const char *program)
{
    command_result r;
    shell(&r, "cd %s && LD_LIBRARY_PATH=usr/%s %s nothing.safetensors 4 4 1 1", tree.root, lib, program);
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(r.text, "nothing.safetensors: No such file"));
}

static void test_cmake(void **state)
{
    (void)state;
    command_result r;
    shell(&r, "cd %s && cmake -S %s/examples -B by_cmake -DCMAKE_PREFIX_PATH=%s/usr && cmake --build by_cmake",
          tree.root, SOURCE_DIR, tree.root);
    must(&r);
    check_example("by_cmake/track_stream");
}

static void test_pkg_config(void **state)
{
    (void)state;
    command_result r;
    shell(
        &r,
        "cd %s && PKG_CONFIG_PATH=usr/%s/pkgconfig sh -c 'cc -std=c11 -Wall -Wextra -Wpedantic -Werror -o by_pkg_config "
        "%s/examples/track_stream.c $(pkg-config --cflags --libs \"sambench >= 0.1\")'",
        tree.root, lib, SOURCE_DIR);
    must(&r);
    check_refusal("./by_pkg_config");
}

static void test_header_in_cpp(void **state)
{
    (void)state;
    command_result r;
    shell(
        &r,
        "cd %s && printf '#include <sam.h>\\nint main() { sam_model_close(nullptr); sam_session_close(nullptr); }' > in.cpp "
        "&& c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -Iusr/include in.cpp -Lusr/%s -lsam -o in_cpp && "
        "LD_LIBRARY_PATH=usr/%s ./in_cpp",
        tree.root, lib, lib);
    must(&r);
}

/* Nothing but the functions of sam.h: short names like `add` would meet those of the program. */
static void test_exported_names(void **state)
{
    (void)state;
    command_result r;
    int n = 0;
    static char header[65536];
    FILE *f = fopen(tree_path(&tree, "usr/include/sam.h"), "rb");
    assert_non_null(f);
    header[fread(header, 1, sizeof header - 1, f)] = 0;
    fclose(f);
    shell(&r, "nm -D --defined-only --format=posix %s/usr/%s/libsam.so | cut -d' ' -f1", tree.root, lib);
    must(&r);
    for (char *name = strtok(r.text, "\n"); name; name = strtok(NULL, "\n"), n++) {
        char call[128];
        snprintf(call, sizeof call, "%.100s(", name);
        if (!strstr(header, call))
            fail_msg("%s is exported, but not in sam.h", name);
    }
    printf("%d names exported, all of them in sam.h\n", n);
    assert_in_range(n, 10, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cmake), cmocka_unit_test(test_pkg_config),
                                       cmocka_unit_test(test_header_in_cpp), cmocka_unit_test(test_exported_names)};
    return cmocka_run_group_tests(tests, install, uninstall);
}
