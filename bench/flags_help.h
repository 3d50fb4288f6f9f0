/* flags_help.h - --help of a verb, from its table of flags. */
#ifndef FLAGS_HELP_H
#define FLAGS_HELP_H

#include "flags.h"

void flags_print_help(const verb *v, const flag *flags, int n_flags);

#endif
