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

/* malloc has no argument for a context, so these are global. */
static atomic_int counting;
static atomic_long n_calls;
/* Initial-exec: reading it never allocates. */
static _Thread_local int watched __attribute__((tls_model("initial-exec")));

static inline void count(void)
{
    if (watched && atomic_load_explicit(&counting, memory_order_relaxed))
        atomic_fetch_add_explicit(&n_calls, 1, memory_order_relaxed);
}

__attribute__((visibility("default"))) void *malloc(size_t n)
{
    count();
    return __libc_malloc(n);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t each)
{
    count();
    return __libc_calloc(n, each);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t n)
{
    count();
    return __libc_realloc(p, n);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t n)
{
    count();
    return __libc_memalign(alignment, n);
}

__attribute__((visibility("default"))) int posix_memalign(void **out, size_t alignment, size_t n)
{
    count();
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
    atomic_store(&n_calls, 0);
    atomic_store(&counting, 1);
}

long alloc_count_end(void)
{
    atomic_store(&counting, 0);
    return atomic_load(&n_calls);
}

#else

void alloc_count_watch(int n_threads)
{
    (void)n_threads;
}

void alloc_count_begin(void)
{
}

long alloc_count_end(void)
{
    return -1;
}

#endif
