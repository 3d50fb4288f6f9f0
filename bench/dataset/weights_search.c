/* weights_search.c - see weights_search.h. */
#include "weights_search.h"

#include "listing.h"
#include "safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 16 };

typedef enum find_rank { RANK_OFFICIAL, RANK_CONVERTED, RANK_HUGGING_FACE, RANK_ULTRALYTICS, RANK_NONE } find_rank;

typedef struct search {
    const known_model *model;
    find_rank rank; /* of the best so far */
    int depth;
    char *path;
    struct {
        dev_t device;
        ino_t inode;
    } above[MAX_DEPTH + 1]; /* the folders being read, against links that lead back */
} search;

/* Whether a folder is "sam2.1-hiera-tiny", "facebook--sam2.1-hiera-tiny", "models--facebook--sam2.1-hiera-tiny". */
static int is_hub_folder(const char *folder, size_t n, const char *name)
{
    size_t n_name = strlen(name);
    if (n < n_name || strncasecmp(folder + n - n_name, name, n_name))
        return 0;
    return n == n_name || folder[n - n_name - 1] == '-' || folder[n - n_name - 1] == '_';
}

static int below_hub_folder(const char *path, const char *name)
{
    for (const char *at = path, *slash; (slash = strchr(at, '/')); at = slash + 1)
        if (is_hub_folder(at, (size_t)(slash - at), name))
            return 1;
    return 0;
}

static int is_converted(const char *path, const char *checkpoint)
{
    st_file file;
    if (st_open(path, &file, NULL) != SAM_OK)
        return 0;
    const char *name = st_meta_get(&file, "name");
    int found = st_meta_get(&file, "format_version") && name && !strcmp(name, checkpoint);
    st_close(&file);
    return found;
}

/* The file's name in its official address; "": none is published. */
static const char *official_file(const known_model *m)
{
    const char *slash = m->url ? strrchr(m->url, '/') : NULL;
    return slash ? slash + 1 : "";
}

static find_rank rank_of(const search *s, const char *path, const char *file)
{
    const char *checkpoint = s->model->name;
    size_t n = strlen(checkpoint);
    if (!strncasecmp(file, checkpoint, n) && (!strcasecmp(file + n, ".pt") || !strcasecmp(file + n, ".pth")))
        return RANK_OFFICIAL;
    if (!strcasecmp(file, official_file(s->model)))
        return RANK_OFFICIAL;
    if (s->model->ultralytics && !strcasecmp(file, s->model->ultralytics))
        return RANK_ULTRALYTICS;
    size_t n_file = strlen(file);
    if (n_file < 12 || strcasecmp(file + n_file - 12, ".safetensors"))
        return RANK_NONE;
    if (is_converted(path, checkpoint))
        return RANK_CONVERTED;
    if (s->model->hub && !strcasecmp(file, "model.safetensors") && below_hub_folder(path, s->model->hub))
        return RANK_HUGGING_FACE;
    return RANK_NONE;
}

static sam_status look_at_files(search *s, const char *folder, int depth, sam_error *err)
{
    listing files = {0};
    if (listing_scan(folder, "pt|pth|safetensors", &files, depth ? NULL : err) != SAM_OK)
        return depth ? SAM_OK : SAM_E_IO; /* the folder that was named has to be readable */
    sam_status status = SAM_OK;
    for (int i = 0; status == SAM_OK && i < files.n; i++) {
        char *path;
        status = path_join(&path, folder, files.names[i], err);
        if (status != SAM_OK)
            break;
        find_rank rank = rank_of(s, path, files.names[i]);
        if (rank < s->rank || (rank == s->rank && rank != RANK_NONE && depth < s->depth)) {
            free(s->path);
            s->path = path;
            s->rank = rank;
            s->depth = depth;
        } else {
            free(path);
        }
    }
    listing_free(&files);
    return status;
}

