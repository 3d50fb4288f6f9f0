/* verbs.h - what `sambench` can do. */
#ifndef VERBS_H
#define VERBS_H

#include "flags.h"

extern const verb *const verbs[];
extern const int n_verbs;

const verb *verb_find(const char *name);    /* NULL: there is no such verb                       */
const char *verb_nearest(const char *name); /* the one a typing error was meant for, NULL if none */

#endif
