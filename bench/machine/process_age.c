/* process_age.c - see process_age.h. */
#include "process_age.h"

#include "sysfs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double process_age_ms(void)
{
    char text[1024];
    unsigned long long ticks;
    struct timespec now;
    const char *at = sysfs_text("", "/proc/self/stat", text, sizeof text);
    at = at ? strrchr(at, ')') : NULL; /* the name before may hold anything */
    /* proc(5): the 22nd field, the 20th after the name */
    if (!at || clock_gettime(CLOCK_BOOTTIME, &now) ||
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ticks) !=
            1)
        return NAN;
    double started_ms = (double)ticks * 1e3 / (double)sysconf(_SC_CLK_TCK);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6 - started_ms;
}
