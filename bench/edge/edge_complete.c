/* edge_complete.c - whether the table has a row for all that was asked: the parent knows that from metadata.json and --models,
 * whatever became of its children. */
#include "edge.h"

#include <stdio.h>
#include <string.h>

/* ---- metadata.json ---- */

static sam_status check_names(const char *path, const json_t *list, const char *what, sam_error *err)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) if (!json_is_string(json_object_get(one, "name"))) return fail(
        err, SAM_E_FORMAT, "%s: %s %zu has no name; run without --skip_setup", path, what, i);
    return SAM_OK;
}

sam_status edge_metadata_check(const char *path, const json_t *metadata, sam_error *err)
{
    size_t i;
    json_t *video;
    const json_t *videos = json_object_get(metadata, "videos");
    if (!json_array_size(videos))
        return fail(err, SAM_E_FORMAT, "%s: lists no video; run without --skip_setup", path);
    TRY(check_names(path, videos, "video", err));
    json_array_foreach(videos, i, video)
    {
        if (!json_is_array(json_object_get(video, "objects")))
            return fail(err, SAM_E_FORMAT, "%s: video %s has no list of objects; run without --skip_setup", path,
                        json_string_value(json_object_get(video, "name")));
        TRY(check_names(path, json_object_get(video, "objects"), "object", err));
    }
    return SAM_OK;
}

/* ---- the table ---- */

typedef struct missing {
    const edge_options *o;
    csv_table *t;
    const char *why; /* of a row that nothing else explains */
    int n;
} missing;

static sam_status require(missing *m, const char *video, const char *object, const char *model, const char *why,
                          sam_error *err)
{
    char status[600];
    if (csv_find(m->t, (const char *const[]){video, object, model}, 3) >= 0)
        return SAM_OK;
    m->n++;
    snprintf(status, sizeof status, "error: %s", why ? why : m->why);
    return edge_table_add_failed(m->t, m->o, video, object, model, status, err);
}

static sam_status require_video(missing *m, const json_t *video, const char *model, sam_error *err)
{
    size_t i;
    json_t *object;
    const char *name = json_string_value(json_object_get(video, "name"));
    const char *why = json_string_value(json_object_get(video, "why"));
    if (!json_array_size(json_object_get(video, "objects")))
        return require(m, name, "", model, why ? why : "setup found no object in it", err);
    json_array_foreach(json_object_get(video, "objects"), i, object)
    {
        const char *left_out =
            json_is_true(json_object_get(object, "valid")) ? NULL : json_string_value(json_object_get(object, "why"));
        TRY(require(m, name, json_string_value(json_object_get(object, "name")), model, left_out, err));
    }
    return SAM_OK;
}

sam_status edge_complete(const edge_options *o, const model_list *list, const char *why, int *n_missing, sam_error *err)
{
    csv_table t = {0};
    json_t *metadata = NULL;
    TRY(edge_metadata_read(o, &metadata, err));
    missing m = {.o = o, .t = &t, .why = why};
    sam_status status = edge_table_open(o, &t, err);
    for (int i = 0; i < list->n && status == SAM_OK; i++) {
        size_t v;
        json_t *video;
        const char *model = list->entries[i].name;
        if (csv_find(&t, (const char *const[]){"", "", model}, 3) >= 0) /* says why the model has no rows */
            continue;
        json_array_foreach(json_object_get(metadata, "videos"), v, video) if (status == SAM_OK) status =
            require_video(&m, video, model, err);
    }
    *n_missing = m.n;
    csv_close(&t);
    json_decref(metadata);
    return status;
}
