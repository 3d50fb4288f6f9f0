/* input_flags.h - flags that several verbs have for what they read, so that each is described once. */
#ifndef INPUT_FLAGS_H
#define INPUT_FLAGS_H

#include "flags.h"

/* --split_dir and --split_name: annotated videos. */
flag split_dir_flag(const char **dir);
flag split_name_flag(const char **name);
/* --weights_dir, where models are searched by name (weights_search.h). */
/* --format of the final table; figures.h. */
flag format_flag(const char **name);
flag weights_dir_flag(const char **dir);

/* --limit_videos, --limit_objects and --max_clip_frames: a number from 0 on. help NULL: that 0, the default, is all of them. */
flag limit_videos_flag(int *n, const char *help);
flag limit_objects_flag(int *n, const char *help);
flag max_clip_frames_flag(int *n, const char *help);

/* What --help says of --models, made of the known models; it lives as long as the flag. */
typedef struct models_help {
    char text[700];
} models_help;
/* --models of verbs that prompt and track, whose help ends with `rest`; and of verbs that need no prompts. */
flag models_flag(const char **names, models_help *help, const char *rest);
flag checkpoints_flag(const char **names, models_help *help);

#endif
