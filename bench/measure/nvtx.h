/* nvtx.h - named ranges for NVIDIA's profilers: what `sambench` enqueues, graph by graph, and operator by operator if
 * asked. Builds without the CUDA toolkit's nvtx3 headers have none (no_nvtx.c). */
#ifndef NVTX_H
#define NVTX_H

#include "sam.h"

typedef struct nvtx {
    int graphs;    /* 1: a profiler listens                                                          */
    int operators; /* 1: with SAMBENCH_NVTX=operators. Nothing is recorded then, so a frame is slower */
} nvtx;

/* A profiler listens where it has set NVTX_INJECTION64_PATH. */
void nvtx_open(nvtx *n);
/* Begins a range, or ends the last one for NULL. */
void nvtx_range(const nvtx *n, const char *name);
/* Ranges for what `s` enqueues; frames that are replayed have one range "replay" for the encoder and one for the rest.
 * Takes the session's tap if there is a profiler. `n` outlives the session. */
void nvtx_watch(nvtx *n, sam_session *s);

/* The profiler's side: nvtx_ranges.c or no_nvtx.c. */
extern const int nvtx_built;
void nvtx_push(const char *name);
void nvtx_pop(void);

#endif