static sam_status look_into(search *s, const char *folder, int depth, sam_error *err)
{
    struct stat st;
    if (depth > MAX_DEPTH || stat(folder, &st))
        return SAM_OK;
    for (int i = 0; i < depth; i++)
        if (s->above[i].device == st.st_dev && s->above[i].inode == st.st_ino)
            return SAM_OK;
    s->above[depth].device = st.st_dev;
    s->above[depth].inode = st.st_ino;
    TRY(look_at_files(s, folder, depth, err));
    listing folders = {0};
    if (listing_scan(folder, NULL, &folders, NULL) != SAM_OK)
        return SAM_OK;
    sam_status status = SAM_OK;
    for (int i = 0; status == SAM_OK && i < folders.n; i++) {
        char *path;
        status = path_join(&path, folder, folders.names[i], err);
        if (status == SAM_OK) {
            status = look_into(s, path, depth + 1, err);
            free(path);
        }
    }
    listing_free(&folders);
    return status;
}

static sam_status nothing_found(const char *folder, const known_model *m, sam_error *err)
{
    char file[96];
    snprintf(file, sizeof file, "%s", m->url ? official_file(m) : m->name);
    return fail(
        err, SAM_E_IO,
        "--weights_dir %s: no weights of %s there or in its subfolders; looked for %s%s, a converted .safetensors "
        "of it%s%s%s%s%s%s%s",
        folder, m->name, file, m->url ? "" : ".pt", m->hub ? ", " : "", m->hub ? m->hub : "",
        m->hub ? "/model.safetensors" : "", m->ultralytics ? ", " : "", m->ultralytics ? m->ultralytics : "",
        m->url ? "; it is published at " : "", m->url ? m->url : "");
}

sam_status weights_find(const char *folder, const char *checkpoint, char **path, sam_error *err)
{
    search s = {.rank = RANK_NONE, .model = known_model_named(checkpoint)};
    if (!s.model)
        return fail(err, SAM_E_ARG, "%s: not a model of this build", checkpoint);
    TRY(path_expect_folder("--weights_dir ", folder, err));
    sam_status status = look_into(&s, folder, 0, err);
    if (status == SAM_OK && !s.path)
        status = nothing_found(folder, s.model, err);
    if (status != SAM_OK) {
        free(s.path);
        s.path = NULL;
    }
    *path = s.path;
    return status;
}

static sam_status take_file(const char *name, char **path, sam_error *err)
{
    *path = malloc(strlen(name) + 1);
    return *path ? (memcpy(*path, name, strlen(name) + 1), SAM_OK) : fail(err, SAM_E_MEMORY, "out of memory");
}

sam_status weights_find_entry(const char *folder, const model_entry *e, char **path, sam_error *err)
{
    if (!e->file)
        return weights_find(folder ? folder : ".", e->checkpoint, path, err);
    if (!path_is_file(e->file))
        return fail(err, SAM_E_IO, "--models %s=%s: no such file", e->checkpoint, e->file);
    return take_file(e->file, path, err);
}

static sam_status checkpoint_named(const char *name, const char **checkpoint, sam_error *err)
{
    char full[96];
    model_list list = {0};
    snprintf(full, sizeof full, "%.80s_points", name);
    sam_status status = model_list_parse(full, MODELS_OF_IMAGES, &list, NULL);
    if (status != SAM_OK)
        status = model_list_parse(name, MODELS_OF_IMAGES, &list, err);
    if (status == SAM_OK)
        *checkpoint = list.entries[0].checkpoint;
    model_list_free(&list);
    return status;
}

sam_status weights_find_named(const char *folder, const char *name, char **path, sam_error *err)
{
    const char *checkpoint;
    if (path_is_file(name))
        return take_file(name, path, err);
    TRY(checkpoint_named(name, &checkpoint, err));
    return weights_find(folder ? folder : ".", checkpoint, path, err);
}

sam_status weights_expect(const char *given, const char *converted, const char *checkpoint, sam_error *err)
{
    st_file file;
    TRY(st_open(converted, &file, err));
    const char *name = st_meta_get(&file, "name");
    sam_status status = name && !strcmp(name, checkpoint)
                            ? SAM_OK
                            : fail(err, SAM_E_FORMAT, "%s: holds %.60s, not %s: rename or remove it", given,
                                   name ? name : "a model without name", checkpoint);
    st_close(&file);
    return status;
}

sam_status weights_expect_named(const char *given, const char *converted, const char *name, sam_error *err)
{
    const char *checkpoint;
    if (path_is_file(name))
        return SAM_OK;
    TRY(checkpoint_named(name, &checkpoint, err));
    return weights_expect(given, converted, checkpoint, err);
}
