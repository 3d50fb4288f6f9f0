/* flags.c - parses a verb's command line from its table of flags; see flags.h. */
#include "flags.h"

#include "flags_help.h"
#include "nearest.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FLAGS = 128, MAX_NAME = 63 };

static int is_list(const flag *f)
{
    return f->kind == FLAG_STRING && f->choices && !strcmp(f->choices, "list");
}

/* Dashes and underscores in names are the same. */
static char canonical(char c)
{
    return c == '-' ? '_' : c;
}

static int same_name(const char *table_name, const char *given, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!table_name[i] || canonical(table_name[i]) != canonical(given[i]))
            return 0;
    return table_name[n] == 0;
}

static sam_status fail_unknown(const verb *v, const flag *flags, int n_flags, const char *name, size_t n_name,
                               sam_error *err)
{
    nearest best = {0};
    for (int i = 0; i < n_flags; i++)
        if (!flags[i].hidden)
            nearest_try(&best, flags[i].name, name, n_name);
    const char *meant = nearest_name(&best, n_name);
    int shown = n_name > MAX_NAME ? MAX_NAME : (int)n_name;
    if (meant)
        return fail(err, SAM_E_ARG, "unknown flag --%.*s; the nearest is --%s (`sambench %s --help` lists all)", shown,
                    name, meant, v->name);
    return fail(err, SAM_E_ARG, "unknown flag --%.*s; `sambench %s --help` lists all", shown, name, v->name);
}

static sam_status parse_int(const flag *f, const char *text, sam_error *err)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end)
        return fail(err, SAM_E_ARG, "--%s: '%s' is not a whole number", f->name, text);
    int ranged = f->min || f->max;
    long low = ranged ? f->min : INT_MIN, high = ranged ? f->max : INT_MAX;
    if (errno == ERANGE || n < low || n > high)
        return fail(err, SAM_E_ARG, "--%s: %s is out of range, allowed are %ld to %ld", f->name, text, low, high);
    *(int *)f->value = (int)n;
    return SAM_OK;
}

static sam_status parse_double(const flag *f, const char *text, sam_error *err)
{
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || !isfinite(x))
        return fail(err, SAM_E_ARG, "--%s: '%s' is not a number", f->name, text);
    *(double *)f->value = x;
    return SAM_OK;
}

static sam_status parse_bytes(const flag *f, const char *text, sam_error *err)
{
    static const char units[] = "KMGT";
    char *end;
    double x = strtod(text, &end);
    int valid = end != text && isfinite(x) && x >= 0;
    if (valid && *end) {
        const char *unit = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end);
        valid = unit != NULL && (!strcmp(end + 1, "") || !strcmp(end + 1, "B") || !strcmp(end + 1, "iB"));
        for (ptrdiff_t i = 0; valid && i <= unit - units; i++)
            x *= 1024;
    }
    if (!valid)
        return fail(err, SAM_E_ARG, "--%s: '%s' is not a size; write bytes or a number with K, M, G or T, as in 600M",
                    f->name, text);
    if (x >= (double)SIZE_MAX)
        return fail(err, SAM_E_ARG, "--%s: %s is more than this machine can address", f->name, text);
    *(size_t *)f->value = (size_t)x;
    return SAM_OK;
}

static sam_status parse_choice(const flag *f, const char *text, sam_error *err)
{
    size_t n = strlen(text);
    for (const char *c = f->choices; c;) {
        const char *bar = strchr(c, '|');
        size_t n_choice = bar ? (size_t)(bar - c) : strlen(c);
        if (n == n_choice && !memcmp(c, text, n)) {
            *(const char **)f->value = text;
            return SAM_OK;
        }
        c = bar ? bar + 1 : NULL;
    }
    return fail(err, SAM_E_ARG, "--%s: '%s' is not one of %s", f->name, text, f->choices);
}

static sam_status parse_list(const flag *f, char **items, int n_items, sam_error *err)
{
    size_t n_bytes = 1;
    for (int i = 0; i < n_items; i++)
        n_bytes += strlen(items[i]) + 1;
    char *joined = malloc(n_bytes);
    if (!joined)
        return fail(err, SAM_E_MEMORY, "--%s: out of memory", f->name);
    char *end = joined;
    for (int i = 0; i < n_items; i++) {
        size_t n = strlen(items[i]);
        if (i)
            *end++ = ',';
        memcpy(end, items[i], n);
        end += n;
    }
    *end = 0;
    assert(!*(const char **)f->value);
    *(const char **)f->value = joined;
    return SAM_OK;
}

