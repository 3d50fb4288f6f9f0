/* progress.c - see progress.h. */
#include "progress.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_COLUMNS = 20, SPEED_WINDOW_S = 15, LINES_EVERY_S = 5 };
static const double bar_every_s = 0.1;

static double monotonic_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void progress_begin(progress *p, FILE *out, int quiet, const char *label, int64_t total)
{
    *p = (progress){.out = out, .total = total > 0 ? total : 0, .clock_s = monotonic_s};
    p->style = quiet ? PROGRESS_QUIET : isatty(fileno(out)) ? PROGRESS_BAR : PROGRESS_LINES;
    snprintf(p->label, sizeof p->label, "%s", label);
    p->begin_s = p->anchor_s[0] = p->anchor_s[1] = p->clock_s();
    p->shown_s = p->style == PROGRESS_BAR ? p->begin_s - 1 : p->begin_s;
}

/* Frames a second since the older anchor. */
static double speed(const progress *p, double now_s)
{
    double seconds = now_s - p->anchor_s[0];
    return seconds > 0 ? (double)(p->done - p->anchor_done[0]) / seconds : 0;
}

static void move_anchors(progress *p, double now_s)
{
    if (now_s - p->anchor_s[1] < SPEED_WINDOW_S)
        return;
    p->anchor_s[0] = p->anchor_s[1];
    p->anchor_done[0] = p->anchor_done[1];
    p->anchor_s[1] = now_s;
    p->anchor_done[1] = p->done;
}

static void duration_text(double seconds, char *text, size_t n_text)
{
    long long s = seconds < 1e9 ? (long long)(seconds + 0.5) : 999999999;
    if (s >= 3600)
        snprintf(text, n_text, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, n_text, "%lld:%02lld", s / 60, s % 60);
}

void progress_text(const progress *p, double now_s, char *text, size_t n_text)
{
    char bar[BAR_COLUMNS + 1], left[24] = "?", taken[24];
    int64_t done = p->done < 0 ? 0 : p->total && p->done > p->total ? p->total : p->done;
    double fps = speed(p, now_s);
    duration_text(now_s - p->begin_s, taken, sizeof taken);
    if (!p->total) {
        snprintf(text, n_text < 80 ? n_text : 80, "%s  %lld  %.1f/s  %s", p->label, (long long)done, fps, taken);
        return;
    }
    int filled = (int)((double)done / (double)p->total * BAR_COLUMNS);
    memset(bar, '.', BAR_COLUMNS);
    memset(bar, '#', (size_t)filled);
    bar[BAR_COLUMNS] = 0;
    if (fps > 0)
        duration_text((double)(p->total - done) / fps, left, sizeof left);
    int n = snprintf(text, n_text, "%.24s [%s] %lld/%lld  %.1f/s  ", p->label, bar, (long long)done,
                     (long long)p->total, fps);
    if (n > 0 && (size_t)n < n_text)
        snprintf(text + n, n_text - (size_t)n, done == p->total ? "%s" : "%s left", done == p->total ? taken : left);
    if (n_text > 79)
        text[79] = 0;
}

static void show(progress *p, double now_s)
{
    char text[160];
    progress_text(p, now_s, text, sizeof text);
    if (p->style == PROGRESS_BAR)
        fprintf(p->out, "\r%s\033[K", text); /* the sequence clears what a longer line left */
    else
        fprintf(p->out, "%s\n", text);
    fflush(p->out);
    p->shown = 1;
    p->shown_s = now_s;
}

void progress_update(progress *p, int64_t done)
{
    p->done = done;
    if (p->style == PROGRESS_QUIET)
        return;
    double now_s = p->clock_s();
    move_anchors(p, now_s);
    if (now_s - p->shown_s >= (p->style == PROGRESS_BAR ? bar_every_s : LINES_EVERY_S))
        show(p, now_s);
}

void progress_clear(progress *p)
{
    if (p->style == PROGRESS_BAR && p->shown) {
        fprintf(p->out, "\r\033[K");
        fflush(p->out);
        p->shown = 0;
        p->shown_s = p->begin_s - 1;
    }
}

void progress_end(progress *p)
{
    if (p->style == PROGRESS_QUIET)
        return;
    p->anchor_s[0] = p->begin_s; /* the last figure is over the whole run */
    p->anchor_done[0] = 0;
    show(p, p->clock_s());
    if (p->style == PROGRESS_BAR)
        fprintf(p->out, "\n");
    p->style = PROGRESS_QUIET;
}
