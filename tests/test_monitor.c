/* Sensors on made-up boards, and the verb monitor on real processes. */
#include "board_power.h"
#include "sensors.h"
#include "verb_line.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static temp_tree tree;
static command_result result;

static void is_near(double x, double expected)
{
    if (!(fabs(x - expected) <= 1e-6 * fabs(expected) + 1e-9))
        fprintf(stderr, "%g, expected %g\n", x, expected);
    assert_true(fabs(x - expected) <= 1e-6 * fabs(expected) + 1e-9);
}

/* A Jetson Orin as its /proc and /sys look. */
static void a_jetson_is_read(void **state)
{
    (void)state;
    setenv("SAMBENCH_NVML", "/no/such/library.so", 1);
    tree_text(&tree, "orin/proc/meminfo",
              "MemTotal:        8000000 kB\nMemFree:  1 kB\nMemAvailable:    3072000 kB\n"
              "SwapTotal:       2048 kB\nSwapFree:        1024 kB\n");
    tree_text(&tree, "orin/proc/stat", "cpu  100 0 50 800 50 0 0 0\ncpu0 1 2 3\n");
    tree_text(&tree, "orin/proc/self/cgroup", "0::/user.slice\n");
    tree_text(&tree, "orin/sys/fs/cgroup/user.slice/memory.current", "104857600\n");
    tree_text(&tree, "orin/sys/class/thermal/thermal_zone0/temp", "48500\n");
    tree_text(&tree, "orin/sys/class/thermal/thermal_zone1/temp", "51250\n");
    tree_text(&tree, "orin/sys/class/thermal/cooling_device0/temp", "99000\n");
    tree_text(&tree, "orin/sys/class/hwmon/hwmon3/name", "ina3221\n");
    tree_text(&tree, "orin/sys/class/hwmon/hwmon3/in1_label", "VDD_GPU_SOC\n");
    tree_text(&tree, "orin/sys/class/hwmon/hwmon3/in2_label", "VDD_CPU_CV\n");
    tree_text(&tree, "orin/sys/class/hwmon/hwmon3/in1_input", "5000\n");
    tree_text(&tree, "orin/sys/class/hwmon/hwmon3/curr1_input", "1500\n");
    tree_text(&tree, "orin/sys/class/hwmon/hwmon3/in2_input", "5000\n");
    tree_text(&tree, "orin/sys/class/hwmon/hwmon3/curr2_input", "500\n");
    tree_text(&tree, "orin/sys/devices/platform/17000000.gpu/load", "873\n");
    tree_text(&tree, "orin/sys/kernel/debug/nvmap/iovmm/clients",
              "CLIENT PROCESS PID SIZE\nuser x 1 100K\ntotal   204800K\n");
    tree_text(&tree, "orin/proc/77/stat", "77 (a (b) c) S 1 77 77 0 -1 0 0 0 0 0 300 100 0 0 20 0 5 0 1 1\n");
    tree_text(&tree, "orin/proc/77/status", "Name: x\nVmHWM:    204800 kB\nVmRSS:    102400 kB\n");
    tree_text(&tree, "orin/proc/78/stat", "78 (child) R 77 77 77 0 -1 0 0 0 0 0 10 0 0 0 20 0 2 0 1 1\n");
    tree_text(&tree, "orin/proc/78/status", "Name: y\nVmRSS:    10240 kB\n");
    tree_text(&tree, "orin/proc/79/stat", "79 (other) R 1 77 77 0 -1 0 0 0 0 0 10 0 0 0 20 0 2 0 1 1\n");
    char root[256];
    snprintf(root, sizeof root, "%s", tree_path(&tree, "orin"));
    sensors s = {.root = root, .pid = 77};
    double v[N_SENSORS];
    sensors_open(&s);
    assert_int_equal(sensors_read(&s, 10, v), 1);
    is_near(v[SENSOR_SYSTEM_USED], (8000000 - 3072000) / 1024.0);
    is_near(v[SENSOR_SYSTEM_AVAILABLE], 3000);
    is_near(v[SENSOR_SWAP_USED], 1);
    is_near(v[SENSOR_CGROUP_USED], 100);
    is_near(v[SENSOR_TEMPERATURE], 51.25);
    is_near(v[SENSOR_POWER], 7.5 + 2.5);
    is_near(v[SENSOR_GPU_LOAD], 87.3);
    is_near(v[SENSOR_GPU_USED], 200);
    is_near(v[SENSOR_PROCESS_RSS], 110);
    is_near(v[SENSOR_PROCESS_PEAK], 200);
    is_near(v[SENSOR_PROCESS_THREADS], 7);
    assert_true(isnan(v[SENSOR_CPU]) && isnan(v[SENSOR_PROCESS_CPU]) && isnan(v[SENSOR_GPU_POWER]));
    tree_text(&tree, "orin/proc/stat", "cpu  175 0 75 890 60 0 0 0\n"); /* 100 of 200 more ticks busy */
    tree_text(&tree, "orin/proc/78/stat", "78 (child) R 77 77 77 0 -1 0 0 0 0 0 60 0 0 0 20 0 2 0 1 1\n");
    assert_int_equal(sensors_read(&s, 12, v), 1);
    is_near(v[SENSOR_CPU], 50);
    is_near(v[SENSOR_PROCESS_CPU], 100.0 * 50 / (double)sysconf(_SC_CLK_TCK) / 2);
    tree_remove(&tree, "orin/proc/77");
    assert_int_equal(sensors_read(&s, 13, v), 0);
    sensors_close(&s);
    unsetenv("SAMBENCH_NVML");
}

