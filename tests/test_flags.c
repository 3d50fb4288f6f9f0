/* The command line parser: every kind of flag, and each error says what to do about it. */
#include "flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct options {
    int fusion, frames, help;
    double threshold;
    const char *out, *device, *models;
    size_t limit;
    char events[64];
} options;

static sam_status on_event(void *value, const char *name, const char *text, sam_error *err)
{
    options *o = value;
    if (!strcmp(text, "bad"))
        return (fail)(err, SAM_E_ARG, "--%s: '%s' is not X,Y", name, text);
    size_t n = strlen(o->events);
    snprintf(o->events + n, sizeof o->events - n, "%s=%s;", name, text);
    return SAM_OK;
}

static const verb test_verb = {.name = "try", .summary = "tries the parser", .examples = "  sambench try --out x\n"};

enum { N_FLAGS = 9 };

/* Splits `line` at spaces and parses it into *o. */
static sam_status parse(options *o, const char *line, sam_error *err)
{
    *o = (options){.fusion = 1, .frames = -1};
    *err = (sam_error){0};
    const flag flags[N_FLAGS] = {
        {.name = "out", .kind = FLAG_STRING, .value = &o->out, .meta = "DIR", .help = "Results.", .required = 1},
        {.name = "fusion", .kind = FLAG_SWITCH, .value = &o->fusion, .help = "Fuse (default on)."},
        {.name = "n_frames", .kind = FLAG_INT, .value = &o->frames, .meta = "N", .min = -5, .max = 1000},
        {.name = "threshold", .kind = FLAG_DOUBLE, .value = &o->threshold},
        {.name = "mem_limit", .kind = FLAG_BYTES, .value = &o->limit, .meta = "SIZE"},
        {.name = "device", .kind = FLAG_CHOICE, .value = &o->device, .choices = "cpu|cuda|auto"},
        {.name = "models", .kind = FLAG_STRING, .value = &o->models, .choices = "list"},
        {.name = "point", .kind = FLAG_EVENT, .value = o, .on_event = on_event},
        {.name = "box", .kind = FLAG_EVENT, .value = o, .on_event = on_event},
    };
    static char text[256], models[256]; /* strings of the options point here */
    char *argv[32] = {"try"};
    int argc = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word && argc < 32; word = strtok(NULL, " "))
        argv[argc++] = word;
    sam_status status = flags_parse(&test_verb, flags, N_FLAGS, argc, argv, &o->help, err);
    snprintf(models, sizeof models, "%s", o->models ? o->models : "");
    flags_free(flags, N_FLAGS);
    o->models = models;
    return status;
}

static void accepts_every_kind(void **state)
{
    (void)state;
    options o;
    sam_error err;
    assert_int_equal(
        parse(&o, "--out d --no-fusion --n-frames -3 --threshold=0.5 --mem-limit 1.5G --device cuda", &err), SAM_OK);
    assert_string_equal(o.out, "d");
    assert_int_equal(o.fusion, 0);
    assert_int_equal(o.frames, -3);
    assert_true(o.threshold == 0.5);
    assert_true(o.limit == (size_t)3 << 29);
    assert_string_equal(o.device, "cuda");
    /* As scripts write switches. */
    assert_int_equal(parse(&o, "--out d --fusion 0 --n_frames 1", &err), SAM_OK);
    assert_int_equal(o.fusion, 0);
    assert_int_equal(parse(&o, "--out d --fusion=1", &err), SAM_OK);
    assert_int_equal(o.fusion, 1);
    assert_int_equal(parse(&o, "--out=--odd --no_fusion --n_frames=7 --mem_limit 600MiB", &err), SAM_OK);
    assert_string_equal(o.out, "--odd");
    assert_int_equal(o.frames, 7);
    assert_true(o.limit == (size_t)600 << 20);
    assert_int_equal(parse(&o, "--out - --fusion --mem_limit 12k", &err), SAM_OK);
    assert_string_equal(o.out, "-");
    assert_true(o.fusion == 1 && o.limit == 12288);
}

