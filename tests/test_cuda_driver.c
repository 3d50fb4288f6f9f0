/* What the CUDA build says on a machine whose driver is missing, too old or finds no GPU: sambench itself, with a pretended
 * libcuda.so.1 (fake_cuda/driver.c). */
#include "command.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PLAN "plan --weights " SOURCE_DIR "/models/demo_sam2.1.safetensors --device"

static void must_say(const command_result *r, int code, const char *words)
{
    assert_int_equal(r->code, code);
    if (!strstr(r->text, words))
        fail_msg("nothing said of: %s", words);
}

/* Refused when asked for by name; the CPU, and why, when not. */
static void check(const char *environment, const char *words)
{
    command_result r;
    char line[512];
    snprintf(line, sizeof line, "sambench plan: %s", words);
    shell(&r, "%s %s/sambench " PLAN " cuda", environment, BUILD_DIR);
    must_say(&r, 1, line);
    shell(&r, "%s %s/sambench " PLAN " auto", environment, BUILD_DIR);
    snprintf(line, sizeof line, "sambench plan: --device auto is the CPU: %s", words);
    must_say(&r, 0, line);
    must_say(&r, 0, "backend cpu");
    shell(&r, "%s %s/sambench doctor", environment, BUILD_DIR);
    must_say(&r, 0, words);
}

static void test_drivers(void **state)
{
    (void)state;
    static const struct {
        const char *orders, *words;
    } drivers[] = {
        {"11040,0", "the NVIDIA driver is for CUDA 11.4, this build needs "},
        {"99000,100", "the NVIDIA driver finds no GPU, or CUDA_VISIBLE_DEVICES hides it; the CPU backend needs none"},
        {"99000,803", "CUDA: system has unsupported display driver / cuda driver combination"},
    };
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        char environment[600];
        snprintf(environment, sizeof environment, "LD_LIBRARY_PATH=%s/tests/fake_driver FAKE_DRIVER=%s", BUILD_DIR,
                 drivers[i].orders);
        check(environment, drivers[i].words);
    }
}

static void test_no_driver(void **state)
{
    (void)state;
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY);
    if (driver) {
        dlclose(driver);
        skip(); /* this machine has one */
    }
    check("", "no NVIDIA driver is installed; this build needs one for CUDA ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drivers), cmocka_unit_test(test_no_driver)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