typedef struct rail {
    const char *label; /* NULL: it has none */
    int milliwatt;
} rail;

static void put_rail_file(const char *board, int iio, int monitor, const char *file, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/sys/%s%d/%s", board, iio ? "bus/iio/devices/iio:device" : "class/hwmon/hwmon",
             monitor, file);
    tree_text(&tree, path, text);
}

static void put_rail(const char *board, int iio, int i, const rail *r)
{
    char text[32], file[32];
    int channel = i % 3 + !iio; /* counted from 0 by the one driver, from 1 by the other */
    put_rail_file(board, iio, i / 3, "name", iio ? "ina3221x\n" : "ina3221\n");
    snprintf(file, sizeof file, iio ? "rail_name_%d" : "in%d_label", channel);
    snprintf(text, sizeof text, "%s\n", r->label ? r->label : "");
    if (r->label)
        put_rail_file(board, iio, i / 3, file, text);
    snprintf(file, sizeof file, iio ? "in_power%d_input" : "curr%d_input", channel);
    snprintf(text, sizeof text, "%d\n", r->milliwatt);
    put_rail_file(board, iio, i / 3, file, text);
    snprintf(file, sizeof file, "in%d_input", channel);
    put_rail_file(board, iio, i / 3, file, "1000\n"); /* mV */
}

