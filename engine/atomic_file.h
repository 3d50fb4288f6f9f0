/* atomic_file.h - writes a whole file so that a reader, or a run that was cut short, sees the old or the new one. */
#ifndef ATOMIC_FILE_H
#define ATOMIC_FILE_H

#include "error.h"

/* Writes PATH.tmp, syncs it and renames it over `path`. On failure `path` is as it was and PATH.tmp is gone. A path
 * that exists and is no regular file (/dev/stdout) is written in place. One writer per path. */
sam_status atomic_file_write(const char *path, const void *bytes, size_t n_bytes, sam_error *err);

#endif
