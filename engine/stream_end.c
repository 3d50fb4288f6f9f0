#include "stream_end.h"

#include <errno.h>
#include <string.h>

sam_status stream_end(FILE *stream, const char *name, sam_error *err)
{
    int failed = ferror(stream);
    errno = 0;
    failed |= fflush(stream) != 0;
    if (!failed)
        return SAM_OK;
    return fail(err, SAM_E_IO, "%s: not all could be written%s%s", name, errno ? ": " : "",
                errno ? strerror(errno) : "");
}
