/* unified.h - whether CPU and GPU share one memory, and how much of it is in use. */
#ifndef UNIFIED_H
#define UNIFIED_H

typedef enum memory_kind {
    MEMORY_CPU,     /* no GPU is used: the process's resident memory is all there is             */
    MEMORY_UNIFIED, /* Tegra: one pool. cudaMalloc's memory comes out of it without being resident in the process,
                       pinned and managed memory is in both accounts: only the pool itself counts each byte once */
    MEMORY_DISCRETE /* a card: its memory and the process's are two                              */
} memory_kind;

/* root: "" (tests: another root for /proc, /sys and /etc). */
memory_kind memory_kind_of(const char *root, int uses_gpu);
const char *memory_kind_name(memory_kind k);   /* "cpu", "unified", "discrete" */
double memory_available_mib(const char *root); /* MemAvailable; NaN: not told */

#endif
