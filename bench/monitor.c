/* monitor.c - the verb `monitor`: memory, load, temperature and power of machine, GPU and a process, as they change. */
#include "child.h"
#include "clip.h"
#include "clock.h"
#include "flags.h"
#include "folders.h"
#include "history.h"
#include "interrupt.h"
#include "sensors.h"
#include "svg_plot.h"
#include "text_out.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PANEL_WIDTH = 900, PANEL_HEIGHT = 260, LINE_EVERY_S = 10 };

extern const verb verb_monitor;

typedef struct monitor_options {
    double interval, duration;
    const char *log, *plot;
    int pid, quiet;
    const char *const *command; /* behind --; NULL: none */
} monitor_options;

/* Samples are appended to the log as they come, and kept for the plot. */
typedef struct record {
    FILE *log;
    double *at;                /* [n] seconds         */
    double *values[N_SENSORS]; /* [n] of each sensor  */
    int n, capacity;
} record;

static void wall_time(char *text, size_t n_text)
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(text, n_text, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static sam_status open_log(record *r, const char *path, sam_error *err)
{
    int kept;
    TRY(folders_make_for(path, err));
    TRY(history_keep(path, NULL, &kept, err));
    if (kept)
        fprintf(stderr, "sambench monitor: the samples before are now beside %s, as .previous\n", path);
    r->log = fopen(path, "w");
    if (!r->log)
        return fail(err, SAM_E_IO, "--log %s: %s", path, strerror(errno));
    fprintf(r->log, "time_s,wall");
    for (int k = 0; k < N_SENSORS; k++)
        fprintf(r->log, ",%s", sensor_names[k]);
    fprintf(r->log, "\n");
    return fflush(r->log) ? fail(err, SAM_E_IO, "--log %s: %s", path, strerror(errno)) : SAM_OK;
}

static sam_status reserve(record *r, sam_error *err)
{
    if (r->n < r->capacity)
        return SAM_OK;
    int more = r->capacity ? 2 * r->capacity : 256;
    for (int k = -1; k < N_SENSORS; k++) {
        double **array = k < 0 ? &r->at : &r->values[k];
        double *larger = realloc(*array, (size_t)more * sizeof **array);
        if (!larger)
            return fail(err, SAM_E_MEMORY, "out of memory after %d samples", r->n);
        *array = larger;
    }
    r->capacity = more;
    return SAM_OK;
}

static sam_status add(record *r, double at, const double *v, const char *path, sam_error *err)
{
    char wall[32];
    TRY(reserve(r, err));
    r->at[r->n] = at;
    for (int k = 0; k < N_SENSORS; k++)
        r->values[k][r->n] = v[k];
    r->n++;
    wall_time(wall, sizeof wall);
    fprintf(r->log, "%.3f,%s", at, wall);
    for (int k = 0; k < N_SENSORS; k++) {
        if (isnan(v[k]))
            fputc(',', r->log);
        else
            fprintf(r->log, ",%.2f", v[k]);
    }
    fputc('\n', r->log);
    return fflush(r->log) ? fail(err, SAM_E_IO, "--log %s: %s", path, strerror(errno)) : SAM_OK;
}

static void record_free(record *r)
{
    if (r->log)
        fclose(r->log);
    free(r->at);
    for (int k = 0; k < N_SENSORS; k++)
        free(r->values[k]);
}

/* ---- showing ---- */

/* What fits a line: the figures this machine has. */
static void line_of(double at, const double *v, char *text, size_t n_text)
{
    static const struct {
        sensor what;
        const char *format;
    } parts[] = {{SENSOR_PROCESS_RSS, "  process %.0f MiB"},
                 {SENSOR_PROCESS_CPU, " %.0f%%"},
                 {SENSOR_SYSTEM_USED, "  system %.0f MiB"},
                 {SENSOR_CPU, " %.0f%%"},
                 {SENSOR_GPU_USED, "  gpu %.0f MiB"},
                 {SENSOR_GPU_LOAD, " %.0f%%"},
                 {SENSOR_GPU_TEMPERATURE, " %.0fC"},
                 {SENSOR_GPU_POWER, " %.1fW"},
                 {SENSOR_TEMPERATURE, "  %.0fC"},
                 {SENSOR_POWER, " %.1fW"}};
    int n = snprintf(text, n_text, "%7.1fs", at);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && n < (int)n_text; i++)
        if (!isnan(v[parts[i].what]))
            n += snprintf(text + n, n_text - (size_t)n, parts[i].format, v[parts[i].what]);
}

static void show(const monitor_options *o, double at, const double *v, double *shown_at)
{
    char text[160];
    int live = isatty(STDERR_FILENO);
    if (o->quiet || (!live && at - *shown_at < LINE_EVERY_S))
        return;
    *shown_at = at;
    line_of(at, v, text, sizeof text);
    fprintf(stderr, live ? "\r\033[K%.79s" : "%s\n", text);
    fflush(stderr);
}

