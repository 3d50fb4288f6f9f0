#include "address_space.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* oneDNN's code and scratch; a thread's stack and what the allocator keeps for it. */
#define ROOM_OF_LIBRARIES ((size_t)192 << 20)
#define ROOM_OF_A_THREAD  ((size_t)32 << 20)

/* Bytes of address space in use; 0: not known. */
static size_t in_use(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    int n = fscanf(file, "%llu", &pages);
    fclose(file);
    return n == 1 ? (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

sam_status address_space_check(size_t needed, int n_threads, const char *what, sam_error *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return SAM_OK;
    size_t used = in_use(), most = (size_t)limit.rlim_cur;
    size_t room = ROOM_OF_LIBRARIES + (size_t)n_threads * ROOM_OF_A_THREAD;
    if (!used || (used < most && needed + room <= most - used))
        return SAM_OK;
    return fail(
        err, SAM_E_MEMORY,
        "%s needs %zu MiB and %zu for libraries and threads; the limit on the address space leaves %zu of %zu MiB; raise it: "
        "ulimit -v %zu",
        what, needed >> 20, room >> 20, used < most ? (most - used) >> 20 : 0, most >> 20,
        (used + needed + 2 * room) >> 10);
}
