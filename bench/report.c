/* report.c - the verb `report`: any number of result folders as one HTML page. */
#include "flags.h"
#include "folders.h"
#include "report_page.h"
#include "require.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const verb verb_report;

typedef struct report_options {
    const char *require; /* NULL: nothing */
    requirements required;
    const char *out, *title, *baseline;
    double limit_percent, limit_score, min_fps;
    int fail_on_regression, allow_missing, n_worst, history;
} report_options;

static sam_status load(const report_options *o, results_data *d, char **folders, int n, sam_error *err)
{
    for (int i = 0; i < n; i++)
        TRY(results_add_folder(d, folders[i], err));
    if (o->baseline)
        TRY(results_add_folder(d, o->baseline, err));
    d->n_earlier = o->baseline != NULL;
    results_sum_up(d);
    if (o->history && !d->n_groups)
        return fail(err, SAM_E_ARG,
                    "--history draws what `run` and `edge` measured; none of the folders has a table of theirs");
    return SAM_OK;
}

static void print_change(const report_change *c)
{
    int score = !strcmp(c->measure, "J&F");
    const char *unit = !strcmp(c->measure, "memory") ? " MiB" : "";
    if (c->n)
        printf(score ? "%-22s %-7s %4d rows  %.4f -> %.4f%s  %+.4f (error %.4f)%s\n"
                     : "%-22s %-7s %4d rows  %.2f -> %.2f%s  %+.1f %% (error %.1f %%)%s\n",
               c->model, c->measure, c->n, c->before, c->after, unit, score ? c->change : 100 * c->change,
               score ? c->error : 100 * c->error, c->regressed ? "  WORSE" : "");
    if (c->n_lost)
        printf("%-22s %-7s %4d rows of the baseline are failed, absent or without a figure  MISSING\n", c->model,
               c->measure, c->n_lost);
    if (c->incomparable)
        printf("%-22s %-7s %4d rows not compared: the two runs were scored by different metrics\n", c->model,
               c->measure, c->incomparable);
}

/* Prints what changed; returns what is wrong: measures that are worse, and what cannot be compared. */
static int judge(const report_options *o, const results_data *d, const report_changes *changes)
{
    int n_worse = 0, n_missed = report_not_compared(changes);
    for (int i = 0; i < changes->n; i++) {
        print_change(&changes->at[i]);
        n_worse += changes->at[i].regressed;
    }
    if (report_other_machine(d, d->n_folders - 1, 0))
        fprintf(stderr,
                "sambench report: %s was measured on another machine than %s: what differs in speed and memory is the "
                "machines', too\n",
                o->baseline, d->folders[0]);
    int n_common = report_compared(changes);
    if (!n_common)
        fprintf(stderr, "sambench report: %s and %s have no row in common\n", d->folders[0], o->baseline);
    else if (n_missed && o->fail_on_regression && !o->allow_missing)
        fprintf(stderr,
                "sambench report: %d figures of %s cannot be compared with %s, which counts as worse; --allow_missing "
                "lets that pass\n",
                n_missed, o->baseline, d->folders[0]);
    return n_worse + !n_common + (o->allow_missing ? 0 : n_missed);
}

static const figures_column required_columns[] = {{"model", "model", FIGURES_TEXT, 0, 0},
                                                  {"imgsz", "px", 0, 0, 0},
                                                  {"precision", "type", FIGURES_TEXT, 0, 0},
                                                  {"JandF", "J&F", 4, 1, 0},
                                                  {"J", "J", 4, 0, 0},
                                                  {"F", "F", 4, 0, 0},
                                                  {"fps_median", "fps", 2, 1, 0},
                                                  {"latency_ms", "ms", 1, 0, 0},
                                                  {"latency_p95_ms", "p95 ms", 1, 0, 0},
                                                  {"memory_MiB", "memory MiB", 0, -1, 0},
                                                  {"failed", "failed", 0, 0, 0}};
enum { N_REQUIRED_COLUMNS = sizeof required_columns / sizeof *required_columns };

/* Groups of models in the folders, but for --baseline. Returns how many miss what --require asks. */
static int require_groups(const report_options *o, const results_data *d)
{
    figures f = {.columns = required_columns, .n_columns = N_REQUIRED_COLUMNS};
    int n_missed = 0;
    for (int i = 0; i < d->n_groups; i++) {
        const report_group *g = &d->groups[i];
        if (results_is_earlier(d, g->run))
            continue;
        figures_row(&f, !g->imgsz); /* a baseline is no model */
        figures_word(&f, "model", g->model);
        figures_number(&f, "imgsz", g->imgsz);
        figures_word(&f, "precision", g->precision);
        figures_number(&f, "JandF", g->n_scored ? g->jandf : NAN);
        figures_number(&f, "J", g->n_scored ? g->j : NAN);
        figures_number(&f, "F", g->n_scored ? g->f : NAN);
        figures_number(&f, "fps_median", g->fps_median);
        figures_number(&f, "latency_ms", g->latency_ms);
        figures_number(&f, "latency_p95_ms", samples_percentile(&g->frame_ms, 0, 95));
        figures_number(&f, "memory_MiB", g->memory_mib > 0 ? g->memory_mib : NAN);
        figures_number(&f, "failed", g->n_rows - g->n_ok);
    }
    n_missed = f.failed ? 1 : require_check(&o->required, &f, NULL, 0, stderr);
    figures_free(&f);
    return n_missed;
}

