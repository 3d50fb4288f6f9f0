#include "old_flags.h"

#include <stdio.h>
#include <string.h>

int old_flags_table(old_flags *o, flag *to)
{
    const flag flags[N_OLD_FLAGS] = {
        {.name = "autocast",
         .kind = FLAG_SWITCH,
         .value = &o->autocast,
         .hidden = 1,
         .help = "The same as --precision bf16; 0: fp32."},
        {.name = "autocast_dtype",
         .kind = FLAG_CHOICE,
         .value = &o->autocast_dtype,
         .meta = "NAME",
         .hidden = 1,
         .choices = "bf16|fp16|fp32|bfloat16|float16|float32",
         .help = "The same as --precision."},
        {.name = "compile_models",
         .kind = FLAG_SWITCH,
         .value = &o->compile_models,
         .hidden = 1,
         .help = "There is nothing to compile."},
        {.name = "compile_backend",
         .kind = FLAG_STRING,
         .value = &o->compile_backend,
         .meta = "NAME",
         .hidden = 1,
         .help = "There is nothing to compile."},
        {.name = "compile_mode",
         .kind = FLAG_STRING,
         .value = &o->compile_mode,
         .meta = "NAME",
         .hidden = 1,
         .help = "There is nothing to compile."},
    };
    memcpy(to, flags, sizeof flags);
    return N_OLD_FLAGS;
}

sam_status old_flags_settle(const old_flags *o, const char *verb, const char **precision, sam_error *err)
{
    static const char *const names[][2] = {{"bfloat16", "bf16"}, {"float16", "fp16"}, {"float32", "fp32"}};
    const char *dtype = o->autocast == 0    ? "fp32"
                        : o->autocast_dtype ? o->autocast_dtype
                        : o->autocast > 0   ? "bf16"
                                            : NULL;
    if (dtype && *precision)
        return fail(err, SAM_E_ARG, "--precision and --%s are the same; give one",
                    o->autocast_dtype ? "autocast_dtype" : "autocast");
    for (int i = 0; dtype && i < 3; i++)
        if (!strcmp(dtype, names[i][0]))
            dtype = names[i][1];
    if (dtype)
        *precision = dtype;
    if (o->compile_models > 0 || o->compile_backend || o->compile_mode)
        fprintf(stderr, "sambench %s: there is nothing to compile: --compile_* change nothing\n", verb);
    return SAM_OK;
}
