#include "unified.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int exists(const char *root, const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    return access(full, F_OK) == 0;
}

memory_kind memory_kind_of(const char *root, int uses_gpu)
{
    if (!uses_gpu)
        return MEMORY_CPU;
    int tegra = exists(root, "/etc/nv_tegra_release") || exists(root, "/sys/devices/gpu.0/load") ||
                exists(root, "/sys/devices/platform/gpu.0/load") || exists(root, "/dev/nvhost-gpu") ||
                exists(root, "/sys/devices/platform/17000000.gpu/load");
    return tegra ? MEMORY_UNIFIED : MEMORY_DISCRETE;
}

const char *memory_kind_name(memory_kind k)
{
    return k == MEMORY_CPU ? "cpu" : k == MEMORY_UNIFIED ? "unified" : "discrete";
}

double memory_available_mib(const char *root)
{
    char path[512], line[256];
    unsigned long long kib;
    double mib = NAN;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    FILE *f = fopen(path, "r");
    while (f && isnan(mib) && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            mib = (double)kib / 1024;
    if (f)
        fclose(f);
    return mib;
}
