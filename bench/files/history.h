/* history.h - the table that a new run replaces is kept, once, as NAME.previous.csv beside it; its settings, where they lie in
 * a file, likewise. */
#ifndef HISTORY_H
#define HISTORY_H

#include "error.h"

/* Before a new table at `path` is begun: renames the one that is there, and `settings` (NULL: there is none) with it, *kept = 1.
 * But a table without finished rows (status "ok", or any rows where there is no such column) never takes the place of a
 * previous one that has some; it is left for the new one to replace. */
sam_status history_keep(const char *path, const char *settings, int *kept, sam_error *err);

/* After a run that was begun so and got no row: puts the kept files back. */
void history_put_back(const char *path, const char *settings);

#endif
