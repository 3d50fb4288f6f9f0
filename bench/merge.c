/* merge.c - the verb `merge`: the tables of several processes into one, and what is missing or twice, by name. */
#include "csv.h"
#include "flags.h"
#include "folder_lock.h"
#include "json_build.h"
#include "json_out.h"
#include "listing.h"
#include "results.h"
#include "run_shard.h"
#include "text_start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a shard says of its rows, and what a row is known by: size and precision of a comparison too. */
enum { N_KEYS = 3, N_ROW_KEYS = 5, MAX_NAMED = 20, MAX_FOLDERS = 4096 };

extern const verb verb_merge;

typedef struct merge_options {
    const char *out, *table;
    int allow_missing;
} merge_options;

typedef struct merge {
    const merge_options *o;
    char *folders[MAX_FOLDERS]; /* that hold a shard's table */
    int n_folders;
    csv_table all;
    int opened;
    int n_missing, n_twice, n_unfinished;
} merge;

/* ---- which folders ---- */

static sam_status add_folder(merge *m, const char *folder, sam_error *err)
{
    if (m->n_folders == MAX_FOLDERS)
        return fail(err, SAM_E_ARG, "more than %d folders", MAX_FOLDERS);
    return path_join(&m->folders[m->n_folders++], folder, "", err);
}

/* The shards below a folder, or the folder itself. */
static sam_status add_argument(merge *m, const char *folder, sam_error *err)
{
    listing names = {0};
    int before = m->n_folders, index, count;
    if (!path_is_folder(folder))
        return fail(err, SAM_E_IO, "%s: is no folder", folder);
    TRY(listing_scan(folder, NULL, &names, err));
    sam_status status = SAM_OK;
    for (int i = 0; i < names.n && status == SAM_OK; i++) {
        char *path = NULL;
        if (sscanf(names.names[i], "shard_%d_of_%d", &index, &count) != 2)
            continue;
        status = path_join(&path, folder, names.names[i], err);
        if (status == SAM_OK)
            status = add_folder(m, path, err);
        free(path);
    }
    listing_free(&names);
    return status == SAM_OK && m->n_folders == before ? add_folder(m, folder, err) : status;
}

/* ---- rows ---- */

static void name_row(const char *what, const char *const *keys, const char *folder, int *n)
{
    if (++*n <= MAX_NAMED)
        fprintf(stderr, "sambench merge: %s: %s, object %s, %s%s%s\n", what, keys[0], keys[1], keys[2],
                *folder ? " in " : "", folder);
    else if (*n == MAX_NAMED + 1)
        fprintf(stderr, "sambench merge: %s: and more\n", what);
}

/* The folder's last name, for paths that the row holds. */
static const char *last_name(const char *folder, char *text, size_t n_text)
{
    size_t n = strlen(folder);
    while (n && folder[n - 1] == '/')
        n--;
    size_t from = n;
    while (from && folder[from - 1] != '/')
        from--;
    snprintf(text, n_text, "%.*s", (int)(n - from), folder + from);
    return text;
}

static sam_status add_row(merge *m, const csv_table *t, int row, const char *folder, sam_error *err)
{
    const char *cells[512], *keys[N_ROW_KEYS];
    char overlay[1200], name[300];
    int at = csv_column(t, "overlay"), status = csv_column(t, "status");
    for (int c = 0; c < t->n_columns; c++)
        cells[c] = csv_cell(t, row, c);
    int n_keys = csv_column(t, "imgsz") == N_KEYS && csv_column(t, "precision") == N_KEYS + 1 ? N_ROW_KEYS : N_KEYS;
    for (int k = 0; k < n_keys; k++)
        keys[k] = cells[k];
    if (csv_find(&m->all, keys, n_keys) >= 0) {
        name_row("twice", keys, folder, &m->n_twice);
        return SAM_OK;
    }
    if (status >= 0 && !status_is_ok(cells[status]))
        m->n_unfinished++;
    if (at >= 0 && cells[at][0]) {
        snprintf(overlay, sizeof overlay, "%s/%.800s", last_name(folder, name, sizeof name), cells[at]);
        cells[at] = overlay;
    }
    return csv_append(&m->all, cells, err);
}

