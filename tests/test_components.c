/* Components against a naive flood fill, over random and structured masks; results are identical or wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "components.h"

#include <math.h>

enum { MAX_SIDE = 130, MAX_PX = MAX_SIDE * MAX_SIDE };

static const int sizes[][2] = {{1, 1}, {1, 2}, {1, 17}, {17, 1}, {2, 2}, {3, 3}, {5, 7}, {31, 33}, {64, 64}, {130, 97}};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

/* One size's worth of everything; `scratch` is as long as asked for, so that sanitizers see a byte too many. */
typedef struct field {
    int h, w;
    uint8_t mask[MAX_PX];
    int32_t labels[MAX_PX], naive[MAX_PX], area[MAX_PX], stack[MAX_PX];
    float logits[MAX_PX], want[MAX_PX];
    void *scratch;
} field;

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static field *field_open(int h, int w)
{
    field *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->h = h;
    f->w = w;
    f->scratch = malloc(components_scratch_bytes(h, w));
    assert_non_null(f->scratch);
    return f;
}
static void field_close(field *f)
{
    free(f->scratch);
    free(f);
}

/* naive [h,w]: labels of the components of class `kind` in `mask`, area [h,w]: how large each pixel's is. */
static int flood_fill(field *f, uint8_t kind)
{
    int n_px = f->h * f->w, n = 0;
    memset(f->naive, 0, sizeof f->naive);
    memset(f->area, 0, sizeof f->area);
    for (int start = 0; start < n_px; start++) {
        if (f->mask[start] != kind || f->naive[start])
            continue;
        int top = 0, size = 0;
        f->naive[start] = ++n;
        f->stack[top++] = start;
        while (top) {
            int at = f->stack[--top], y = at / f->w, x = at % f->w;
            size++;
            for (int v = y - 1; v <= y + 1; v++)
                for (int u = x - 1; u <= x + 1; u++) {
                    if (v < 0 || v >= f->h || u < 0 || u >= f->w || f->mask[v * f->w + u] != kind ||
                        f->naive[v * f->w + u])
                        continue;
                    f->naive[v * f->w + u] = n;
                    f->stack[top++] = v * f->w + u;
                }
        }
        for (int i = 0; i < n_px; i++)
            if (f->naive[i] == n)
                f->area[i] = size;
    }
    return n;
}

enum { PATTERNS = 11 };

/* full, empty, checkerboard, stripes, rings, spiral, a dot, then noise of several densities. */
static void draw(field *f, int pattern, uint32_t *seed)
{
    static const uint32_t percent[] = {10, 35, 50, 80};
    for (int i = 0; i < f->h * f->w; i++) {
        int y = i / f->w, x = i % f->w;
        int edge = y < x ? y : x;
        edge = f->h - 1 - y < edge ? f->h - 1 - y : edge;
        edge = f->w - 1 - x < edge ? f->w - 1 - x : edge;
        switch (pattern) {
        case 0: /* full */
        case 1: /* empty */
            f->mask[i] = pattern == 0;
            break;
        case 2:
            f->mask[i] = (y + x) & 1;
            break;
        case 3: /* dots, none touching */
            f->mask[i] = !(y & 1) && !(x & 1);
            break;
        case 4: /* rings */
            f->mask[i] = edge & 1;
            break;
        case 5: /* rings, each opened on its upper left and joined to the next: a spiral */
            f->mask[i] = (edge & 1) ^ (y == x + 1 && x < f->h / 2 && x < f->w / 2);
            break;
        case 6:
            f->mask[i] = y == f->h / 2 && x == f->w / 2;
            break;
        default:
            f->mask[i] = next_random(seed) % 100 < percent[pattern - 7];
        }
    }
}

static void test_labels(void **state)
{
    (void)state;
    uint32_t seed = 7;
    int n_masks = 0, n_components = 0;
    for (int s = 0; s < N_SIZES; s++) {
        field *f = field_open(sizes[s][0], sizes[s][1]);
        for (int pattern = 0; pattern < PATTERNS; pattern++, n_masks++) {
            draw(f, pattern, &seed);
            int n = flood_fill(f, 1);
            assert_int_equal(components_label(f->mask, f->h, f->w, f->labels), n);
            assert_memory_equal(f->labels, f->naive, (size_t)(f->h * f->w) * sizeof *f->labels);
            n_components += n;
        }
        field_close(f);
    }
    printf("%d masks, %d components, labels identical\n", n_masks, n_components);
}

/* Logits of the mask: objects > 0, background <= 0, where 0 itself is common. */
static void make_logits(field *f, uint32_t *seed)
{
    for (int i = 0; i < f->h * f->w; i++) {
        float r = (float)(next_random(seed) % 4);
        f->logits[i] = f->mask[i] ? r + 0.5f : -r;
    }
}

static size_t expect(field *f, uint8_t kind, int max_area, float value)
{
    size_t n = 0;
    flood_fill(f, kind);
    for (int i = 0; i < f->h * f->w; i++)
        if (f->mask[i] == kind && f->area[i] <= max_area) {
            f->want[i] = value;
            n++;
        }
    return n;
}

static void compare_logits(const field *f)
{
    assert_memory_equal(f->logits, f->want, (size_t)(f->h * f->w) * sizeof *f->logits);
}

/* what: 1 holes, 2 specks, 3 both */
static size_t check_cleaning(field *f, int what, int max_area, uint32_t *seed)
{
    size_t want = 0, got;
    make_logits(f, seed);
    memcpy(f->want, f->logits, sizeof f->want);
    if (what & 1)
        want += expect(f, 0, max_area, 0.1f);
    if (what & 2)
        want += expect(f, 1, max_area + 1, -10);
    if (what == 1)
        got = clean_logits(f->logits, f->h, f->w, max_area, 0.1f, 0, 0, f->scratch);
    else if (what == 2)
        got = clean_logits(f->logits, f->h, f->w, 0, 0, max_area + 1, -10, f->scratch);
    else
        got = clean_logits(f->logits, f->h, f->w, max_area, 0.1f, max_area + 1, -10, f->scratch);
    assert_int_equal(got, want);
    compare_logits(f);
    return got;
}

static void test_cleaning(void **state)
{
    (void)state;
    uint32_t seed = 9;
    size_t n_planes = 0, n_changed = 0;
    for (int s = 0; s < N_SIZES; s++) {
        field *f = field_open(sizes[s][0], sizes[s][1]);
        for (int pattern = 0; pattern < PATTERNS; pattern++)
            for (int what = 1; what <= 3; what++)
                for (int max_area = 0; max_area <= 8; max_area += 4, n_planes++) {
                    draw(f, pattern, &seed);
                    n_changed += check_cleaning(f, what, max_area, &seed);
                }
        field_close(f);
    }
    printf("%zu planes cleaned, %zu pixels changed, identical\n", n_planes, n_changed);
}

/* A NaN is neither hole nor object, parts what lies on its two sides and stays. */
static void test_nan_stays(void **state)
{
    (void)state;
    float row[5] = {-1, NAN, -1, -1, 2};
    field *f = field_open(1, 5);
    assert_int_equal(clean_logits(row, 1, 5, 1, 0.1f, 1, -10, f->scratch), 2);
    assert_true(row[0] == 0.1f && isnan(row[1]) && row[2] == -1 && row[3] == -1 && row[4] == -10);
    field_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_labels), cmocka_unit_test(test_cleaning),
                                       cmocka_unit_test(test_nan_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
