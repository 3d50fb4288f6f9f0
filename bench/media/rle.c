/* rle.c - see rle.h. Counts are written in base 32, five bits a character from '0' on, lowest first; bit 5 says that more
 * follow, the last one's bit 4 is the sign. From the fourth run on, each is the difference to the one two before. */
#include "rle.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE = 32768 };

typedef struct runs {
    const json_t *list; /* or text */
    const char *text;
    size_t at;
    int64_t before[2]; /* the last two */
    int n;
} runs;

/* The next run; 0 at the end, -1 for text that is none. */
static int next_run(runs *r, int64_t *run)
{
    if (r->list) {
        const json_t *item = json_array_get(r->list, r->at++);
        *run = json_integer_value(item);
        return item ? json_is_integer(item) ? 1 : -1 : 0;
    }
    if (!r->text[r->at])
        return 0;
    int64_t x = 0;
    for (int shift = 0;; shift += 5) {
        int c = r->text[r->at] - 48;
        if (!r->text[r->at++] || c < 0 || c > 63 || shift > 40)
            return -1;
        x |= (int64_t)(c & 31) << shift;
        if (c & 32)
            continue;
        if (c & 16)
            x -= (int64_t)1 << (shift + 5);
        break;
    }
    *run = x + (r->n > 2 ? r->before[0] : 0);
    r->before[0] = r->before[1];
    r->before[1] = *run;
    r->n++;
    return 1;
}

/* 0: no side of a picture. */
static int side_of(const json_t *number)
{
    double x = json_number_value(number);
    return x >= 1 && x <= MAX_SIDE ? (int)x : 0;
}

static int begin(const json_t *rle, runs *r, int *height, int *width)
{
    const json_t *size = json_object_get(rle, "size"), *counts = json_object_get(rle, "counts");
    *height = side_of(json_array_get(size, 0));
    *width = side_of(json_array_get(size, 1));
    *r = (runs){.list = json_is_array(counts) ? counts : NULL, .text = json_string_value(counts)};
    return (r->list || r->text) && *height && *width;
}

/* Checks a whole code; calls `set` with each run of the object, if it is not NULL. */
static sam_status walk(const char *where, runs *r, int64_t all, void (*set)(void *user, int64_t from, int64_t n),
                       void *user, sam_error *err)
{
    int got, is_set = 0;
    int64_t run, at = 0;
    for (; (got = next_run(r, &run)) > 0; is_set = !is_set) {
        if (run < 0 || run > all - at)
            return fail(err, SAM_E_FORMAT, "%s: a run of %lld pixels at pixel %lld of %lld", where, (long long)run,
                        (long long)at, (long long)all);
        if (is_set)
            set(user, at, run);
        at += run;
    }
    if (got < 0 || at != all)
        return fail(err, SAM_E_FORMAT,
                    got < 0 ? "%s: its counts are not a COCO run-length code (after %lld of %lld pixels)"
                            : "%s: its runs are %lld pixels, expected %lld",
                    where, (long long)at, (long long)all);
    return SAM_OK;
}

static sam_status no_code(const char *where, sam_error *err)
{
    return fail(err, SAM_E_FORMAT, "%s: expected {\"size\": [height, width], \"counts\": ...}", where);
}

static void count(void *user, int64_t from, int64_t n)
{
    (void)from;
    *(int64_t *)user += n;
}

sam_status rle_shows(const json_t *rle, const char *where, int *shows, sam_error *err)
{
    runs r;
    int height, width;
    int64_t area = 0;
    *shows = 0;
    if (!rle || json_is_null(rle))
        return SAM_OK;
    if (!begin(rle, &r, &height, &width))
        return no_code(where, err);
    TRY(walk(where, &r, (int64_t)height * width, count, &area, err));
    *shows = area > 0;
    return SAM_OK;
}

/* Columns come one after another. */
static void paint(void *user, int64_t from, int64_t n)
{
    image *out = user;
    for (int64_t i = from; i < from + n; i++)
        out->data[(size_t)(i % out->height) * (size_t)out->width + (size_t)(i / out->height)] = 1;
}

sam_status rle_read(const json_t *rle, const char *where, image *out, sam_error *err)
{
    runs r;
    int height, width;
    if (!begin(rle, &r, &height, &width))
        return no_code(where, err);
    if (!image_blank(out, width, height))
        return fail(err, SAM_E_MEMORY, "%s: out of memory for a mask of %d x %d", where, width, height);
    return walk(where, &r, (int64_t)height * width, paint, out, err);
}

/* Characters of a run-length text; grows. */
typedef struct code {
    char *text;
    size_t n, capacity;
} code;

/* 0: no memory. pycocotools, maskApi.c, rleToString. */
static int add_run(code *c, int64_t x)
{
    for (int more = 1; more;) {
        if (c->n + 2 > c->capacity) {
            size_t capacity = c->capacity ? 2 * c->capacity : 256;
            char *text = realloc(c->text, capacity);
            if (!text)
                return 0;
            c->text = text;
            c->capacity = capacity;
        }
        int bits = (int)(x & 31);
        x >>= 5;
        more = bits & 16 ? x != -1 : x != 0;
        c->text[c->n++] = (char)((more ? bits | 32 : bits) + 48);
        c->text[c->n] = 0;
    }
    return 1;
}

/* A run-length text as runs come. */
typedef struct run_writer {
    code c;
    int64_t before[2]; /* the last two, the latest first */
    int n, ok;
} run_writer;

static void write_run(run_writer *w, int64_t run)
{
    w->ok = w->ok && add_run(&w->c, w->n > 2 ? run - w->before[1] : run);
    w->before[1] = w->before[0];
    w->before[0] = run;
    w->n++;
}

static json_t *finish_runs(run_writer *w, int width, int height)
{
    json_t *rle = w->ok ? json_pack("{s:[i,i], s:s}", "size", height, width, "counts", w->c.text) : NULL;
    free(w->c.text);
    return rle;
}

json_t *rle_write(const uint8_t *mask, size_t row_bytes, int width, int height)
{
    run_writer w = {.ok = 1};
    int64_t run = 0;
    int set = 0;
    for (int64_t i = 0, all = (int64_t)width * height; i <= all && w.ok; i++) {
        int now = i < all ? mask[(size_t)(i % height) * row_bytes + (size_t)(i / height)] != 0 : !set;
        if (now == set) {
            run++;
            continue;
        }
        write_run(&w, run);
        run = 1;
        set = now;
    }
    return finish_runs(&w, width, height);
}

json_t *rle_write_runs(const uint32_t *runs, size_t n_runs, int width, int height)
{
    run_writer w = {.ok = 1};
    for (size_t i = 0; i < n_runs; i++)
        write_run(&w, runs[i]);
    return finish_runs(&w, width, height);
}
