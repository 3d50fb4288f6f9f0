/* process_age.h - how long this process has been there: what a user waits for a first result, with what came before main(). */
#ifndef PROCESS_AGE_H
#define PROCESS_AGE_H

/* Milliseconds since the kernel started this process, in steps of its clock tick (10 ms); NaN if /proc does not tell. */
double process_age_ms(void);

#endif
