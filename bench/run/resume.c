#include "resume.h"

#include "atomic_file.h"
#include "listing.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int status_is_ok(const char *status)
{
    return !strcmp(status, "ok") || !strncmp(status, "ok:", 3);
}

static sam_status write_settings(const char *path, const resume_table *r, sam_error *err)
{
    json_t *json = json_object();
    int broken = !json;
    for (int i = 0; i < r->n_settings && !broken; i++)
        broken = json_object_set_new(json, r->settings[i].name, json_string(r->settings[i].value));
    char *text = broken ? NULL : json_dumps(json, JSON_INDENT(1));
    json_decref(json);
    if (!text)
        return fail(err, SAM_E_MEMORY, "%s: out of memory, or a path that is not UTF-8", path);
    sam_status status = atomic_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}

static sam_status compare_settings(const char *path, const resume_table *r, sam_error *err)
{
    json_error_t why;
    json_t *json = json_load_file(path, 0, &why);
    if (!json)
        return fail(err, SAM_E_FORMAT, "%s: %s; without it --resume cannot tell how the table was made", path,
                    why.text);
    sam_status status = SAM_OK;
    for (int i = 0; i < r->n_settings && status == SAM_OK; i++) {
        const setting *s = &r->settings[i];
        const char *old = json_string_value(json_object_get(json, s->name));
        if (!old || strcmp(old, s->value))
            status = fail(err, SAM_E_ARG,
                          "--resume: the table was made with --%s %s, now it is %s: give the old value, or another "
                          "--out_dir",
                          s->name, old ? old : "(not set)", s->value);
    }
    json_decref(json);
    return status;
}

/* Copies the finished rows of the table on disk into the new one in memory. */
static sam_status take_over(const resume_table *r, const char *path, csv_table *out, sam_error *err)
{
    csv_table old = {0};
    TRY(csv_read_layout(&old, path, r->layout, err));
    sam_status status = SAM_OK;
    for (int row = 0; status == SAM_OK && row < old.n_rows; row++) {
        const char *values[CSV_MAX_COLUMNS];
        for (int c = 0; c < old.n_columns; c++)
            values[c] = csv_cell(&old, row, c);
        if (status_is_ok(csv_text(&old, row, "status")))
            status = csv_append(out, values, err);
    }
    csv_close(&old);
    return status;
}

static sam_status open_at(const resume_table *r, const char *path, const char *settings, const char *previous,
                          int resume, csv_table *out, int *renamed, sam_error *err)
{
    int exists = path_is_file(path);
    if (exists && resume)
        TRY(compare_settings(settings, r, err));
    if (exists && !resume) {
        if (rename(path, previous))
            return fail(err, SAM_E_IO, "%s: cannot be renamed to %s: %s", path, previous, strerror(errno));
        *renamed = 1;
    }
    TRY(csv_open_layout(out, path, r->layout, 0, err));
    if (exists && resume)
        TRY(take_over(r, path, out, err));
    TRY(write_settings(settings, r, err));
    return csv_save(out, err); /* an unwritable folder is found out before hours of work */
}

sam_status resume_open(const resume_table *r, int resume, csv_table *out, int *renamed, sam_error *err)
{
    char *path = NULL, *settings = NULL, *previous = NULL;
    *renamed = 0;
    sam_status status = path_join(&path, r->folder, r->file, err);
    if (status == SAM_OK)
        status = path_join(&settings, r->folder, r->settings_file, err);
    if (status == SAM_OK)
        status = path_join(&previous, r->folder, r->previous, err);
    if (status == SAM_OK)
        status = open_at(r, path, settings, previous, resume, out, renamed, err);
    free(path);
    free(settings);
    free(previous);
    return status;
}
