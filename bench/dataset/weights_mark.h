/* weights_mark.h - which weights a table was made with, so that --resume does not mix those of two files of one name. */
#ifndef WEIGHTS_MARK_H
#define WEIGHTS_MARK_H

#include "error.h"

enum { WEIGHTS_MARK_BYTES = 40 };

/* The size of the file and a 64 bit hash of all its bytes, as text ("155906050-1f2e3d4c5b6a7988"). It tells files apart that
 * were mixed up; it is no protection against ones that are made to agree. */
sam_status weights_mark(const char *path, char text[WEIGHTS_MARK_BYTES], sam_error *err);

#endif
