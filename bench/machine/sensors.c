/* sensors.c - see sensors.h. Everything is read anew from /proc and /sys each time: nothing is kept open. */
#include "sensors.h"

#include "board_power.h"
#include "sysfs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PIDS = 512 };

const char *const sensor_names[N_SENSORS] = {
    "system_used_MiB", "system_available_MiB", "swap_used_MiB",        "cgroup_used_MiB",
    "cpu_percent",     "process_rss_MiB",      "process_peak_rss_MiB", "process_cpu_percent",
    "process_threads", "gpu_used_MiB",         "gpu_total_MiB",        "gpu_process_MiB",
    "gpu_percent",     "gpu_temp_C",           "gpu_power_W",          "temp_C",
    "power_W"};

/* ---- files ---- */

static char *slurp(const sensors *s, const char *path, char *text, size_t n_text)
{
    return sysfs_text(s->root, path, text, n_text);
}

static double read_number(const sensors *s, const char *path)
{
    return sysfs_number(s->root, path);
}

/* "Key:   123 kB" as MiB. */
static double kib_field(const char *text, const char *key)
{
    unsigned long long kib;
    const char *at = text ? strstr(text, key) : NULL;
    return at && sscanf(at + strlen(key), ": %llu", &kib) == 1 ? (double)kib / 1024 : NAN;
}

static int begins(const char *name, const char *prefix)
{
    return !strncmp(name, prefix, strlen(prefix));
}

/* ---- system ---- */

static void read_memory(const sensors *s, double *v)
{
    char text[8192];
    const char *info = slurp(s, "/proc/meminfo", text, sizeof text);
    v[SENSOR_SYSTEM_AVAILABLE] = kib_field(info, "MemAvailable");
    v[SENSOR_SYSTEM_USED] = kib_field(info, "MemTotal") - v[SENSOR_SYSTEM_AVAILABLE];
    v[SENSOR_SWAP_USED] = kib_field(info, "SwapTotal") - kib_field(info, "SwapFree");
    v[SENSOR_CGROUP_USED] = s->cgroup[0] ? read_number(s, s->cgroup) / 0x1p20 : NAN;
}

/* Version 2: the group is named in /proc/self/cgroup, as it looks from where /sys/fs/cgroup is mounted; in a container that
 * is the root. Version 1: memory/memory.usage_in_bytes. */
static void find_cgroup(sensors *s)
{
    char text[2048], *line = slurp(s, "/proc/self/cgroup", text, sizeof text), own[600] = "";
    if (line && (line = strstr(line, "0::/")))
        snprintf(own, sizeof own, "/sys/fs/cgroup/%.*s/memory.current", (int)strcspn(line + 4, "\n"), line + 4);
    const char *const paths[] = {own, "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"};
    for (int i = 0; i < 3 && !s->cgroup[0]; i++)
        if (paths[i][0] && !isnan(read_number(s, paths[i])))
            snprintf(s->cgroup, sizeof s->cgroup, "%s", paths[i]);
}

static void read_cpu(sensors *s, double *v)
{
    char text[512];
    double t[8] = {0}, all = 0;
    v[SENSOR_CPU] = NAN;
    if (!slurp(s, "/proc/stat", text, sizeof text) ||
        sscanf(text, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6, t + 7) < 4)
        return;
    for (int i = 0; i < 8; i++)
        all += t[i];
    double busy = all - t[3] - t[4]; /* idle, waiting for disks */
    if (s->has_before && all > s->all)
        v[SENSOR_CPU] = 100 * (busy - s->busy) / (all - s->all);
    s->busy = busy;
    s->all = all;
}

/* ---- the process and its descendants ---- */

typedef struct process {
    pid_t pid, parent;
    double ticks;
    int threads, ours;
} process;

static int read_process(const sensors *s, pid_t pid, process *p)
{
    char path[64], text[1024];
    unsigned long user, system;
    int parent;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    char *at = slurp(s, path, text, sizeof text);
    at = at ? strrchr(at, ')') : NULL; /* the name before may hold anything */
    *p = (process){.pid = pid};
    if (!at || sscanf(at + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %d", &parent, &user,
                      &system, &p->threads) != 4)
        return 0;
    if (at[2] == 'Z') /* has ended and waits to be asked after */
        return 0;
    p->parent = parent;
    p->ticks = (double)user + (double)system;
    return 1;
}

