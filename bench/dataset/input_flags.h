/* input_flags.h - flags that several verbs have for what they read, so that each is described once. */
#ifndef INPUT_FLAGS_H
#define INPUT_FLAGS_H

#include "flags.h"

/* --split_dir and --split_name: annotated videos. */
flag split_dir_flag(const char **dir);
flag split_name_flag(const char **name);
/* --weights_dir, where models are searched by name (weights_search.h); and --models of verbs that need no prompts. */
flag weights_dir_flag(const char **dir);
flag checkpoints_flag(const char **names);

#endif
