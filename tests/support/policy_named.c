#include "policy_named.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

const memory_policy *policy_named(const char *name)
{
    const memory_policy *p = NULL;
    sam_error err;
    if (policy_find(name, &p, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return p;
}