/* All processes; ours are marked. */
static int list_ours(const sensors *s, process *all, int max)
{
    int n = 0, more = 1;
    DIR *folder = sysfs_folder(s->root, "/proc");
    for (struct dirent *e; folder && n < max && (e = readdir(folder));) {
        char *end;
        long pid = strtol(e->d_name, &end, 10);
        if (!*end && pid > 0 && read_process(s, (pid_t)pid, &all[n]))
            n++;
    }
    if (folder)
        closedir(folder);
    for (int i = 0; i < n; i++)
        all[i].ours = all[i].pid == s->pid;
    while (more) {
        more = 0;
        for (int i = 0; i < n; i++)
            for (int k = 0; k < n && !all[i].ours; k++)
                if (all[k].ours && all[k].pid == all[i].parent)
                    all[i].ours = more = 1;
    }
    return n;
}

static int read_processes(sensors *s, double now_s, double *v)
{
    enum { MAX_ALL = 4096 };
    process *all = malloc(MAX_ALL * sizeof *all);
    pid_t ours[MAX_PIDS];
    int n = all ? list_ours(s, all, MAX_ALL) : 0, n_ours = 0, alive = 0;
    double ticks = 0, rss = 0, threads = 0;
    v[SENSOR_PROCESS_RSS] = v[SENSOR_PROCESS_PEAK] = v[SENSOR_PROCESS_CPU] = v[SENSOR_PROCESS_THREADS] = NAN;
    for (int i = 0; i < n; i++) {
        char path[64], text[4096];
        if (!all[i].ours)
            continue;
        snprintf(path, sizeof path, "/proc/%ld/status", (long)all[i].pid);
        const char *status = slurp(s, path, text, sizeof text);
        double own = kib_field(status, "VmRSS");
        rss += isnan(own) ? 0 : own;
        ticks += all[i].ticks;
        threads += all[i].threads;
        alive |= all[i].pid == s->pid;
        if (all[i].pid == s->pid)
            v[SENSOR_PROCESS_PEAK] = kib_field(status, "VmHWM");
        if (n_ours < MAX_PIDS)
            ours[n_ours++] = all[i].pid;
    }
    free(all);
    if (!alive)
        return 0;
    v[SENSOR_PROCESS_RSS] = rss;
    v[SENSOR_PROCESS_THREADS] = threads;
    if (s->has_before && now_s > s->at_s && ticks >= s->process_ticks)
        v[SENSOR_PROCESS_CPU] = 100 * (ticks - s->process_ticks) / (double)sysconf(_SC_CLK_TCK) / (now_s - s->at_s);
    s->process_ticks = ticks;
    if (s->has_gpu)
        v[SENSOR_GPU_PROCESS] = nvml_process_mib(&s->gpu, ours, n_ours);
    return 1;
}

/* ---- temperature and power ---- */

/* The hottest zone in C, or only the GPU's: "gpu-thermal", on older boards "GPU-therm". */
static double hottest(const sensors *s, int of_gpu)
{
    char path[400], type[64];
    double most = NAN;
    DIR *folder = sysfs_folder(s->root, "/sys/class/thermal");
    for (struct dirent *e; folder && (e = readdir(folder));) {
        if (!begins(e->d_name, "thermal_zone"))
            continue;
        snprintf(path, sizeof path, "/sys/class/thermal/%s/type", e->d_name);
        if (of_gpu && (!slurp(s, path, type, sizeof type) || !(begins(type, "gpu") || begins(type, "GPU"))))
            continue;
        snprintf(path, sizeof path, "/sys/class/thermal/%s/temp", e->d_name);
        double celsius = read_number(s, path) / 1e3;
        most = isnan(most) || celsius > most ? celsius : most;
    }
    if (folder)
        closedir(folder);
    return most;
}

static void find_rapl(sensors *s)
{
    for (int i = 0; i < 4; i++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/class/powercap/intel-rapl:%d/energy_uj", i);
        if (!isnan(read_number(s, path)))
            snprintf(s->rapl[s->n_rapl++], sizeof s->rapl[0], "%s", path);
    }
}

