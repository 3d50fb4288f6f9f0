#include "machine.h"

#include "json_out.h"
#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What follows `key` and `separator` on the first such line; "" if there is none. */
static void field(const char *path, const char *key, char separator, char *text, size_t n_text)
{
    char line[1024];
    FILE *f = fopen(path, "r");
    text[0] = 0;
    while (f && !text[0] && fgets(line, sizeof line, f)) {
        char *at = strchr(line, separator);
        if (strncmp(line, key, strlen(key)) || !at)
            continue;
        at += 1 + strspn(at + 1, " \t\"");
        at[strcspn(at, "\"\n")] = 0;
        snprintf(text, n_text, "%s", at);
    }
    if (f)
        fclose(f);
}

/* "NVIDIA Jetson Orin Nano" of the device tree. */
static void first_line(const char *path, char *text, size_t n_text)
{
    FILE *f = fopen(path, "r");
    text[0] = 0;
    if (f && fgets(text, (int)n_text, f))
        text[strcspn(text, "\n")] = 0;
    if (f)
        fclose(f);
}

json_t *machine_json(void)
{
    char cpu[256], system[256], memory[64], board[256], driver[256];
    struct utsname kernel;
    unsigned long long kib = 0;
    field("/proc/cpuinfo", "model name", ':', cpu, sizeof cpu);
    field("/etc/os-release", "PRETTY_NAME", '=', system, sizeof system);
    field("/proc/meminfo", "MemTotal", ':', memory, sizeof memory);
    field("/proc/driver/nvidia/version", "NVRM version", ':', driver, sizeof driver);
    first_line("/proc/device-tree/model", board, sizeof board);
    sscanf(memory, "%llu", &kib);
    if (uname(&kernel))
        kernel.release[0] = kernel.machine[0] = 0;
    return json_pack("{s:s,s:I,s:f,s:s,s:s,s:s,s:s,s:s,s:s}", "cpu", cpu, "processors",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_MiB", (double)kib / 1024, "system", system,
                     "kernel", kernel.release, "architecture", kernel.machine, "board", board, "nvidia_driver", driver,
                     "sambench", SAM_VERSION);
}

sam_status machine_write(const char *out_dir, sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, out_dir, MACHINE_FILE, err));
    sam_status status = json_out(path, machine_json(), err);
    free(path);
    return status;
}
