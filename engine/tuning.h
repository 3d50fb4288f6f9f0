/* tuning.h - which algorithm was the fastest for which work (kernels/ways.h), kept in a file from one run to the next.
 *
 * The file is JSON: {"format": "sambench tuning 1", "sets": [{"device", "software", "choices": {KEY: {"way": "own" |
 * "cublaslt" | "cudnn", "algorithm": 8 hexadecimal numbers, "workspace": bytes, "ms"}}}]}. A set holds for one device
 * and one state of the software; sets of other devices are kept. A file that cannot be read, is damaged, or has only other
 * sets is as good as none: that is a note, never an error. */
#ifndef TUNING_H
#define TUNING_H

#include "ways.h"

typedef struct tuning tuning;

/* `device`: name and capability; `software`: versions of driver and libraries. path NULL: nothing is read or written.
 * Returns NULL when memory is short. */
tuning *tuning_open(const char *path, const char *device, const char *software);
void tuning_close(tuning *t); /* NULL is a no-op */

/* op_libraries.recall and .remember, of a tuning. Threads may share it. What is remembered is in the file at once; a key
 * that is known stays as it was. */
int tuning_recall(void *t, const char *key, way *out);
void tuning_remember(void *t, const char *key, const way *w, double ms);

int tuning_uses(const tuning *t, way_kind k); /* 1: some choice is of that kind */
int tuning_count(const tuning *t);
/* What there is to say about the file, "" if nothing; lives as long as t. */
const char *tuning_note(const tuning *t);

#endif