static double packages_w(sensors *s, double now_s)
{
    double uj = 0, watt = NAN;
    for (int i = 0; i < s->n_rapl; i++)
        uj += read_number(s, s->rapl[i]);
    if (!s->n_rapl)
        return NAN;
    if (s->has_before && now_s > s->at_s && uj >= s->energy_uj) /* the counter wraps */
        watt = (uj - s->energy_uj) / 1e6 / (now_s - s->at_s);
    s->energy_uj = uj;
    return watt;
}

/* ---- GPU ---- */

static void find_tegra(sensors *s)
{
    static const char *const paths[] = {"/sys/devices/gpu.0/load",
                                        "/sys/devices/platform/gpu.0/load",
                                        "/sys/devices/platform/17000000.gpu/load",
                                        "/sys/devices/platform/bus@0/17000000.gpu/load",
                                        "/sys/devices/platform/17000000.ga10b/load",
                                        "/sys/devices/platform/17000000.gv11b/load"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !s->tegra_load[0]; i++)
        if (!isnan(read_number(s, paths[i])))
            snprintf(s->tegra_load, sizeof s->tegra_load, "%s", paths[i]);
}

/* The total line of NvMap's client list, in KiB: "total    123456K". Root may read it. */
static double nvmap_mib(const sensors *s)
{
    char text[16384];
    unsigned long long kib;
    const char *at = slurp(s, "/sys/kernel/debug/nvmap/iovmm/clients", text, sizeof text);
    at = at ? strstr(at, "total") : NULL;
    return at && sscanf(at + 5, " %lluK", &kib) == 1 ? (double)kib / 1024 : NAN;
}

static void put_if_missing(double *v, double other)
{
    if (isnan(*v))
        *v = other;
}

/* Each figure for itself: on Jetson NVML is there from JetPack 6 on, but says of most figures that they are not supported. */
static void read_gpu(const sensors *s, double *v)
{
    for (int k = SENSOR_GPU_USED; k <= SENSOR_GPU_POWER; k++)
        v[k] = NAN;
    if (s->has_gpu) {
        v[SENSOR_GPU_USED] = nvml_used_mib(&s->gpu);
        v[SENSOR_GPU_TOTAL] = nvml_total_mib(&s->gpu);
        v[SENSOR_GPU_LOAD] = nvml_load_percent(&s->gpu);
        v[SENSOR_GPU_TEMPERATURE] = nvml_celsius(&s->gpu);
        v[SENSOR_GPU_POWER] = nvml_watt(&s->gpu);
    }
    if (s->tegra_load[0]) {
        put_if_missing(&v[SENSOR_GPU_LOAD], read_number(s, s->tegra_load) / 10); /* per mille */
        put_if_missing(&v[SENSOR_GPU_USED], nvmap_mib(s));
        put_if_missing(&v[SENSOR_GPU_TEMPERATURE], hottest(s, 1));
    }
}

/* ---- all ---- */

void sensors_open(sensors *s)
{
    s->root = s->root ? s->root : "";
    s->has_gpu = nvml_open(&s->gpu, 0);
    find_cgroup(s);
    find_tegra(s);
    find_rapl(s);
}

int sensors_read(sensors *s, double now_s, double values[N_SENSORS])
{
    int alive = 1;
    read_memory(s, values);
    read_cpu(s, values);
    read_gpu(s, values);
    for (int k = SENSOR_PROCESS_RSS; k <= SENSOR_PROCESS_THREADS; k++)
        values[k] = NAN;
    if (s->pid)
        alive = read_processes(s, now_s, values);
    values[SENSOR_TEMPERATURE] = hottest(s, 0);
    double board = board_power_w(s->root), packages = packages_w(s, now_s);
    values[SENSOR_POWER] = isnan(board) ? packages : board;
    s->at_s = now_s;
    s->has_before = 1;
    return alive;
}

void sensors_close(sensors *s)
{
    if (s->has_gpu)
        nvml_close(&s->gpu);
    s->has_gpu = 0;
}
