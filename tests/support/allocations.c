/* glibc: its malloc family is replaced in every program that is linked with this file. */
#include "allocations.h"

#include <errno.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void); /* of the sanitizer; gcc may lack its header */

int allocations_can_count(void)
{
    return 0;
}

void allocations_begin(void)
{
}

allocations allocations_end(void)
{
    return (allocations){0};
}

size_t heap_in_use(void)
{
    return __sanitizer_get_current_allocated_bytes();
}

#elif defined(__GLIBC__)
#include <malloc.h>
#include <stdatomic.h>

#define PUBLIC __attribute__((visibility("default")))

static atomic_long n_own, n_by_libraries;
static atomic_int counting;
extern const char __executable_start, etext; /* of the program, from the linker */

static void count(const void *caller)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return;
    int own = (uintptr_t)caller >= (uintptr_t)&__executable_start && (uintptr_t)caller < (uintptr_t)&etext;
    atomic_fetch_add_explicit(own ? &n_own : &n_by_libraries, 1, memory_order_relaxed);
}

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t each);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

PUBLIC void *malloc(size_t n);
PUBLIC void *calloc(size_t n, size_t each);
PUBLIC void *realloc(void *p, size_t n);
PUBLIC void *aligned_alloc(size_t align, size_t n);
PUBLIC void *memalign(size_t align, size_t n);
PUBLIC int posix_memalign(void **p, size_t align, size_t n);

void *malloc(size_t n)
{
    count(__builtin_return_address(0));
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t each)
{
    count(__builtin_return_address(0));
    return __libc_calloc(n, each);
}

void *realloc(void *p, size_t n)
{
    count(__builtin_return_address(0));
    return __libc_realloc(p, n);
}

void *memalign(size_t align, size_t n)
{
    count(__builtin_return_address(0));
    return __libc_memalign(align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    count(__builtin_return_address(0));
    return __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    count(__builtin_return_address(0));
    void *got = __libc_memalign(align, n);
    if (!got)
        return ENOMEM;
    *p = got;
    return 0;
}

int allocations_can_count(void)
{
    return 1;
}

void allocations_begin(void)
{
    atomic_store(&n_own, 0);
    atomic_store(&n_by_libraries, 0);
    atomic_store(&counting, 1);
}

allocations allocations_end(void)
{
    atomic_store(&counting, 0);
    return (allocations){.own = atomic_load(&n_own), .by_libraries = atomic_load(&n_by_libraries)};
}

size_t heap_in_use(void)
{
    return mallinfo2().uordblks;
}

#else
int allocations_can_count(void)
{
    return 0;
}

void allocations_begin(void)
{
}

allocations allocations_end(void)
{
    return (allocations){0};
}

size_t heap_in_use(void)
{
    return 0;
}
#endif
