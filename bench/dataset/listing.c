/* listing.c - sorted names in folders; see listing.h. */
#include "listing.h"

#include "text_start.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LIST_BYTES = 16 << 20 };

void listing_free(listing *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->names[i]);
    free(l->names);
    *l = (listing){0};
}

sam_status listing_add(listing *l, const char *name, size_t n_name, sam_error *err)
{
    if (l->n == INT_MAX / 2)
        return fail(err, SAM_E_FORMAT, "more than %d names", l->n);
    if ((l->n & (l->n - 1)) == 0) { /* full at powers of two */
        char **names = realloc(l->names, (size_t)(l->n ? 2 * l->n : 1) * sizeof *names);
        if (!names)
            return fail(err, SAM_E_MEMORY, "out of memory: a list of %d names", l->n);
        l->names = names;
    }
    char *copy = malloc(n_name + 1);
    if (!copy)
        return fail(err, SAM_E_MEMORY, "out of memory: a list of %d names", l->n);
    memcpy(copy, name, n_name);
    copy[n_name] = 0;
    l->names[l->n++] = copy;
    return SAM_OK;
}

/* Where two names differ first, at their digits or at a character. */
typedef struct difference {
    const char *x, *y;   /* where they differ; a run of digits from its first digit on */
    size_t n_x, n_y;     /* digits there, 0: a character                                 */
    int order, fraction; /* <0, 0, >0 as numbers; 1: both runs follow a point and digits   */
} difference;

static int digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t run_of_digits(const char *s, const char *end)
{
    size_t n = 0;
    while (s + n < end && digit(s[n]))
        n++;
    return n;
}

/* Two runs of digits of any length as numbers. */
static int compare_runs(const char *x, size_t n_x, const char *y, size_t n_y)
{
    while (n_x && *x == '0')
        x++, n_x--;
    while (n_y && *y == '0')
        y++, n_y--;
    return n_x != n_y ? (n_x < n_y ? -1 : 1) : memcmp(x, y, n_x);
}

static difference first_difference(const char *x, const char *y)
{
    const char *x_start = x, *x_end = x + stem_length(x), *y_end = y + stem_length(y);
    while (x < x_end && y < y_end) {
        size_t n_x = run_of_digits(x, x_end), n_y = run_of_digits(y, y_end);
        if (n_x && n_y) {
            int order = compare_runs(x, n_x, y, n_y);
            if (order)
                return (difference){x, y, n_x, n_y, order, x - x_start >= 2 && x[-1] == '.' && digit(x[-2])};
            x += n_x;
            y += n_y;
        } else if (*x != *y) {
            return (difference){x, y, 0, 0, (unsigned char)*x < (unsigned char)*y ? -1 : 1, 0};
        } else {
            x++;
            y++;
        }
    }
    return (difference){x, y, 0, 0, (x < x_end) - (y < y_end), 0};
}

int name_compare(const char *x, const char *y)
{
    int order = first_difference(x, y).order;
    return order ? order : strcmp(x, y);
}

static int compare(const void *a, const void *b)
{
    return name_compare(*(char *const *)a, *(char *const *)b);
}

/* Digits after a point read as a decimal fraction: 5 is more than 25. */
static int compare_fractions(const difference *d)
{
    size_t n = d->n_x < d->n_y ? d->n_x : d->n_y;
    int order = memcmp(d->x, d->y, n);
    return order ? order : (d->n_x > d->n_y) - (d->n_x < d->n_y);
}

sam_status listing_check_order(const listing *l, const char *folder, sam_error *err)
{
    for (int i = 1; i < l->n; i++) {
        const char *x = l->names[i - 1], *y = l->names[i];
        difference d = first_difference(x, y);
        if (!d.order)
            return fail(
                err, SAM_E_FORMAT,
                "%.200s: %.80s and %.80s have the same place in the order of names, so which comes first is not "
                "known; give a copy of the folder in which each place has one name",
                folder, x, y);
        if (d.fraction && compare_fractions(&d) > 0)
            return fail(err, SAM_E_FORMAT,
                        "%.200s: %.80s comes before %.80s if the digits after the point are whole numbers, after it if "
                        "they are decimals; give a copy of the folder with as many digits in every name",
                        folder, x, y);
    }
    return SAM_OK;
}

