/* speed_ab.c - see speed_ab.h. */
#include "speed_ab.h"

#include "child.h"
#include "csv_layout.h"
#include "folders.h"
#include "history.h"
#include "json_build.h"
#include "json_out.h"
#include "paired.h"
#include "progress.h"
#include "text_start.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WORDS = 256, PATH_BYTES = 4096 };

typedef struct pair_row {
    int pair;
    const char *first;
    double a_ms, b_ms, percent;
} pair_row;

#define AT(field) offsetof(pair_row, field)

static const csv_field fields[] = {{"pair", CSV_INT, AT(pair)},
                                   {"first", CSV_TEXT, AT(first)},
                                   {"a_ms", CSV_NUMBER + 4, AT(a_ms)},
                                   {"b_ms", CSV_NUMBER + 4, AT(b_ms)},
                                   {"difference_percent", CSV_NUMBER + 3, AT(percent)}};

static const csv_layout layout = {fields, sizeof fields / sizeof *fields, sizeof(pair_row)};

/* One of the two commands. */
typedef struct side {
    char program[PATH_BYTES];
    const char *words[MAX_WORDS + 16];
    int n;
    samples ms;
} side;

typedef struct comparison {
    const speed_ab *o;
    side a, b;
    char folder[PATH_BYTES], json[PATH_BYTES + 16], csv[PATH_BYTES + 16], log[PATH_BYTES + 16];
    char *settings; /* storage of B's words */
    csv_table table;
    progress bar;
} comparison;

/* ---- the two command lines ---- */

static int is_flag(const char *word)
{
    return !strncmp(word, "--", 2);
}

/* Whether two words name the same flag: dashes and underscores are one, and so are --imgsz=64 and --imgsz. */
static int same_flag(const char *x, const char *y)
{
    size_t n = strcspn(x, "=");
    if (!is_flag(x) || !is_flag(y) || n != strcspn(y, "="))
        return 0;
    for (size_t i = 2; i < n; i++)
        if (x[i] != y[i] && !(strchr("-_", x[i]) && strchr("-_", y[i])))
            return 0;
    return 1;
}

