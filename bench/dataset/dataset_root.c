#include "dataset_root.h"

#include "sav_train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const layout_folders layouts[] = {
    {DATASET_SAV, "JPEGImages_24fps", "Annotations_6fps"},
    {DATASET_DAVIS, "JPEGImages/480p", "Annotations/480p"},
    {DATASET_DAVIS, "JPEGImages/Full-Resolution", "Annotations/Full-Resolution"},
    {DATASET_DAVIS, "JPEGImages/1080p", "Annotations/1080p"},
    {DATASET_FLAT, "JPEGImages", "Annotations"},
};
static const layout_folders train_layout = {DATASET_SAV_TRAIN, "", ""};
enum { N_LAYOUTS = sizeof layouts / sizeof *layouts };

/* root/list.txt of a split, tried in this order. */
static const char *const list_places[] = {"%s.txt", "ImageSets/2017/%s.txt", "ImageSets/2016/%s.txt",
                                          "ImageSets/480p/%s.txt", "ImageSets/%s.txt"};

static int has_folder(const char *root, const char *folder)
{
    char *path;
    if (path_join(&path, root, folder, NULL) != SAM_OK)
        return 0;
    int found = path_is_folder(path);
    free(path);
    return found;
}

/* The layout at `root`, told by its annotations; NULL if there are none. `down`: SA-V's training split may lie so many
 * folders below. */
static const layout_folders *layout_at(const char *root, int down)
{
    for (int i = 0; i < N_LAYOUTS; i++)
        if (has_folder(root, layouts[i].masks))
            return &layouts[i];
    return path_is_folder(root) && sav_train_is_at(root, down) ? &train_layout : NULL;
}

/* ---- what a folder is that is no root ---- */

/* `split_dir` lies within a data set: its root is some folders up. */
static int root_above(const char *split_dir, char *text, size_t n_text)
{
    char *path = NULL;
    int found = 0;
    if (path_join(&path, split_dir, "", NULL) != SAM_OK)
        return 0;
    for (int up = 0; up < 4 && !found; up++) {
        size_t n = strlen(path);
        while (n && path[n - 1] == '/')
            n--;
        while (n && path[n - 1] != '/')
            n--;
        if (n < 2)
            break;
        path[n - 1] = 0;
        found = layout_at(path, 0) != NULL;
    }
    if (found)
        snprintf(text, n_text, "it is a part of %.200s: give that folder", path);
    free(path);
    return found;
}

static int root_below(const char *split_dir, char *text, size_t n_text)
{
    listing names = {0};
    int found = 0;
    if (listing_scan(split_dir, NULL, &names, NULL) != SAM_OK)
        return 0;
    for (int i = 0; i < names.n && !found; i++) {
        char *path;
        if (path_join(&path, split_dir, names.names[i], NULL) != SAM_OK)
            continue;
        found = layout_at(path, 0) != NULL;
        if (found)
            snprintf(text, n_text, "%.200s is one: give that folder, or --split_name %.60s", path, names.names[i]);
        free(path);
    }
    listing_free(&names);
    return found;
}

static int count_files(const char *folder, const char *suffixes)
{
    listing files = {0};
    int n = listing_scan(folder, suffixes, &files, NULL) == SAM_OK ? files.n : 0;
    listing_free(&files);
    return n;
}

static const char *what_it_is(const char *split_dir, char *text, size_t n_text)
{
    if (root_above(split_dir, text, n_text) || root_below(split_dir, text, n_text))
        return text;
    for (int i = 0; i < N_LAYOUTS; i++) {
        if (!has_folder(split_dir, layouts[i].frames))
            continue;
        snprintf(text, n_text, "it has frames in %s, but %s is missing; `sambench track` needs no annotations",
                 layouts[i].frames, layouts[i].masks);
        return text;
    }
    int n_videos = count_files(split_dir, "mp4"), n_json = count_files(split_dir, "json");
    if (n_videos || n_json)
        snprintf(
            text, n_text,
            "it holds %d .mp4 and %d .json files, but no VIDEO_manual.json or VIDEO_auto.json as SA-V's training split; "
            "`sambench track` needs no annotations",
            n_videos, n_json);
    else
        snprintf(text, n_text, "expected the root of a SA-V, DAVIS, MOSE or YouTube-VOS set");
    return text;
}

sam_status dataset_root_find(const char *split_dir, const char *split_name, char **root, const layout_folders **layout,
                             sam_error *err)
{
    char text[400];
    TRY(path_expect_folder("", split_dir, err));
    /* In this order, since sav/ may hold both sav_val and sav_train. */
    const struct {
        const char *below;
        int down;
    } places[] = {{"", 0}, {split_name, SAV_TRAIN_DOWN}, {"", SAV_TRAIN_DOWN}};
    for (int i = 0; i < 3; i++) {
        if (!places[i].below)
            continue;
        free(*root);
        *root = NULL;
        TRY(path_join(root, split_dir, places[i].below, err));
        *layout = layout_at(*root, places[i].down);
        if (*layout)
            return SAM_OK;
    }
    return fail(err, SAM_E_FORMAT, "%s: no Annotations_6fps, Annotations/480p or Annotations folder there: %s",
                split_dir, what_it_is(split_dir, text, sizeof text));
}

/* ---- lists ---- */

sam_status dataset_list_find(const char *root, const char *split_name, char **path, sam_error *err)
{
    *path = NULL;
    for (size_t i = 0; split_name && i < sizeof list_places / sizeof *list_places; i++) {
        char place[512];
        snprintf(place, sizeof place, list_places[i], split_name);
        TRY(path_join(path, root, place, err));
        if (path_is_file(*path))
            return SAM_OK;
        free(*path);
        *path = NULL;
    }
    return SAM_OK;
}

/* Texts that lie beside lists. */
static int is_no_list(const char *name)
{
    static const char *const words[] = {"readme", "license", "changelog", "requirements"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strncasecmp(name, words[i], strlen(words[i])))
            return 1;
    return 0;
}

void dataset_lists(const char *root, char *text, size_t n_text)
{
    static const char *const places[][2] = {{"ImageSets/2016", "2016/"},
                                            {"ImageSets/2017", "2017/"},
                                            {"ImageSets/480p", "480p/"},
                                            {"ImageSets", ""},
                                            {"", ""}};
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path;
        listing files = {0};
        if (path_join(&path, root, places[i][0], NULL) != SAM_OK)
            return;
        if (path_is_folder(path) && listing_scan(path, "txt", &files, NULL) == SAM_OK)
            for (int k = 0; k < files.n && at < n_text; k++)
                if (!is_no_list(files.names[k]))
                    at += (size_t)snprintf(text + at, n_text - at, "%s%s%.*s", at ? ", " : "", places[i][1],
                                           (int)stem_length(files.names[k]), files.names[k]);
        listing_free(&files);
        free(path);
    }
}
