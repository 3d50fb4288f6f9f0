#include "test_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

static int wants(const char *device)
{
    const char *wanted = getenv("SAM_TEST_DEVICE");
    return wanted && !strcmp(wanted, device);
}

sam_backend test_backend(void)
{
    return wants("cuda") ? SAM_CUDA : SAM_CPU;
}

backend *test_cuda(void)
{
    static backend *device;
    static int looked;
    sam_error err;
    if (looked || wants("cpu"))
        return device;
    if (backend_open(&(sam_model_options){.backend = SAM_CUDA, .n_threads = 1}, &device, &err) == SAM_OK)
        printf("on the device too: %s\n", device->api->device(device));
    else if (wants("cuda"))
        fail_msg("SAM_TEST_DEVICE=cuda: %s", err.text);
    else
        printf("not on a CUDA device: %s\n", err.text);
    looked = 1;
    return device;
}
