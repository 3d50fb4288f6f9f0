/* Finding weights under the names they are published under, in folders that are not tidy. */
#include "safetensors.h"
#include "temp_tree.h"
#include "weights_search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static temp_tree tree;

static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

/* Asserts which file is found, relative to the tree's root; NULL: none. */
static void finds(const char *checkpoint, const char *expected)
{
    sam_error err;
    char *path;
    sam_status status = weights_find(tree.root, checkpoint, &path, &err);
    if (!expected) {
        assert_int_equal(status, SAM_E_IO);
        assert_null(path);
        assert_non_null(strstr(err.text, checkpoint));
        return;
    }
    assert_int_equal(status, SAM_OK);
    assert_string_equal(path + strlen(tree.root) + 1, expected);
    free(path);
}

static void write_converted(const char *path, const char *name)
{
    const float zero = 0;
    const st_tensor tensor = {.name = "t", .dtype = ST_F32, .n_dims = 1, .shape = {1}, .data = &zero, .n_bytes = 4};
    const st_meta meta[] = {{"format_version", "1"}, {"name", name}};
    sam_error err;
    assert_int_equal(st_write(tree_path(&tree, "%s", path), &tensor, 1, meta, 2, &err), SAM_OK);
}

static void every_kind_of_name(void **state)
{
    (void)state;
    tree_text(&tree, "a/b/sam2.1_hiera_tiny.pt", "x");
    tree_text(&tree, "a/sam2_hiera_tiny.pt", "x");
    tree_text(&tree, "c/EdgeTAM.pt", "x");
    tree_text(&tree, "ultra/sam2.1_s.pt", "x");
    tree_text(&tree, "ultra/sam2_b.pt", "x");
    tree_text(&tree, "hub/models--facebook--sam2.1-hiera-large/snapshots/0f/model.safetensors", "x");
    finds("sam2.1_hiera_tiny", "a/b/sam2.1_hiera_tiny.pt");
    finds("sam2_hiera_tiny", "a/sam2_hiera_tiny.pt");
    finds("edgetam", "c/EdgeTAM.pt");
    finds("sam2.1_hiera_small", "ultra/sam2.1_s.pt");
    finds("sam2_hiera_base_plus", "ultra/sam2_b.pt");
    finds("sam2.1_hiera_large", "hub/models--facebook--sam2.1-hiera-large/snapshots/0f/model.safetensors");
    finds("sam2_hiera_large", NULL);
    finds("sam2_hiera_small", NULL);
    tree_text(&tree, "v1/sam_vit_b_01ec64.pth", "x");
    tree_text(&tree, "v1/sam_l.pt", "x");
    tree_text(&tree, "hub/models--facebook--sam-vit-huge/snapshots/0f/model.safetensors", "x");
    finds("sam_vit_b", "v1/sam_vit_b_01ec64.pth");
    finds("sam_vit_l", "v1/sam_l.pt");
    finds("sam_vit_h", "hub/models--facebook--sam-vit-huge/snapshots/0f/model.safetensors");
}

/* Where there is none, the message says where it is published. */
static void says_where_it_is_published(void **state)
{
    (void)state;
    sam_error err;
    char *path;
    assert_int_equal(weights_find(tree.root, "sam2.1_hiera_tiny", &path, &err), SAM_E_IO);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "segment_anything_2/092824/sam2.1_hiera_tiny.pt"));
    assert_non_null(strstr(err.text, tree.root));
}

static void converted_files_are_known_by_what_they_say(void **state)
{
    (void)state;
    tree_folder(&tree, "w");
    write_converted("w/mine.safetensors", "sam2.1_hiera_base_plus");
    tree_text(&tree, "w/broken.safetensors", "{");
    finds("sam2.1_hiera_base_plus", "w/mine.safetensors");
    finds("sam2.1_hiera_large", NULL);
}

static void official_before_others_and_near_before_far(void **state)
{
    (void)state;
    tree_text(&tree, "sam2.1_t.pt", "x");
    tree_text(&tree, "deep/down/sam2.1_hiera_tiny.pt", "x");
    finds("sam2.1_hiera_tiny", "deep/down/sam2.1_hiera_tiny.pt");
    tree_text(&tree, "zz/sam2.1_hiera_tiny.pth", "x");
    finds("sam2.1_hiera_tiny", "zz/sam2.1_hiera_tiny.pth");
}

static void links_in_circles_end(void **state)
{
    (void)state;
    char target[512];
    tree_folder(&tree, "a/b");
    snprintf(target, sizeof target, "%s", tree.root);
    assert_int_equal(symlink(target, tree_path(&tree, "a/b/up")), 0);
    assert_int_equal(symlink(target, tree_path(&tree, "a/again")), 0);
    finds("edgetam", NULL);
}

static void missing_folder(void **state)
{
    (void)state;
    sam_error err;
    char *path;
    assert_int_equal(weights_find("/nowhere/at/all", "edgetam", &path, &err), SAM_E_IO);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_of_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_where_it_is_published, set_up, tear_down),
        cmocka_unit_test_setup_teardown(converted_files_are_known_by_what_they_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(official_before_others_and_near_before_far, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_in_circles_end, set_up, tear_down),
        cmocka_unit_test(missing_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
