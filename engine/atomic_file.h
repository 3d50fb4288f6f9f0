/* atomic_file.h - writes a whole file so that a reader, or a run that was cut short, sees the old or the new one. Any number of
 * writers of one path do no harm to each other: the last one's file stays. */
#ifndef ATOMIC_FILE_H
#define ATOMIC_FILE_H

#include "error.h"

/* Writes PATH.PID.N.tmp, syncs it and renames it over `path`. On failure `path` is as it was and the temporary is gone. A
 * path that exists and is no regular file (/dev/stdout) is written in place. */
sam_status atomic_file_write(const char *path, const void *bytes, size_t n_bytes, sam_error *err);

/* Opens such a temporary of `path`, for those who write it in pieces: a new file, never one that is there already, so that no
 * link is followed and nobody else's file is touched. Returns its descriptor, or -1 with errno. *temporary is its name, for
 * the caller to rename or unlink, and to free. */
int atomic_file_temporary(const char *path, char **temporary);

/* Removes from `folder` the temporaries that processes left which are no more: a kill gives no chance to. */
void atomic_file_sweep(const char *folder);

#endif
