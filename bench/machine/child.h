/* child.h - this program, or another, in a process of its own, and how that ended. */
#ifndef CHILD_H
#define CHILD_H

#include "error.h"

#include <sys/types.h>

typedef struct child_end {
    int code;   /* exit status, if it ended by itself */
    int signal; /* that killed it; 0: none            */
} child_end;

/* The path of this program. */
sam_status child_self(char *path, size_t n_path, sam_error *err);
/* Starts words[0] with the words up to NULL. */
sam_status child_start(const char *const *words, pid_t *pid, sam_error *err);
/* Waits for it; an interrupted wait is taken up again. */
sam_status child_wait(pid_t pid, child_end *end, sam_error *err);
/* Both. */
sam_status child_run(const char *const *words, child_end *end, sam_error *err);

/* The same, with all that it prints in a file. */
sam_status child_run_into(const char *const *words, const char *log, child_end *end, sam_error *err);

/* "exit status 1", "killed by SIGKILL: the kernel's out-of-memory killer (or a kill -9)". */
const char *child_says(const child_end *end, char *text, size_t n_text);

#endif
