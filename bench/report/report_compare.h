/* report_compare.h - what changed between two runs: rows are paired by video, object, model, size and precision. */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include "report_data.h"

/* One measure of one model in two runs. A row counts if it is ok and has the measure: speed and memory above 0, a score. */
typedef struct report_change {
    const char *model, *measure; /* "fps", "memory", "J&F" */
    int n;                       /* rows that both have; 0: the figures below are 0 */
    int n_lost; /* rows that the earlier run has and the later one has not: failed, absent, no figure */
    double before, after;
    double change, error; /* mean of the paired differences and its standard error: relative, of J&F absolute */
    int incomparable;     /* rows whose J&F is by two metrics; they are not lost */
    int regressed;        /* worse by more than the limit, and by more than twice the error */
} report_change;

typedef struct report_changes {
    report_change *at;
    int n;
} report_changes;

/* Run `after` against run `before`, each measure that a model of the earlier run has. limit: 0.05 is 5 %; of J&F limit_score.
 * Start with {0}; free `at`. */
sam_status report_compare(const results_data *d, int before, int after, double limit, double limit_score,
                          report_changes *out, sam_error *err);

/* Whether two folders say that they are of different machines: then speed and memory differ by that, too. */
int report_other_machine(const results_data *d, int before, int after);

/* How many figures of all changes both runs have, and how many cannot be compared. */
int report_compared(const report_changes *c);
int report_not_compared(const report_changes *c);

#endif
