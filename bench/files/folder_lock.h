/* folder_lock.h - one process writes into a folder of results at a time. */
#ifndef FOLDER_LOCK_H
#define FOLDER_LOCK_H

#include "error.h"

#define FOLDER_LOCK_FILE ".sambench.lock"

typedef struct folder_lock {
    char *path;
    int fd;
} folder_lock;

/* Takes the lock of `folder`, which is made if it is not there, and removes the temporary files that killed processes left in
 * it. SAM_E_STATE, naming the process, if another one has it. The kernel lets go of it when the process ends, however it
 * ends; processes started by this one share it. On a file system without locks there is none. Start with {0}. */
sam_status folder_lock_take(folder_lock *l, const char *folder, sam_error *err);
/* Harmless for {0} and after a failure. */
void folder_lock_free(folder_lock *l);

#endif
