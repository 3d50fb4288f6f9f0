/* prompt_flags.h - prompts on the command line or in a file, for the verbs track and image.
 *
 *   --object 1 --frame 0 --point 210,350 --point 420,120,0 --object 2 --box 300,60,520,340 --mask dog.png
 *
 * --object (default 1) and --frame (default 0) apply to the prompts after them. As in a --prompts file, what is given for
 * one object and frame reaches the model together: points add up, the last box counts, a mask replaces the rest. --masks FILE is a
 * picture of numbers, each an object. */
#ifndef PROMPT_FLAGS_H
#define PROMPT_FLAGS_H

#include "flags.h"
#include "prompts.h"

/* Start with {.id = 1}; prompt_choice_free at the end. */
typedef struct prompt_choice {
    const char *json;  /* --prompts */
    const char *boxes; /* --boxes of track: box_tracks.h, and how often they are given again */
    int boxes_every;
    int optional; /* 1: there may be none */
    int32_t id;   /* to which the next prompt applies */
    int frame;
    const char *unused; /* --object or --frame after which no prompt came yet */
    prompt_file file;
} prompt_choice;

enum { N_PROMPT_FLAGS = 7 };

/* Writes the flags at `to`; returns how many. */
int prompt_flags(prompt_choice *c, flag *to);
/* After flags_parse: reads the file, if there is one. Neither flags nor file, or both, is wrong usage (*usage = 1). */
sam_status prompt_choice_finish(prompt_choice *c, int *usage, sam_error *err);
void prompt_choice_free(prompt_choice *c);

/* What a model has to be opened for. */
int prompts_max_points(const prompt_file *p);          /* clicks for one object on one frame, at least 1 */
int prompts_max_prompted_frames(const prompt_file *p); /* frames with prompts for one object             */

#endif
