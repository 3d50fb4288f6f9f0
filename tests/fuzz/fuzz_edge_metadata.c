/* What phase A of `edge` leaves for phase B. */
#include "edge.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    json_t *metadata = NULL;
    edge_options o = {0};
    fuzz_file("metadata.json", bytes, n_bytes);
    o.w.out_dir = fuzz_folder();
    o.preprocessed_dir = fuzz_folder();
    if (edge_metadata_read(&o, &metadata, NULL) == SAM_OK)
        json_decref(metadata);
    return 0;
}
