#include "json_build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stick(json_t **container, int failed)
{
    if (!failed)
        return;
    json_decref(*container);
    *container = NULL;
}

/* Jansson refuses NULL, and lets go of the value itself. */
void json_put(json_t **object, const char *key, json_t *value)
{
    stick(object, json_object_set_new(*object, key, value));
}

void json_add(json_t **array, json_t *value)
{
    stick(array, json_array_append_new(*array, value));
}

void json_join(json_t **object, json_t *members)
{
    stick(object, json_object_update(*object, members));
    json_decref(members);
}

json_t *json_figure(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *json_text(const char *text)
{
    json_t *whole = json_string(text);
    if (whole || !text)
        return whole;
    char *escaped = malloc(4 * strlen(text) + 1), *to = escaped;
    if (!escaped)
        return NULL;
    for (size_t n; *text; text += n) {
        json_t *part = NULL;
        for (n = strnlen(text, 4); n > 0 && !part; n -= !part) /* a character has at most four bytes */
            part = json_stringn(text, n);
        if (part)
            memcpy(to, text, n);
        else
            snprintf(to, 5, "\\x%02x", (unsigned char)*text);
        to += part ? n : 4;
        n = part ? n : 1;
        json_decref(part);
    }
    *to = 0;
    whole = json_string(escaped);
    free(escaped);
    return whole;
}
