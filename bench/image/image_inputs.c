#include "image_inputs.h"

#include "folders.h"
#include "image_format.h"
#include "json_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sam_status list_folder(image_inputs *in, const char *path, sam_error *err)
{
    listing inside = {0};
    in->many = 1;
    sam_status status = listing_read(path, IMAGE_SUFFIXES, &inside, err);
    if (status == SAM_OK && !inside.n)
        status = fail(err, SAM_E_FORMAT, "%s: a folder without images (" IMAGE_SUFFIXES_SAY ")", path);
    for (int n = 0; n < inside.n && status == SAM_OK; n++) {
        char *joined = NULL;
        status = path_join(&joined, path, inside.names[n], err);
        if (status == SAM_OK)
            status = listing_add(&in->paths, joined, strlen(joined), err);
        free(joined);
    }
    listing_free(&inside);
    return status;
}

static sam_status list_all(image_inputs *in, const char *input, sam_error *err)
{
    listing given = {0};
    sam_status status = SAM_OK;
    for (const char *at = input; *at && status == SAM_OK;) {
        size_t n = strcspn(at, ",");
        status = listing_add(&given, at, n, err);
        at += n + (at[n] == ',');
    }
    for (int k = 0; k < given.n && status == SAM_OK; k++) {
        const char *path = given.names[k];
        status = path_is_folder(path) ? list_folder(in, path, err) : listing_add(&in->paths, path, strlen(path), err);
    }
    listing_free(&given);
    in->many |= in->paths.n > 1;
    return status;
}

sam_status image_inputs_folder(const image_inputs *in, const char *path, char **folder, sam_error *err)
{
    const char *base = path_name(path);
    TRY(path_join(folder, in->out, in->many ? base : "", err));
    if (in->many)
        (*folder)[strlen(*folder) - strlen(base) + stem_length(base)] = 0;
    return SAM_OK;
}

/* Results of two images may not meet in one folder. */
static sam_status check_folders(const image_inputs *in, sam_error *err)
{
    for (int a = 0; a < in->paths.n && in->out && in->many; a++)
        for (int b = 0; b < a; b++) {
            char *one = NULL, *other = NULL;
            sam_status status = image_inputs_folder(in, in->paths.names[a], &one, err);
            status = status == SAM_OK ? image_inputs_folder(in, in->paths.names[b], &other, err) : status;
            if (status == SAM_OK && !strcmp(one, other))
                status = fail(err, SAM_E_ARG, "%s and %s would both be written to %s; give them one by one",
                              in->paths.names[b], in->paths.names[a], one);
            free(one);
            free(other);
            TRY(status);
        }
    return SAM_OK;
}

sam_status image_inputs_open(image_inputs *in, const char *input, const char *out, const char *json, sam_error *err)
{
    in->out = out;
    in->json = json;
    TRY(list_all(in, input, err));
    return check_folders(in, err);
}

sam_status image_inputs_begin(image_inputs *in, sam_error *err)
{
    if (in->json && strcmp(in->json, "-") != 0)
        TRY(folders_make_for(in->json, err));
    if (in->out)
        TRY(folder_lock_take(&in->lock, in->out, err));
    in->images = json_array();
    return SAM_OK;
}

sam_status image_inputs_add(image_inputs *in, json_t *result, sam_error *err)
{
    return json_array_append_new(in->images, result) ? fail(err, SAM_E_MEMORY, "--json: no memory") : SAM_OK;
}

sam_status image_inputs_write(const image_inputs *in, const sam_model *m, const char *precision, sam_error *err)
{
    if (!in->json)
        return SAM_OK;
    return json_out(in->json,
                    json_pack("{s:s, s:s, s:i, s:O}", "model", sam_model_name(m), "precision", precision, "imgsz",
                              sam_model_image_px(m), "images", in->images),
                    err);
}

void image_inputs_close(image_inputs *in)
{
    listing_free(&in->paths);
    folder_lock_free(&in->lock);
    json_decref(in->images);
}

int image_inputs_go_on(const char *verb, const image_inputs *in, int i, const sam_error *err)
{
    const char *path = in->paths.names[i];
    if (!in->many || err->status == SAM_E_DEVICE || err->status == SAM_E_MEMORY)
        return 0;
    int named = !strncmp(err->text, path, strlen(path));
    fprintf(stderr, "sambench %s: %s%s%s\n", verb, named ? "" : path, named ? "" : ": ", err->text);
    return 1;
}

int image_inputs_end(const char *verb, const image_inputs *in, sam_status status, int n_failed, const sam_error *err)
{
    if (status != SAM_OK)
        fprintf(stderr, "sambench %s: %s\n", verb, err->text);
    if (n_failed)
        fprintf(stderr, "sambench %s: %d of %d images have no result\n", verb, n_failed, in->paths.n);
    return status == SAM_OK && !n_failed;
}
