/* track_stream - one object through a stream of raw RGB frames, from a file, a pipe or a camera, with the installed library.
 *
 *   ffmpeg -i clip.mp4 -f rawvideo -pix_fmt rgb24 - | track_stream sam2.1_tiny.safetensors 960 540 210 350 > masks.gray
 *   ffplay -f rawvideo -pixel_format gray -video_size 960x540 masks.gray
 *
 * The object is what a click at X Y on the first frame shows. For each frame a mask of the same size is written, one byte a
 * pixel: 0 or 255. A last argument `cuda` runs on the GPU. */
#include <sam.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECT = 1 };

static int stop(const sam_error *err)
{
    fprintf(stderr, "track_stream: %s\n", err->text);
    return 1;
}

/* The mask of the current frame to stdout. */
static sam_status write_mask(sam_session *s, int width, int height, uint8_t *line, sam_error *err)
{
    sam_mask mask;
    sam_status status = sam_get_mask(s, OBJECT, &mask, err);
    for (int y = 0; y < height && status == SAM_OK; y++) {
        for (int x = 0; x < width; x++)
            line[x] = mask.bits[(size_t)y * mask.row_bytes + (size_t)x] ? 255 : 0;
        fwrite(line, 1, (size_t)width, stdout);
    }
    return status;
}

/* Frames until the stream ends; a click on the first, tracking from then on. */
static sam_status run(sam_session *s, int width, int height, sam_point click, uint8_t *rgb, sam_error *err)
{
    size_t row_bytes = 3 * (size_t)width, frame_bytes = row_bytes * (size_t)height;
    sam_status status = SAM_OK;
    for (int64_t t = 0; status == SAM_OK && fread(rgb, 1, frame_bytes, stdin) == frame_bytes; t++) {
        status = sam_push_frame(s, &(sam_frame){.rgb = rgb, .row_bytes = row_bytes, .index = t}, err);
        if (status == SAM_OK)
            status = t ? sam_track(s, SAM_FORWARD, err)
                       : sam_prompt(s, OBJECT, &(sam_prompt_set){.points = &click, .n_points = 1}, err);
        if (status == SAM_OK)
            status = write_mask(s, width, height, rgb, err); /* the frame has been read */
    }
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: track_stream WEIGHTS WIDTH HEIGHT X Y [cuda] < rgb24 > masks\n");
        return 2;
    }
    int width = atoi(argv[2]), height = atoi(argv[3]);
    const sam_point click = {strtof(argv[4], NULL), strtof(argv[5], NULL), 1};
    const sam_model_options on = {.backend = argc > 6 && !strcmp(argv[6], "cuda") ? SAM_CUDA : SAM_CPU};
    const sam_session_options size = {.width_px = width, .height_px = height};
    sam_model *m = NULL;
    sam_session *s = NULL;
    sam_error err;
    sam_status status = sam_model_open(argv[1], &on, &m, &err);
    if (status == SAM_OK)
        status = sam_session_open(m, &size, &s, &err); /* refuses a width or height that is none */
    uint8_t *rgb = status == SAM_OK ? malloc(3 * (size_t)width * (size_t)height) : NULL;
    if (rgb)
        status = run(s, width, height, click, rgb, &err);
    free(rgb);
    sam_session_close(s);
    sam_model_close(m);
    return status == SAM_OK ? fflush(stdout) != 0 : stop(&err);
}
