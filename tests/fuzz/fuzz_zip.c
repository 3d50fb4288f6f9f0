/* Every entry of a zip archive. */
#include "fuzz_file.h"
#include "zip.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    zip_archive z;
    if (zip_open("fuzz", bytes, n_bytes, &z, NULL) != SAM_OK)
        return 0;
    for (size_t i = 0; i < z.n_entries; i++) {
        const uint8_t *data;
        void *owned;
        if (zip_read(&z, &z.entries[i], 1 << 20, &data, &owned, NULL) == SAM_OK)
            free(owned);
    }
    zip_close(&z);
    return 0;
}