static void print_summary(const record *r)
{
    printf("%-22s %12s %12s %12s\n", "", "mean", "min", "max");
    for (int k = 0; k < N_SENSORS; k++) {
        double sum = 0, low = INFINITY, high = -INFINITY;
        int n = 0;
        for (int i = 0; i < r->n; i++) {
            double v = r->values[k][i];
            if (isnan(v))
                continue;
            sum += v;
            low = v < low ? v : low;
            high = v > high ? v : high;
            n++;
        }
        if (n)
            printf("%-22s %12.1f %12.1f %12.1f\n", sensor_names[k], sum / n, low, high);
    }
}

/* One panel for each unit, of the sensors that said anything. */
static int panel(FILE *to, const record *r, const char *title, const char *unit, const sensor *which, int n, int y)
{
    svg_series series[N_SENSORS];
    int n_series = 0;
    for (int i = 0; i < n; i++) {
        int any = 0;
        for (int k = 0; k < r->n; k++)
            any |= !isnan(r->values[which[i]][k]);
        if (any)
            series[n_series++] = (svg_series){sensor_names[which[i]], r->at, r->values[which[i]], r->n};
    }
    if (!n_series)
        return y;
    const svg_frame f = {.title = title,
                         .x_label = "s",
                         .y_label = unit,
                         .width = PANEL_WIDTH,
                         .height = PANEL_HEIGHT,
                         .y_from_zero = 1};
    if (to)
        svg_lines(to, &f, series, n_series, y);
    return y + PANEL_HEIGHT;
}

static int panels(FILE *to, const record *r)
{
    static const sensor memory[] = {SENSOR_SYSTEM_USED, SENSOR_CGROUP_USED, SENSOR_PROCESS_RSS, SENSOR_GPU_USED,
                                    SENSOR_GPU_PROCESS};
    static const sensor load[] = {SENSOR_CPU, SENSOR_PROCESS_CPU, SENSOR_GPU_LOAD};
    static const sensor heat[] = {SENSOR_TEMPERATURE, SENSOR_GPU_TEMPERATURE};
    static const sensor power[] = {SENSOR_POWER, SENSOR_GPU_POWER};
    int y = panel(to, r, "memory", "MiB", memory, 5, 0);
    y = panel(to, r, "load", "%", load, 3, y);
    y = panel(to, r, "temperature", "C", heat, 2, y);
    return panel(to, r, "power", "W", power, 2, y);
}

static sam_status write_plot(const record *r, const char *path, sam_error *err)
{
    text_out t;
    int kept;
    TRY(folders_make_for(path, err));
    TRY(history_keep(path, NULL, &kept, err));
    TRY(text_open(&t, path, err));
    svg_begin_file(t.to, PANEL_WIDTH, panels(NULL, r));
    panels(t.to, r);
    svg_end_file(t.to);
    return text_close(&t, err);
}

/* ---- watching ---- */

static void sleep_until(double at_ms)
{
    double left = at_ms - clock_ms();
    if (left > 0)
        nanosleep(&(struct timespec){(time_t)(left / 1e3), (long)(fmod(left, 1e3) * 1e6)}, NULL);
}

/* 1 if the started program has ended; then *end says how. */
static int has_ended(pid_t child, child_end *end)
{
    int status;
    if (waitpid(child, &status, WNOHANG) != child)
        return 0;
    *end = (child_end){.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                       .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0};
    return 1;
}

static sam_status watch(const monitor_options *o, pid_t child, record *r, child_end *end, int *ended, sam_error *err)
{
    sensors s = {.pid = child ? child : o->pid};
    double begin = clock_ms(), v[N_SENSORS], shown_at = -LINE_EVERY_S;
    sam_status status = SAM_OK;
    sensors_open(&s);
    for (int i = 0; status == SAM_OK && !interrupt_requested(); i++) {
        double at = (clock_ms() - begin) / 1e3;
        *ended = child && has_ended(child, end);
        if (*ended || !sensors_read(&s, at, v) || (o->duration > 0 && at > o->duration))
            break;
        status = add(r, at, v, o->log, err);
        show(o, at, v, &shown_at);
        sleep_until(begin + (i + 1) * o->interval * 1e3);
    }
    if (!o->quiet && isatty(STDERR_FILENO))
        fprintf(stderr, "\n");
    sensors_close(&s);
    return status;
}

/* The program that was started is not left alone: it gets the signal that ended the watching. */
static sam_status finish_child(pid_t child, int ended, child_end *end, sam_error *err)
{
    if (!child || ended)
        return SAM_OK;
    if (interrupt_requested())
        kill(child, SIGINT);
    return child_wait(child, end, err);
}

