/* sensors.h - what a machine says of itself while something runs: memory, load, temperature, power, GPU. A figure that this
 * machine does not offer is NaN. */
#ifndef SENSORS_H
#define SENSORS_H

#include "nvml.h"

#include <sys/types.h>

typedef enum sensor {
    SENSOR_SYSTEM_USED,      /* MiB: MemTotal - MemAvailable of /proc/meminfo                         */
    SENSOR_SYSTEM_AVAILABLE, /* MiB                                                                   */
    SENSOR_SWAP_USED,        /* MiB                                                                   */
    SENSOR_CGROUP_USED,      /* MiB: memory.current of this process's cgroup, what a container's limit counts */
    SENSOR_CPU,              /* % of all processors since the sample before                           */
    SENSOR_PROCESS_RSS,      /* MiB: the process and its descendants, shared pages counted in each    */
    SENSOR_PROCESS_PEAK,     /* MiB: the process itself, since it began or its peak was restarted     */
    SENSOR_PROCESS_CPU,      /* % of one processor, with descendants                                  */
    SENSOR_PROCESS_THREADS,
    SENSOR_GPU_USED,        /* MiB: NVML; on Tegra what NvMap has handed out, which is system memory */
    SENSOR_GPU_TOTAL,       /* MiB                                                                   */
    SENSOR_GPU_PROCESS,     /* MiB of the process, NVML                                              */
    SENSOR_GPU_LOAD,        /* %                                                                     */
    SENSOR_GPU_TEMPERATURE, /* C                                                                     */
    SENSOR_GPU_POWER,       /* W                                                                     */
    SENSOR_TEMPERATURE,     /* C: the hottest thermal zone                                           */
    SENSOR_POWER, /* W: the INA3221 monitors of a Jetson (board_power.h), or the RAPL packages of a PC            */
    N_SENSORS
} sensor;

extern const char *const sensor_names[N_SENSORS]; /* "system_used_MiB", ... */

/* Start with {.root = ""}; tests give another root for /proc and /sys. */
typedef struct sensors {
    const char *root;
    pid_t pid; /* 0: no process is looked at */
    nvml gpu;
    char cgroup[512], tegra_load[256], rapl[4][96];
    int n_rapl, has_gpu;
    /* Of the sample before, for rates. */
    double busy, all, process_ticks, energy_uj, at_s;
    int has_before;
} sensors;

void sensors_open(sensors *s);
/* now_s: monotonic seconds. Returns 0 if the process is gone. */
int sensors_read(sensors *s, double now_s, double values[N_SENSORS]);
void sensors_close(sensors *s);

#endif
