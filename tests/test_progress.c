/* Progress: what is printed, how often, and the time left, against a clock that the test moves. */
#include "progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double fake_now_s; /* progress takes a plain function as clock */

static double fake_clock(void)
{
    return fake_now_s;
}

static void begin(progress *p, FILE *out, progress_style style, int64_t total)
{
    fake_now_s = 100;
    progress_begin(p, out, 0, "bedroom", total);
    assert_int_equal(p->style, PROGRESS_LINES); /* a file is not a terminal */
    p->style = style;
    p->clock_s = fake_clock;
    p->begin_s = p->anchor_s[0] = p->anchor_s[1] = fake_now_s;
    p->shown_s = style == PROGRESS_BAR ? fake_now_s - 1 : fake_now_s;
}

/* 100 frames of half a second. Returns all that was printed. */
static char *run(progress_style style, int64_t total)
{
    progress p;
    char *text = NULL;
    FILE *out = tmpfile();
    assert_non_null(out);
    begin(&p, out, style, total);
    for (int i = 1; i <= 100; i++) {
        fake_now_s += 0.5;
        progress_update(&p, i);
    }
    progress_end(&p);
    progress_update(&p, 100); /* after the end nothing is printed */
    long n = ftell(out);
    rewind(out);
    text = calloc(1, (size_t)n + 1);
    assert_int_equal(fread(text, 1, (size_t)n, out), n);
    fclose(out);
    return text;
}

static int count(const char *text, char c)
{
    int n = 0;
    for (; *text; text++)
        n += *text == c;
    return n;
}

static void lines_are_few(void **state)
{
    char *text = run(PROGRESS_LINES, 100);
    (void)state;
    print_message("%s", text);
    assert_int_equal(count(text, '\n'), 11); /* 50 s, one in five seconds, and the last */
    assert_int_equal(count(text, '\r') + count(text, '\033'), 0);
    assert_non_null(strstr(text, "50/100  2.0/s  0:25 left"));
    assert_non_null(strstr(text, "100/100  2.0/s  0:50\n"));
    free(text);
}

static void bar_stays_on_its_line(void **state)
{
    char *text = run(PROGRESS_BAR, 100);
    (void)state;
    assert_int_equal(count(text, '\n'), 1);
    assert_int_equal(count(text, '\r'), 101);
    assert_non_null(strstr(text, "[##########..........] 50/100"));
    free(text);
}

static void quiet_and_unknown_length(void **state)
{
    char *text = run(PROGRESS_QUIET, 100);
    (void)state;
    assert_string_equal(text, "");
    free(text);
    text = run(PROGRESS_LINES, 0);
    print_message("%s", text);
    assert_non_null(strstr(text, "bedroom  10  2.0/s  0:05\n"));
    free(text);
}

/* A run that slows down: the time left follows the speed of late, not of the whole run. */
static void time_left_follows_speed(void **state)
{
    progress p;
    char text[100];
    FILE *out = tmpfile();
    (void)state;
    begin(&p, out, PROGRESS_BAR, 1000);
    for (int i = 1; i <= 500; i++) {
        fake_now_s += i <= 400 ? 0.1 : 1;
        progress_update(&p, i);
    }
    progress_text(&p, fake_now_s, text, sizeof text);
    print_message("%s\n", text);
    assert_non_null(strstr(text, "8:20 left"));
    progress_clear(&p);
    progress_clear(&p);
    fclose(out);
}

static void text_fits_a_terminal(void **state)
{
    progress p;
    char text[200], tiny[8];
    FILE *out = tmpfile();
    (void)state;
    begin(&p, out, PROGRESS_BAR, INT64_MAX);
    p.done = INT64_MAX / 3;
    memset(p.label, 'x', sizeof p.label - 1);
    progress_text(&p, 1e12, text, sizeof text);
    print_message("%s\n", text);
    assert_true(strlen(text) <= 79);
    progress_text(&p, 1e12, tiny, sizeof tiny);
    assert_true(strlen(tiny) < sizeof tiny);
    p.done = -5; /* a caller's mistake must not write outside the bar */
    progress_text(&p, 200, text, sizeof text);
    p.total = 0;
    progress_text(&p, 200, text, sizeof text);
    assert_true(strlen(text) <= 79);
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_few),
        cmocka_unit_test(bar_stays_on_its_line),
        cmocka_unit_test(quiet_and_unknown_length),
        cmocka_unit_test(time_left_follows_speed),
        cmocka_unit_test(text_fits_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
