#include "index_mask.h"

#include "image_io.h"
#include "listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sam_status read_picture(const char *path, int width, int height, image *im, sam_error *err)
{
    size_t n = (size_t)width * (size_t)height;
    if (path_is_file(path)) {
        TRY(image_read_mask(path, MASK_IDS, im, err));
        return im->width == width && im->height == height
                   ? SAM_OK
                   : fail(err, SAM_E_FORMAT, "%s: is %d x %d, now it is %d x %d: another run's?", path, im->width,
                          im->height, width, height);
    }
    *im = (image){.width = width, .height = height, .channels = 1, .data = calloc(n, 1), .capacity = n};
    return im->data ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: no memory for %d x %d pixels", path, width, height);
}

sam_status index_mask_put(const char *path, int value, const uint8_t *mask, size_t row_bytes, int width, int height,
                          sam_error *err)
{
    image im = {0};
    sam_status status = read_picture(path, width, height, &im, err);
    for (int y = 0; status == SAM_OK && y < height; y++) {
        uint8_t *px = im.data + (size_t)y * (size_t)width;
        const uint8_t *set = mask + (size_t)y * row_bytes;
        for (int x = 0; x < width; x++) {
            if (px[x] == value) /* of an attempt that failed */
                px[x] = 0;
            if (set[x] && (!px[x] || px[x] > value))
                px[x] = (uint8_t)value;
        }
    }
    if (status == SAM_OK)
        status = image_write_mask(path, im.data, (size_t)width, width, height, 1, err);
    image_free(&im);
    return status;
}

sam_status index_mask_clear(const char *folder, sam_error *err)
{
    listing files = {0};
    if (!path_is_folder(folder))
        return SAM_OK;
    TRY(listing_read(folder, "png", &files, err));
    sam_status status = SAM_OK;
    for (int i = 0; i < files.n && status == SAM_OK; i++) {
        char *path = NULL;
        status = path_join(&path, folder, files.names[i], err);
        if (status == SAM_OK && remove(path))
            status = fail(err, SAM_E_IO, "%s: cannot be removed: %s", path, strerror(errno));
        free(path);
    }
    listing_free(&files);
    return status;
}
