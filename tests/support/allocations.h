/* allocations.h - counts what a stretch of a program takes from the heap, whoever calls: engine, libraries, runtimes. */
#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

#include <stddef.h>

typedef struct allocations {
    long own;          /* by code of the program: engine, kernels, test                                */
    long by_libraries; /* by shared libraries on their own: oneDNN lists the arguments of each call so */
} allocations;

/* 0: this system's malloc cannot be counted (it can with glibc, not under AddressSanitizer). */
int allocations_can_count(void);
void allocations_begin(void);
allocations allocations_end(void); /* by all threads since allocations_begin */
size_t heap_in_use(void);          /* bytes; 0: unknown */

#endif
