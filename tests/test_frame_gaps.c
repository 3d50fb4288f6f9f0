/* Frames whose number is missing are told; names that are not numbered in even steps have no gaps. */
#include "frame_gaps.h"
#include "verb_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void gaps_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *names;
        int n;
        const char *first;
    } cases[] = {{"00000.jpg 00001.jpg 00003.jpg 00004.jpg", 1, "00002"},
                 {"00000.png 00004.png 00008.png 00020.png", 2, "00012"},
                 {"cam2_frame_008.jpg cam2_frame_009.jpg cam2_frame_011.jpg", 1, "cam2_frame_010"},
                 {"5.jpg 6.jpg 7.jpg", 0, ""},
                 {"00000.jpg", 0, ""},
                 {"1700000000.jpg 1700000033.jpg 1700000067.jpg", 0, ""}, /* time stamps */
                 {"0.jpg 1.jpg 900.jpg", 0, ""}};                         /* a cut, not a loss */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        listing l = {0};
        char first[64] = "";
        for (const char *at = cases[i].names; *at; at += strspn(at, " ")) {
            size_t n = strcspn(at, " ");
            assert_int_equal(listing_add(&l, at, n, NULL), SAM_OK);
            at += n;
        }
        int n = frame_gaps(&l, first, sizeof first);
        printf("%s: %d missing, first '%s'\n", cases[i].names, n, first);
        assert_int_equal(n, cases[i].n);
        if (n)
            assert_string_equal(first, cases[i].first);
        listing_free(&l);
    }
}

static void a_run_says_them(void **state)
{
    (void)state;
    temp_tree tree;
    tree_open(&tree);
    sav_video_make(&tree, "split", "clip", 9);
    assert_int_equal(unlink(tree_path(&tree, "split/JPEGImages_24fps/clip/00003.png")), 0);
    verb_says(&tree, 0, "JPEGImages_24fps/clip: frame 00003 is missing",
              "run --split_dir @/split --models baseline_copy --out_dir @/out");
    tree_close(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gaps_are_counted), cmocka_unit_test(a_run_says_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
