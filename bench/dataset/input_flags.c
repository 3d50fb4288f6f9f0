/* input_flags.c - see input_flags.h. */
#include "input_flags.h"

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

flag checkpoints_flag(const char **names)
{
    return (flag){
        .name = "models",
        .kind = FLAG_STRING,
        .choices = "list",
        .value = names,
        .meta = "NAMES",
        .required = 1,
        .help = "sam2_{tiny,small,base,large}, sam2.0_..., edgetam, searched in --weights_dir; or weights files."};
}
