/* What --help says: examples first, every flag, and that the documents use no flag that is not there. */
#include "command.h"
#include "listing.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_VERBS = 32, HELP_BYTES = 16384, FILE_BYTES = 1 << 18 };

static char names[MAX_VERBS][32]; /* of the verbs, as `sambench --help` lists them */
static char *help[MAX_VERBS];
static int n_verbs;

static int set_up(void **state)
{
    (void)state;
    static command_result r;
    command(&r, "sambench --help");
    const char *at = strstr(r.text, "\n\n  ");
    for (at = at ? at + 1 : NULL; at && !strncmp(at, "\n  ", 3) && n_verbs < MAX_VERBS; at = strchr(at + 1, '\n'))
        n_verbs += sscanf(at + 1, " %31s", names[n_verbs]) == 1;
    assert_true(n_verbs >= 13);
    for (int i = 0; i < n_verbs; i++) {
        command(&r, "sambench %s --help", names[i]);
        assert_int_equal(r.code, 0);
        assert_true(strlen(r.text) + 1 < HELP_BYTES);
        help[i] = malloc(strlen(r.text) + 1);
        assert_non_null(help[i]);
        strcpy(help[i], r.text);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < n_verbs; i++)
        free(help[i]);
    return 0;
}

/* The length of a flag's name at `text`, which is behind the dashes. */
static size_t name_length(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_' || text[n] == '-')
        n++;
    return n;
}

static int same_letter(char a, char b)
{
    return a == b || ((a == '-' || a == '_') && (b == '-' || b == '_'));
}

/* Whether the verb's list of flags has this name, or for --no-NAME the switch. */
static int has_flag(int verb, const char *name, size_t n)
{
    const char *list = strstr(help[verb], "\nflags:\n");
    for (const char *at = list; at && (at = strstr(at, "\n  --")); at++) {
        size_t k = 0;
        while (k < n && same_letter(at[5 + k], name[k]))
            k++;
        if (k == n && name_length(at + 5) == n)
            return 1;
    }
    return n > 3 && !strncmp(name, "no", 2) && has_flag(verb, name + 3, n - 3);
}

static int any_has_flag(const char *name, size_t n)
{
    for (int i = 0; i < n_verbs; i++)
        if (has_flag(i, name, n))
            return 1;
    return 0;
}

/* ---- the help of each verb ---- */

/* A terminal's width; and what is not for users is not shown. */
static void no_help_is_wider_than_a_page(void **state)
{
    (void)state;
    size_t widest = 0;
    for (int i = 0; i < n_verbs; i++) {
        for (const char *at = help[i]; *at; at += strcspn(at, "\n"), at += *at == '\n') {
            size_t n = strcspn(at, "\n");
            widest = n > widest ? n : widest;
            if (n > 100)
                fail_msg("%s: %zu columns: %.*s", names[i], n, (int)n, at);
        }
        assert_false(has_flag(i, "phase", 5));
        assert_false(has_flag(i, "autocast", 8));
    }
    printf("the widest line of a help has %zu columns\n", widest);
}

/* Verbs that open models have the same flags for it. */
static void common_flags_are_the_same(void **state)
{
    (void)state;
    static const char *const verbs[] = {"run", "track", "edge", "profile", "plan", "image", "speed", "kernels"};
    static const char *const flags[] = {"device", "threads", "cpu_variant", "mem_limit", "tune", "deterministic"};
    for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++)
        for (size_t f = 0; f < sizeof flags / sizeof *flags; f++)
            for (int i = 0; i < n_verbs; i++)
                if (!strcmp(names[i], verbs[v]) && !has_flag(i, flags[f], strlen(flags[f])))
                    fail_msg("%s has no --%s", verbs[v], flags[f]);
}

static void every_flag_is_explained(void **state)
{
    (void)state;
    for (int i = 0; i < n_verbs; i++) {
        const char *at = strstr(help[i], "\nflags:\n");
        assert_non_null(at);
        for (at += 7; (at = strstr(at, "\n  --")); at++) {
            size_t n_line = strcspn(at + 1, "\n"), n = name_length(at + 5);
            const char *text = at + 5 + n;
            while (*text != '\n' && strncmp(text, "  ", 2)) /* the value's name */
                text++;
            if (n_line < n + 20 || strspn(text, " ") >= strcspn(text, "\n") || strlen(text) < 10)
                fail_msg("%s: --%.*s has no explanation", names[i], (int)n, at + 5);
        }
        static command_result r;
        command(&r, "sambench %s --no_such_flag_at_all 1", names[i]);
        if (r.code != 2 || !strstr(r.text, "--no_such_flag_at_all"))
            fail_msg("%s: a flag that is not there ends with %d", names[i], r.code);
    }
}

/* ---- sources and documents ---- */

static void read_text(const char *folder, const char *name, char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s: missing", path);
    size_t n = fread(text, 1, FILE_BYTES - 1, f);
    fclose(f);
    assert_true(n < FILE_BYTES - 1);
    text[n] = 0;
}

static const char *read_file(const char *folder, const char *name)
{
    static char text[FILE_BYTES];
    read_text(folder, name, text);
    return text;
}

static listing files_of(const char *folder, const char *suffix)
{
    sam_error err;
    listing files = {0};
    if (listing_read(folder, suffix, &files, &err) != SAM_OK)
        fail_msg("%s", err.text);
    return files;
}

