/* json_build.h - JSON put together without a check after each step: a failure sticks. What could not take a value is freed and
 * becomes NULL, later calls do nothing, and whoever writes or packs it fails: never a file with a part missing. */
#ifndef JSON_BUILD_H
#define JSON_BUILD_H

#include <jansson.h>

/* Put `value` into the object, or at the end of the array; they take it. NULL: memory ran out, or a text is not UTF-8. */
void json_put(json_t **object, const char *key, json_t *value);
void json_add(json_t **array, json_t *value);
/* Takes `members` and puts all of them into the object. */
void json_join(json_t **object, json_t *members);

/* A number; null for one that is not finite, which JSON does not have. */
json_t *json_figure(double x);

/* The text; a byte that is not UTF-8, as names on disk may have, becomes \xNN. */
json_t *json_text(const char *text);

#endif
