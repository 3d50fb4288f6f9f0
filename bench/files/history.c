#include "history.h"

#include "csv.h"
#include "listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "a/table.csv" -> "a/table.previous.csv", for the caller to free. */
static char *previous_of(const char *path)
{
    static const char word[] = ".previous";
    const char *name = path_name(path);
    size_t n = (size_t)(name - path) + stem_length(name), n_all = strlen(path) + sizeof word;
    char *previous = malloc(n_all);
    if (previous)
        snprintf(previous, n_all, "%.*s%s%s", (int)n, path, word, path + n);
    return previous;
}

/* A file that cannot be read as a table may be anything: it counts as worth keeping. */
static int is_worth_keeping(const char *path)
{
    csv_table t = {0};
    int n = 0;
    if (!path_is_file(path))
        return 0;
    if (csv_read(&t, path, NULL) != SAM_OK)
        return 1;
    int status = csv_column(&t, "status");
    for (int r = 0; r < t.n_rows && !n; r++)
        n += status < 0 || status_is_ok(csv_cell(&t, r, status));
    csv_close(&t);
    return n > 0;
}

static sam_status move(const char *from, const char *to, sam_error *err)
{
    return rename(from, to) && errno != ENOENT
               ? fail(err, SAM_E_IO, "%s: cannot be renamed to %s: %s", from, to, strerror(errno))
               : SAM_OK;
}

sam_status history_keep(const char *path, const char *settings, int *kept, sam_error *err)
{
    *kept = 0;
    if (!path_is_file(path))
        return SAM_OK;
    char *previous = previous_of(path), *previous_settings = settings ? previous_of(settings) : NULL;
    sam_status status =
        previous && (!settings || previous_settings) ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: out of memory", path);
    if (status == SAM_OK && (is_worth_keeping(path) || !is_worth_keeping(previous))) {
        status = move(path, previous, err);
        if (status == SAM_OK && settings)
            status = move(settings, previous_settings, err);
        *kept = status == SAM_OK;
    }
    free(previous);
    free(previous_settings);
    return status;
}

void history_put_back(const char *path, const char *settings)
{
    char *previous = previous_of(path), *previous_settings = settings ? previous_of(settings) : NULL;
    if (previous && !rename(previous, path) && previous_settings)
        rename(previous_settings, settings);
    free(previous);
    free(previous_settings);
}
