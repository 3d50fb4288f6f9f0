/* Frames with one more in hand: the same frames in the same order as without, and a damaged one fails in its turn. */
#include "frames_ahead.h"
#include "small_model.h"
#include "synthetic_clip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

enum { FRAMES = 5 };

/* How many frames come, and why no more; `next_seen` counts those that were in hand before their turn. */
static int read_all(temp_tree *t, int overlap, int prefetch, int *next_seen, sam_error *err)
{
    frame_source *source = NULL;
    int n = 0;
    *err = (sam_error){0};
    *next_seen = 0;
    assert_int_equal(frames_open(tree_path(t, "clip"), &(frames_options){.prefetch = prefetch}, &source, err), SAM_OK);
    frames_ahead a = {.frames = source, .overlap = overlap, .end = FRAMES};
    for (const frame *f; ahead_next(&a, &f, err) == SAM_OK && f; n++) {
        assert_int_equal(f->index, n);
        *next_seen += a.next && a.next->index == n + 1;
        frames_release(source, f);
    }
    ahead_close(&a);
    frames_close(source);
    return n;
}

static void test_order(void **state)
{
    (void)state;
    temp_tree tree;
    sam_error plain, ahead;
    int seen;
    tree_open(&tree);
    small_clip_make(&tree, "clip", FRAMES);
    for (int prefetch = 0; prefetch <= 2; prefetch += 2) {
        assert_int_equal(read_all(&tree, 0, prefetch, &seen, &plain), FRAMES);
        assert_true(!seen && plain.status == SAM_OK);
        assert_int_equal(read_all(&tree, 1, prefetch, &seen, &ahead), FRAMES);
        assert_true(seen == FRAMES - 1 && ahead.status == SAM_OK);
    }
    tree_text(&tree, "clip/00003.png", "no picture");
    int n = read_all(&tree, 0, 0, &seen, &plain);
    assert_int_equal(read_all(&tree, 1, 0, &seen, &ahead), n);
    printf("%d frames, then: %s\n", n, ahead.text);
    assert_int_equal(n, 3);
    assert_int_equal(ahead.status, plain.status);
    assert_string_equal(ahead.text, plain.text);
    tree_close(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
