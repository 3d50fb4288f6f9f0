/* require.c - see require.h. */
#include "require.h"

#include "nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

flag require_flag(const char **text)
{
    return (flag){.name = "require",
                  .kind = FLAG_STRING,
                  .value = text,
                  .meta = "LIMITS",
                  .help =
                      "As in 'JandF>=0.75,fps>=10', by columns of the final table: exit with 1 if a model misses one "
                      "(default: none)."};
}

static const char *find_key(const char *name, size_t n, const figures_column *columns, int n_columns)
{
    for (int c = 0; c < n_columns; c++)
        if (columns[c].decimals != FIGURES_TEXT &&
            ((strlen(columns[c].key) == n && !memcmp(columns[c].key, name, n)) ||
             (strlen(columns[c].head) == n && !memcmp(columns[c].head, name, n))))
            return columns[c].key;
    return NULL;
}

static sam_status fail_unknown(const char *name, size_t n, const figures_column *columns, int n_columns, sam_error *err)
{
    nearest best = {0};
    char all[400] = "";
    for (int c = 0; c < n_columns; c++) {
        if (columns[c].decimals == FIGURES_TEXT)
            continue;
        nearest_try(&best, columns[c].key, name, n);
        nearest_try(&best, columns[c].head, name, n);
        size_t at = strlen(all);
        snprintf(all + at, sizeof all - at, "%s%s", at ? ", " : "", columns[c].key);
    }
    const char *meant = nearest_name(&best, n);
    if (meant)
        return fail(err, SAM_E_ARG, "--require: there is no '%.*s'; the nearest is %s", (int)(n < 60 ? n : 60), name,
                    meant);
    return fail(err, SAM_E_ARG, "--require: there is no '%.*s'; there are %s", (int)(n < 60 ? n : 60), name, all);
}

/* One of the list, [n] characters. */
static sam_status parse_one(requirements *r, const char *text, size_t n, const figures_column *columns, int n_columns,
                            sam_error *err)
{
    char limit[64], *rest;
    size_t n_name = strcspn(text, "<>=,"), n_shown = n < sizeof r->at[0].text - 1 ? n : sizeof r->at[0].text - 1;
    if (r->n == REQUIRE_MAX)
        return fail(err, SAM_E_ARG, "--require: more than %d limits", REQUIRE_MAX);
    while (n_name && text[n_name - 1] == ' ')
        n_name--;
    size_t at = n_name + strspn(text + n_name, " "), n_sign = strspn(text + at, "<>=");
    snprintf(limit, sizeof limit, "%.*s", (int)(n - at - n_sign < 60 ? n - at - n_sign : 60), text + at + n_sign);
    double x = strtod(limit, &rest);
    rest += strspn(rest, " ");
    if (!n_name || !n_sign || n_sign > 2 || text[at] == '=' || (n_sign == 2 && text[at + 1] != '=') || rest == limit ||
        *rest || !isfinite(x))
        return fail(err, SAM_E_ARG, "--require: '%.*s' is not a limit; write FIELD>=NUMBER or FIELD<=NUMBER",
                    (int)n_shown, text);
    const char *key = find_key(text, n_name, columns, n_columns);
    if (!key)
        return fail_unknown(text, n_name, columns, n_columns, err);
    r->at[r->n].key = key;
    r->at[r->n].sign = text[at] == '>' ? 1 : -1;
    r->at[r->n].strict = n_sign == 1;
    r->at[r->n].limit = x;
    snprintf(r->at[r->n].text, sizeof r->at[0].text, "%.*s", (int)n_shown, text);
    r->n++;
    return SAM_OK;
}

sam_status require_parse(requirements *r, const char *text, const figures_column *columns, int n_columns,
                         sam_error *err)
{
    *r = (requirements){0};
    while (text && *(text += strspn(text, " "))) {
        size_t n = strcspn(text, ",");
        TRY(parse_one(r, text, n, columns, n_columns, err));
        text += n + (text[n] == ',');
    }
    return SAM_OK;
}

/* What a row lacks, as a list; "": nothing. */
static void misses(const requirements *r, const figures *f, int row, char *text, size_t n_text)
{
    text[0] = 0;
    for (int i = 0; i < r->n; i++) {
        double x = figures_number_of(f, row, r->at[i].key), over = r->at[i].sign * (x - r->at[i].limit);
        if (over > 0 || (over == 0 && !r->at[i].strict))
            continue;
        size_t n = strlen(text);
        if (isnan(x))
            snprintf(text + n, n_text - n, "%s%s, but there is no figure", n ? "; " : "", r->at[i].text);
        else
            snprintf(text + n, n_text - n, "%s%s, but it is %.6g", n ? "; " : "", r->at[i].text, x);
    }
}

int require_check(const requirements *r, const figures *f, const char *const *names, int n, FILE *to)
{
    int n_failed = 0;
    char text[1200];
    for (int row = 0; r->n && row < f->n_rows; row++) {
        if (f->no_best[row])
            continue;
        misses(r, f, row, text, sizeof text);
        if (!text[0])
            continue;
        double px = figures_number_of(f, row, "imgsz");
        n_failed++;
        fprintf(to, "--require: %s", figures_word_of(f, row, "model"));
        if (!isnan(px))
            fprintf(to, ", %.0f px, %s", px, figures_word_of(f, row, "precision"));
        fprintf(to, ": %s\n", text);
    }
    for (int i = 0; r->n && i < n; i++) {
        int there = 0;
        for (int row = 0; row < f->n_rows; row++)
            there |= !strcmp(figures_word_of(f, row, "model"), names[i]);
        n_failed += !there;
        if (!there)
            fprintf(to, "--require: %s: has no row\n", names[i]);
    }
    return n_failed;
}
