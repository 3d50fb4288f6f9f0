/* allocations.cpp - which memory kernels may access: what the program has allocated, and nothing else. The program is linked
 * with -Wl,--wrap for the allocator's functions (CMakeLists.txt), so that they come here. */
#include "ptx.h"

#include <cstdlib>
#include <map>
#include <mutex>

static std::map<u64, Allocation> &allocations() /* by the first byte */
{
    static auto *map = new std::map<u64, Allocation>;
    return *map;
}
static u64 releases = 1;
static std::mutex lock; /* threads of the program allocate while no kernel runs */

static void add(void *p, size_t n)
{
    u64 first = (u64)(uintptr_t)p;
    std::lock_guard<std::mutex> hold(lock);
    if (p)
        allocations()[first] = {first, first + n, {}};
}
static void remove(void *p)
{
    std::lock_guard<std::mutex> hold(lock);
    if (p && allocations().erase((u64)(uintptr_t)p))
        releases++;
}

Allocation *allocation_of(u64 address)
{
    auto it = allocations().upper_bound(address);
    return it == allocations().begin() ? nullptr : &(--it)->second;
}
Allocation *allocation_behind(u64 address)
{
    auto it = allocations().upper_bound(address);
    return it == allocations().end() ? nullptr : &it->second;
}
u64 allocations_changed(void)
{
    return releases;
}
u64 global_variable(size_t n_bytes, size_t align)
{
    align = align < 16 ? 16 : align;
    void *p = aligned_alloc(align, (n_bytes + align - 1) / align * align);
    memset(p, 0, n_bytes);
    add(p, n_bytes);
    return (u64)(uintptr_t)p;
}

extern "C" {
void *__real_malloc(size_t n);
void *__real_calloc(size_t a, size_t b);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
int __real_posix_memalign(void **p, size_t align, size_t n);
void *__real_mmap(void *p, size_t n, int protection, int flags, int file, long offset);
void *__real_mmap64(void *p, size_t n, int protection, int flags, int file, long offset);
int __real_munmap(void *p, size_t n);
void __real_free(void *p);

void *__wrap_malloc(size_t n)
{
    void *p = __real_malloc(n);
    add(p, n);
    return p;
}
void *__wrap_calloc(size_t a, size_t b)
{
    void *p = __real_calloc(a, b);
    add(p, a * b);
    return p;
}
void *__wrap_realloc(void *old, size_t n)
{
    remove(old);
    void *p = __real_realloc(old, n);
    add(p, n);
    return p;
}
void *__wrap_aligned_alloc(size_t align, size_t n)
{
    void *p = __real_aligned_alloc(align, n);
    add(p, n);
    return p;
}
int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
    int e = __real_posix_memalign(p, align, n);
    if (!e)
        add(*p, n);
    return e;
}
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int file, long offset)
{
    void *p = __real_mmap(at, n, protection, flags, file, offset);
    add(p == (void *)-1 ? nullptr : p, n);
    return p;
}
void *__wrap_mmap64(void *at, size_t n, int protection, int flags, int file, long offset)
{
    void *p = __real_mmap64(at, n, protection, flags, file, offset);
    add(p == (void *)-1 ? nullptr : p, n);
    return p;
}
int __wrap_munmap(void *p, size_t n)
{
    remove(p);
    return __real_munmap(p, n);
}
void __wrap_free(void *p)
{
    remove(p);
    __real_free(p);
}
}