int listing_find(const listing *l, const char *name)
{
    char **at = l->n ? bsearch(&name, l->names, (size_t)l->n, sizeof *l->names, compare) : NULL;
    return at ? (int)(at - l->names) : -1;
}

sam_status path_join(char **out, const char *folder, const char *name, sam_error *err)
{
    size_t n_folder = strlen(folder), n_name = strlen(name);
    char *path = malloc(n_folder + n_name + 2);
    if (!path)
        return fail(err, SAM_E_MEMORY, "out of memory: a path of %zu characters", n_folder + n_name);
    memcpy(path, folder, n_folder);
    if (n_folder && folder[n_folder - 1] != '/')
        path[n_folder++] = '/';
    memcpy(path + n_folder, name, n_name + 1);
    *out = path;
    return SAM_OK;
}

int path_is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

sam_status path_expect_folder(const char *what, const char *path, sam_error *err)
{
    struct stat st;
    if (stat(path, &st))
        return errno == EACCES ? fail(err, SAM_E_IO, "%s%s: %s", what, path, strerror(errno))
                               : fail(err, SAM_E_IO, "%s%s: no such folder", what, path);
    if (!S_ISDIR(st.st_mode))
        return fail(err, SAM_E_IO, "%s%s: is a file, and a folder is due here", what, path);
    return access(path, R_OK | X_OK) ? fail(err, SAM_E_IO, "%s%s: cannot be read: %s", what, path, strerror(errno))
                                     : SAM_OK;
}

int path_is_file(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode);
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

size_t stem_length(const char *file_name)
{
    const char *dot = strrchr(file_name, '.');
    return dot && dot != file_name ? (size_t)(dot - file_name) : strlen(file_name);
}

int path_has_suffix(const char *name, const char *suffixes)
{
    size_t stem = stem_length(name);
    if (!name[stem])
        return 0;
    const char *suffix = name + stem + 1;
    for (const char *s = suffixes; s;) {
        const char *bar = strchr(s, '|');
        size_t n = bar ? (size_t)(bar - s) : strlen(s);
        if (strlen(suffix) == n && !strncasecmp(suffix, s, n))
            return 1;
        s = bar ? bar + 1 : NULL;
    }
    return 0;
}

/* A link to nothing is an error: what it stood for would be missing without a word. */
static sam_status is_wanted(const char *path, int folders, int strict, int *wanted, sam_error *err)
{
    struct stat st;
    if (!stat(path, &st)) {
        *wanted = folders ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode);
        return SAM_OK;
    }
    int why = errno;
    if (!strict || (why == ENOENT && lstat(path, &st))) /* gone since the folder was read */
        return SAM_OK;
    return fail(err, SAM_E_IO, "%s: %s", path, why == ENOENT ? "a link to what is not there" : strerror(why));
}

static sam_status read_entries(DIR *dir, const char *folder, const char *suffixes, int strict, listing *out,
                               sam_error *err)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry)
            return errno ? fail(err, SAM_E_IO, "%s: %s", folder, strerror(errno)) : SAM_OK;
        if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "__MACOSX") ||
            (suffixes && !path_has_suffix(entry->d_name, suffixes)))
            continue;
        char *path;
        TRY(path_join(&path, folder, entry->d_name, err));
        int wanted = 0;
        sam_status status = is_wanted(path, !suffixes, strict, &wanted, err);
        free(path);
        TRY(status);
        if (wanted)
            TRY(listing_add(out, entry->d_name, strlen(entry->d_name), err));
    }
}

