/* pace.h - frames that come at a fixed rate, as from a camera that keeps only its newest one. A frame is dropped if the one
 * after it is there already; a mask is late if the next frame is due before it. Times are by a clock that tests may replace. */
#ifndef PACE_H
#define PACE_H

/* The first two fields are the caller's; fps 0: frames do not come by a clock. */
typedef struct pace {
    double fps;
    double (*clock_ms)(void);    /* NULL: the monotonic clock   */
    void (*sleep_ms)(double ms); /* NULL: the process sleeps    */
    double begin_ms;
    int n_on_time, n_late, n_dropped;
} pace;

/* The clock starts: frame 1 is due a period later. */
void pace_begin(pace *p);
/* Waits until frame `number` (1, 2, ...) is due. 0: it is dropped, which the last frame never is. */
int pace_wait(pace *p, int number, int is_last);
/* Its mask is there. */
void pace_done(pace *p, int number);
/* The share of all frames whose mask was there in time; NaN of none. */
double pace_share(const pace *p);

#endif
