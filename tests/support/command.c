#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define TO_OUTPUT " 2>&1"

static void must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "command: cannot run %s\n", what);
    abort();
}

/* start, then what format and args say. */
static void run(command_result *r, const char *start, const char *format, va_list args)
{
    char line[4096], rest[512];
    int at = snprintf(line, sizeof line, "%s", start);
    int n = vsnprintf(line + at, sizeof line - (size_t)at, format, args);
    must(n > 0 && (size_t)(at + n) + sizeof TO_OUTPUT < sizeof line, format);
    /* Behind the program's name, so that what the arguments do to standard output concerns that alone. */
    char *words = *start ? line + at + strcspn(line + at, " ") : line + at + n;
    memmove(words + sizeof TO_OUTPUT - 1, words, strlen(words) + 1);
    memcpy(words, TO_OUTPUT, sizeof TO_OUTPUT - 1);
    fflush(NULL);
    FILE *p = popen(line, "r");
    must(p != NULL, line);
    r->text[fread(r->text, 1, sizeof r->text - 1, p)] = 0;
    while (fread(rest, 1, sizeof rest, p))
        ; /* what does not fit must still be read, or the program waits */
    int status = pclose(p);
    r->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    printf("$ %s\n%s[exit %d]\n", line, r->text, r->code);
}

void command(command_result *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    run(r, EMULATOR BUILD_DIR "/", format, args);
    va_end(args);
}

void shell(command_result *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    run(r, "", format, args);
    va_end(args);
}
