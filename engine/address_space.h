/* address_space.h - whether the process may still take so much, before oneDNN finds out: it does not survive a refusal. */
#ifndef ADDRESS_SPACE_H
#define ADDRESS_SPACE_H

#include "error.h"

/* SAM_E_MEMORY if a limit on the address space (ulimit -v) leaves less than `needed` bytes and what libraries and
 * n_threads threads take besides; `what` begins the message. SAM_OK where there is no limit, or where what is used is not known. */
sam_status address_space_check(size_t needed, int n_threads, const char *what, sam_error *err);

#endif
