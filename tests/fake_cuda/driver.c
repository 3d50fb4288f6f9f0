/* A CUDA driver that gives up at the first question, by what FAKE_DRIVER says: "VERSION,RESULT", as in 12020,0: the version of
 * CUDA it is for, and what cuInit answers (cuda.h's CUresult). The runtime in a program asks for its functions by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_FOUND = 500 };

static void read_orders(int *version, int *result)
{
    const char *orders = getenv("FAKE_DRIVER");
    if (!orders || sscanf(orders, "%d,%d", version, result) != 2)
        abort();
}

int cuDriverGetVersion(int *version)
{
    int result;
    read_orders(version, &result);
    return 0;
}

int cuInit(unsigned flags)
{
    int version, result;
    (void)flags;
    read_orders(&version, &result);
    return result;
}

int cuGetProcAddress_v2(const char *name, void **address, int version, unsigned long long flags, int *status)
{
    (void)version;
    (void)flags;
    *address = !strcmp(name, "cuDriverGetVersion") ? (void *)cuDriverGetVersion
               : !strcmp(name, "cuInit")           ? (void *)cuInit
               : !strcmp(name, "cuGetProcAddress") ? (void *)cuGetProcAddress_v2
                                                   : NULL;
    if (status)
        *status = *address ? 0 : 1;
    return *address ? 0 : NOT_FOUND;
}
