#include "small_model.h"

#include "convert.h"
#include "image_io.h"
#include "synthetic_clip.h"

#include <stdio.h>
#include <stdlib.h>

static void must(sam_status status, const sam_error *err)
{
    if (status == SAM_OK)
        return;
    fprintf(stderr, "small_model: %s\n", err->text);
    abort();
}

void small_model_make(temp_tree *t)
{
    sam_error err;
    sam_status status = convert_random(&(random_options){.model = "sam2.1_tiny", .seed = 101, .half = 1},
                                       tree_path(t, "tiny.safetensors"), NULL, &err);
    must(status, &err);
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
        must(status, &err);
    }
}
