/* What makes times doubtful, from a /proc and /sys of the test's own. */
#include "conditions.h"
#include "temp_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static temp_tree tree;

static void put(const char *path, const char *text)
{
    char below[200];
    snprintf(below, sizeof below, "root%s", path);
    tree_text(&tree, below, text);
}

static void quiet_machine(void)
{
    put("/proc/stat", "cpu 1000 0 0 5000 0 0 0 0\n");
    put("/proc/loadavg", "0.25 0.10 0.05 1/300 999\n");
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    put("/sys/devices/system/cpu/cpu0/cpufreq/base_frequency", "2400000\n");
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2390000\n");
    put("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "7\n");
    put("/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "2\n");
}

static void say(const conditions *c)
{
    conditions_say(c, stdout);
    fflush(stdout);
}

static int warns(const conditions *c, const char *words)
{
    int n = 0;
    for (int i = 0; i < c->n; i++)
        n += strstr(c->warnings[i], words) != NULL;
    return n;
}

static void nothing_to_say(void **state)
{
    (void)state;
    conditions c = {.root = tree_path(&tree, "root")};
    char root[300];
    snprintf(root, sizeof root, "%s", c.root);
    c.root = root;
    quiet_machine();
    conditions_begin(&c);
    conditions_end(&c);
    conditions_add_spread(&c, 0, 5);
    say(&c);
    assert_int_equal(c.n, 0);
    json_t *json = conditions_json(&c);
    assert_true(json_real_value(json_object_get(json, "load_1min")) == 0.25);
    assert_int_equal(json_array_size(json_object_get(json, "warnings")), 0);
    json_decref(json);
}

static void all_is_said(void **state)
{
    (void)state;
    char root[300];
    snprintf(root, sizeof root, "%s", tree_path(&tree, "root"));
    conditions c = {.root = root};
    quiet_machine();
    conditions_begin(&c);
    nanosleep(&(struct timespec){1, 50000000}, NULL); /* shorter times say nothing of the load */
    put("/proc/stat", "cpu 901000 0 0 5000 0 0 0 0\n");
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1200000\n");
    put("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "10\n");
    setenv("SAMBENCH_NVML", BUILD_DIR "/tests/fake_nvml.so", 1);
    setenv("FAKE_NVML_THROTTLE", "0x41", 1); /* idle, and heat */
    conditions_end(&c);
    conditions_add_spread(&c, 2, 5);
    say(&c);
    assert_int_equal(warns(&c, "other programs took"), 1);
    assert_int_equal(warns(&c, "governor is `powersave`"), 1);
    assert_int_equal(warns(&c, "1200 MHz, below its base clock of 2400"), 1);
    assert_int_equal(warns(&c, "throttled by heat 3 times"), 1);
    assert_int_equal(warns(&c, "GPU's clock is held down by heat"), 1);
    assert_int_equal(warns(&c, "2 of 5 rows spread"), 1);
    json_t *json = conditions_json(&c);
    assert_int_equal(json_array_size(json_object_get(json, "warnings")), 6);
    assert_true(json_real_value(json_object_get(json, "throttle_events")) == 3);
    json_decref(json);
    unsetenv("SAMBENCH_NVML");
}

static void a_machine_that_tells_nothing(void **state)
{
    (void)state;
    conditions c = {.root = "/nonexistent"};
    conditions_begin(&c);
    conditions_end(&c);
    assert_int_equal(c.n, 0);
    json_t *json = conditions_json(&c);
    assert_true(json_is_null(json_object_get(json, "other_processors")));
    json_decref(json);
    c = (conditions){0}; /* not begun: nothing was measured */
    conditions_end(&c);
    assert_int_equal(c.n, 0);
}

static int set_up(void **state)
{
    (void)state;
    setenv("SAMBENCH_NVML", "/nonexistent", 1);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_to_say), cmocka_unit_test(all_is_said),
                                       cmocka_unit_test(a_machine_that_tells_nothing)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
