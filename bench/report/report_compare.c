#include "report_compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FPS, MEMORY, SCORE, N_MEASURES };

/* A row of the later run, with the group that is part of what it is found by. */
typedef struct keyed_row {
    const report_group *group;
    const report_row *row;
} keyed_row;

static int compare_keys(const void *a, const void *b)
{
    const keyed_row *x = a, *y = b;
    int order = strcmp(x->row->video, y->row->video);
    order = order ? order : strcmp(x->row->object, y->row->object);
    order = order ? order : strcmp(x->group->model, y->group->model);
    order = order ? order : strcmp(x->group->precision, y->group->precision);
    return order ? order : (x->group->imgsz > y->group->imgsz) - (x->group->imgsz < y->group->imgsz);
}

/* NaN: the row has no such figure. */
static double measure(const report_row *r, int which)
{
    double x = which == FPS ? r->fps : which == MEMORY ? results_memory_mib(r) : r->jandf;
    return r->ok && isfinite(x) && (which == SCORE || x > 0) ? x : NAN;
}

/* Sums over the pairs of one measure: relative differences as logarithms, of scores as they are. */
typedef struct pairs {
    double before, after, sum, squares;
} pairs;

static void add_pair(report_change *c, pairs *p, int which, double before, double after)
{
    double change = which == SCORE ? after - before : log(after / before);
    c->n++;
    p->before += before;
    p->after += after;
    p->sum += change;
    p->squares += change * change;
}

static void conclude(report_change *c, const pairs *p, int which, double limit)
{
    if (!c->n)
        return;
    double mean = p->sum / c->n, variance = c->n > 1 ? (p->squares - p->sum * mean) / (c->n - 1) : 0;
    c->before = p->before / c->n;
    c->after = p->after / c->n;
    c->error = sqrt(variance > 0 ? variance / c->n : 0);
    c->change = which == SCORE ? mean : exp(mean) - 1;
    double worse = which == MEMORY ? c->change : -c->change;
    c->regressed = worse > limit && worse > 2 * c->error;
}

/* `rows` [n] are those of the earlier group; later [n_later] is sorted. */
static report_change compare_group(const report_group *group, const keyed_row *rows, int n, const keyed_row *later,
                                   int n_later, int which, double limit)
{
    static const char *const names[] = {"fps", "memory", "J&F"};
    report_change c = {.model = group->model, .measure = names[which]};
    pairs p = {0};
    for (int i = 0; i < n; i++) {
        double before = measure(rows[i].row, which);
        if (isnan(before))
            continue;
        const keyed_row *other =
            n_later ? bsearch(&rows[i], later, (size_t)n_later, sizeof *later, compare_keys) : NULL;
        double after = other ? measure(other->row, which) : NAN;
        if (isnan(after))
            c.n_lost++;
        else if (which == SCORE && strcmp(group->metric, other->group->metric))
            c.incomparable++;
        else
            add_pair(&c, &p, which, before, after);
    }
    conclude(&c, &p, which, limit);
    return c;
}

/* The rows of a run, those of each group one after another in the groups' order; starts [n_groups + 1] is where they begin. */
static void gather(const results_data *d, int run, keyed_row *rows, int *starts)
{
    memset(starts, 0, ((size_t)d->n_groups + 1) * sizeof *starts);
    for (int i = 0; i < d->n_rows; i++)
        starts[d->rows[i].group + 1] += d->groups[d->rows[i].group].run == run;
    for (int g = 0; g < d->n_groups; g++)
        starts[g + 1] += starts[g];
    int n = starts[d->n_groups];
    for (int i = d->n_rows - 1; i >= 0; i--) {
        int g = d->rows[i].group;
        if (d->groups[g].run == run)
            rows[--starts[g + 1]] = (keyed_row){&d->groups[g], &d->rows[i]};
    }
    /* Each end has been moved down to its group's start: group g now begins at starts[g + 1]. */
    memmove(starts, starts + 1, (size_t)d->n_groups * sizeof *starts);
    starts[d->n_groups] = n;
}

sam_status report_compare(const results_data *d, int before, int after, double limit, double limit_score,
                          report_changes *out, sam_error *err)
{
    keyed_row *earlier = malloc(((size_t)d->n_rows + 1) * sizeof *earlier);
    keyed_row *later = malloc(((size_t)d->n_rows + 1) * sizeof *later);
    int *starts = malloc(((size_t)d->n_groups + 1) * sizeof *starts);
    out->at = calloc((size_t)d->n_groups * N_MEASURES + 1, sizeof *out->at);
    sam_status status = SAM_OK;
    if (!earlier || !later || !starts || !out->at) {
        status = fail(err, SAM_E_MEMORY, "out of memory: %d rows to compare", d->n_rows);
        goto done;
    }
    gather(d, after, later, starts);
    int n_later = starts[d->n_groups];
    qsort(later, (size_t)n_later, sizeof *later, compare_keys);
    gather(d, before, earlier, starts);
    for (int g = 0; g < d->n_groups; g++)
        for (int which = 0; which < N_MEASURES; which++) {
            report_change c = compare_group(&d->groups[g], earlier + starts[g], starts[g + 1] - starts[g], later,
                                            n_later, which, which == SCORE ? limit_score : limit);
            if (c.n || c.n_lost || c.incomparable)
                out->at[out->n++] = c;
        }
done:
    free(earlier);
    free(later);
    free(starts);
    return status;
}

int report_compared(const report_changes *c)
{
    int n = 0;
    for (int i = 0; i < c->n; i++)
        n += c->at[i].n + c->at[i].incomparable;
    return n;
}

int report_not_compared(const report_changes *c)
{
    int n = 0;
    for (int i = 0; i < c->n; i++)
        n += c->at[i].n_lost + c->at[i].incomparable;
    return n;
}

/* The device of a run's groups; "" if none is told. */
static const char *device_of(const results_data *d, int run)
{
    for (int g = 0; g < d->n_groups; g++)
        if (d->groups[g].run == run && d->groups[g].device[0])
            return d->groups[g].device;
    return "";
}

int report_other_machine(const results_data *d, int before, int after)
{
    static const char *const keys[] = {"cpu", "processors", "board", "architecture"};
    const char *x = device_of(d, before), *y = device_of(d, after);
    int differ = x[0] && y[0] && strcmp(x, y);
    for (int i = 0; i < 4 && d->machines[before] && d->machines[after]; i++) {
        const json_t *a = json_object_get(d->machines[before], keys[i]),
                     *b = json_object_get(d->machines[after], keys[i]);
        differ |= a && b && !json_equal(a, b);
    }
    return differ;
}
