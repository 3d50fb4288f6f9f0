/* The file of remembered algorithms. */
#include "fuzz_file.h"
#include "tuning.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    way w;
    tuning *t = tuning_open(fuzz_file("tuning.json", bytes, n_bytes), "device", "software");
    if (!t)
        return 0;
    tuning_recall(t, "linear 1 2 3", &w);
    tuning_note(t);
    tuning_count(t);
    tuning_close(t);
    return 0;
}
