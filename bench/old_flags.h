/* old_flags.h - spellings of the scripts that sambench replaces, which its verbs still take; docs/migrating.md lists them. */
#ifndef OLD_FLAGS_H
#define OLD_FLAGS_H

#include "flags.h"

/* Start with OLD_FLAGS_NONE. */
typedef struct old_flags {
    int autocast;               /* --autocast 0|1; -1: not given                        */
    const char *autocast_dtype; /* bfloat16, ...                                        */
    int compile_models;         /* -1: not given                                        */
    const char *compile_backend, *compile_mode;
} old_flags;

#define OLD_FLAGS_NONE                                                                                                 \
    {                                                                                                                  \
        .autocast = -1, .compile_models = -1                                                                           \
    }

enum { N_OLD_FLAGS = 5 };

/* Writes the flags at `to`, none of which --help shows; returns how many. */
int old_flags_table(old_flags *o, flag *to);

/* What they mean: *precision, where they say one (bf16 of --autocast alone, fp32 of --autocast 0); SAM_E_ARG if it was given too.
 * Says in one line on stderr that nothing is compiled, if that was asked for. */
sam_status old_flags_settle(const old_flags *o, const char *verb, const char **precision, sam_error *err);

#endif
