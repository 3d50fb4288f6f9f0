#include "verbs.h"

#include <string.h>

enum { MAX_NAME = 31 };

extern const verb verb_kernels, verb_edge, verb_merge, verb_report, verb_monitor, verb_profile, verb_speed, verb_run,
    verb_track, verb_image, verb_amg, verb_eval, verb_synth, verb_sheet, verb_plan, verb_doctor;

const verb *const verbs[] = {&verb_run,    &verb_track,   &verb_image, &verb_amg,     &verb_eval,    &verb_plan,
                             &verb_doctor, &verb_profile, &verb_speed, &verb_kernels, &verb_monitor, &verb_edge,
                             &verb_merge,  &verb_report,  &verb_sheet, &verb_synth};
const int n_verbs = sizeof verbs / sizeof *verbs;

const verb *verb_find(const char *name)
{
    for (int i = 0; i < n_verbs; i++)
        if (!strcmp(verbs[i]->name, name))
            return verbs[i];
    return NULL;
}

/* Letters to insert, drop or change (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(b), row[MAX_NAME + 1];
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i] != b[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

const char *verb_nearest(const char *name)
{
    size_t n = strlen(name), best = (n + 1) / 2;
    const char *nearest = NULL;
    for (int i = 0; n <= MAX_NAME && i < n_verbs; i++) {
        size_t d = distance(verbs[i]->name, name);
        if (d <= best && (!nearest || d < best)) {
            best = d;
            nearest = verbs[i]->name;
        }
    }
    return nearest;
}
