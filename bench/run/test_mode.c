/* test_mode.c - see test_mode.h. */
#include "test_mode.h"

#include "convert.h"
#include "folders.h"
#include "listing.h"
#include "synth_split.h"

#include <stdio.h>
#include <stdlib.h>

enum { WEIGHTS_SEED = 101 };

sam_status test_mode_split(const char *out_dir, const char *split_name, char **root, sam_error *err)
{
    static const synth_options one_clip = {
        .n_clips = 1, .size = {192, 144, 8}, .difficulty = "medium", .annotate_every = 1};
    TRY(path_join(root, out_dir, "test_split", err));
    sam_status status = folders_make(*root, err);
    return status == SAM_OK ? synth_split_write(*root, split_name, &one_clip, err) : status;
}

sam_status test_mode_weights(const char *out_dir, const char *checkpoint, char **path, sam_error *err)
{
    char name[96];
    snprintf(name, sizeof name, "test_weights/%s_random.safetensors", checkpoint);
    TRY(path_join(path, out_dir, name, err));
    if (path_is_file(*path))
        return SAM_OK;
    TRY(folders_make_for(*path, err));
    const random_options random = {.model = checkpoint, .seed = WEIGHTS_SEED};
    return convert_random(&random, *path, NULL, err);
}
