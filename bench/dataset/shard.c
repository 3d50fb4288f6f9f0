#include "shard.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An environment variable that is a number. */
static int number(const char *name, int *out)
{
    char *end;
    const char *text = getenv(name);
    if (!text || !*text)
        return 0;
    long x = strtol(text, &end, 10);
    if (*end || x < 0 || x > INT_MAX)
        return 0;
    *out = (int)x;
    return 1;
}

static sam_status from_text(const char *text, shard *out, sam_error *err)
{
    char rest;
    if (sscanf(text, "%d/%d%c", &out->index, &out->count, &rest) != 2 || out->count < 1 || out->index < 0 ||
        out->index >= out->count)
        return fail(err, SAM_E_ARG, "--shard '%.40s': expected i/n with i from 0 to n - 1, as in 0/4, or auto or none",
                    text);
    out->source = "--shard";
    return SAM_OK;
}

/* The task of a job array, as a place among all. */
static int array_task(int *index, int *count)
{
    int id, first = 0, step = 1;
    if (!number("SLURM_ARRAY_TASK_ID", &id) || !number("SLURM_ARRAY_TASK_COUNT", count) || *count < 1)
        return 0;
    number("SLURM_ARRAY_TASK_MIN", &first);
    if (!number("SLURM_ARRAY_TASK_STEP", &step) || step < 1)
        step = 1;
    *index = (id - first) / step;
    return 1;
}

/* In a batch script without srun SLURM_NTASKS is set too, but only one process runs: a step is what counts. */
static void from_launcher(shard *out)
{
    int task, n_tasks, rank = 0, size = 1;
    int in_array = array_task(&task, &n_tasks);
    int in_step = number("SLURM_STEP_NUM_TASKS", &size) && number("SLURM_PROCID", &rank);
    int in_mpi = !in_step && number("OMPI_COMM_WORLD_SIZE", &size) && number("OMPI_COMM_WORLD_RANK", &rank);
    if (in_step)
        number("SLURM_LOCALID", &out->local);
    if (in_mpi)
        number("OMPI_COMM_WORLD_LOCAL_RANK", &out->local);
    if (!in_step && !in_mpi) {
        rank = 0;
        size = 1;
    }
    out->count = (in_array ? n_tasks : 1) * size;
    out->index = (in_array ? task : 0) * size + rank;
    if (out->count > 1)
        out->source = in_array ? "Slurm array" : in_step ? "Slurm step" : "Open MPI";
}

sam_status shard_find(const char *text, shard *out, sam_error *err)
{
    *out = (shard){.count = 1, .local = -1, .source = ""};
    if (text && !strcmp(text, "none"))
        return SAM_OK;
    if (text && strcmp(text, "auto"))
        return from_text(text, out, err);
    from_launcher(out);
    if (out->count >= 1 && out->index >= 0 && out->index < out->count)
        return SAM_OK;
    return fail(err, SAM_E_ARG, "%s: process %d of %d: a job array with gaps? Give --shard i/n", out->source,
                out->index, out->count);
}

typedef struct unit {
    int64_t cost;
    int at;
} unit;

/* Ties in the order of the list, so that all processes agree. */
static int largest_first(const void *a, const void *b)
{
    const unit *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at);
}

sam_status shard_divide(const int64_t *costs, int n, int count, int *owner, sam_error *err)
{
    unit *units = malloc((size_t)n * sizeof *units + 1);
    int64_t *load = calloc((size_t)count, sizeof *load);
    sam_status status = units && load ? SAM_OK : fail(err, SAM_E_MEMORY, "out of memory: %d shards", count);
    for (int i = 0; i < n && status == SAM_OK; i++)
        units[i] = (unit){costs[i] > 0 ? costs[i] : 1, i};
    if (status == SAM_OK)
        qsort(units, (size_t)n, sizeof *units, largest_first);
    for (int i = 0; i < n && status == SAM_OK; i++) {
        int least = 0;
        for (int s = 1; s < count; s++)
            least = load[s] < load[least] ? s : least;
        owner[units[i].at] = least;
        load[least] += units[i].cost;
    }
    free(units);
    free(load);
    return status;
}
