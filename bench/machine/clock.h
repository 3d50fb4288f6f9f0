/* clock.h - time for measuring. */
#ifndef CLOCK_H
#define CLOCK_H

double clock_ms(void); /* CLOCK_MONOTONIC: only grows */

#endif
