/* baselines.c - see baselines.h. */
#include "baselines.h"

#include <stdlib.h>
#include <string.h>

const char *const baseline_names[N_BASELINES] = {"copy", "colour"};

enum { BITS = 4, N_LEVELS = 1 << BITS, N_COLORS = N_LEVELS * N_LEVELS * N_LEVELS, REACH = 16 }; /* of the diagonal */

typedef struct follower {
    int width, height;
    uint8_t is_object[N_COLORS]; /* by colour, four bits a channel */
    uint8_t *mask, *near, *row;  /* [height, width] of 0 and 1     */
} follower;

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
static sam_status learn(follower *f, const image *frame, sam_error *err)
{
    int *votes = calloc(2 * N_COLORS, sizeof *votes), *seen = votes + N_COLORS, n_seen = 0;
    if (!votes)
        return fail(err, SAM_E_MEMORY, "out of memory");
    for (int i = 0; i < f->width * f->height; i++)
        votes[color_of(frame->data + 3 * (size_t)i)] += f->mask[i] ? 1 : -1;
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
static void follow(follower *f, const image *frame)
{
    int n = f->width * f->height, n_found = 0, reach = (f->width + f->height) / (REACH * 3 / 2);
    for (int i = 0; i < n; i++)
        n_found += f->mask[i];
    if (n_found) {
        spread(f->mask, f->row, f->height, f->width, f->width, 1, reach);
        spread(f->row, f->near, f->width, f->height, 1, f->width, reach);
    }
    for (int i = 0; i < n; i++)
        f->mask[i] = f->near[i] && f->is_object[color_of(frame->data + 3 * (size_t)i)];
}

typedef struct scorer {
    const dataset *set;
    const dataset_object *object;
    int video, index; /* of the object */
    image frame, truth;
    follower f;
    metric_scratch scratch;
    object_score score;
} scorer;

static sam_status read_frame(scorer *s, int t, sam_error *err)
{
    char *path;
    TRY(dataset_frame_path(s->set, s->video, t, &path, err));
    sam_status status = image_read_rgb(path, &s->frame, err);
    if (status == SAM_OK && s->f.mask && (s->frame.width != s->f.width || s->frame.height != s->f.height))
        status = fail(err, SAM_E_FORMAT, "%s: %d x %d, but the first frame is %d x %d", path, s->frame.width,
                      s->frame.height, s->f.width, s->f.height);
    free(path);
    return status;
}

static sam_status begin(scorer *s, sam_error *err)
{
    TRY(read_frame(s, s->object->annotated[0], err));
    size_t n = (size_t)s->frame.width * (size_t)s->frame.height;
    s->f.width = s->frame.width;
    s->f.height = s->frame.height;
    TRY(dataset_read_mask(s->set, s->video, s->index, s->object->annotated[0], s->f.width, s->f.height, &s->truth, err));
    s->f.mask = malloc(n);
    s->f.near = calloc(n, 1);
    s->f.row = malloc(n);
    if (!s->f.mask || !s->f.near || !s->f.row)
        return fail(err, SAM_E_MEMORY, "out of memory");
    memcpy(s->f.mask, s->truth.data, n);
    return learn(&s->f, &s->frame, err);
}

static sam_status score_frame(scorer *s, int t, sam_error *err)
{
    frame_score score;
    size_t row = (size_t)s->f.width;
    TRY(dataset_read_mask(s->set, s->video, s->index, t, s->f.width, s->f.height, &s->truth, err));
    const mask_view truth = {s->truth.data, row, 0}, found = {s->f.mask, row, 0};
    TRY(metric_frame(s->score.kind, &truth, &found, s->f.width, s->f.height, &s->scratch, &score, err));
    return object_score_add(&s->score, &score, err);
}

static sam_status score_all(scorer *s, baseline which, sam_error *err)
{
    const dataset_object *o = s->object;
    int skips = metric_skips_first_last(s->score.kind), next = 0;
    TRY(begin(s, err));
    for (int t = o->annotated[0]; t <= o->annotated[o->n_annotated - 1]; t++) {
        if (which == BASELINE_COLOR && t > o->annotated[0]) {
            TRY(read_frame(s, t, err));
            follow(&s->f, &s->frame);
        }
        if (t != o->annotated[next])
            continue;
        if (metric_counts_frame(skips, o->n_annotated, next++))
            TRY(score_frame(s, t, err));
    }
    return SAM_OK;
}

sam_status baseline_score(const dataset *d, int video, int object, baseline which, metric_kind metric,
                          object_result *out, sam_error *err)
{
    const dataset_video *v = &d->videos[video];
    if (!v->frames_dir)
        return fail(err, SAM_E_ARG, "%s: baselines read folders of frames, this is a video file", v->video_file);
    scorer s = {.set = d, .object = &v->objects[object], .video = video, .index = object, .score = {.kind = metric}};
    sam_status status = score_all(&s, which, err);
    object_score_conclude(&s.score, out);
    object_score_free(&s.score);
    metric_scratch_free(&s.scratch);
    image_free(&s.frame);
    image_free(&s.truth);
    free(s.f.mask);
    free(s.f.near);
    free(s.f.row);
    return status;
}
