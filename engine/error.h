/* error.h - how engine, weights_tools and bench report what the outside world did wrong. */
#ifndef ERROR_H
#define ERROR_H

#include "sam.h"

/* Writes status and message into err (NULL is allowed) and returns status: return fail(err, SAM_E_IO, "%s: ...", path) */
sam_status fail(sam_error *err, sam_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Passes a failure up. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        sam_status try_status = (call);                                                                                \
        if (try_status != SAM_OK)                                                                                      \
            return try_status;                                                                                         \
    } while (0)

#endif