/* Tables must agree in their columns; the first one's are taken. */
static sam_status open_all(merge *m, const csv_table *first, sam_error *err)
{
    static const char *const needed[] = {"video", "object", "model", "status"};
    if (m->opened)
        return SAM_OK;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (csv_column(first, needed[i]) < 0)
            return fail(err, SAM_E_FORMAT, "%s: has no column '%s': is it cut short, or no table of results?",
                        first->path, needed[i]);
    char *path = NULL;
    TRY(path_join(&path, m->o->out, m->o->table, err));
    sam_status status = csv_open(&m->all, path, (const char *const *)first->columns, first->n_columns, 0, err);
    free(path);
    m->opened = status == SAM_OK;
    return status;
}

static sam_status check_columns(const merge *m, const csv_table *t, sam_error *err)
{
    int same = t->n_columns == m->all.n_columns && t->n_columns >= N_KEYS && t->n_columns <= 512;
    for (int c = 0; same && c < t->n_columns; c++)
        same = !strcmp(t->columns[c], m->all.columns[c]);
    return same ? SAM_OK
                : fail(err, SAM_E_FORMAT, "%s: has other columns than the first table; all must come from one version",
                       t->path);
}

static sam_status add_table(merge *m, const char *folder, sam_error *err)
{
    csv_table t = {0};
    char *path = NULL;
    TRY(path_join(&path, folder, m->o->table, err));
    if (!path_is_file(path)) {
        fprintf(stderr, "sambench merge: missing: %s\n", path);
        m->n_missing++;
        free(path);
        return SAM_OK;
    }
    sam_status status = csv_read(&t, path, err);
    free(path);
    if (status == SAM_OK)
        status = open_all(m, &t, err);
    if (status == SAM_OK)
        status = check_columns(m, &t, err);
    for (int r = 0; r < t.n_rows && status == SAM_OK; r++)
        status = add_row(m, &t, r, folder, err);
    csv_close(&t);
    return status;
}

/* ---- what should be there ---- */

/* Names that are not UTF-8 are escaped in JSON (json_text). */
static int find_escaped(const csv_table *t, const char *const *keys)
{
    int found = 0;
    for (int r = 0; r < t->n_rows && !found && strstr(keys[0], "\\x"); r++) {
        found = 1;
        for (int k = 0; k < N_KEYS && found; k++) {
            json_t *text = json_text(csv_cell(t, r, k));
            found = text && !strcmp(json_string_value(text), keys[k]);
            json_decref(text);
        }
    }
    return found;
}

/* Rows that a shard set out to do; which shard of how many it is goes to *index and *count. */
static void check_expected(merge *m, const json_t *shard)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(shard, "rows"), i, row)
    {
        const char *keys[N_KEYS];
        int complete = 1;
        for (size_t k = 0; k < N_KEYS; k++) {
            keys[k] = json_string_value(json_array_get(row, k));
            complete &= keys[k] != NULL;
        }
        if (complete && csv_find(&m->all, keys, N_KEYS) < 0 && !find_escaped(&m->all, keys))
            name_row("missing", keys, "", &m->n_missing);
    }
}

static sam_status check_shards(merge *m, sam_error *err)
{
    int count = 0;
    unsigned char *seen = NULL;
    for (int f = 0; f < m->n_folders; f++) {
        char *path = NULL;
        TRY(path_join(&path, m->folders[f], SHARD_FILE, err));
        json_error_t why;
        json_t *shard = json_read_file(path, 0, &why);
        int damaged = !shard && path_is_file(path);
        sam_status status =
            damaged ? fail(err, SAM_E_FORMAT, "%s: %s; which rows it should have is not known", path, why.text)
                    : SAM_OK;
        free(path);
        if (damaged) {
            free(seen);
            return status;
        }
        int of = (int)json_integer_value(json_object_get(shard, "count"));
        int index = (int)json_integer_value(json_object_get(shard, "index"));
        if (shard && (of < 1 || of > MAX_FOLDERS || index < 0 || index >= of || (count && of != count))) {
            json_decref(shard);
            free(seen);
            return fail(err, SAM_E_FORMAT, "%s: is shard %d of %d among shards of %d: another run's?", m->folders[f],
                        index, of, count);
        }
        count = of ? of : count;
        if (!seen && count && !(seen = calloc((size_t)count, 1))) {
            json_decref(shard);
            return fail(err, SAM_E_MEMORY, "no memory for %d shards", count);
        }
        if (seen && shard)
            seen[index] = 1;
        if (m->opened)
            check_expected(m, shard);
        json_decref(shard);
    }
    for (int i = 0; seen && i < count; i++) {
        if (!seen[i]) {
            fprintf(stderr, "sambench merge: missing: shard %d of %d\n", i, count);
            m->n_missing++;
        }
    }
    free(seen);
    return SAM_OK;
}

