/* allocations.h - counts what a stretch of a program takes from the heap, whoever calls: engine, libraries, runtimes. */
#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

/* 0: this system's malloc cannot be counted. */
int allocations_can_count(void);
void allocations_begin(void);
long allocations_end(void); /* allocations by all threads since allocations_begin */

#endif
