/* policy_named.h - a tracker's policy (engine/memory_policy.h) by its name, which has to be one. */
#ifndef POLICY_NAMED_H
#define POLICY_NAMED_H

#include "memory_policy.h"

const memory_policy *policy_named(const char *name);

#endif
