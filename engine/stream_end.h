/* stream_end.h - whether what was printed arrived. */
#ifndef STREAM_END_H
#define STREAM_END_H

#include "error.h"

#include <stdio.h>

/* Flushes `stream`; SAM_E_IO naming it if that or any write before failed (a full disk, /dev/full). A closed standard output
 * that nothing was printed to is no error. */
sam_status stream_end(FILE *stream, const char *name, sam_error *err);

#endif
