#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

sam_status config_open(config_reader *r, const st_file *f, const char *path, sam_error *err)
{
    const char *text = st_meta_get(f, "config");
    json_error_t where;
    *r = (config_reader){.path = path, .family = st_meta_get(f, "family"), .name = st_meta_get(f, "name"), .err = err};
    if (!text || !r->family || !r->name)
        return r->status = fail(
                   err, SAM_E_FORMAT,
                   "%s: not a converted weights file (no \"config\" in its metadata); run `samconvert convert`", path);
    r->root = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    if (!r->root)
        return r->status = fail(err, SAM_E_FORMAT, "%s: configuration: %s at %d:%d", path, where.text, where.line,
                                where.column);
    return SAM_OK;
}

sam_status config_close(config_reader *r)
{
    json_decref(r->root);
    r->root = NULL;
    return r->status;
}

int config_wrong(config_reader *r, const char *key, const char *expected)
{
    if (r->status == SAM_OK)
        r->status =
            fail(r->err, SAM_E_FORMAT, "%s: configuration field \"%s\": expected %s; convert the checkpoint again",
                 r->path, key, expected);
    return 0;
}

int config_int(config_reader *r, const char *key, int low, int high, int missing)
{
    const json_t *j = json_object_get(r->root, key);
    char expected[64];
    snprintf(expected, sizeof expected, "an integer from %d to %d", low, high);
    if (!j && missing >= 0)
        return missing;
    if (json_is_boolean(j))
        return json_is_true(j);
    if (!json_is_integer(j) || json_integer_value(j) < low || json_integer_value(j) > high)
        return config_wrong(r, key, expected);
    return (int)json_integer_value(j);
}

int config_ints(config_reader *r, const char *key, int *to, int least, int most, int low, int high)
{
    const json_t *j = json_object_get(r->root, key);
    char expected[96];
    snprintf(expected, sizeof expected, "a list of %d to %d integers from %d to %d", least, most, low, high);
    if (!json_is_array(j) || (int)json_array_size(j) < least || (int)json_array_size(j) > most)
        return config_wrong(r, key, expected);
    int n = (int)json_array_size(j);
    for (int i = 0; i < n; i++) {
        const json_t *e = json_array_get(j, (size_t)i);
        if (!json_is_integer(e) || json_integer_value(e) < low || json_integer_value(e) > high)
            return config_wrong(r, key, expected);
        to[i] = (int)json_integer_value(e);
    }
    return n;
}

const char *config_text(const config_reader *r, const char *key)
{
    return json_string_value(json_object_get(r->root, key));
}
