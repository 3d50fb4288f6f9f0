#include "machine.h"

#include "json_build.h"
#include "json_out.h"
#include "listing.h"
#include "nvml.h"
#include "sysfs.h"
#include "text_start.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
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

/* The highest clock of the processors, MHz; 0: not told. */
static double cpu_mhz(void)
{
    double khz = sysfs_number("", "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
    return isnan(khz) ? 0 : khz / 1000;
}

/* The same of the GPU: by NVML, on a Jetson from its devfreq driver. */
static double gpu_mhz(void)
{
    static const char *const tegra[] = {"/sys/class/devfreq/17000000.gpu/max_freq",
                                        "/sys/class/devfreq/17000000.ga10b/max_freq",
                                        "/sys/class/devfreq/17000000.gv11b/max_freq"};
    nvml gpu;
    double mhz = NAN;
    if (nvml_open(&gpu, 0)) {
        mhz = nvml_max_mhz(&gpu);
        nvml_close(&gpu);
    }
    for (size_t i = 0; i < sizeof tegra / sizeof *tegra && isnan(mhz); i++)
        mhz = sysfs_number("", tegra[i]) / 1e6;
    return isnan(mhz) ? 0 : mhz;
}

json_t *machine_json(void)
{
    char date[32], governor[64];
    time_t now = time(NULL);
    struct tm utc;
    char cpu[256], system[256], memory[64], board[256], driver[256];
    struct utsname kernel;
    unsigned long long kib = 0;
    field("/proc/cpuinfo", "model name", ':', cpu, sizeof cpu);
    field("/etc/os-release", "PRETTY_NAME", '=', system, sizeof system);
    field("/proc/meminfo", "MemTotal", ':', memory, sizeof memory);
    field("/proc/driver/nvidia/version", "NVRM version", ':', driver, sizeof driver);
    first_line("/proc/device-tree/model", board, sizeof board);
    if (!sysfs_text("", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor, sizeof governor))
        governor[0] = 0;
    governor[strcspn(governor, "\n")] = 0;
    if (!gmtime_r(&now, &utc) || !strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &utc))
        date[0] = 0;
    sscanf(memory, "%llu", &kib);
    if (uname(&kernel))
        kernel.release[0] = kernel.machine[0] = 0;
    return json_pack("{s:s,s:I,s:f,s:s,s:f,s:f,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:n}", "cpu", cpu, "processors",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_MiB", (double)kib / 1024, "cpu_governor",
                     governor, "cpu_MHz", cpu_mhz(), "gpu_MHz", gpu_mhz(), "system", system, "kernel", kernel.release,
                     "architecture", kernel.machine, "board", board, "nvidia_driver", driver, "sambench", SAM_VERSION,
                     "date", date, "conditions");
}

sam_status machine_write(const char *out_dir, sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, out_dir, MACHINE_FILE, err));
    sam_status status = json_out(path, machine_json(), err);
    free(path);
    return status;
}

sam_status machine_add_conditions(const char *out_dir, const conditions *c, sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, out_dir, MACHINE_FILE, err));
    json_t *json = json_read_file(path, 0, NULL);
    json = json ? json : machine_json();
    json_put(&json, "conditions", conditions_json(c));
    sam_status status = json_out(path, json, err);
    free(path);
    return status;
}