/* ---- the verb ---- */

static int merge_all(merge *m, sam_error *err)
{
    folder_lock lock = {0};
    sam_status status = SAM_OK;
    for (int f = 0; f < m->n_folders && status == SAM_OK; f++)
        status = add_table(m, m->folders[f], err);
    if (status == SAM_OK)
        status = check_shards(m, err);
    if (status == SAM_OK && !m->opened)
        status = fail(err, SAM_E_IO, "%s: no %s in it or its shards", m->folders[0], m->o->table);
    if (status == SAM_OK)
        status = folder_lock_take(&lock, m->o->out, err);
    int bad = m->n_twice || (m->n_missing && !m->o->allow_missing);
    if (status == SAM_OK && !bad) {
        status = csv_save(&m->all, err);
        if (status == SAM_OK)
            printf("%d row%s of %d table%s: %s\n", m->all.n_rows, m->all.n_rows == 1 ? "" : "s", m->n_folders,
                   m->n_folders == 1 ? "" : "s", m->all.path);
    }
    folder_lock_free(&lock);
    if (status != SAM_OK) {
        fprintf(stderr, "sambench merge: %s\n", err->text);
        return 1;
    }
    if (m->n_unfinished)
        fprintf(stderr,
                m->n_unfinished == 1 ? "sambench merge: %d row has failed or is unfinished, as its status says\n"
                                     : "sambench merge: %d rows have failed or are unfinished, as their status says\n",
                m->n_unfinished);
    if (bad)
        fprintf(stderr, "sambench merge: %d missing, %d twice: nothing is written%s\n", m->n_missing, m->n_twice,
                m->n_twice ? "" : "; --allow_missing merges what there is");
    return bad;
}

static int merge_main(int argc, char **argv)
{
    merge_options o = {.table = RESULTS_FILE};
    const flag flags[] = {
        {.name = "out",
         .kind = FLAG_STRING,
         .value = &o.out,
         .meta = "DIR",
         .help = "Where the merged table goes (default: the first folder)."},
        {.name = "table",
         .kind = FLAG_STRING,
         .value = &o.table,
         .meta = "NAME",
         .help = "Which table of the folders (default " RESULTS_FILE "); also jetson_benchmark_summary.csv."},
        {.name = "allow_missing",
         .kind = FLAG_SWITCH,
         .value = &o.allow_missing,
         .help = "Merge even if rows or shards are missing (default: name them and stop)."},
    };
    merge *m = calloc(1, sizeof *m); /* its list of folders is long */
    sam_error err = {0};
    int help, n_words = 0, code;
    if (!m)
        return 1;
    m->o = &o;
    while (n_words + 1 < argc && argv[n_words + 1][0] != '-')
        n_words++;
    sam_status status = flags_parse(&verb_merge, flags, 3, argc - n_words, argv + n_words, &help, &err);
    if (status == SAM_OK && !help && !n_words)
        status = fail(&err, SAM_E_ARG, "give the folders to merge first, as in `sambench merge out`");
    for (int i = 1; i <= n_words && status == SAM_OK && !help; i++)
        status = add_argument(m, argv[i], &err);
    if (status != SAM_OK) {
        fprintf(stderr, "sambench merge: %s\n", err.text);
        code = status == SAM_E_IO ? 1 : 2;
    } else {
        o.out = o.out ? o.out : argv[1];
        code = help ? 0 : merge_all(m, &err);
    }
    if (m->opened)
        csv_close(&m->all);
    for (int f = 0; f < m->n_folders; f++)
        free(m->folders[f]);
    free(m);
    return code;
}

const verb verb_merge = {
    .name = "merge",
    .summary = "put the tables of several processes together; name what is missing or twice",
    .examples =
        "  mpirun -n 2 sambench run --split_dir sav_val --models sam2_tiny_points --weights_dir checkpoints --out_dir out\n"
        "  sambench merge out\n"
        "  sambench merge machine_a/out machine_b/out --out all\n",
    .before = "DIR...",
    .main = merge_main,
};
