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

/* Where a line of n characters is broken, so that what is before it and " \\" fit: at the blank before a flag, else before
 * any word; 0: nowhere. */
static size_t break_of(const char *line, size_t n, size_t first)
{
    size_t at_flag = 0, at_word = 0;
    for (size_t i = first; i < n && i + 2 <= WIDTH; i++)
        if (line[i] == ' ' && line[i + 1] != ' ' && line[i - 1] != ' ') {
            at_word = i;
            at_flag = line[i + 1] == '-' ? i : at_flag;
        }
    return at_flag ? at_flag : at_word;
}

/* Examples as they can be pasted: a command that is too long goes on in the next line. */
static void print_examples(const char *text)
{
    enum { INDENT = 6 };
    while (*text) {
        size_t n = strcspn(text, "\n"), at, indent = 0;
        while (n + indent > WIDTH && (at = break_of(text, n, INDENT)) > 0) {
            printf("%*s%.*s \\\n", (int)indent, "", (int)at, text);
            text += at + 1;
            n -= at + 1;
            indent = INDENT;
        }
        printf("%*s%.*s\n", (int)indent, "", (int)n, text);
        text += n + (text[n] == '\n');
    }
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
    wrap(v->summary, printf("sambench %s: ", v->name), 2);
    if (v->examples) {
        printf("\nexamples:\n");
        print_examples(v->examples);
    }
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
