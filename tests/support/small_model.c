#include "small_model.h"

#include "convert.h"
#include "image_io.h"
#include "synthetic_clip.h"

#include <assert.h>
#include <stdio.h>

void small_model_make(temp_tree *t)
{
    sam_error err;
    sam_status status = convert_random(&(random_options){.model = "sam2.1_tiny", .seed = 101, .half = 1},
                                       tree_path(t, "tiny.safetensors"), NULL, &err);
    assert(status == SAM_OK);
    (void)status;
}

void small_clip_make(temp_tree *t, const char *folder, int n_frames)
{
    static uint8_t rgb[3 * SYNTHETIC_WIDTH * SYNTHETIC_HEIGHT];
    sam_error err;
    tree_folder(t, folder);
    for (int i = 0; i < n_frames; i++) {
        synthetic_frame(SYNTHETIC_WIDTH, SYNTHETIC_HEIGHT, SYNTHETIC_SEED, i, rgb, NULL);
        sam_status status = image_write_rgb(tree_path(t, "%s/%05d.png", folder, i), rgb, 3 * SYNTHETIC_WIDTH,
                                            SYNTHETIC_WIDTH, SYNTHETIC_HEIGHT, &err);
        assert(status == SAM_OK);
        (void)status;
    }
}