/* The comparison's own, of which a child has others. */
static int is_own(const char *word)
{
    static const char *const own[] = {"--ab", "--ab_pairs", "--csv", "--json", "--quiet", "--format"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (same_flag(word, own[i]))
            return 1;
    return 0;
}

static int is_among(const char *word, char *const *words, int n)
{
    for (int i = 0; i < n; i++)
        if (same_flag(word, words[i]))
            return 1;
    return 0;
}

static sam_status add(side *s, const char *word, sam_error *err)
{
    if (s->n >= MAX_WORDS)
        return fail(err, SAM_E_ARG, "--ab: more than %d words", MAX_WORDS);
    s->words[s->n++] = word;
    return SAM_OK;
}

/* The words of `speed` but for its own flags and those that `other` [n] replaces, then those. */
static sam_status make_side(const comparison *c, side *s, char *const *other, int n, sam_error *err)
{
    const speed_ab *o = c->o;
    TRY(add(s, s->program, err));
    for (int i = 0, skips = 0; i < o->argc; i++) {
        if (is_flag(o->argv[i]))
            skips = is_own(o->argv[i]) || is_among(o->argv[i], other, n);
        if (!skips)
            TRY(add(s, o->argv[i], err));
    }
    for (int i = 0; i < n; i++)
        TRY(add(s, other[i], err));
    const char *const ends[] = {"--quiet", "--csv", c->csv, "--json", c->json};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        TRY(add(s, ends[i], err));
    s->words[s->n] = NULL;
    return SAM_OK;
}

static sam_status make_sides(comparison *c, sam_error *err)
{
    char *words[MAX_WORDS];
    int n = 0, is_program = c->o->other[0] != '-';
    TRY(child_self(c->a.program, sizeof c->a.program, err));
    snprintf(c->b.program, sizeof c->b.program, "%s", is_program ? c->o->other : c->a.program);
    if (is_program && access(c->o->other, X_OK))
        return fail(err, SAM_E_ARG,
                    "--ab %s: no program; give another sambench, or settings as in --ab='--precisions bf16'",
                    c->o->other);
    c->settings = strdup(is_program ? "" : c->o->other);
    if (!c->settings)
        return fail(err, SAM_E_MEMORY, "out of memory");
    char *rest = NULL;
    for (char *word = strtok_r(c->settings, " ", &rest); word && n < MAX_WORDS; word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    TRY(make_side(c, &c->a, NULL, 0, err));
    return make_side(c, &c->b, words, n, err);
}

/* ---- running ---- */

/* What the failed child said last. */
static sam_status fail_child(const comparison *c, const side *s, const child_end *end, sam_error *err)
{
    char text[2048] = "", how[160];
    FILE *f = fopen(c->log, "r");
    if (f) {
        text[fread(text, 1, sizeof text - 1, f)] = 0;
        fclose(f);
    }
    for (size_t n = strlen(text); n && text[n - 1] == '\n'; n--)
        text[n - 1] = 0;
    const char *last = strrchr(text, '\n');
    return fail(err, end->code == 2 ? SAM_E_ARG : SAM_E_IO, "--ab: %s ended with %s: %.150s", s == &c->a ? "A" : "B",
                child_says(end, how, sizeof how), last ? last + 1 : text);
}

static sam_status measure(comparison *c, side *s, sam_error *err)
{
    child_end end;
    remove(c->json);
    TRY(child_run_into(s->words, c->log, &end, err));
    if (end.signal || end.code)
        return fail_child(c, s, &end, err);
    json_t *list = json_read_file(c->json, 0, NULL);
    json_t *frame = json_object_get(json_object_get(json_array_get(list, 0), "ms"), "frame");
    double ms = json_number_value(json_object_get(frame, "median"));
    size_t n = json_array_size(list);
    json_decref(list);
    if (n > 1)
        return fail(err, SAM_E_ARG,
                    "--ab compares one configuration: give one model, size, precision and number of objects");
    if (!(ms > 0))
        return fail(err, SAM_E_FORMAT, "--ab: %s wrote no time of a frame", s->program);
    return samples_add(&s->ms, ms, err);
}

static sam_status one_pair(comparison *c, int i, sam_error *err)
{
    int b_first = paired_is_b_first(i), kept;
    TRY(measure(c, b_first ? &c->b : &c->a, err));
    TRY(measure(c, b_first ? &c->a : &c->b, err));
    const pair_row row = {.pair = i + 1,
                          .first = b_first ? "B" : "A",
                          .a_ms = c->a.ms.x[i],
                          .b_ms = c->b.ms.x[i],
                          .percent = 100 * (c->b.ms.x[i] / c->a.ms.x[i] - 1)};
    if (!i)
        TRY(history_keep(c->o->csv, NULL, &kept, err));
    return csv_add_row(&c->table, &layout, &row, err);
}

static void say(const comparison *c, const paired_result *r)
{
    double a = samples_quantile(&c->a.ms, 0, 0.5), b = samples_quantile(&c->b.ms, 0, 0.5);
    printf("A %.3f ms a frame, B %.3f ms: B takes %+.2f %% time, 95 %% interval %+.2f to %+.2f %%, of %d pairs: %s\n",
           a, b, r->percent, r->low, r->high, r->n,
           !r->differs      ? "no difference found"
           : r->percent > 0 ? "B is slower"
                            : "B is faster");
}

static sam_status write_json(const comparison *c, const paired_result *r, sam_error *err)
{
    return json_out(c->o->json,
                    json_pack("{s:s,s:o,s:o,s:i,s:f,s:o,s:o,s:b}", "ab", c->o->other, "a_ms",
                              json_figure(samples_quantile(&c->a.ms, 0, 0.5)), "b_ms",
                              json_figure(samples_quantile(&c->b.ms, 0, 0.5)), "pairs", r->n, "difference_percent",
                              r->percent, "low_percent", json_figure(r->low), "high_percent", json_figure(r->high),
                              "differs", r->differs),
                    err);
}

static sam_status run_pairs(comparison *c, sam_error *err)
{
    paired_result r = {0};
    progress_begin(&c->bar, stderr, c->o->quiet, "pairs", c->o->max_pairs);
    sam_status status = SAM_OK;
    for (int i = 0; status == SAM_OK && i < c->o->max_pairs && !r.differs && !c->o->stop(); i++) {
        status = one_pair(c, i, err);
        progress_update(&c->bar, i + 1);
        if (status == SAM_OK && paired_is_look(i + 1))
            r = paired_judge(&c->a.ms, &c->b.ms, i + 1);
    }
    progress_clear(&c->bar);
    TRY(status);
    if (!r.n)
        return SAM_OK; /* interrupted before the first look */
    say(c, &r);
    return c->o->json ? write_json(c, &r, err) : SAM_OK;
}

/* A folder for what children write. */
static sam_status open_folder(comparison *c, sam_error *err)
{
    const char *where = getenv("TMPDIR");
    snprintf(c->folder, sizeof c->folder, "%.3000s/sambench_ab_XXXXXX", where && *where ? where : "/tmp");
    if (!mkdtemp(c->folder))
        return fail(err, SAM_E_IO, "%s: cannot be made; TMPDIR names another place", c->folder);
    snprintf(c->json, sizeof c->json, "%s/speed.json", c->folder);
    snprintf(c->csv, sizeof c->csv, "%s/speed.csv", c->folder);
    snprintf(c->log, sizeof c->log, "%s/log", c->folder);
    return SAM_OK;
}

static void close_folder(const comparison *c)
{
    char previous[PATH_BYTES + 32];
    snprintf(previous, sizeof previous, "%s/speed.previous.csv", c->folder);
    remove(c->json);
    remove(c->csv);
    remove(c->log);
    remove(previous);
    rmdir(c->folder);
}

sam_status speed_ab_run(const speed_ab *ab, sam_error *err)
{
    comparison *c = calloc(1, sizeof *c); /* its paths and words are long */
    if (!c)
        return fail(err, SAM_E_MEMORY, "out of memory");
    c->o = ab;
    sam_status status = folders_make_for(ab->csv, err);
    if (status == SAM_OK && ab->json)
        status = folders_make_for(ab->json, err);
    if (status == SAM_OK)
        status = open_folder(c, err);
    if (status == SAM_OK) {
        status = make_sides(c, err);
        if (status == SAM_OK)
            status = csv_open_layout(&c->table, ab->csv, &layout, 0, err);
        if (status == SAM_OK)
            status = run_pairs(c, err);
        close_folder(c);
    }
    csv_close(&c->table);
    samples_free(&c->a.ms);
    samples_free(&c->b.ms);
    free(c->settings);
    free(c);
    return status;
}
