/* glibc: its malloc family is replaced in the program. Under AddressSanitizer: its hooks. */
#include "allocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_long n_allocations;
static atomic_int counting;

static void count(void)
{
    if (atomic_load_explicit(&counting, memory_order_relaxed))
        atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
}

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/allocator_interface.h>

static void on_malloc(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
    count();
}

static void on_free(const volatile void *p)
{
    (void)p;
}

int allocations_can_count(void)
{
    static atomic_int installed;
    if (!atomic_exchange(&installed, 1))
        __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    return 1;
}

#elif defined(__GLIBC__)
#define PUBLIC __attribute__((visibility("default")))

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
    count();
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t each)
{
    count();
    return __libc_calloc(n, each);
}

void *realloc(void *p, size_t n)
{
    count();
    return __libc_realloc(p, n);
}

void *memalign(size_t align, size_t n)
{
    count();
    return __libc_memalign(align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    void *got = memalign(align, n);
    if (!got)
        return ENOMEM;
    *p = got;
    return 0;
}

int allocations_can_count(void)
{
    return 1;
}

#else
int allocations_can_count(void)
{
    return 0;
}
#endif

void allocations_begin(void)
{
    atomic_store(&n_allocations, 0);
    atomic_store(&counting, allocations_can_count());
}

long allocations_end(void)
{
    atomic_store(&counting, 0);
    return atomic_load(&n_allocations);
}
