#include "report_extra.h"

#include "json_build.h"
#include "listing.h"
#include "text_start.h"

#include <stdlib.h>

const char *const extra_files[N_EXTRA_TABLES] = {"profile_summary.csv", "component_speed.csv"};

static sam_status read_table(report_extra *e, int which, const char *folder, sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, folder, extra_files[which], err));
    int there = path_is_file(path);
    sam_status status = there ? csv_read(&e->tables[which], path, err) : SAM_OK;
    e->n += there && status == SAM_OK;
    free(path);
    return status;
}

static sam_status add_track(report_extra *e, const char *name, json_t *json, sam_error *err)
{
    json_t *key = json_text(name);
    int is_there = key && !json_object_set(e->tracks, json_string_value(key), json);
    json_decref(key);
    e->n += is_there;
    return is_there ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: no memory", name);
}

/* A JSON file of another verb has no such keys. */
static sam_status read_track(report_extra *e, const char *folder, const char *name, sam_error *err)
{
    char *path = NULL;
    TRY(path_join(&path, folder, name, err));
    json_t *json = json_read_file(path, 0, NULL);
    free(path);
    sam_status status = SAM_OK;
    if (json_is_object(json_object_get(json, "steady")) && json_object_get(json, "official_protocol_fps"))
        status = add_track(e, name, json, err);
    json_decref(json);
    return status;
}

sam_status extra_read(report_extra *e, const char *folder, sam_error *err)
{
    listing files = {0};
    e->tracks = json_object();
    if (!e->tracks)
        return fail(err, SAM_E_MEMORY, "out of memory: %s", folder);
    for (int i = 0; i < N_EXTRA_TABLES; i++)
        TRY(read_table(e, i, folder, err));
    TRY(listing_scan(folder, "json", &files, err));
    sam_status status = SAM_OK;
    for (int i = 0; i < files.n && status == SAM_OK; i++)
        status = read_track(e, folder, files.names[i], err);
    listing_free(&files);
    return status;
}

void extra_free(report_extra *e)
{
    for (int i = 0; i < N_EXTRA_TABLES; i++)
        csv_close(&e->tables[i]);
    json_decref(e->tracks);
    *e = (report_extra){0};
}
