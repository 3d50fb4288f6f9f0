/* A table of results: as it is, and as the report takes it. */
#include "csv.h"
#include "fuzz_file.h"
#include "report_data.h"
#include "results.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    csv_table t = {0};
    results_data d = {0};
    if (csv_read(&t, fuzz_file("out/" RESULTS_FILE, bytes, n_bytes), NULL) == SAM_OK)
        csv_close(&t);
    char folder[256];
    snprintf(folder, sizeof folder, "%s/out", fuzz_folder());
    if (results_add_folder(&d, folder, NULL) == SAM_OK)
        results_sum_up(&d);
    results_data_free(&d);
    return 0;
}
