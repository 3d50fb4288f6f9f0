/* progress.h - how far a run is: a bar with the time left on a terminal, else a plain line every few seconds.
 *
 *   progress p;
 *   progress_begin(&p, stderr, 0, "bedroom", 80);
 *   for (...) progress_update(&p, n_done);
 *   progress_end(&p);
 *
 * All state is in the struct. The time left follows the speed of the last half minute. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdint.h>
#include <stdio.h>

typedef enum progress_style { PROGRESS_QUIET, PROGRESS_LINES, PROGRESS_BAR } progress_style;

typedef struct progress {
    FILE *out;
    progress_style style; /* progress_begin chooses; tests set it */
    char label[40];
    int64_t total; /* 0: not known: count and speed only */
    int64_t done;
    double (*clock_s)(void); /* seconds that only grow; tests replace it */
    double begin_s, shown_s;
    double anchor_s[2]; /* times the speed is taken from, older first */
    int64_t anchor_done[2];
    int shown; /* something is on the terminal's line */
} progress;

/* `out` is looked at with isatty. Copies the label, cut to fit. */
void progress_begin(progress *p, FILE *out, int quiet, const char *label, int64_t total);
/* Cheap: prints at most ten times a second (bar) or once in five seconds (lines). */
void progress_update(progress *p, int64_t done);
/* Takes the bar away from the terminal, for a message; the next update shows it again. */
void progress_clear(progress *p);
/* The last state, and its line is ended. */
void progress_end(progress *p);
/* The text without control characters; at most 79 columns. */
void progress_text(const progress *p, double now_s, char *text, size_t n_text);

#endif
