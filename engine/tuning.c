#include "tuning.h"

#include "atomic_file.h"
#include "json_build.h"
#include "text_start.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char format[] = "sambench tuning 1";
enum { WORDS = 8, MAX_FILE_BYTES = 16 << 20 };

struct tuning {
    char *path;
    json_t *file, *choices; /* choices: of this device's set, which is part of file */
    pthread_mutex_t lock;
    char note[512];
};

/* ---- one choice --------------------------------------------------------------------------------------------------- */

static json_t *choice_to_json(const way *w, double ms)
{
    json_t *words = json_array();
    for (int i = 0; i < WORDS; i++) {
        char text[20];
        snprintf(text, sizeof text, "%016" PRIx64, w->algorithm[i]);
        json_add(&words, json_string(text));
    }
    return json_pack("{s:s,s:o,s:I,s:f}", "way", way_kind_name(w->kind), "algorithm", words, "workspace",
                     (json_int_t)w->workspace_bytes, "ms", ms);
}

static int word_from_json(const json_t *j, uint64_t *word)
{
    const char *s = json_string_value(j);
    if (!s || strlen(s) != 16 || strspn(s, "0123456789abcdef") != 16)
        return 0;
    *word = strtoull(s, NULL, 16);
    return 1;
}

/* 1: j is a choice as choice_to_json writes it. */
static int choice_from_json(const json_t *j, way *w)
{
    const char *kind = json_string_value(json_object_get(j, "way"));
    const json_t *words = json_object_get(j, "algorithm"), *bytes = json_object_get(j, "workspace");
    *w = (way){.kind = WAY_OWN};
    while (kind && w->kind < WAY_KINDS && strcmp(kind, way_kind_name(w->kind)))
        w->kind++;
    if (!kind || w->kind == WAY_KINDS || json_array_size(words) != WORDS || !json_is_integer(bytes) ||
        json_integer_value(bytes) < 0 || !json_is_number(json_object_get(j, "ms")))
        return 0;
    for (size_t i = 0; i < WORDS; i++)
        if (!word_from_json(json_array_get(words, i), &w->algorithm[i]))
            return 0;
    w->workspace_bytes = (size_t)json_integer_value(bytes);
    return 1;
}

/* ---- the file ----------------------------------------------------------------------------------------------------- */

static int set_is_sound(const json_t *set)
{
    const char *key;
    json_t *choices = json_object_get(set, "choices"), *choice;
    way w;
    if (!json_is_string(json_object_get(set, "device")) || !json_is_string(json_object_get(set, "software")) ||
        !json_is_object(choices))
        return 0;
    json_object_foreach(choices, key, choice) if (!choice_from_json(choice, &w)) return 0;
    return 1;
}

static int file_is_sound(const json_t *file)
{
    const char *is = json_string_value(json_object_get(file, "format"));
    json_t *sets = json_object_get(file, "sets"), *set;
    size_t i;
    if (!is || strcmp(is, format) || !json_is_array(sets))
        return 0;
    json_array_foreach(sets, i, set) if (!set_is_sound(set)) return 0;
    return 1;
}

/* The file's contents, or NULL with a note unless it only does not exist. */
static json_t *read_file(tuning *t)
{
    struct stat st;
    json_error_t error;
    if (stat(t->path, &st)) {
        if (errno != ENOENT)
            snprintf(t->note, sizeof t->note, "tuning cache %.200s is ignored: %s", t->path, strerror(errno));
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE_BYTES) {
        snprintf(t->note, sizeof t->note, "tuning cache %.200s is ignored: not a file of at most 16 MiB", t->path);
        return NULL;
    }
    json_t *file = json_read_file(t->path, JSON_REJECT_DUPLICATES, &error);
    if (file && file_is_sound(file))
        return file;
    if (file)
        snprintf(t->note, sizeof t->note, "tuning cache %.200s is ignored: not a tuning file of this version", t->path);
    else
        snprintf(t->note, sizeof t->note, "tuning cache %.200s is ignored: line %d: %.160s", t->path, error.line,
                 error.text);
    json_decref(file);
    return NULL;
}

