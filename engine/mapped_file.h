/* mapped_file.h - the bytes of a file, mapped to be read. */
#ifndef MAPPED_FILE_H
#define MAPPED_FILE_H

#include "error.h"

/* Sets *bytes and *n_bytes, at least one. SAM_E_IO: no regular file, or not readable; SAM_E_FORMAT: empty. */
sam_status file_map(const char *path, void **bytes, size_t *n_bytes, sam_error *err);
void file_unmap(void *bytes, size_t n_bytes); /* NULL is a no-op */

#endif
