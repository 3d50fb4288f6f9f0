/* ways.h - the ways in which an operator can go on a device, and which one it takes: our kernel in one of its tiles, or an
 * algorithm of NVIDIA's libraries. An operator lists its candidates in a fixed order, the one to take without further
 * knowledge first; the same list when memory is planned and when it is bound. */
#ifndef WAYS_H
#define WAYS_H

#include "op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum way_kind { WAY_OWN, WAY_CUBLASLT, WAY_CUDNN, WAY_KINDS } way_kind;

typedef struct way {
    way_kind kind;
    uint64_t algorithm[8]; /* as the library describes it; of our kernel [0]: its tile, 0 by the kernel's own rule */
    size_t workspace_bytes;
} way;

enum { MAX_WAYS = 16, WAY_KEY_BYTES = 192 };

/* Enqueues the work `what` in one way: NULL, or why not. */
typedef const char *way_enqueue(void *what, const way *w, void *stream);

/* What operators may use besides our kernels. The backend makes it and keeps it unchanged; op_call.libraries points to
 * it. Zeroed: our kernels only, each by its own rule. */
typedef struct op_libraries {
    struct cublaslt *cublaslt; /* NULL: not there, or switched off */
    struct cudnn *cudnn;
    size_t workspace_bytes; /* the most that an algorithm may take */
    int deterministic;      /* 1: only algorithms that give the same bits each run, and no choice by time */
    int tune;               /* 1: candidates for work without a remembered choice are timed when it is bound */
    void *user;             /* of the functions below, which may be NULL */
    int (*recall)(void *user, const char *key, way *out); /* 1: there is a choice; it stays the same from then on */
    void (*remember)(void *user, const char *key, const way *w, double ms);
    /* Milliseconds of device time for the work, repeated as often as it needs; negative: it failed. */
    double (*time_ms)(void *user, void *stream, way_enqueue *enqueue, void *what, const way *w);
} op_libraries;

/* Index of the fastest candidate; of equals the first. Those over `cap_bytes` and those that fail (a negative or not
 * finite time) are passed over; -1: none is left. */
int way_fastest(const way *candidates, int n, size_t cap_bytes, double (*time_ms)(void *user, const way *w), void *user,
                double *best_ms);

/* The candidate that `key` takes: the remembered one if it is among them; else, with l->tune, the fastest, which is
 * remembered; else the first within l->workspace_bytes. One of the candidates (n > 0) must need no workspace. */
const way *way_choose(const op_libraries *l, const char *key, const way *candidates, int n, way_enqueue *enqueue,
                      void *what, void *stream);

/* Workspace to plan for, so that whatever way_choose takes later fits. */
size_t way_workspace(const op_libraries *l, const char *key, const way *candidates, int n);

const char *way_kind_name(way_kind k); /* "own", "cublaslt", "cudnn" */

#ifdef __cplusplus
}
#endif

#endif
