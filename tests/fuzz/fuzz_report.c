/* A table of results as the report takes it. */
#include "fuzz_file.h"
#include "report_data.h"
#include "results.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    results_data d = {0};
    char folder[256];
    fuzz_file("out/" RESULTS_FILE, bytes, n_bytes);
    snprintf(folder, sizeof folder, "%s/out", fuzz_folder());
    if (results_add_folder(&d, folder, NULL) == SAM_OK)
        results_sum_up(&d);
    results_data_free(&d);
    return 0;
}
