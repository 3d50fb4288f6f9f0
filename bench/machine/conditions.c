/* conditions.c - see conditions.h. */
#include "conditions.h"

#include "json_build.h"
#include "nvml.h"
#include "sysfs.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Above this share of the machine other programs matter; below this share of its clock a processor is slow. */
static const double most_others = 0.1, least_clock = 0.85;

__attribute__((format(printf, 2, 3))) static void warn(conditions *c, const char *format, ...)
{
    va_list words;
    if (c->n == CONDITIONS_MAX)
        return;
    va_start(words, format);
    vsnprintf(c->warnings[c->n++], CONDITION_BYTES, format, words);
    va_end(words);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Seconds in which processors were busy since the machine started; NaN: not told. */
static double busy_s(const conditions *c)
{
    char text[512];
    double t[8] = {0};
    if (!sysfs_text(c->root, "/proc/stat", text, sizeof text) ||
        sscanf(text, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6, t + 7) < 4)
        return NAN;
    return (t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) / (double)sysconf(_SC_CLK_TCK);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

/* Of this process and of children that have ended. */
static double own_s(void)
{
    struct rusage self, children;
    if (getrusage(RUSAGE_SELF, &self) || getrusage(RUSAGE_CHILDREN, &children))
        return NAN;
    return seconds(self.ru_utime) + seconds(self.ru_stime) + seconds(children.ru_utime) + seconds(children.ru_stime);
}

/* Events of all processors; NaN where none tells. */
static double throttled(const conditions *c)
{
    static const char *const kinds[] = {"core", "package"};
    double sum = NAN;
    for (long i = 0; i < sysconf(_SC_NPROCESSORS_CONF); i++)
        for (int k = 0; k < 2; k++) {
            char path[120];
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/thermal_throttle/%s_throttle_count", i,
                     kinds[k]);
            double n = sysfs_number(c->root, path);
            sum = isnan(n) ? sum : isnan(sum) ? n : sum + n;
        }
    return sum;
}

static double gpu_reasons(void)
{
    nvml gpu;
    double reasons = NAN;
    if (nvml_open(&gpu, 0)) {
        reasons = nvml_throttle_reasons(&gpu);
        nvml_close(&gpu);
    }
    return reasons;
}

void conditions_begin(conditions *c)
{
    c->root = c->root ? c->root : "";
    c->begun = 1;
    c->begin_s = now_s();
    c->busy_s = busy_s(c);
    c->own_s = own_s();
    c->load = sysfs_number(c->root, "/proc/loadavg");
    c->n_throttled = throttled(c);
    c->other_processors = NAN;
}

static void find_load(conditions *c)
{
    double took = now_s() - c->begin_s, n = (double)sysconf(_SC_NPROCESSORS_ONLN);
    double others = (busy_s(c) - c->busy_s) - (own_s() - c->own_s);
    c->other_processors = took > 0 ? (others > 0 ? others / took : isnan(others) ? NAN : 0) : NAN;
    /* Ticks of a clock of 10 ms say little about less than a second. */
    if (took >= 1 && c->other_processors > most_others * n)
        warn(c, "other programs took %.1f of %.0f processors meanwhile: times are too long", c->other_processors, n);
}

static void find_clock(conditions *c)
{
    char governor[64];
    static const char folder[] = "/sys/devices/system/cpu/cpu0/cpufreq";
    char path[100];
    snprintf(path, sizeof path, "%s/scaling_governor", folder);
    if (sysfs_text(c->root, path, governor, sizeof governor)) {
        governor[strcspn(governor, "\n")] = 0;
        if (strcmp(governor, "performance") != 0)
            warn(c, "the processor's governor is `%.30s`, not `performance`: its clock varies", governor);
    }
    snprintf(path, sizeof path, "%s/base_frequency", folder);
    double base = sysfs_number(c->root, path);
    snprintf(path, sizeof path, "%s/scaling_cur_freq", folder);
    double now = sysfs_number(c->root, path);
    if (now < least_clock * base)
        warn(c, "the processor runs at %.0f MHz, below its base clock of %.0f MHz", now / 1e3, base / 1e3);
}

static void find_heat(conditions *c)
{
    double n = throttled(c) - c->n_throttled;
    c->n_throttled = n;
    if (n > 0)
        warn(c, "the processors were throttled by heat %.0f times", n);
    c->gpu_reasons = gpu_reasons();
    if (c->gpu_reasons > 0)
        warn(c, "the GPU's clock is held down by %s",
             (long)c->gpu_reasons & NVML_THROTTLE_HEAT ? "heat" : "its limit of power");
}

void conditions_end(conditions *c)
{
    if (!c->begun)
        return;
    find_load(c);
    find_clock(c);
    find_heat(c);
}

void conditions_add_spread(conditions *c, int n_wide, int n)
{
    if (n_wide)
        warn(
            c,
            "frame times of %d of %d row%s spread by over %.0f %% of their mean: measure longer, or on a quiet machine",
            n_wide, n, n == 1 ? "" : "s", 100 * CONDITIONS_SPREAD);
}

void conditions_say(const conditions *c, FILE *to)
{
    for (int i = 0; i < c->n; i++)
        fprintf(to, "warning: %s\n", c->warnings[i]);
}

json_t *conditions_json(const conditions *c)
{
    json_t *warnings = json_array();
    for (int i = 0; i < c->n; i++)
        json_add(&warnings, json_text(c->warnings[i]));
    return json_pack("{s:o,s:o,s:o,s:o}", "load_1min", json_figure(c->load), "other_processors",
                     json_figure(c->other_processors), "throttle_events", json_figure(c->n_throttled), "warnings",
                     warnings);
}
