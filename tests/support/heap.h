/* heap.h - bytes of the heap in use; 0: unknown. */
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>
#include <stdlib.h> /* says whether this is glibc */

#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void); /* of the sanitizer; gcc may lack its header */
static inline size_t heap_in_use(void)
{
    return __sanitizer_get_current_allocated_bytes();
}
#elif defined(__GLIBC__)
#include <malloc.h>
static inline size_t heap_in_use(void)
{
    return mallinfo2().uordblks;
}
#else
static inline size_t heap_in_use(void)
{
    return 0;
}
#endif

#endif
