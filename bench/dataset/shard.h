/* shard.h - one process's share of the work, when several on one or many machines work on the same list. Every process
 * computes the same division, so they need not talk. */
#ifndef SHARD_H
#define SHARD_H

#include "error.h"

#include <stdint.h>

typedef struct shard {
    int index, count;   /* index 0 .. count - 1; count 1: all of the work           */
    int local;          /* process on this machine, from 0: which GPU to take; -1: not told */
    const char *source; /* "--shard", "Slurm array", "Slurm step", "Open MPI", ""    */
} shard;

/* `text` is "i/n", "none", or NULL or "auto" for what the launcher says: in a Slurm job array its task, in an srun step the
 * process, in both the process among those of all tasks; under mpirun the rank. SAM_E_ARG for what makes no sense. */
sam_status shard_find(const char *text, shard *out, sam_error *err);

/* Which of `count` shares each of n units goes to: the largest first, each to the smallest share so far. */
sam_status shard_divide(const int64_t *costs, int n, int count, int *owner, sam_error *err);

#endif
