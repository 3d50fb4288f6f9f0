/* paired.h - two things timed in turn, A B B A A B B A ..., and by how much B differs: what drifts (clock, heat, other programs)
 * meets both alike, and cancels in each pair. */
#ifndef PAIRED_H
#define PAIRED_H

#include "samples.h"

/* Looked at after so many pairs, no oftener: each look has its share of the 5 % of error, so that all of them together hold
 * 95 % however early one stops. */
enum { PAIRED_LOOKS = 4, PAIRED_FIRST = 4, PAIRED_MOST = 32 };

typedef struct paired_result {
    int n;                     /* pairs                                                          */
    double percent, low, high; /* by how much more time B takes, with its 95 % interval (Student's t of log ratios) */
    int differs;               /* the interval excludes 0 */
} paired_result;

/* Whether n pairs are one of the looks: 4, 8, 16, 32. */
int paired_is_look(int n);
/* Of the first n pairs, a look; times are positive. */
paired_result paired_judge(const samples *a, const samples *b, int n);

/* Of pair i (from 0) A runs first, or B. */
int paired_is_b_first(int i);

#endif
