/* Pictures of every format, as pixels and as masks. */
#include "fuzz_file.h"
#include "image_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    image im = {0};
    int width = 0, height = 0;
    const char *path = fuzz_file("image", bytes, n_bytes);
    /* pictures of up to a gigapixel are allowed, and slow */
    if (image_read_size(path, &width, &height, NULL) != SAM_OK || (int64_t)width * height > 1 << 16)
        return 0;
    image_is_animated(path);
    image_read_rgb(path, &im, NULL);
    for (int kind = MASK_OBJECT; kind <= MASK_ONE_HUE; kind++)
        image_read_mask(path, (mask_kind)kind, &im, NULL);
    image_free(&im);
    return 0;
}