/* What a verb parses is in its help, since both come from one table; what a table has must be in some verb's. */
static void every_flag_of_the_sources_is_in_a_help(void **state)
{
    (void)state;
    listing files = files_of(SOURCE_DIR "/bench", "c");
    int n_flags = 0;
    for (int i = 0; i < files.n; i++) {
        for (const char *at = read_file(SOURCE_DIR "/bench", files.names[i]); (at = strstr(at, "{.name = \"")); at++) {
            const char *name = at + 10;
            size_t n = strcspn(name, "\"");
            const char *kind = name + n + 1 + strspn(name + n + 1, ", \n");
            if (strncmp(kind, ".kind = FLAG_", 13))
                continue;
            const char *next = strstr(name, "{.name"), *hidden = strstr(name, ".hidden = 1");
            if (hidden && (!next || hidden < next)) /* taken, not shown */
                continue;
            n_flags++;
            if (!any_has_flag(name, n))
                fail_msg("bench/%s: --%.*s is in no verb's help", files.names[i], (int)n, name);
        }
    }
    printf("%d flags in the sources\n", n_flags);
    assert_true(n_flags > 60);
    listing_free(&files);
}

/* Which verb a command line is of, or -1. */
static int verb_at(const char *text)
{
    for (int i = 0; i < n_verbs; i++) {
        size_t n = strlen(names[i]);
        if (!strncmp(text, names[i], n) && !isalnum((unsigned char)text[n]) && text[n] != '_')
            return i;
    }
    return -1;
}

/* Flags of "sambench VERB ..." up to the end of the line, of its continuations, or of the code in backticks. */
static int check_lines(const char *name, const char *text)
{
    int n_checked = 0;
    for (const char *at = text; (at = strstr(at, "sambench ")); at++) {
        int verb = verb_at(at + 9);
        for (const char *c = at + 9; verb >= 0 && *c && *c != '`' && (*c != '\n' || c[-1] == '\\'); c++) {
            size_t n = strncmp(c, " --", 3) ? 0 : name_length(c + 3);
            if (!strncmp(c, "sambench ", 9) || !strncmp(c, " -- ", 4))
                break;
            if (!n)
                continue;
            n_checked++;
            if (!has_flag(verb, c + 3, n))
                fail_msg("%s: sambench %s has no --%.*s", name, names[verb], (int)n, c + 3);
        }
    }
    return n_checked;
}

/* The scripts that documents tell about beside the verbs. */
static int script_has_flag(const char *name, size_t n)
{
    static const char *const scripts[] = {"tests/gpu/check", "tests/gpu/prepare", "weights_tools/train/train.py"};
    static char text[FILE_BYTES];
    char flag[64];
    snprintf(flag, sizeof flag, "--%.*s", (int)n, name);
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        read_text(SOURCE_DIR, scripts[i], text);
        for (const char *at = text; (at = strstr(at, flag)); at++)
            if (name_length(at + 2) == n)
                return 1;
    }
    return 0;
}

/* `--flag` by itself. The document of old spellings has flags that no help shows; test_migrating runs them. */
static int check_words(const char *name, const char *text)
{
    int n_checked = 0;
    if (!strcmp(name, "migrating.md"))
        return 0;
    for (const char *at = text; (at = strstr(at, "`--")); at++) {
        size_t n = name_length(at + 3);
        n_checked++;
        if (n && strncmp(at + 3, "help", 4) && strncmp(at + 3, "version", 7) && !any_has_flag(at + 3, n) &&
            !script_has_flag(at + 3, n))
            fail_msg("%s: neither a verb nor a script has --%.*s", name, (int)n, at + 3);
    }
    return n_checked;
}

static void examples_come_first_and_work(void **state)
{
    (void)state;
    int n = 0;
    for (int i = 0; i < n_verbs; i++) {
        static char examples[HELP_BYTES];
        const char *first = strstr(help[i], "\n\nexamples:\n  "), *usage = strstr(help[i], "\nusage: sambench "),
                   *list = strstr(help[i], "\nflags:\n");
        if (!first || first - help[i] > 200 || !usage || !list || first > usage || usage > list)
            fail_msg("%s: not examples, usage, flags:\n%s", names[i], help[i]);
        snprintf(examples, sizeof examples, "%.*s", (int)(usage - first), first);
        n += check_lines(names[i], examples);
    }
    printf("%d flags in examples\n", n);
    assert_true(n > 40);
}

static void documents_use_flags_that_are_there(void **state)
{
    (void)state;
    listing files = files_of(SOURCE_DIR "/docs", "md");
    const char *readme = read_file(SOURCE_DIR, "README.md");
    int n = check_lines("README.md", readme) + check_words("README.md", readme);
    for (int i = 0; i < files.n; i++) {
        const char *text = read_file(SOURCE_DIR "/docs", files.names[i]);
        n += check_lines(files.names[i], text) + check_words(files.names[i], text);
    }
    printf("%d flags in README.md and docs\n", n);
    assert_true(n > 50);
    listing_free(&files);
}

/* What could not be printed is an error, also where it is the last thing done. */
static void a_full_standard_output_is_an_error(void **state)
{
    (void)state;
    static const char *const lines[] = {"sambench --help", "sambench --version", "sambench eval --help",
                                        "sambench doctor", "samconvert --help"};
    static command_result r;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        command(&r, "%s > /dev/full", lines[i]);
        assert_int_equal(r.code, 1);
        assert_non_null(strstr(r.text, "standard output: not all could be written"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_come_first_and_work),           cmocka_unit_test(every_flag_is_explained),
        cmocka_unit_test(no_help_is_wider_than_a_page),           cmocka_unit_test(common_flags_are_the_same),
        cmocka_unit_test(every_flag_of_the_sources_is_in_a_help), cmocka_unit_test(a_full_standard_output_is_an_error),
        cmocka_unit_test(documents_use_flags_that_are_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
