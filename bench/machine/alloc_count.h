/* alloc_count.h - counts allocations, to show that the engine makes none between push and mask.
 *
 * malloc, calloc, realloc, posix_memalign and aligned_alloc of the whole program, shared libraries included, pass through
 * alloc_count.c. Only calls on threads that alloc_count_watch has seen are counted: decoding and video encoding, which run
 * beside the engine, are not. The counter is one for the process. */
#ifndef ALLOC_COUNT_H
#define ALLOC_COUNT_H

typedef struct alloc_counts {
    long own;       /* called from this program's code, the engine among it                               */
    long libraries; /* from shared libraries, as oneDNN's argument tables in each dnnl_primitive_execute   */
} alloc_counts;     /* both -1 where they cannot be counted: another C library than glibc, sanitizers      */

/* Watches the calling thread and the OpenMP threads it works with. */
void alloc_count_watch(int n_threads);
void alloc_count_begin(void);
/* Allocations since alloc_count_begin. */
alloc_counts alloc_count_end(void);

#endif
