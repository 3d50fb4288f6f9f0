/* Sequences of calls of sam.h on a miniature model: each byte chooses a call, the following ones its arguments. What is
 * refused must leave the session usable, whatever the order. */
#include "fuzz_file.h"
#include "tiny_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 40, HEIGHT = 24, CALLS_MAX = 24 };

typedef struct input {
    const uint8_t *at, *end;
} input;

static int byte(input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* Ordinary and extraordinary coordinates. */
static float coordinate(input *in)
{
    static const float odd[] = {-1e30f, 1e30f, 0.0f, -0.5f, 1e-30f};
    int b = byte(in);
    return b < 200 ? (float)b / 4 : odd[b % 5];
}

static sam_model *model(void)
{
    static sam_model *m;
    char path[256];
    if (m)
        return m;
    snprintf(path, sizeof path, "%s/tiny.safetensors", fuzz_folder());
    tiny_model_write(path, TINY_SAM21, "tiny");
    if (sam_model_open(path, &(sam_model_options){.n_threads = 1}, &m, NULL) != SAM_OK)
        abort();
    return m;
}

enum { SETS = 2, POINTS = 3 };

typedef struct set {
    sam_point points[POINTS];
    sam_box box;
    sam_prompt_set p;
} set;

static void fill_set(set *s, input *in)
{
    static uint8_t mask[2][HEIGHT][WIDTH];
    int what = byte(in);
    memset(mask[1], 1, sizeof mask[1]);
    for (int i = 0; i < POINTS; i++)
        s->points[i] = (sam_point){coordinate(in), coordinate(in), byte(in) % 5 - 1};
    s->box = (sam_box){coordinate(in), coordinate(in), coordinate(in), coordinate(in)};
    s->p = (sam_prompt_set){.points = s->points,
                            .n_points = what & 3,
                            .single_mask = what >> 2 & 1,
                            .replace = what >> 3 & 1,
                            .box = what >> 4 & 1 ? &s->box : NULL,
                            .mask = what >> 6 & 1 ? mask[what >> 5 & 1][0] : NULL};
    s->p.mask_row_bytes = what >> 7 ? WIDTH : (size_t)(byte(in) % (WIDTH + 1));
}

static void prompt(sam_session *s, input *in, int images)
{
    sam_mask masks[3 * SETS];
    sam_prompt_set p[SETS];
    set sets[SETS];
    int n_masks[SETS], n = images ? byte(in) % (SETS + 2) - 1 : 1;
    for (int i = 0; i < SETS; i++) {
        fill_set(&sets[i], in);
        p[i] = sets[i].p;
        if (n <= 1)
            break;
    }
    if (images)
        sam_image_predict(s, p, n, masks, n_masks, NULL);
    else
        sam_prompt(s, byte(in) % 4, &p[0], NULL);
}

static void look(sam_session *s, int object)
{
    sam_mask m;
    uint8_t bytes[HEIGHT][WIDTH];
    int32_t area = 0;
    if (sam_get_mask(s, object, &m, NULL) != SAM_OK)
        return;
    sam_mask_bytes(&m, bytes[0], WIDTH);
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        area += bytes[i / WIDTH][i % WIDTH];
    if (area != m.area_px)
        abort();
}

static void call(sam_session *s, input *in, const uint8_t *rgb, int images)
{
    sam_frame f = {.rgb = rgb, .row_bytes = WIDTH * 3};
    sam_stats stats;
    switch (byte(in) % 8) {
    case 0:
    case 1:
        f.index = byte(in) % 32 - 2;
        f.row_bytes = byte(in) % 8 ? WIDTH * 3 : (size_t)byte(in);
        f.row_bytes = f.row_bytes > WIDTH * 3 ? WIDTH * 3 : f.row_bytes;
        sam_push_frame(s, &f, NULL);
        break;
    case 2:
    case 3:
        prompt(s, in, images);
        break;
    case 4:
        sam_track(s, (sam_direction)(byte(in) % 3), NULL);
        break;
    case 5:
        look(s, byte(in) % 4);
        break;
    case 6:
        if (byte(in) % 2)
            sam_remove_object(s, byte(in) % 4, NULL);
        else
            sam_session_reset(s, NULL);
        break;
    default:
        sam_get_stats(s, &stats, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static uint8_t rgb[HEIGHT * WIDTH * 3];
    static sam_session *sessions[2];
    input in = {bytes, bytes + n_bytes};
    int images = byte(&in) % 2;
    if (!sessions[images] && sam_session_open(model(),
                                              &(sam_session_options){.width_px = WIDTH,
                                                                     .height_px = HEIGHT,
                                                                     .max_objects = SETS,
                                                                     .mode = images ? SAM_IMAGE : SAM_VIDEO},
                                              &sessions[images], NULL) != SAM_OK)
        abort();
    tiny_frame(WIDTH, HEIGHT, byte(&in), rgb);
    sam_session_reset(sessions[images], NULL);
    for (int i = 0; i < CALLS_MAX && in.at < in.end; i++)
        call(sessions[images], &in, rgb, images);
    return 0;
}
