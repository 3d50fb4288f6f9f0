#include "documented.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *doc_text(const char *doc)
{
    static char text[65536];
    char path[512];
    snprintf(path, sizeof path, SOURCE_DIR "/docs/%s", doc);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s: missing", path);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    assert_true(n < sizeof text - 1);
    text[n] = 0;
    return text;
}

static const char *next_line(const char *at)
{
    at = strchr(at, '\n');
    return at ? at + 1 : "";
}

/* Names parted by commas, in backticks or not. */
static int add_names(const char *cell, size_t n_cell, char storage[][64], const char **names, int n)
{
    for (const char *at = cell, *end = cell + n_cell; at < end;) {
        size_t skip = strspn(at, " ,`"), n_name = strcspn(at + skip, " ,`|");
        at += skip;
        if (at >= end || !n_name)
            break;
        assert_true(n < DOCUMENTED_COLUMNS && n_name < 64);
        memcpy(storage[n], at, n_name);
        storage[n][n_name] = 0;
        names[n] = storage[n];
        n++;
        at += n_name;
    }
    return n;
}

int documented_names(const char *doc, const char *marker, const char *names[DOCUMENTED_COLUMNS])
{
    static char storage[DOCUMENTED_COLUMNS][64];
    int n = 0;
    const char *at = strstr(doc_text(doc), marker);
    if (!at)
        fail_msg("docs/%s does not say '%s'", doc, marker);
    while (*at && strncmp(at, "| ---", 5))
        at = next_line(at);
    for (at = next_line(at); !strncmp(at, "| ", 2); at = next_line(at))
        n = add_names(at + 2, strcspn(at + 2, "|"), storage, names, n);
    assert_true(n > 0);
    return n;
}

csv_table documented_table(temp_tree *t, const char *path, const char *doc, const char *marker)
{
    const char *names[DOCUMENTED_COLUMNS];
    sam_error err;
    csv_table table = {0};
    int n = documented_names(doc, marker, names);
    if (csv_open(&table, tree_path(t, "%s", path), names, n, 1, &err) != SAM_OK)
        fail_msg("docs/%s, %s: %s", doc, marker, err.text);
    return table;
}

void documented_keys(const json_t *json, const char *doc, const char *marker)
{
    const char *names[DOCUMENTED_COLUMNS];
    int n = documented_names(doc, marker, names);
    for (int i = 0; i < n; i++)
        if (!json_object_get(json, names[i]))
            fail_msg("docs/%s, %s: %s is not in the file", doc, marker, names[i]);
    if ((size_t)n != json_object_size(json))
        fail_msg("docs/%s, %s: %d keys, in the file %zu", doc, marker, n, json_object_size(json));
}

static int is_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at++) {
        int before = at > text && (isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (!before && !isalnum((unsigned char)at[n]) && at[n] != '_')
            return 1;
    }
    return 0;
}

static int is_among(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (!strcmp(*names, name))
            return 1;
    return 0;
}

static void check(const json_t *json, const char *doc, const char *text, const char *const *free_keys, int is_free)
{
    const char *key;
    json_t *value;
    size_t i;
    json_array_foreach(json, i, value) check(value, doc, text, free_keys, is_free);
    if (!json_is_object(json))
        return;
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        if (!is_free && !is_word(text, key))
            fail_msg("the field %s is not in docs/%s", key, doc);
        check(value, doc, text, free_keys, is_among(free_keys, key));
    }
}

void documented_fields(const json_t *json, const char *doc, const char *const *free_keys)
{
    check(json, doc, doc_text(doc), free_keys, 0);
}
