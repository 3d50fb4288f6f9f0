/* command.h - runs the built programs, and others, as a user does. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>

typedef struct command_result {
    int code;         /* exit status; 128 + signal of a killed one */
    char text[16384]; /* stdout and stderr, in the order written   */
} command_result;

/* EMULATOR, of CMake: empty, or what runs programs of another processor, with a space behind it.
 * The first words of a command line that starts sambench, for execv of the first one; its arguments follow. */
#define SAMBENCH_WORDS "/bin/sh", "-c", "exec " EMULATOR BUILD_DIR "/sambench \"$@\"", "sambench"
enum { N_SAMBENCH_WORDS = 4 };

/* Runs BUILD_DIR/<formatted> in a shell with standard error joined to standard output. */
void command(command_result *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with <formatted> as it is. */
void shell(command_result *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
