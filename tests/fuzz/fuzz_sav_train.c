/* Annotations of SA-V's training set. */
#include "fuzz_file.h"
#include "sav_train.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    sav_train *t;
    image mask = {0};
    int shows = 0;
    if (sav_train_open(fuzz_file("sav_000001_manual.json", bytes, n_bytes), &t, NULL) != SAM_OK)
        return 0;
    for (int i = 0; i < sav_train_objects(t) && i < 4; i++)
        for (int k = 0; k < sav_train_frames(t) && k < 4; k++)
            if (sav_train_shows(t, k, i, &shows, NULL) == SAM_OK && shows)
                sav_train_mask(t, k, i, &mask, NULL);
    image_free(&mask);
    sav_train_close(t);
    return 0;
}
