/* synth_scene.h - what happens in a clip: things with an outline, a texture and a path, in front of one another, a ground,
 * a camera, light.
 *
 * The world is measured in heights of the frame: at rest the frame shows x from 0 to width/height and y from 0 to 1. All
 * movement is a function of the frame number, which may lie between frames. */
#ifndef SYNTH_SCENE_H
#define SYNTH_SCENE_H

#include "synth_shape.h"
#include "synth_texture.h"

typedef enum synth_difficulty { SYNTH_EASY, SYNTH_MEDIUM, SYNTH_HARD, N_DIFFICULTIES } synth_difficulty;

extern const char *const synth_difficulty_names[N_DIFFICULTIES];

typedef struct synth_size {
    int width, height, n_frames;
} synth_size;

/* middle + amplitude * wave(phase + rate * frame) */
typedef struct swing {
    double middle, amplitude, rate, phase;
} swing;

typedef struct thing {
    shape outline;
    int texture; /* of scene.textures */
    swing x, y, radius, turn;
    double drift_x, drift_y;     /* a frame                                                        */
    double leave_at, leave_over; /* frames: centre and half width of a stay outside; over 0: none */
    double leave_x;
} thing;

enum { MAX_THINGS = 8, MAX_ANNOTATED = 2 };

typedef struct scene {
    synth_size size;
    thing things[MAX_THINGS]; /* nearest first; every texture is a picture of its own or shared by things of one look */
    int n_things;
    int annotated[MAX_ANNOTATED], n_annotated; /* of things */
    picture textures[MAX_THINGS], ground;
    int n_textures;
    double ground_margin;           /* of the world around the frame that the ground covers */
    swing pan_x, pan_y, zoom, roll; /* camera */
    swing gain, side_light;         /* light: of all, and from the left against from the right */
    double tint[3];
    double shutter; /* share of a frame's time over which light is gathered */
    double noise;   /* of the sensor, 0..255                                */
    uint32_t noise_seed;
    int jpeg_quality;
} scene;

/* Clip `clip` of the seed. SAM_E_MEMORY, or SAM_E_ARG if no arrangement shows every object in the first frame. */
sam_status scene_make(scene *s, synth_difficulty difficulty, const synth_size *size, uint64_t seed, uint64_t clip,
                      sam_error *err);
void scene_free(scene *s); /* also of {0} and after a failure */

/* Everything at a moment, ready for looking up points. */
typedef struct placed {
    pose outline;
    double x, y, radius, cos_turn, sin_turn;
} placed;

typedef struct moment {
    placed things[MAX_THINGS];
    double pan_x, pan_y, zoom, cos_roll, sin_roll, gain, side_light;
} moment;

void scene_at(const scene *s, double frame, moment *out);

/* World position of a point of the frame in pixels. */
void scene_unproject(const scene *s, const moment *m, double x_px, double y_px, double *x, double *y);

/* The nearest thing at a world position, or -1: the ground. u, v: there in the thing's plane, -1..1. */
int scene_hit(const scene *s, const moment *m, double x, double y, double *u, double *v);

#endif
