/* flags_help.c - what --help prints: examples first, then the flags by groups, wrapped at WIDTH columns. */
#include "flags_help.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 96, MAX_INDENT = 26, TEXT_BYTES = 1200 };

static const char *meta_of(const flag *f)
{
    return f->kind == FLAG_SWITCH ? "" : f->meta ? f->meta : "VALUE";
}

/* The words of `text` from column `at` on; lines after the first begin at `indent`. */
static void wrap(const char *text, int at, int indent)
{
    int is_first = 1;
    for (const char *word = text + strspn(text, " "); *word;) {
        int n = (int)strcspn(word, " ");
        if (!is_first && at + 1 + n > WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
            is_first = 1;
        }
        at += printf("%s%.*s", is_first ? "" : " ", n, word);
        is_first = 0;
        word += n + strspn(word + n, " ");
    }
    printf("\n");
}

/* The help, and what kinds of values there are. */
static void explain(const flag *f, char *text, size_t n_text)
{
    int is_list = f->kind == FLAG_STRING && f->choices;
    snprintf(text, n_text, "%s%s%s%s%s%s", f->help ? f->help : "", f->kind == FLAG_CHOICE ? " [" : "",
             f->kind == FLAG_CHOICE ? f->choices : "", f->kind == FLAG_CHOICE ? "]" : "",
             is_list                 ? " [several, with spaces or commas]"
             : f->kind == FLAG_EVENT ? " [may be repeated]"
                                     : "",
             f->required ? " (required)" : "");
}

void flags_print_help(const verb *v, const flag *flags, int n_flags)
{
    char text[TEXT_BYTES];
    int indent = 0;
    printf("sambench %s: %s\n", v->name, v->summary);
    if (v->examples)
        printf("\nexamples:\n%s%s", v->examples, v->examples[strlen(v->examples) - 1] == '\n' ? "" : "\n");
    printf("\nusage: sambench %s%s%s [--flag value ...]%s%s\n", v->name, v->before ? " " : "",
           v->before ? v->before : "", v->after ? " " : "", v->after ? v->after : "");
    for (int i = 0; i < n_flags; i++) {
        int n = (int)(strlen(flags[i].name) + strlen(meta_of(&flags[i]))) + 7;
        indent = !flags[i].hidden && n > indent ? n : indent;
    }
    indent = indent < MAX_INDENT ? indent : MAX_INDENT;
    printf("\nflags:\n");
    for (int i = 0; i < n_flags; i++) {
        const flag *f = &flags[i];
        if (f->hidden)
            continue;
        if (f->group)
            printf("\n%s:\n", f->group);
        int at = printf("  --%s %s", f->name, meta_of(f));
        at += printf("%*s", at + 2 > indent ? 2 : indent - at, "");
        explain(f, text, sizeof text);
        wrap(text, at, indent);
    }
}