static int has(const json_t *set, const char *field, const char *value)
{
    return !strcmp(json_string_value(json_object_get(set, field)), value);
}

/* Finds the set of this device and software, or adds an empty one in the place of the device's outdated set. */
static void find_set(tuning *t, const char *device, const char *software)
{
    json_t *sets = json_object_get(t->file, "sets"), *set;
    size_t i;
    json_array_foreach(sets, i, set)
    {
        if (!has(set, "device", device))
            continue;
        if (has(set, "software", software)) {
            t->choices = json_object_get(set, "choices");
            return;
        }
        snprintf(t->note, sizeof t->note, "tuning cache %.200s is ignored: it was made with %.100s, this is %.100s",
                 t->path, json_string_value(json_object_get(set, "software")), software);
        json_array_remove(sets, i);
        break;
    }
    if (json_array_size(sets) && !*t->note)
        snprintf(t->note, sizeof t->note, "tuning cache %.200s is ignored: it is of another device (%.100s)", t->path,
                 json_string_value(json_object_get(json_array_get(sets, 0), "device")));
    set = json_object();
    json_put(&set, "device", json_string(device));
    json_put(&set, "software", json_string(software));
    json_put(&set, "choices", json_object());
    t->choices = json_array_append_new(sets, set) ? NULL : json_object_get(set, "choices");
}

tuning *tuning_open(const char *path, const char *device, const char *software)
{
    tuning *t = calloc(1, sizeof *t);
    if (!t || (path && !(t->path = malloc(strlen(path) + 1)))) {
        free(t);
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    if (path)
        memcpy(t->path, path, strlen(path) + 1);
    t->file = path ? read_file(t) : NULL;
    if (!t->file)
        t->file = json_pack("{s:s,s:[]}", "format", format, "sets");
    find_set(t, device, software);
    return t;
}

void tuning_close(tuning *t)
{
    if (!t)
        return;
    json_decref(t->file);
    pthread_mutex_destroy(&t->lock);
    free(t->path);
    free(t);
}

static void write_file(tuning *t)
{
    sam_error err;
    char *text = json_dumps(t->file, JSON_INDENT(1) | JSON_SORT_KEYS);
    if (!text || atomic_file_write(t->path, text, strlen(text), &err) != SAM_OK)
        snprintf(t->note, sizeof t->note, "tuning cache: %.400s", text ? err.text : "no memory to write it");
    free(text);
}

/* ---- choices ------------------------------------------------------------------------------------------------------ */

int tuning_recall(void *user, const char *key, way *out)
{
    tuning *t = user;
    pthread_mutex_lock(&t->lock);
    const json_t *choice = json_object_get(t->choices, key);
    int known = choice && choice_from_json(choice, out);
    pthread_mutex_unlock(&t->lock);
    return known;
}

void tuning_remember(void *user, const char *key, const way *w, double ms)
{
    tuning *t = user;
    pthread_mutex_lock(&t->lock);
    if (!json_object_get(t->choices, key)) {
        if (json_object_set_new(t->choices, key, choice_to_json(w, ms)))
            snprintf(t->note, sizeof t->note, "tuning cache: no memory to remember a choice");
        else if (t->path)
            write_file(t);
    }
    pthread_mutex_unlock(&t->lock);
}

int tuning_uses(const tuning *t, way_kind k)
{
    const char *key;
    json_t *choice;
    way w;
    json_object_foreach(t->choices, key, choice) if (choice_from_json(choice, &w) && w.kind == k) return 1;
    return 0;
}

int tuning_count(const tuning *t)
{
    return (int)json_object_size(t->choices);
}

const char *tuning_note(const tuning *t)
{
    return t->note;
}
