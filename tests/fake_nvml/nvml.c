/* A management library with one device that is always at 40 %, 61 C and 123.456 W, whose clock goes up to 1980 MHz, and holds 64 of its 1000 MiB for the
 * process in FAKE_NVML_PID. With FAKE_NVML_UNSUPPORTED it says of all but power that it is not supported, as on a Jetson. */
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int nvmlInit_v2(void);
EXPORT int nvmlShutdown(void);
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
EXPORT int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *out);
EXPORT int nvmlDeviceGetUtilizationRates(void *device, unsigned *out);
EXPORT int nvmlDeviceGetTemperature(void *device, int kind, unsigned *out);
EXPORT int nvmlDeviceGetPowerUsage(void *device, unsigned *out);
EXPORT int nvmlDeviceGetMaxClockInfo(void *device, int kind, unsigned *out);
EXPORT int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *out);
EXPORT int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *n, void *out);

/* NVML_ERROR_NOT_SUPPORTED */
static int unsupported(void)
{
    return getenv("FAKE_NVML_UNSUPPORTED") ? 3 : 0;
}

int nvmlInit_v2(void)
{
    return 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = (void *)1;
    return index ? 2 : 0;
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *out)
{
    (void)device;
    out[0] = 1000ull << 20;
    out[1] = 700ull << 20;
    out[2] = 300ull << 20;
    return unsupported();
}

int nvmlDeviceGetUtilizationRates(void *device, unsigned *out)
{
    (void)device;
    out[0] = 40;
    out[1] = 10;
    return unsupported();
}

int nvmlDeviceGetTemperature(void *device, int kind, unsigned *out)
{
    (void)device;
    *out = 61;
    return kind || unsupported();
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *out)
{
    (void)device;
    *out = 123456;
    return 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *n, void *out)
{
    struct {
        unsigned pid;
        unsigned long long used;
        unsigned gpu, compute;
    } one = {.used = 64ull << 20};
    const char *pid = getenv("FAKE_NVML_PID");
    (void)device;
    one.pid = pid ? (unsigned)atoi(pid) : 0;
    memcpy(out, &one, sizeof one);
    *n = 1;
    return unsupported();
}

int nvmlDeviceGetMaxClockInfo(void *device, int kind, unsigned *out)
{
    (void)device;
    *out = 1980;
    return kind != 1 || unsupported();
}

/* FAKE_NVML_THROTTLE: bits of nvmlClocksThrottleReason*. */
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *out)
{
    const char *reasons = getenv("FAKE_NVML_THROTTLE");
    (void)device;
    *out = reasons ? strtoull(reasons, NULL, 0) : 1; /* idle, which holds nothing down */
    return unsupported();
}
