/* input_flags.c - see input_flags.h. */
#include "input_flags.h"

#include "figures.h"
#include "known_models.h"

#include <stdio.h>

flag split_dir_flag(const char **dir)
{
    return (flag){
        .name = "split_dir",
        .kind = FLAG_STRING,
        .value = dir,
        .meta = "DIR",
        .help = "Annotated videos: the root of SA-V val, test or train, DAVIS, MOSE or YouTube-VOS. Required unless "
                "--test_mode."};
}

flag split_name_flag(const char **name)
{
    return (flag){
        .name = "split_name",
        .kind = FLAG_STRING,
        .value = name,
        .meta = "NAME",
        .help = "NAME.txt lists the videos, in the root or in ImageSets (val, 2016/val); without such a file every "
                "annotated one is taken (default sav_val)."};
}

flag format_flag(const char **name)
{
    return (flag){.name = "format",
                  .kind = FLAG_CHOICE,
                  .value = name,
                  .meta = "NAME",
                  .choices = FIGURES_FORMATS,
                  .help = "Of the final table; but for table, nothing else goes to stdout (default table)."};
}

flag weights_dir_flag(const char **dir)
{
    return (flag){
        .name = "weights_dir",
        .kind = FLAG_STRING,
        .value = dir,
        .meta = "DIR",
        .help =
            "Searched with its subfolders for official, Hugging Face, Ultralytics and converted files (default .)."};
}

static flag count_flag(const char *name, int *n, const char *help)
{
    return (flag){.name = name, .kind = FLAG_INT, .value = n, .meta = "N", .max = 1 << 30, .help = help};
}

flag limit_videos_flag(int *n, const char *help)
{
    flag f = count_flag("limit_videos", n, help ? help : "The first N videos only (default 0: all).");
    f.group = "how much";
    return f;
}

flag limit_objects_flag(int *n, const char *help)
{
    return count_flag("limit_objects", n, help ? help : "The first N objects of each video only (default 0: all).");
}

flag max_clip_frames_flag(int *n, const char *help)
{
    return count_flag("max_clip_frames", n,
                      help ? help
                           : "Stop N frames from the prompt on, as if the video ended there (default 0: never).");
}

flag models_flag(const char **names, models_help *help, const char *rest)
{
    char models[400];
    known_model_names(0, "", models, sizeof models);
    snprintf(
        help->text, sizeof help->text,
        "%s, each with _points, _bbox or _mask (without: points and bbox); NAME=FILE.pt:points, any file by a name of yours%s",
        models, rest);
    return (flag){
        .name = "models", .kind = FLAG_STRING, .choices = "list", .value = names, .meta = "NAMES", .help = help->text};
}

flag checkpoints_flag(const char **names, models_help *help)
{
    char models[400];
    known_model_names(1, "", models, sizeof models);
    snprintf(help->text, sizeof help->text, "%s, searched in --weights_dir; or weights files.", models);
    return (flag){.name = "models",
                  .kind = FLAG_STRING,
                  .choices = "list",
                  .value = names,
                  .meta = "NAMES",
                  .required = 1,
                  .help = help->text};
}
