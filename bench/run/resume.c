#include "resume.h"

#include "atomic_file.h"
#include "history.h"
#include "json_build.h"
#include "listing.h"
#include "text_start.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Weights of models that this run does not ask for stay noted: their rows stay, too. */
static json_t *all_weights(const resume_table *r, const json_t *old)
{
    json_t *weights = json_copy(json_object_get(old, "weights"));
    weights = weights ? weights : json_object();
    for (int i = 0; i < r->n_weights; i++)
        json_put(&weights, r->weights[i].name, json_string(r->weights[i].value));
    return weights;
}

static sam_status write_settings(const char *path, const resume_table *r, const json_t *old, sam_error *err)
{
    json_t *json = json_object();
    for (int i = 0; i < r->n_settings; i++)
        json_put(&json, r->settings[i].name, json_string(r->settings[i].value));
    json_put(&json, "weights", all_weights(r, old));
    char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
    json_decref(json);
    if (!text)
        return fail(err, SAM_E_MEMORY, "%s: out of memory, or a path that is not UTF-8", path);
    sam_status status = atomic_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}

static sam_status read_settings(const char *path, json_t **json, sam_error *err)
{
    json_error_t why;
    *json = json_read_file(path, 0, &why);
    return *json ? SAM_OK
                 : fail(err, SAM_E_FORMAT, "%s: %s; without it --resume cannot tell how the table was made", path,
                        why.text);
}

/* How tables were made before there was such a setting; NULL: there always was. */
static const char *value_before(const char *name)
{
    static const char *const later[][2] = {{"tracker", "sam2"}, {"fps", "0"}, {"priors", "none"}};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (!strcmp(name, later[i][0]))
            return later[i][1];
    return NULL;
}

static sam_status compare_settings(const json_t *json, const resume_table *r, sam_error *err)
{
    for (int i = 0; i < r->n_settings; i++) {
        const setting *s = &r->settings[i];
        const char *old = json_string_value(json_object_get(json, s->name));
        old = old ? old : value_before(s->name);
        if (!old || strcmp(old, s->value))
            return fail(err, SAM_E_ARG,
                        "--resume: the table was made with --%s %s, now it is %s: give the old value, or another "
                        "--out_dir",
                        s->name, old ? old : "(not set)", s->value);
    }
    for (int i = 0; i < r->n_weights; i++) {
        const setting *w = &r->weights[i];
        const char *old = json_string_value(json_object_get(json_object_get(json, "weights"), w->name));
        if (old && strcmp(old, w->value)) /* a model that is new has none */
            return fail(
                err, SAM_E_ARG,
                "--resume: the rows of %s were made with other weights (size and hash were %s, now they are %s): "
                "give those weights, or another --out_dir",
                w->name, old, w->value);
    }
    return SAM_OK;
}

/* Copies the finished rows of the table on disk into the new one in memory. */
static sam_status take_over(const resume_table *r, const char *path, csv_table *out, sam_error *err)
{
    csv_table old = {0};
    sam_status status = csv_read_layout(&old, path, r->layout, err);
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

/* A table that nothing is taken over from stays on disk until there is a row to replace it with. */
static sam_status open_at(const resume_table *r, const char *path, const char *settings, int resume, csv_table *out,
                          int *kept, sam_error *err)
{
    int exists = path_is_file(path), goes_on = exists && resume;
    json_t *old = NULL;
    if (goes_on)
        TRY(read_settings(settings, &old, err));
    sam_status status = goes_on ? compare_settings(old, r, err) : SAM_OK;
    if (status == SAM_OK && exists && !resume)
        status = history_keep(path, settings, kept, err);
    if (status == SAM_OK)
        status = csv_open_layout(out, path, r->layout, 0, err);
    if (status == SAM_OK && goes_on)
        status = take_over(r, path, out, err);
    if (status == SAM_OK)
        status = write_settings(settings, r, old, err);
    json_decref(old);
    TRY(status);
    return goes_on && !out->n_rows ? SAM_OK : csv_save(out, err);
}

static sam_status both_paths(const char *folder, const char *file, const char *settings_file, char **path,
                             char **settings, sam_error *err)
{
    TRY(path_join(path, folder, file, err));
    return path_join(settings, folder, settings_file, err);
}

sam_status resume_open(const resume_table *r, int resume, csv_table *out, int *kept, sam_error *err)
{
    char *path = NULL, *settings = NULL;
    *kept = 0;
    sam_status status = both_paths(r->folder, r->file, r->settings_file, &path, &settings, err);
    if (status == SAM_OK)
        status = open_at(r, path, settings, resume, out, kept, err);
    free(path);
    free(settings);
    return status;
}

void resume_abandon(const char *folder, const char *file, const char *settings_file)
{
    char *path = NULL, *settings = NULL;
    if (both_paths(folder, file, settings_file, &path, &settings, NULL) == SAM_OK)
        history_put_back(path, settings);
    free(path);
    free(settings);
}