static void joins_lists_and_orders_events(void **state)
{
    (void)state;
    options o;
    sam_error err;
    static const char *const lines[] = {"--models a b c --out d", "--models a,b c --out d", "--out d --models=a,b,c"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(parse(&o, lines[i], &err), SAM_OK);
        printf("'%s' -> models '%s'\n", lines[i], o.models);
        assert_string_equal(o.models, "a,b,c");
    }
    assert_int_equal(parse(&o, "--point 1,2 --out d --box 0,0,5,5 --point=-3,-4", &err), SAM_OK);
    assert_string_equal(o.events, "point=1,2;box=0,0,5,5;point=-3,-4;");
}

static void names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"--out d --n_frame 3", "nearest is --n_frames"},
        {"--out d --devise cpu", "nearest is --device"},
        {"--out d --memlimit 3", "nearest is --mem_limit"},
        {"--out d --xyzzyxyzzyxyzzy 3", "--help` lists all"},
        {"--out d --", "unexpected '--'"},
        {"--out d stray", "unexpected 'stray'"},
        {"--out d -v", "unexpected '-v'"},
        {"--out", "--out needs a value: --out DIR"},
        {"--out --fusion", "--name=value"},
        {"--out d --n_frames 3x", "'3x' is not a whole number"},
        {"--out d --n_frames=", "'' is not a whole number"},
        {"--out d --n_frames 1001", "allowed are -5 to 1000"},
        {"--out d --n_frames 99999999999999999999", "out of range"},
        {"--out d --threshold nan", "'nan' is not a number"},
        {"--out d --threshold 1e999", "'1e999' is not a number"},
        {"--out d --mem_limit -1", "'-1' is not a size"},
        {"--out d --mem_limit 3X", "'3X' is not a size"},
        {"--out d --mem_limit 99999999T", "more than this machine"},
        {"--out d --device tpu", "'tpu' is not one of cpu|cuda|auto"},
        {"--out d --device cpu|cuda", "is not one of"},
        {"--out d --out e", "--out is given twice"},
        {"--out d --fusion --no-fusion", "--fusion is given twice"},
        {"--out d --fusion=2", "--fusion takes no value but 0 or 1"},
        {"--out d --no-fusion=1", "--fusion takes no value"},
        {"--out d --models a --models b", "--models is given twice"},
        {"--fusion", "--out DIR is required"},
        {"--out d --no-out", "unknown flag --no-out"},
        {"--out d --point bad", "--point: 'bad' is not X,Y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        options o;
        sam_error err;
        assert_int_equal(parse(&o, cases[i].line, &err), SAM_E_ARG);
        printf("%-40s %s\n", cases[i].line, err.text);
        assert_non_null(strstr(err.text, cases[i].part));
    }
}

static void very_long_names_are_unknown(void **state)
{
    (void)state;
    char name[4096], *argv[] = {"try", name};
    memset(name, '-', sizeof name);
    memset(name + 2, 'a', sizeof name - 3);
    name[sizeof name - 1] = 0;
    int help, on = 0;
    sam_error err;
    const flag flags[] = {{.name = "a", .kind = FLAG_SWITCH, .value = &on}};
    assert_int_equal(flags_parse(&test_verb, flags, 1, 2, argv, &help, &err), SAM_E_ARG);
    assert_non_null(strstr(err.text, "unknown flag --aaa"));
}

/* What flags_parse prints for `line`, read back from a file put in stdout's place. */
static void help_is_examples_then_flags(void **state)
{
    (void)state;
    char text[4096] = {0};
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    int saved = dup(1);
    dup2(fileno(file), 1);
    options o;
    sam_error err;
    sam_status status = parse(&o, "--bogus --help", &err);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    rewind(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    printf("%s", text);
    assert_true(n > 0);
    assert_int_equal(status, SAM_OK);
    assert_int_equal(o.help, 1);
    const char *examples = strstr(text, "sambench try --out x"), *flags = strstr(text, "--out DIR");
    assert_non_null(examples);
    assert_non_null(flags);
    assert_true(examples < flags);
    assert_non_null(strstr(text, "(required)"));
    assert_non_null(strstr(text, "[cpu|cuda|auto]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_every_kind),          cmocka_unit_test(joins_lists_and_orders_events),
        cmocka_unit_test(names_what_is_wrong),         cmocka_unit_test(very_long_names_are_unknown),
        cmocka_unit_test(help_is_examples_then_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
