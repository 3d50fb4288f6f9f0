/* baselines.c - see baselines.h. */
#include "baselines.h"

#include <stdlib.h>
#include <string.h>

const char *const baseline_names[N_BASELINES] = {NULL, "baseline_copy", "baseline_colour"};

enum { BITS = 4, N_LEVELS = 1 << BITS, N_COLORS = N_LEVELS * N_LEVELS * N_LEVELS, REACH = 16 }; /* of the diagonal */

struct follower {
    baseline kind;
    int width, height;
    uint8_t is_object[N_COLORS]; /* by colour, four bits a channel */
    uint8_t *mask, *near, *row;  /* [height, width] of 0 and 1     */
};

static int color_of(const uint8_t *rgb)
{
    return rgb[0] >> (8 - BITS) << 2 * BITS | rgb[1] >> (8 - BITS) << BITS | rgb[2] >> (8 - BITS);
}

static int color_distance(int a, int b)
{
    int sum = 0;
    for (int shift = 0; shift < 3 * BITS; shift += BITS) {
        int d = (a >> shift & (N_LEVELS - 1)) - (b >> shift & (N_LEVELS - 1));
        sum += d * d;
    }
    return sum;
}

/* Colours of the first frame vote; the others take the vote of the nearest. */
static sam_status learn(follower *f, const uint8_t *rgb, sam_error *err)
{
    int *votes = calloc(2 * N_COLORS, sizeof *votes), *seen = votes + N_COLORS, n_seen = 0;
    if (!votes)
        return fail(err, SAM_E_MEMORY, "out of memory");
    for (int i = 0; i < f->width * f->height; i++)
        votes[color_of(rgb + 3 * (size_t)i)] += f->mask[i] ? 1 : -1;
    for (int c = 0; c < N_COLORS; c++)
        if (votes[c])
            seen[n_seen++] = c;
    for (int c = 0; c < N_COLORS; c++) {
        int nearest = c, least = n_seen ? 1 << 30 : 0;
        for (int i = 0; i < n_seen && least; i++) {
            int d = color_distance(c, seen[i]);
            if (d < least) {
                least = d;
                nearest = seen[i];
            }
        }
        f->is_object[c] = votes[nearest] > 0;
    }
    free(votes);
    return SAM_OK;
}

/* Ones within a square of half width `reach` around ones, one axis at a time. */
static void spread(const uint8_t *in, uint8_t *out, int n_lines, int n, int line_step, int step, int reach)
{
    for (int line = 0; line < n_lines; line++) {
        const uint8_t *a = in + (size_t)line * (size_t)line_step;
        uint8_t *b = out + (size_t)line * (size_t)line_step;
        int last = -n - reach; /* the latest one before or at i + reach */
        for (int i = -reach; i < n; i++) {
            if (i + reach < n && a[(size_t)(i + reach) * (size_t)step])
                last = i + reach;
            if (i >= 0)
                b[(size_t)i * (size_t)step] = last >= i - reach;
        }
    }
}

/* An object that is nowhere is looked for where it was last. */
void follower_track(follower *f, const uint8_t *rgb)
{
    if (f->kind == BASELINE_COPY)
        return;
    int n = f->width * f->height, n_found = 0, reach = (f->width + f->height) / (REACH * 3 / 2);
    for (int i = 0; i < n; i++)
        n_found += f->mask[i];
    if (n_found) {
        spread(f->mask, f->row, f->height, f->width, f->width, 1, reach);
        spread(f->row, f->near, f->width, f->height, 1, f->width, reach);
    }
    for (int i = 0; i < n; i++)
        f->mask[i] = f->near[i] && f->is_object[color_of(rgb + 3 * (size_t)i)];
}

const uint8_t *follower_mask(const follower *f)
{
    return f->mask;
}

static sam_status begin(follower *f, const uint8_t *rgb, const uint8_t *mask, sam_error *err)
{
    size_t n = (size_t)f->width * (size_t)f->height;
    f->mask = malloc(n);
    f->near = calloc(n, 1);
    f->row = malloc(n);
    if (!f->mask || !f->near || !f->row)
        return fail(err, SAM_E_MEMORY, "out of memory: masks of %d x %d", f->width, f->height);
    for (size_t i = 0; i < n; i++)
        f->mask[i] = mask[i] != 0;
    return f->kind == BASELINE_COLOR ? learn(f, rgb, err) : SAM_OK;
}

sam_status follower_open(baseline kind, const uint8_t *rgb, const uint8_t *mask, int width, int height, follower **out,
                         sam_error *err)
{
    follower *f = calloc(1, sizeof *f);
    *out = NULL;
    if (!f)
        return fail(err, SAM_E_MEMORY, "out of memory");
    f->kind = kind;
    f->width = width;
    f->height = height;
    sam_status status = begin(f, rgb, mask, err);
    if (status == SAM_OK)
        *out = f;
    else
        follower_close(f);
    return status;
}

void follower_close(follower *f)
{
    if (!f)
        return;
    free(f->mask);
    free(f->near);
    free(f->row);
    free(f);
}
