/* model_list.c - see model_list.h. */
#include "model_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALID_NAMES                                                                                                    \
    "sam2_{tiny,small,base,large}_{points,bbox,mask}, sam2.0_{tiny,small,base,large}_{points,bbox,mask}, "             \
    "edgetam_{points,bbox,mask}, demo_{points,bbox,mask}, edgetam_demo_{points,bbox,mask}"

enum { DEMO_PX = 256, PUBLISHED_PX = 1024 };

static const struct {
    const char *name, *alias, *checkpoint;
} models[] = {
    {"sam2_tiny", "sam2.1_tiny", "sam2.1_hiera_tiny"},
    {"sam2_small", "sam2.1_small", "sam2.1_hiera_small"},
    {"sam2_base", "sam2.1_base", "sam2.1_hiera_base_plus"},
    {"sam2_large", "sam2.1_large", "sam2.1_hiera_large"},
    {"sam2.0_tiny", "sam2.0_tiny", "sam2_hiera_tiny"},
    {"sam2.0_small", "sam2.0_small", "sam2_hiera_small"},
    {"sam2.0_base", "sam2.0_base", "sam2_hiera_base_plus"},
    {"sam2.0_large", "sam2.0_large", "sam2_hiera_large"},
    {"edgetam", "edgetam", "edgetam"},
    {"demo", "sam2_demo", "sam2.1_hiera_demo"},
    {"edgetam_demo", "demo_edgetam", "edgetam_demo"},
};

static const struct {
    const char *name;
    ask_kind ask;
} asks[] = {{"points", ASK_POINTS}, {"bbox", ASK_BBOX}, {"mask", ASK_MASK}};

static int equals(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && !memcmp(name, text, n);
}

/* text [n] is one name. Returns 0 if it is none. */
static int find_model(const char *text, size_t n, model_entry *out)
{
    size_t stem = n;
    for (int b = BASELINE_COPY; b < N_BASELINES; b++) {
        if (!equals(baseline_names[b], text, n))
            continue;
        *out = (model_entry){.ask = ASK_MASK, .follows = (baseline)b};
        snprintf(out->name, sizeof out->name, "%s", baseline_names[b]);
        return 1;
    }
    while (stem && text[stem - 1] != '_')
        stem--;
    for (size_t a = 0; stem && a < sizeof asks / sizeof *asks; a++) {
        for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
            if (!equals(asks[a].name, text + stem, n - stem) ||
                (!equals(models[m].name, text, stem - 1) && !equals(models[m].alias, text, stem - 1)))
                continue;
            *out = (model_entry){.checkpoint = models[m].checkpoint, .ask = asks[a].ask};
            snprintf(out->name, sizeof out->name, "%s_%s", models[m].name, asks[a].name);
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

sam_status model_list_parse(const char *text, model_list_kind kind, model_list *out, sam_error *err)
{
    for (const char *at = text; *at;) {
        model_entry entry;
        at += strspn(at, ", ");
        size_t n = strcspn(at, ", ");
        if (!n)
            break;
        if (!find_model(at, n, &entry))
            return fail(err, SAM_E_ARG, "--models: no model is called '%.*s'; there are " VALID_NAMES "%s",
                        (int)(n < 60 ? n : 60), at, kind == MODELS_ONLY ? "" : ", baseline_copy, baseline_colour");
        if (entry.follows && kind == MODELS_ONLY)
            return fail(err, SAM_E_ARG, "--models: %s is no model; only `sambench run` scores it", entry.name);
        TRY(add(out, &entry, err));
        at += n;
    }
    if (!out->n)
        return fail(err, SAM_E_ARG, "--models: names no model; there are " VALID_NAMES);
    return SAM_OK;
}

void model_list_free(model_list *l)
{
    free(l->entries);
    *l = (model_list){0};
}

int model_list_px(const model_list *l)
{
    int n_demo = 0;
    for (int i = 0; i < l->n; i++)
        n_demo += !strncmp(l->entries[i].name, "demo_", 5);
    return l->n && n_demo == l->n ? DEMO_PX : PUBLISHED_PX;
}