static sam_status read_folder(const char *folder, const char *suffixes, int strict, listing *out, sam_error *err)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return fail(err, SAM_E_IO, "%s: %s", folder, strerror(errno));
    sam_status status = read_entries(dir, folder, suffixes, strict, out, err);
    closedir(dir);
    if (status != SAM_OK) {
        listing_free(out);
        return status;
    }
    if (out->n)
        qsort(out->names, (size_t)out->n, sizeof *out->names, compare);
    return SAM_OK;
}

sam_status listing_read(const char *folder, const char *suffixes, listing *out, sam_error *err)
{
    return read_folder(folder, suffixes, 1, out, err);
}

sam_status listing_scan(const char *folder, const char *suffixes, listing *out, sam_error *err)
{
    return read_folder(folder, suffixes, 0, out, err);
}

static sam_status add_line(listing *out, const char *line, size_t n, sam_error *err)
{
    while (n && isspace((unsigned char)line[n - 1]))
        n--;
    while (n && isspace((unsigned char)*line)) {
        line++;
        n--;
    }
    return n ? listing_add(out, line, n, err) : SAM_OK;
}

typedef struct numbered {
    char *name;
    int at;
} numbered;

static int compare_numbered(const void *a, const void *b)
{
    const numbered *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* Keeps the first of equal names, in their order. */
static sam_status drop_repeated(listing *l, sam_error *err)
{
    numbered *sorted = malloc((size_t)(l->n + 1) * sizeof *sorted);
    if (!sorted)
        return fail(err, SAM_E_MEMORY, "out of memory: a list of %d names", l->n);
    for (int i = 0; i < l->n; i++)
        sorted[i] = (numbered){l->names[i], i};
    qsort(sorted, (size_t)l->n, sizeof *sorted, compare_numbered);
    for (int i = 1; i < l->n; i++)
        if (!strcmp(sorted[i].name, sorted[i - 1].name))
            l->names[sorted[i].at] = NULL;
    /* The names themselves stay readable until all have been compared. */
    for (int i = 1; i < l->n; i++)
        if (!l->names[sorted[i].at])
            free(sorted[i].name);
    int n_kept = 0;
    for (int i = 0; i < l->n; i++)
        if (l->names[i])
            l->names[n_kept++] = l->names[i];
    l->n = n_kept;
    free(sorted);
    return SAM_OK;
}

sam_status listing_read_lines(const char *path, listing *out, sam_error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail(err, SAM_E_IO, "%s: %s", path, strerror(errno));
    struct stat st;
    int has_size = !fstat(fileno(file), &st) && S_ISREG(st.st_mode) && st.st_size < MAX_LIST_BYTES;
    size_t n_most = has_size ? (size_t)st.st_size + 1 : MAX_LIST_BYTES + 1; /* one more: it may have grown */
    char *text = malloc(n_most);
    size_t n = text ? fread(text, 1, n_most, file) : 0;
    int failed = ferror(file);
    fclose(file);
    sam_status status = SAM_OK;
    if (!text)
        status = fail(err, SAM_E_MEMORY, "out of memory reading %s", path);
    else if (failed)
        status = fail(err, SAM_E_IO, "%s: cannot be read", path);
    else if (has_size && n == n_most)
        status = fail(err, SAM_E_IO, "%s: it grew while it was read", path);
    else if (n > MAX_LIST_BYTES || memchr(text, 0, n))
        status = fail(err, SAM_E_FORMAT, "%s: not a text file with one name a line", path);
    for (size_t at = status == SAM_OK ? text_start(text, n) : 0; status == SAM_OK && at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t n_line = end ? (size_t)(end - text) - at : n - at;
        status = add_line(out, text + at, n_line, err);
        at += n_line + 1;
    }
    if (status == SAM_OK)
        status = drop_repeated(out, err);
    free(text);
    if (status != SAM_OK)
        listing_free(out);
    return status;
}