static sam_status parse_value(const flag *f, const char *text, sam_error *err)
{
    switch (f->kind) {
    case FLAG_INT:
        return parse_int(f, text, err);
    case FLAG_DOUBLE:
        return parse_double(f, text, err);
    case FLAG_BYTES:
        return parse_bytes(f, text, err);
    case FLAG_CHOICE:
        return parse_choice(f, text, err);
    case FLAG_EVENT:
        return f->on_event(f->value, f->name, text, err);
    case FLAG_STRING:
        *(const char **)f->value = text;
        return SAM_OK;
    case FLAG_SWITCH:
        break;
    }
    assert(!"a switch has no value");
    return SAM_OK;
}

/* The flag called `name`; *negated for --no-NAME of a switch. */
static const flag *find_flag(const flag *flags, int n_flags, const char *name, size_t n_name, int *negated)
{
    *negated = 0;
    for (int i = 0; i < n_flags; i++)
        if (same_name(flags[i].name, name, n_name))
            return &flags[i];
    *negated = 1;
    if (n_name > 3 && (!strncmp(name, "no-", 3) || !strncmp(name, "no_", 3)))
        for (int i = 0; i < n_flags; i++)
            if (flags[i].kind == FLAG_SWITCH && same_name(flags[i].name, name + 3, n_name - 3))
                return &flags[i];
    return NULL;
}

static int is_flag(const char *arg)
{
    return !strncmp(arg, "--", 2) || !strcmp(arg, "-h");
}

/* --NAME, --no-NAME, and as scripts write it --NAME 0 and --NAME=1. */
static sam_status parse_switch(const flag *f, const char *text, int negated, int argc, char **argv, int *at,
                               sam_error *err)
{
    int is_word = *at < argc && (!strcmp(argv[*at], "0") || !strcmp(argv[*at], "1"));
    if (!text && is_word && !negated)
        text = argv[(*at)++];
    if (text && (negated || (strcmp(text, "0") && strcmp(text, "1"))))
        return fail(err, SAM_E_ARG, "--%s takes no value but 0 or 1; write --%s or --no-%s", f->name, f->name, f->name);
    *(int *)f->value = text ? text[0] == '1' : !negated;
    return SAM_OK;
}

/* Parses the flag at argv[*at] with its values and moves *at behind them. */
static sam_status parse_one(const verb *v, const flag *flags, int n_flags, int argc, char **argv, int *at,
                            unsigned char *seen, sam_error *err)
{
    char *arg = argv[(*at)++];
    if (strncmp(arg, "--", 2) || !arg[2])
        return fail(err, SAM_E_ARG, "unexpected '%s': arguments of `sambench %s` are flags, as in --name value", arg,
                    v->name);
    const char *name = arg + 2;
    char *text = strchr(name, '=');
    size_t n_name = text ? (size_t)(text - name) : strlen(name);
    int negated;
    const flag *f = find_flag(flags, n_flags, name, n_name, &negated);
    if (!f)
        return fail_unknown(v, flags, n_flags, name, n_name, err);
    if (f->kind != FLAG_EVENT && seen[f - flags])
        return fail(err, SAM_E_ARG, "--%s is given twice; keep one", f->name);
    seen[f - flags] = 1;

    if (f->kind == FLAG_SWITCH)
        return parse_switch(f, text ? text + 1 : NULL, negated, argc, argv, at, err);
    if (text) {
        text++;
    } else if (*at < argc && !is_flag(argv[*at])) {
        text = argv[(*at)++];
    } else {
        return fail(err, SAM_E_ARG, "--%s needs a value: --%s %s%s", f->name, f->name, f->meta ? f->meta : "VALUE",
                    *at < argc ? " (a value that begins with -- is written --name=value)" : "");
    }
    if (!is_list(f))
        return parse_value(f, text, err);
    if (text != argv[*at - 1])
        return parse_list(f, &text, 1, err);
    int first = *at - 1;
    while (*at < argc && !is_flag(argv[*at]))
        (*at)++;
    return parse_list(f, argv + first, *at - first, err);
}

sam_status flags_parse(const verb *v, const flag *flags, int n_flags, int argc, char **argv, int *help, sam_error *err)
{
    unsigned char seen[MAX_FLAGS] = {0};
    assert(n_flags <= MAX_FLAGS);
    *help = 0;
    /* --help wins over errors elsewhere on the line. */
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            *help = 1;
    if (*help) {
        flags_print_help(v, flags, n_flags);
        return SAM_OK;
    }
    for (int i = 1; i < argc;)
        TRY(parse_one(v, flags, n_flags, argc, argv, &i, seen, err));
    for (int i = 0; i < n_flags; i++)
        if (flags[i].required && !seen[i])
            return fail(err, SAM_E_ARG, "--%s %s is required: %s", flags[i].name,
                        flags[i].meta ? flags[i].meta : "VALUE", flags[i].help ? flags[i].help : "");
    return SAM_OK;
}

void flags_free(const flag *flags, int n_flags)
{
    for (int i = 0; i < n_flags; i++) {
        if (!is_list(&flags[i]))
            continue;
        free(*(char **)flags[i].value);
        *(char **)flags[i].value = NULL;
    }
}
