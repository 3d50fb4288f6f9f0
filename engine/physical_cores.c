/* physical_cores.c - see physical_cores.h. Linux: Documentation/admin-guide/cputopology.rst. */
#define _GNU_SOURCE
#include "physical_cores.h"

#include <sched.h>
#include <stdio.h>

/* The lowest processor on the core of `cpu`; cpu itself if the kernel does not say. */
static int first_sibling(const char *sys, int cpu)
{
    char path[512];
    int first;
    snprintf(path, sizeof path, "%s/devices/system/cpu/cpu%d/topology/thread_siblings_list", sys, cpu);
    FILE *f = fopen(path, "r");
    if (!f)
        return cpu;
    int known = fscanf(f, "%d", &first) == 1 && first >= 0 && first < CPU_SETSIZE;
    fclose(f);
    return known ? first : cpu;
}

int physical_cores(const char *sys)
{
    cpu_set_t allowed, cores;
    CPU_ZERO(&allowed);
    CPU_ZERO(&cores);
    if (sched_getaffinity(0, sizeof allowed, &allowed))
        return 1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed))
            CPU_SET(first_sibling(sys, cpu), &cores);
    return CPU_COUNT(&cores) > 0 ? CPU_COUNT(&cores) : 1;
}
