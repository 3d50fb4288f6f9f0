/* model_list.c - see model_list.h. */
#include "model_list.h"

#include "nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    ask_kind ask;
} asks[] = {{"points", ASK_POINTS}, {"bbox", ASK_BBOX}, {"mask", ASK_MASK}, {"box", ASK_BBOX}};
enum { N_ASK_KINDS = 3, MAX_FILE_NAME = 24, FILE_PX = 1024 /* all that are published */ };
static const char *const ask_names[N_ASK_KINDS] = {"points", "bbox", "mask"};

static int equals(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && !memcmp(name, text, n);
}

static int find_baseline(const char *text, size_t n, model_entry *out)
{
    for (int b = BASELINE_COPY; b < N_BASELINES; b++) {
        if (!equals(baseline_names[b], text, n))
            continue;
        *out = (model_entry){.ask = ASK_MASK, .follows = (baseline)b};
        snprintf(out->name, sizeof out->name, "%s", baseline_names[b]);
        return 1;
    }
    return 0;
}

/* The prompt that a name ends in, after `separator`; *stem: the letters before that. -1: none. */
static int find_ask(const char *text, size_t n, char separator, size_t *stem)
{
    *stem = n;
    while (*stem && text[*stem - 1] != separator)
        --*stem;
    for (size_t a = 0; *stem && a < sizeof asks / sizeof *asks; a++) {
        if (!equals(asks[a].name, text + *stem, n - *stem))
            continue;
        --*stem;
        return (int)a;
    }
    *stem = n;
    return -1;
}

static const known_model *find_known(const char *text, size_t n)
{
    for (size_t m = 0; n && m < n_known_models; m++)
        if (name_is_in(known_models[m].run_names, text, n))
            return &known_models[m];
    return NULL;
}

static sam_status add(model_list *l, const model_entry *entry, sam_error *err)
{
    for (int i = 0; i < l->n; i++)
        if (!strcmp(l->entries[i].name, entry->name))
            return SAM_OK;
    model_entry *more = realloc(l->entries, (size_t)(l->n + 1) * sizeof *more);
    if (!more)
        return fail(err, SAM_E_MEMORY, "--models: out of memory");
    l->entries = more;
    l->entries[l->n++] = *entry;
    return SAM_OK;
}

/* A model with one prompt, or without a name of one with points and with a box, as the scripts have them. */
static sam_status add_known(model_list *l, const known_model *k, int ask, sam_error *err)
{
    for (int a = ask < 0 ? 0 : ask; a <= (ask < 0 ? 1 : ask); a++) {
        model_entry e = {.checkpoint = k->name, .known = k, .ask = asks[a].ask};
        snprintf(e.name, sizeof e.name, "%.*s_%s", (int)strcspn(k->run_names, "|"), k->run_names,
                 ask_names[asks[a].ask]);
        TRY(add(l, &e, err));
    }
    return SAM_OK;
}

/* ---- files by a name of the user's ---- */

static int is_name(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", text[i]))
            return 0;
    return n > 0 && n < MAX_FILE_NAME && text[0] != '.' && text[0] != '-';
}

static int is_checkpoint(const char *text, size_t n)
{
    for (size_t m = 0; m < n_known_models; m++)
        if (equals(known_models[m].name, text, n))
            return 1;
    return 0;
}

/* NAME, which has to be another's than a model's, for tables shall not say that the file is that model. */
static sam_status check_name(const model_list *l, const char *text, size_t n, const char *file, sam_error *err)
{
    if (!is_name(text, n))
        return fail(err, SAM_E_ARG,
                    "--models: '%.*s' is no name for a file: up to %d letters, digits, dots, dashes and underscores",
                    n < 60 ? (int)n : 60, text, MAX_FILE_NAME - 1);
    if (find_known(text, n) || is_checkpoint(text, n))
        return fail(err, SAM_E_ARG, "--models: %.*s is a model already; give the file another name", (int)n, text);
    for (int i = 0; i < l->n; i++)
        if (l->entries[i].file && equals(l->entries[i].checkpoint, text, n) && strcmp(l->entries[i].file, file))
            return fail(err, SAM_E_ARG, "--models: %.*s is given for two files", (int)n, text);
    return SAM_OK;
}

/* NAME=FILE:points; text [n], of which NAME are the first n_name. */
static sam_status add_file(model_list *l, const char *text, size_t n, size_t n_name, sam_error *err)
{
    const char *path = text + n_name + 1;
    size_t n_path;
    int ask = find_ask(path, n - n_name - 1, ':', &n_path);
    char file[4096];
    if (!n_path || n_path >= sizeof file)
        return fail(err, SAM_E_ARG, "--models: '%.60s' names no file; write NAME=FILE.pt:points", text);
    snprintf(file, sizeof file, "%.*s", (int)n_path, path);
    TRY(check_name(l, text, n_name, file, err));
    for (int a = ask < 0 ? 0 : ask; a <= (ask < 0 ? 1 : ask); a++) {
        model_entry e = {.ask = asks[a].ask, .file = malloc(n_path + n_name + 2)};
        if (!e.file)
            return fail(err, SAM_E_MEMORY, "--models: out of memory");
        memcpy(e.file, file, n_path + 1);
        char *name = e.file + n_path + 1; /* behind the file's */
        memcpy(name, text, n_name);
        name[n_name] = 0;
        e.checkpoint = name;
        snprintf(e.name, sizeof e.name, "%s_%s", name, ask_names[e.ask]);
        int before = l->n;
        sam_status status = add(l, &e, err);
        if (l->n == before)
            free(e.file);
        TRY(status);
    }
    return SAM_OK;
}

