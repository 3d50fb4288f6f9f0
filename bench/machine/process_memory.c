/* process_memory.c - see process_memory.h. */
#include "process_memory.h"

#include <stdio.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

int process_peak_restart(void)
{
#ifdef __GLIBC__
    malloc_trim(0); /* or what earlier work has freed still counts as resident */
#endif
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return 0;
    int done = fputs("5", file) >= 0; /* proc(5): resets VmHWM */
    return fclose(file) == 0 && done;
}

size_t process_peak_bytes(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
            break;
    fclose(file);
    return (size_t)kib * 1024;
}
