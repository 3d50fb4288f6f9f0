#include "alloc_count.h"

#if defined(__GLIBC__) || defined(__linux__)
#include <features.h>
#endif

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* glibc's own names of what is defined again below. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
/* The linker's: this program's code. Everything of the engine is linked into it. */
extern const char __executable_start, etext;

/* malloc has no argument for a context, so these are global. */
static atomic_int counting;
static atomic_long n_own, n_libraries;
/* Initial-exec: reading it never allocates. */
static _Thread_local int watched __attribute__((tls_model("initial-exec")));

static inline void count(const void *caller)
{
    if (!watched || !atomic_load_explicit(&counting, memory_order_relaxed))
        return;
    uintptr_t at = (uintptr_t)caller;
    int own = at >= (uintptr_t)&__executable_start && at < (uintptr_t)&etext;
    atomic_fetch_add_explicit(own ? &n_own : &n_libraries, 1, memory_order_relaxed);
}

__attribute__((visibility("default"))) void *malloc(size_t n)
{
    count(__builtin_return_address(0));
    return __libc_malloc(n);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t each)
{
    count(__builtin_return_address(0));
    return __libc_calloc(n, each);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t n)
{
    count(__builtin_return_address(0));
    return __libc_realloc(p, n);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t n)
{
    count(__builtin_return_address(0));
    return __libc_memalign(alignment, n);
}

__attribute__((visibility("default"))) int posix_memalign(void **out, size_t alignment, size_t n)
{
    count(__builtin_return_address(0));
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)))
        return EINVAL;
    void *p = __libc_memalign(alignment, n);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

void alloc_count_watch(int n_threads)
{
    (void)n_threads;
#pragma omp parallel num_threads(n_threads)
    watched = 1;
}

void alloc_count_begin(void)
{
    atomic_store(&n_own, 0);
    atomic_store(&n_libraries, 0);
    atomic_store(&counting, 1);
}

alloc_counts alloc_count_end(void)
{
    atomic_store(&counting, 0);
    return (alloc_counts){atomic_load(&n_own), atomic_load(&n_libraries)};
}

#else

void alloc_count_watch(int n_threads)
{
    (void)n_threads;
}

void alloc_count_begin(void)
{
}

alloc_counts alloc_count_end(void)
{
    return (alloc_counts){-1, -1};
}

#endif
