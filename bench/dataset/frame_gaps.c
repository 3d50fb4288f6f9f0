#include "frame_gaps.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DIGITS = 15 };

/* The last number of a name without its suffix: where it stands, its digits and its value. Returns 0 if there is none. */
static int last_number(const char *name, size_t *at, size_t *n, long long *value)
{
    char digits[MAX_DIGITS + 1];
    size_t end = stem_length(name);
    while (end && !isdigit((unsigned char)name[end - 1]))
        end--;
    for (*at = end; *at && isdigit((unsigned char)name[*at - 1]); --*at)
        ;
    *n = end - *at;
    if (!*n || *n > MAX_DIGITS)
        return 0;
    memcpy(digits, name + *at, *n);
    digits[*n] = 0;
    *value = strtoll(digits, NULL, 10);
    return 1;
}

int frame_gaps(const listing *frames, char *first, size_t n_first)
{
    long long step = 0, before = 0, value = 0, n_missing = 0;
    size_t at, n;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < frames->n; i++, before = value) {
            if (!last_number(frames->names[i], &at, &n, &value) || (i && value <= before))
                return 0;
            long long apart = value - before;
            if (!i)
                continue;
            if (!pass) {
                step = !step || apart < step ? apart : step;
                continue;
            }
            if (apart % step)
                return 0;
            if (apart > step && !n_missing)
                snprintf(first, n_first, "%.*s%0*lld", (int)at, frames->names[i], (int)n, before + step);
            n_missing += apart / step - 1;
        }
    return n_missing <= frames->n ? (int)n_missing : 0;
}

void frame_gaps_say(const char *verb, const char *folder, const listing *frames)
{
    char first[256];
    int n = frame_gaps(frames, first, sizeof first);
    if (n == 1)
        fprintf(stderr, "sambench %s: %s: frame %s is missing; those beside it follow each other\n", verb, folder,
                first);
    else if (n)
        fprintf(stderr, "sambench %s: %s: %d frames are missing, the first %s; those beside it follow each other\n",
                verb, folder, n, first);
}
