#include "json_out.h"

#include "atomic_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

sam_status json_out(const char *path, json_t *root, sam_error *err)
{
    /* 12 digits: times and scores stay readable, nothing that was measured is lost. */
    char *text = root ? json_dumps(root, JSON_INDENT(4) | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(root);
    if (!text)
        return fail(err, SAM_E_MEMORY, "%s: no memory to write JSON, or a name in it is not UTF-8", path);
    sam_status status = SAM_OK;
    if (!strcmp(path, "-"))
        puts(text);
    else
        status = atomic_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}