static int report(const report_options *o, char **folders, int n, sam_error *err)
{
    results_data d = {0};
    report_changes changes = {0};
    int n_wrong = 0, code = 1;
    sam_status status = load(o, &d, folders, n, err);
    /* The folder compared with the baseline is the first one. */
    if (status == SAM_OK && o->baseline)
        status = report_compare(&d, d.n_folders - 1, 0, o->limit_percent / 100, o->limit_score, &changes, err);
    if (d.n_unreadable)
        fprintf(stderr, "sambench report: %d file%s of frames %s left out: %s\n", d.n_unreadable,
                d.n_unreadable == 1 ? "" : "s", d.n_unreadable == 1 ? "is" : "are", d.unreadable.text);
    if (status == SAM_OK) {
        n_wrong = o->baseline ? judge(o, &d, &changes) : 0;
        const report_page page = {.title = o->title,
                                  .data = &d,
                                  .changes = changes,
                                  .before = o->baseline,
                                  .after = o->baseline ? d.folders[0] : NULL,
                                  .n_worst = o->n_worst,
                                  .history = o->history,
                                  .min_fps = o->min_fps};
        status = folders_make_for(o->out, err);
        if (status == SAM_OK)
            status = report_write(&page, o->out, err);
    }
    if (status == SAM_OK) {
        printf("%d row%s of %d folder%s: %s\n", d.n_rows, d.n_rows == 1 ? "" : "s", d.n_folders,
               d.n_folders == 1 ? "" : "s", o->out);
        code = (o->fail_on_regression && n_wrong) || d.n_unreadable || require_groups(o, &d) ? 1 : 0;
    } else {
        fprintf(stderr, "sambench report: %s\n", err->text);
    }
    free(changes.at);
    results_data_free(&d);
    return code;
}

static int report_main(int argc, char **argv)
{
    report_options o = {.out = "report.html",
                        .title = "sambench",
                        .limit_percent = 5,
                        .limit_score = 0.005,
                        .min_fps = 10,
                        .n_worst = 12};
    const flag flags[] = {
        {.name = "out",
         .kind = FLAG_STRING,
         .value = &o.out,
         .meta = "FILE",
         .help = "The page (default report.html)."},
        {.name = "title",
         .kind = FLAG_STRING,
         .value = &o.title,
         .meta = "TEXT",
         .help = "Its title (default sambench)."},
        {.name = "baseline",
         .kind = FLAG_STRING,
         .value = &o.baseline,
         .meta = "DIR",
         .help = "An earlier run that the first folder is compared with, row by row."},
        {.name = "history",
         .kind = FLAG_SWITCH,
         .value = &o.history,
         .help = "The folders are runs over time: draw speed, memory and J&F of each model on each board by date."},
        {.name = "fail_on_regression",
         .kind = FLAG_SWITCH,
         .value = &o.fail_on_regression,
         .help =
             "Exit with 1 if a model is slower, larger or less accurate than in --baseline, beyond limit and noise, or "
             "if a figure of the baseline has none to compare it with: its row failed, is absent, or is scored otherwise."},
        {.name = "allow_missing",
         .kind = FLAG_SWITCH,
         .value = &o.allow_missing,
         .help = "With --fail_on_regression: what cannot be compared is no failure; rows that both have still count."},
        {.name = "limit_percent",
         .kind = FLAG_DOUBLE,
         .value = &o.limit_percent,
         .meta = "P",
         .help = "Loss of speed or growth of memory that counts (default 5)."},
        {.name = "limit_score",
         .kind = FLAG_DOUBLE,
         .value = &o.limit_score,
         .meta = "X",
         .help = "Loss of J&F that counts (default 0.005)."},
        {.name = "min_fps",
         .kind = FLAG_DOUBLE,
         .value = &o.min_fps,
         .meta = "N",
         .help = "Speed that the best model of a board must reach (default 10); the page lets you change it."},
        require_flag(&o.require),
        {.name = "worst",
         .kind = FLAG_INT,
         .value = &o.n_worst,
         .meta = "N",
         .max = 1000,
         .help = "Thumbnails of worst frames (default 12)."},
    };
    sam_error err = {0};
    int help, n = 0;
    if (argc > 1 && !strcmp(argv[1], "--history")) { /* before the folders, too */
        o.history = 1;
        argc--;
        argv++;
    }
    while (n + 1 < argc && argv[n + 1][0] != '-')
        n++;
    sam_status status = flags_parse(&verb_report, flags, sizeof flags / sizeof *flags, argc - n, argv + n, &help, &err);
    if (status == SAM_OK && !help && !n)
        status = fail(&err, SAM_E_ARG, "give the result folders first, as in `sambench report out`");
    if (status == SAM_OK && !help)
        status = require_parse(&o.required, o.require, required_columns, N_REQUIRED_COLUMNS, &err);
    if (status == SAM_OK && !help && o.fail_on_regression && !o.baseline)
        status = fail(&err, SAM_E_ARG, "--fail_on_regression needs --baseline DIR");
    if (status == SAM_OK && !help && o.history && o.baseline)
        status = fail(&err, SAM_E_ARG, "--history shows all runs alike; leave --baseline out");
    if (status != SAM_OK) {
        fprintf(stderr, "sambench report: %s\n", err.text);
        return 2;
    }
    return help ? 0 : report(&o, argv + 1, n, &err);
}

const verb verb_report = {
    .name = "report",
    .summary = "one HTML page of any number of result folders, and what changed since an earlier run",
    .examples = "  sambench report out --out report.html\n"
                "  sambench report jetson/out desktop/out --title 'SA-V val, two machines'\n"
                "  sambench report out --baseline last_week/out --fail_on_regression\n"
                "  sambench report --history runs/*\n",
    .before = "DIR...",
    .main = report_main,
};
