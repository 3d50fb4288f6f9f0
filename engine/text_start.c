#include "text_start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";

size_t text_start(const char *text, size_t n)
{
    size_t n_mark = sizeof byte_order_mark - 1;
    return n >= n_mark && !memcmp(text, byte_order_mark, n_mark) ? n_mark : 0;
}

json_t *json_read_file(const char *path, size_t flags, json_error_t *why)
{
    char start[sizeof byte_order_mark - 1];
    FILE *f = fopen(path, "rb");
    if (!f)
        return json_load_file(path, flags, why); /* says why */
    size_t n = fread(start, 1, sizeof start, f);
    if (fseek(f, (long)text_start(start, n), SEEK_SET)) { /* a pipe: it has no second beginning */
        fclose(f);
        return json_load_file(path, flags, why);
    }
    json_t *json = json_loadf(f, flags, why);
    fclose(f);
    return json;
}