/* The rails of each board, as its Developer Guide lists them, three to a monitor. */
static void rails_are_told_apart_by_label(void **state)
{
    (void)state;
    static const struct {
        const char *board;
        int iio; /* 1: the driver of JetPack 4 */
        rail rails[6];
        double expected;
    } boards[] = {
        {"nano", 1, {{"POM_5V_IN", 5000}, {"POM_5V_GPU", 1500}, {"POM_5V_CPU", 1200}}, 5},
        {"tx2",
         1,
         {{"VDD_SYS_GPU", 900},
          {"VDD_SYS_SOC", 700},
          {"VDD_4V0_WIFI", 20},
          {"VDD_IN", 6100},
          {"VDD_SYS_CPU", 1300},
          {"VDD_SYS_DDR", 1100}},
         6.1},
        {"agx_xavier",
         0,
         {{"GPU", 4000}, {"CPU", 2000}, {"SOC", 1500}, {"CV", 100}, {"VDDRQ", 700}, {"SYS5V", 3000}},
         11.3},
        {"xavier_nx", 0, {{"VDD_IN", 7000}, {"VDD_CPU_GPU_CV", 3000}, {"VDD_SOC", 1500}}, 7},
        {"orin_nx", 0, {{"VDD_IN", 5000}, {"VDD_CPU_GPU_CV", 2000}, {"VDD_SOC", 1500}}, 5},
        {"agx_orin",
         0,
         {{"VDD_GPU_SOC", 6000},
          {"VDD_CPU_CV", 2000},
          {"VIN_SYS_5V0", 4000},
          {"NC", 9},
          {"VDDQ_VDD2_1V8AO", 500},
          {"NC", 9}},
         12.5},
        {"one_unnamed", 0, {{NULL, 5000}}, 5},
        {"unnamed", 0, {{NULL, 5000}, {NULL, 2000}}, NAN},
        {"none", 0, {{NULL, 0}}, NAN},
    };
    for (size_t k = 0; k < sizeof boards / sizeof *boards; k++) {
        char root[256];
        for (int i = 0; i < 6 && boards[k].rails[i].milliwatt; i++)
            put_rail(boards[k].board, boards[k].iio, i, &boards[k].rails[i]);
        snprintf(root, sizeof root, "%s", tree_path(&tree, "%s", boards[k].board));
        double watt = board_power_w(root);
        printf("%s: %.2f W, expected %.2f\n", boards[k].board, watt, boards[k].expected);
        assert_true(isnan(boards[k].expected) ? isnan(watt) : fabs(watt - boards[k].expected) < 1e-9);
    }
}

