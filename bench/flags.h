/* flags.h - command line of every verb: one table of flags, from which parsing, --help and errors come.
 *
 * `--mem_limit 2G`, `--mem-limit=2G`: underscores and dashes are the same, value after a space or '='. A flag that is
 * not in the table is an error that names the nearest one. A flag may be given once, except FLAG_EVENT. A value that
 * begins with "--" needs the '=' form. */
#ifndef FLAGS_H
#define FLAGS_H

#include "error.h"

typedef enum flag_kind {
    FLAG_SWITCH, /* int *value: 1 when present; --no-NAME and --NAME 0 set 0 */
    FLAG_INT,    /* int *value                                          */
    FLAG_DOUBLE, /* double *value; finite                               */
    FLAG_STRING, /* const char **value, points into argv                */
    FLAG_BYTES,  /* size_t *value: 1500000, 600M, 2G (powers of 1024)   */
    FLAG_CHOICE, /* const char **value, one of .choices "a|b|c"         */
    FLAG_EVENT   /* .on_event is called in command line order: for repeated flags whose order matters (--point) */
} flag_kind;

typedef struct flag {
    const char *name; /* "split_dir", without dashes                       */
    flag_kind kind;
    void *value;      /* where it goes; FLAG_EVENT: passed to on_event     */
    const char *meta; /* how the value is called in --help: "DIR"          */
    const char *help; /* one sentence with the default                     */
    const char *choices;
    sam_status (*on_event)(void *value, const char *name, const char *text, sam_error *err);
    int required;
    int min, max;      /* FLAG_INT: allowed range unless both are 0      */
    const char *group; /* begins a group of --help; NULL: of the one before */
    int hidden;        /* taken, but not in --help: an old spelling, or between processes */
} flag;

typedef struct verb {
    const char *name;                   /* "run"                                                  */
    const char *summary;                /* one line                                               */
    const char *examples;               /* printed first by --help                                */
    const char *before, *after;         /* words that are no flags, before and after them; or NULL */
    int (*main)(int argc, char **argv); /* argv[0] is the verb; returns the exit status */
} verb;

/* Parses argv[1..]. Lists are given as one argument with commas or as several arguments: `--models a b` and
 * `--models a,b` both give "a,b" (FLAG_STRING with .choices == "list"; its value must be NULL before, and flags_free
 * releases it). `*help` is set when --help was given (it has then been printed to stdout and nothing is required or
 * stored). On failure some values may have been stored already. */
sam_status flags_parse(const verb *v, const flag *flags, int n_flags, int argc, char **argv, int *help, sam_error *err);

/* Releases the values of list flags and sets them to NULL; other flags own nothing. */
void flags_free(const flag *flags, int n_flags);

#endif