/* ---- names that are none ---- */

/* What a name was meant to be. */
static void suggest(nearest *best, model_list_kind kind, const char *text, size_t n)
{
    char name[NEAREST_BYTES];
    for (size_t m = 0; m < n_known_models; m++) {
        if (known_models[m].images_only && kind != MODELS_OF_IMAGES)
            continue;
        for (const char *at = known_models[m].run_names; *at; at += strcspn(at, "|"), at += *at == '|')
            for (int a = -1; a < N_ASK_KINDS; a++) {
                snprintf(name, sizeof name, "%.*s%s%s", (int)strcspn(at, "|"), at, a < 0 ? "" : "_",
                         a < 0 ? "" : ask_names[a]);
                nearest_try(best, name, text, n);
            }
    }
    for (int b = BASELINE_COPY; kind == MODELS_AND_BASELINES && b < N_BASELINES; b++)
        nearest_try(best, baseline_names[b], text, n);
}

/* "names no model" and the like, and what there is. */
static sam_status refuse(model_list_kind kind, sam_error *err, const char *what, int n_name, const char *name)
{
    char names[400];
    nearest best = {0};
    suggest(&best, kind, name, (size_t)n_name);
    const char *meant = n_name ? nearest_name(&best, (size_t)n_name) : NULL;
    known_model_names(kind == MODELS_OF_IMAGES, "_{points,bbox,mask}", names, sizeof names);
    return fail(err, SAM_E_ARG, "--models: %s%.*s%s%s%s; there are %s%s, or NAME=FILE.pt:points", what,
                n_name < 60 ? n_name : 60, name, n_name ? "'" : "", meant ? "; the nearest is " : "",
                meant ? meant : "", names, kind == MODELS_AND_BASELINES ? ", baseline_copy, baseline_colour" : "");
}

static sam_status add_named(model_list *l, const char *text, size_t n, model_list_kind kind, sam_error *err)
{
    model_entry entry;
    size_t stem, n_name = strcspn(text, "=, ");
    if (n_name < n && text[n_name] == '=')
        return add_file(l, text, n, n_name, err);
    if (find_baseline(text, n, &entry))
        return kind == MODELS_AND_BASELINES
                   ? add(l, &entry, err)
                   : fail(err, SAM_E_ARG, "--models: %s is no model; only `sambench run` scores it", entry.name);
    int ask = find_ask(text, n, '_', &stem);
    const known_model *known = find_known(text, stem);
    if (!known)
        return refuse(kind, err, "no model is called '", (int)n, text);
    if (known->images_only && kind != MODELS_OF_IMAGES)
        return fail(err, SAM_E_ARG, "--models: %.*s: SAM v1 tracks no video; sam2_tiny does", (int)n, text);
    return add_known(l, known, ask, err);
}

sam_status model_list_parse(const char *text, model_list_kind kind, model_list *out, sam_error *err)
{
    for (const char *at = text; *at;) {
        at += strspn(at, ", ");
        size_t n = strcspn(at, ", ");
        if (!n)
            break;
        TRY(add_named(out, at, n, kind, err));
        at += n;
    }
    return out->n ? SAM_OK : refuse(kind, err, "names no model", 0, "");
}

void model_list_free(model_list *l)
{
    for (int i = 0; i < l->n; i++)
        if (!l->entries[i].file_is_shared)
            free(l->entries[i].file);
    free(l->entries);
    *l = (model_list){0};
}

const char *model_entry_label(const model_entry *e)
{
    return e->label[0] ? e->label : e->name;
}

const char *model_entry_holds(const model_entry *e)
{
    return e->file ? NULL : e->checkpoint;
}

void model_entry_text(const model_entry *e, char *text, size_t n_text)
{
    if (e->file)
        snprintf(text, n_text, "%s=%s:%s", e->checkpoint, e->file, ask_names[e->ask]);
    else
        snprintf(text, n_text, "%s", e->name);
}

int model_list_px(const model_list *l)
{
    int px = 0;
    for (int i = 0; i < l->n; i++)
        if (l->entries[i].known && l->entries[i].known->image_px > px)
            px = l->entries[i].known->image_px;
        else if (l->entries[i].file && px < FILE_PX)
            px = FILE_PX;
    return px;
}
