#include "error.h"

#include <stdarg.h>
#include <stdio.h>

sam_status fail(sam_error *err, sam_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        err->status = status;
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}
