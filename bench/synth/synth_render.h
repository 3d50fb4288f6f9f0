/* synth_render.h - a frame of a scene and its exact masks. */
#ifndef SYNTH_RENDER_H
#define SYNTH_RENDER_H

#include "synth_scene.h"

/* rgb [height, width, 3]: the mean of eight samples spread over the pixel and over the time the shutter is open, with
 * light and noise. masks[i] [height, width] of 0 and 1 for each annotated object: pixels where at least half of these
 * samples see it (what is hidden is not in it); masks may be NULL, and rgb too. */
void synth_render(const scene *s, int frame, uint8_t *rgb, uint8_t *const *masks);

#endif