static sam_status monitor(const monitor_options *o, child_end *end, sam_error *err)
{
    record r = {0};
    pid_t child = 0;
    int ended = 0;
    if (o->pid && kill(o->pid, 0) && errno == ESRCH)
        return fail(err, SAM_E_ARG, "--pid %d: there is no such process", o->pid);
    sam_status status = open_log(&r, o->log, err);
    if (status == SAM_OK && o->command)
        status = child_start(o->command, &child, err);
    if (status == SAM_OK)
        status = watch(o, child, &r, end, &ended, err);
    sam_status waited = finish_child(child, ended, end, status == SAM_OK ? err : NULL);
    status = status == SAM_OK ? waited : status;
    if (status == SAM_OK && r.n) {
        status = write_plot(&r, o->plot, err);
        if (!o->quiet)
            print_summary(&r);
    }
    if (status == SAM_OK && !o->quiet)
        printf("%d samples: %s, %s\n", r.n, o->log, o->plot);
    record_free(&r);
    return status;
}

/* ---- the verb ---- */

static int own_flags(monitor_options *o, flag *to)
{
    const flag flags[] = {
        {.name = "interval",
         .kind = FLAG_DOUBLE,
         .value = &o->interval,
         .meta = "S",
         .help = "Seconds between samples (default 0.5)."},
        {.name = "duration",
         .kind = FLAG_DOUBLE,
         .value = &o->duration,
         .meta = "S",
         .help = "End after so many seconds (default: with the process, or at Ctrl-C)."},
        {.name = "log",
         .kind = FLAG_STRING,
         .value = &o->log,
         .meta = "FILE",
         .help = "The samples as CSV, written as they come (default memory_usage.csv)."},
        {.name = "plot",
         .kind = FLAG_STRING,
         .value = &o->plot,
         .meta = "FILE",
         .help = "Plots of them at the end, SVG (default: the log's name with .svg)."},
        {.name = "pid",
         .kind = FLAG_INT,
         .value = &o->pid,
         .meta = "P",
         .min = 1,
         .max = 1 << 30,
         .help = "Watch this process and its descendants too; instead, a program to start may follow after --."},
        {.name = "quiet", .kind = FLAG_SWITCH, .value = &o->quiet, .help = "No live line, no summary."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

/* LOG.csv -> LOG.svg */
static void default_plot(const char *log, char *path, size_t n_path)
{
    size_t n = strlen(log);
    n -= n > 4 && !strcmp(log + n - 4, ".csv") ? 4 : 0;
    snprintf(path, n_path, "%.*s.svg", (int)n, log);
}

static sam_status check(const monitor_options *o, sam_error *err)
{
    if (o->interval < 0.01 || o->interval > 3600)
        return fail(err, SAM_E_ARG, "--interval %g: expected 0.01 to 3600 seconds", o->interval);
    if (o->duration < 0)
        return fail(err, SAM_E_ARG, "--duration %g: expected a positive number", o->duration);
    if (o->pid && o->command)
        return fail(err, SAM_E_ARG, "--pid and a program after -- exclude each other");
    return SAM_OK;
}

static int monitor_main(int argc, char **argv)
{
    monitor_options o = {.interval = 0.5, .log = "memory_usage.csv"};
    flag flags[8];
    char plot[4096];
    sam_error err;
    child_end end = {0};
    int help, n = own_flags(&o, flags), code = 0, n_own = argc;
    for (int i = 1; i < argc && n_own == argc; i++)
        if (!strcmp(argv[i], "--"))
            n_own = i;
    if (n_own + 1 < argc)
        o.command = (const char *const *)argv + n_own + 1;
    sam_status status = flags_parse(&verb_monitor, flags, n, n_own, argv, &help, &err);
    if (status == SAM_OK && !help)
        status = check(&o, &err);
    int is_usage = status != SAM_OK;
    if (status == SAM_OK && !help) {
        default_plot(o.log, plot, sizeof plot);
        o.plot = o.plot ? o.plot : plot;
        interrupt_catch();
        status = monitor(&o, &end, &err);
        code = end.signal ? 128 + end.signal : end.code;
    }
    if (status != SAM_OK) {
        fprintf(stderr, "sambench monitor: %s\n", err.text);
        code = is_usage ? 2 : 1;
    }
    return code;
}

const verb verb_monitor = {
    .name = "monitor",
    .summary = "log memory, load, temperature and power of the machine, its GPU and a process",
    .examples =
        "  sambench monitor --interval 0.5 --log memory_usage.csv -- sambench run --test_mode --models edgetam_points\n"
        "  sambench monitor --pid 4711 --plot memory.svg\n",
    .after = "[-- PROGRAM ARGUMENTS...]",
    .main = monitor_main,
};
