/* nvml.c - see nvml.h. The structs are those of nvml.h of the CUDA toolkit, which need not be here. */
#include "nvml.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NVML_SUCCESS = 0, GPU_SENSOR = 0, SM_CLOCK = 1, MAX_PROCESSES = 256 };

typedef struct memory_info {
    unsigned long long total, free, used;
} memory_info;

typedef struct load_info {
    unsigned gpu, memory;
} load_info;

/* nvmlProcessInfo_t of nvmlDeviceGetComputeRunningProcesses_v3 */
typedef struct process_info {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
} process_info;

/* POSIX lets an object pointer become a function pointer through memory only. */
static int find(const nvml *n, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(n->library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

int nvml_open(nvml *n, int index)
{
    const char *other = getenv("SAMBENCH_NVML");
    int (*init)(void) = NULL, (*get)(unsigned, void **) = NULL;
    *n = (nvml){0};
    n->library = dlopen(other && *other ? other : "libnvidia-ml.so.1", RTLD_NOW);
    if (!n->library)
        return 0;
    int ok = find(n, "nvmlInit_v2", &init, sizeof init);
    ok &= find(n, "nvmlDeviceGetHandleByIndex_v2", &get, sizeof get);
    find(n, "nvmlShutdown", &n->shutdown, sizeof n->shutdown);
    find(n, "nvmlDeviceGetMemoryInfo", &n->memory, sizeof n->memory);
    find(n, "nvmlDeviceGetUtilizationRates", &n->load, sizeof n->load);
    find(n, "nvmlDeviceGetTemperature", &n->temperature, sizeof n->temperature);
    find(n, "nvmlDeviceGetPowerUsage", &n->power, sizeof n->power);
    find(n, "nvmlDeviceGetMaxClockInfo", &n->max_clock, sizeof n->max_clock);
    find(n, "nvmlDeviceGetCurrentClocksThrottleReasons", &n->throttle, sizeof n->throttle);
    find(n, "nvmlDeviceGetComputeRunningProcesses_v3", &n->processes, sizeof n->processes);
    if (!ok || init() != NVML_SUCCESS) {
        n->shutdown = NULL;
        nvml_close(n);
        return 0;
    }
    if (get((unsigned)index, &n->device) == NVML_SUCCESS)
        return 1;
    nvml_close(n);
    return 0;
}

void nvml_close(nvml *n)
{
    if (n->shutdown)
        n->shutdown();
    if (n->library)
        dlclose(n->library);
    *n = (nvml){0};
}

static int read_memory(const nvml *n, memory_info *m)
{
    return n->memory && n->memory(n->device, m) == NVML_SUCCESS;
}

double nvml_used_mib(const nvml *n)
{
    memory_info m;
    return read_memory(n, &m) ? (double)m.used / 0x1p20 : NAN;
}

double nvml_total_mib(const nvml *n)
{
    memory_info m;
    return read_memory(n, &m) ? (double)m.total / 0x1p20 : NAN;
}

double nvml_process_mib(const nvml *n, const pid_t *pids, int n_pids)
{
    process_info info[MAX_PROCESSES];
    unsigned count = MAX_PROCESSES;
    double bytes = 0;
    if (!n->processes || n->processes(n->device, &count, info) != NVML_SUCCESS)
        return NAN;
    for (unsigned i = 0; i < count; i++)
        for (int k = 0; k < n_pids; k++)
            if (info[i].pid == (unsigned)pids[k] && info[i].used != ~0ull) /* not told in some containers */
                bytes += (double)info[i].used;
    return bytes / 0x1p20;
}

double nvml_load_percent(const nvml *n)
{
    load_info l;
    return n->load && n->load(n->device, &l) == NVML_SUCCESS ? l.gpu : NAN;
}

double nvml_celsius(const nvml *n)
{
    unsigned t;
    return n->temperature && n->temperature(n->device, GPU_SENSOR, &t) == NVML_SUCCESS ? t : NAN;
}

double nvml_watt(const nvml *n)
{
    unsigned mw;
    return n->power && n->power(n->device, &mw) == NVML_SUCCESS ? mw / 1e3 : NAN;
}

double nvml_throttle_reasons(const nvml *n)
{
    unsigned long long reasons = 0;
    return n->throttle && n->throttle(n->device, &reasons) == NVML_SUCCESS
               ? (double)(reasons & (NVML_THROTTLE_POWER | NVML_THROTTLE_HEAT))
               : NAN;
}

double nvml_max_mhz(const nvml *n)
{
    unsigned mhz;
    return n->max_clock && n->max_clock(n->device, SM_CLOCK, &mhz) == NVML_SUCCESS ? mhz : NAN;
}
