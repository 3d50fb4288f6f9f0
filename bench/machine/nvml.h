/* nvml.h - NVIDIA's management library, loaded while running where there is one. */
#ifndef NVML_H
#define NVML_H

#include <sys/types.h>

typedef struct nvml {
    void *library, *device;
    int (*shutdown)(void);
    int (*memory)(void *device, void *out);
    int (*load)(void *device, void *out);
    int (*temperature)(void *device, int kind, unsigned *out);
    int (*power)(void *device, unsigned *milliwatt);
    int (*max_clock)(void *device, int kind, unsigned *mhz);
    int (*throttle)(void *device, unsigned long long *reasons);
    int (*processes)(void *device, unsigned *n, void *out);
} nvml;

/* Device `index`; returns 0 if there is no library or device. SAMBENCH_NVML names another library. */
int nvml_open(nvml *n, int index);
void nvml_close(nvml *n);

/* Each returns NaN where the device does not say. */
double nvml_used_mib(const nvml *n);
double nvml_total_mib(const nvml *n);
double nvml_process_mib(const nvml *n, const pid_t *pids, int n_pids); /* 0 if it holds none */
double nvml_load_percent(const nvml *n);
double nvml_celsius(const nvml *n);
double nvml_watt(const nvml *n);
/* Bits of why its clock is held down now: heat, or power; 0: it is not, NaN: not told. */
enum { NVML_THROTTLE_POWER = 0x4 | 0x80, NVML_THROTTLE_HEAT = 0x8 | 0x20 | 0x40 };
double nvml_throttle_reasons(const nvml *n);
double nvml_max_mhz(const nvml *n); /* of the multiprocessors' clock */

#endif
