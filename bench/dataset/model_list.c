/* model_list.c - see model_list.h. */
#include "model_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    ask_kind ask;
} asks[] = {{"points", ASK_POINTS}, {"bbox", ASK_BBOX}, {"mask", ASK_MASK}};

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

/* text [n] is one name, "sam2_tiny_points". Returns 0 if it is none. */
static int find_model(const char *text, size_t n, model_entry *out)
{
    size_t stem = n;
    while (stem && text[stem - 1] != '_')
        stem--;
    for (size_t a = 0; stem && a < sizeof asks / sizeof *asks; a++) {
        if (!equals(asks[a].name, text + stem, n - stem))
            continue;
        for (size_t m = 0; m < n_known_models; m++) {
            const known_model *k = &known_models[m];
            if (!name_is_in(k->run_names, text, stem - 1))
                continue;
            *out = (model_entry){.checkpoint = k->name, .known = k, .ask = asks[a].ask};
            snprintf(out->name, sizeof out->name, "%.*s_%s", (int)strcspn(k->run_names, "|"), k->run_names,
                     asks[a].name);
            return 1;
        }
    }
    return 0;
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

/* "names no model" and the like, and what there is. */
static sam_status refuse(model_list_kind kind, sam_error *err, const char *what, int n_name, const char *name)
{
    char names[400];
    known_model_names(kind == MODELS_OF_IMAGES, "_{points,bbox,mask}", names, sizeof names);
    return fail(err, SAM_E_ARG, "--models: %s%.*s%s; there are %s%s", what, n_name < 60 ? n_name : 60, name,
                n_name ? "'" : "", names, kind == MODELS_AND_BASELINES ? ", baseline_copy, baseline_colour" : "");
}

static sam_status add_named(model_list *l, const char *text, size_t n, model_list_kind kind, sam_error *err)
{
    model_entry entry;
    if (!find_baseline(text, n, &entry) && !find_model(text, n, &entry))
        return refuse(kind, err, "no model is called '", (int)n, text);
    if (entry.follows && kind != MODELS_AND_BASELINES)
        return fail(err, SAM_E_ARG, "--models: %s is no model; only `sambench run` scores it", entry.name);
    if (entry.known && entry.known->images_only && kind != MODELS_OF_IMAGES)
        return fail(err, SAM_E_ARG, "--models: %s: SAM v1 tracks no video; sam2_tiny does", entry.name);
    return add(l, &entry, err);
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
    free(l->entries);
    *l = (model_list){0};
}

int model_list_px(const model_list *l)
{
    int px = 0;
    for (int i = 0; i < l->n; i++)
        if (l->entries[i].known && l->entries[i].known->image_px > px)
            px = l->entries[i].known->image_px;
    return px;
}
