/* What an earlier run left in its folder, as --resume takes it: the table, and after a zero byte its settings. */
#include "fuzz_file.h"
#include "results.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const setting settings[] = {{"imgsz", "64"}}, weights[] = {{"demo", "0123"}};
    const uint8_t *zero = n_bytes ? memchr(bytes, 0, n_bytes) : NULL;
    size_t n_table = zero ? (size_t)(zero - bytes) : n_bytes;
    results r = {0};
    char folder[256];
    int renamed;
    fuzz_file("out/" RESULTS_FILE, bytes, n_table);
    if (zero)
        fuzz_file("out/" RESULTS_SETTINGS, zero + 1, n_bytes - n_table - 1);
    snprintf(folder, sizeof folder, "%s/out", fuzz_folder());
    results_open(&r, folder, settings, 1, weights, 1, 1, &renamed, NULL);
    results_close(&r);
    return 0;
}