/* JetPack 6 and 7 have an NVML that supports little; what Tegra says takes the place, figure by figure. */
static void nvml_that_supports_little(void **state)
{
    (void)state;
    double v[N_SENSORS];
    char root[256];
    tree_text(&tree, "thin/sys/devices/platform/17000000.gpu/load", "500\n");
    tree_text(&tree, "thin/sys/kernel/debug/nvmap/iovmm/clients", "total   102400K\n");
    tree_text(&tree, "thin/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
    tree_text(&tree, "thin/sys/class/thermal/thermal_zone0/temp", "70000\n");
    tree_text(&tree, "thin/sys/class/thermal/thermal_zone1/type", "gpu-thermal\n");
    tree_text(&tree, "thin/sys/class/thermal/thermal_zone1/temp", "55000\n");
    snprintf(root, sizeof root, "%s", tree_path(&tree, "thin"));
    setenv("SAMBENCH_NVML", BUILD_DIR "/tests/fake_nvml.so", 1);
    setenv("FAKE_NVML_UNSUPPORTED", "1", 1);
    sensors s = {.root = root};
    sensors_open(&s);
    assert_int_equal(s.has_gpu, 1);
    assert_int_equal(sensors_read(&s, 0, v), 1);
    is_near(v[SENSOR_GPU_USED], 100);
    is_near(v[SENSOR_GPU_LOAD], 50);
    is_near(v[SENSOR_GPU_TEMPERATURE], 55);
    is_near(v[SENSOR_GPU_POWER], 123.456); /* this one NVML does say */
    assert_true(isnan(v[SENSOR_GPU_TOTAL]));
    sensors_close(&s);
    unsetenv("FAKE_NVML_UNSUPPORTED");
    unsetenv("SAMBENCH_NVML");
}

static void nvml_is_asked(void **state)
{
    (void)state;
    double v[N_SENSORS];
    char pid[32];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("SAMBENCH_NVML", BUILD_DIR "/tests/fake_nvml.so", 1);
    setenv("FAKE_NVML_PID", pid, 1);
    sensors s = {.root = "", .pid = getpid()};
    sensors_open(&s);
    assert_int_equal(s.has_gpu, 1);
    assert_int_equal(sensors_read(&s, 0, v), 1);
    is_near(v[SENSOR_GPU_USED], 300);
    is_near(v[SENSOR_GPU_TOTAL], 1000);
    is_near(v[SENSOR_GPU_PROCESS], 64);
    is_near(v[SENSOR_GPU_LOAD], 40);
    is_near(v[SENSOR_GPU_TEMPERATURE], 61);
    is_near(v[SENSOR_GPU_POWER], 123.456);
    assert_true(v[SENSOR_PROCESS_RSS] > 1 && v[SENSOR_SYSTEM_USED] > 1);
    sensors_close(&s);
    unsetenv("FAKE_NVML_PID");
}

#define LOG "monitor.md", "# What `sambench monitor` writes"

static void a_program_is_watched(void **state)
{
    (void)state;
    setenv("SAMBENCH_NVML", BUILD_DIR "/tests/fake_nvml.so", 1);
    verb_line(&result, &tree, 5, "monitor --interval 0.05 --log @/log.csv -- sh -c 'sleep 0.6; exit 5'");
    assert_non_null(strstr(result.text, "process_rss_MiB"));
    csv_table t = documented_table(&tree, "log.csv", LOG);
    assert_true(t.n_rows >= 3);
    for (int i = 1; i < t.n_rows; i++) {
        assert_true(table_number(&t, i, "time_s") > table_number(&t, i - 1, "time_s"));
        assert_true(table_number(&t, i, "system_used_MiB") > 0);
        assert_int_equal(table_number(&t, i, "gpu_used_MiB"), 300);
        assert_int_equal(strlen(table_cell(&t, i, "wall")), 20);
    }
    /* The first sample may come before the program has touched a page. */
    assert_true(table_number(&t, t.n_rows / 2, "process_rss_MiB") > 0);
    csv_close(&t);
    static char svg[65536];
    FILE *f = fopen(tree_path(&tree, "log.svg"), "r");
    assert_non_null(f);
    svg[fread(svg, 1, sizeof svg - 1, f)] = 0;
    fclose(f);
    assert_int_equal(strncmp(svg, "<svg ", 5), 0);
    assert_non_null(strstr(svg, "prefers-color-scheme:dark"));
    assert_non_null(strstr(svg, "process_rss_MiB"));
    assert_null(strstr(svg, "nan"));
    assert_non_null(strstr(svg, "</svg>\n</svg>"));
    unsetenv("SAMBENCH_NVML");
}

static void a_process_is_watched_until_it_ends(void **state)
{
    (void)state;
    char line[256];
    pid_t child = fork();
    if (!child) {
        sleep(3); /* time for monitor to start on a busy machine */
        _exit(0);
    }
    snprintf(line, sizeof line, "monitor --quiet --interval 0.1 --duration 5 --log @/pid.csv --plot @/p.svg --pid %ld",
             (long)child);
    verb_line(&result, &tree, 0, line);
    csv_table t = documented_table(&tree, "pid.csv", LOG);
    assert_true(t.n_rows >= 2 && t.n_rows < 48);
    csv_close(&t);
}

static void the_samples_before_are_kept(void **state)
{
    (void)state;
    verb_line(&result, &tree, 0, "monitor --interval 0.05 --duration 0.1 --log @/kept.csv --plot @/kept.svg");
    assert_null(strstr(result.text, ".previous"));
    verb_says(&tree, 0, "as .previous", "monitor --interval 0.05 --duration 0.1 --log @/kept.csv --plot @/kept.svg");
    csv_table t = documented_table(&tree, "kept.previous.csv", LOG);
    csv_close(&t);
}

static void wrong_use_is_told(void **state)
{
    (void)state;
    verb_says(&tree, 2, "--interval 0: expected", "monitor --interval 0");
    verb_says(&tree, 2, "exclude each other", "monitor --pid 1 -- true");
    verb_says(&tree, 1, "there is no such process", "monitor --pid 999999999 --log @/x.csv");
    verb_says(&tree, 1, "cannot be started", "monitor --log @/x.csv -- /no/such/program");
    verb_says(&tree, 137, "samples", "monitor --interval 0.05 --log @/x.csv -- sh -c 'sleep 0.3; kill -9 $$'");
}

static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jetson_is_read),
        cmocka_unit_test(rails_are_told_apart_by_label),
        cmocka_unit_test(nvml_that_supports_little),
        cmocka_unit_test(nvml_is_asked),
        cmocka_unit_test(a_program_is_watched),
        cmocka_unit_test(a_process_is_watched_until_it_ends),
        cmocka_unit_test(the_samples_before_are_kept),
        cmocka_unit_test(wrong_use_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
