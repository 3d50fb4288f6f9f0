/* COCO's run-length code of one mask, as JSON. */
#include "fuzz_file.h"
#include "rle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    image mask = {0};
    json_t *rle = json_loadb((const char *)bytes, n_bytes, 0, NULL);
    int height = 0;
    if (!rle)
        return 0;
    /* a mask of a gigapixel is allowed, and slow */
    if (json_is_integer(json_array_get(json_object_get(rle, "size"), 0)))
        height = (int)(json_integer_value(json_array_get(json_object_get(rle, "size"), 0)) % 100000);
    if (height < 4096) {
        int shows = 0;
        sam_status status = rle_read(rle, "fuzz", &mask, NULL);
        /* both walk the same code: one cannot take what the other refuses, but for null */
        if (!json_is_null(rle) && (rle_shows(rle, "fuzz", &shows, NULL) == SAM_OK) != (status == SAM_OK))
            abort();
    }
    image_free(&mask);
    json_decref(rle);
    return 0;
}
