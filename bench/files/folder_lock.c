#include "folder_lock.h"

#include "atomic_file.h"
#include "folders.h"
#include "listing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file that is locked may have been removed, by whom it belonged to, between opening and locking. */
static int is_still_there(const folder_lock *l)
{
    struct stat ours, there;
    return !fstat(l->fd, &ours) && !lstat(l->path, &there) && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

/* 1: locked; 0: somebody has it; -1: errno says why not. No link is followed. */
static int try_once(folder_lock *l)
{
    l->fd = open(l->path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666); /* children share it, so no O_CLOEXEC */
    if (l->fd < 0)
        return -1;
    if (!flock(l->fd, LOCK_EX | LOCK_NB))
        return 1;
    return errno == EWOULDBLOCK ? 0 : errno == EINTR ? -1 : 1;
}

static sam_status taken(const folder_lock *l, const char *folder, sam_error *err)
{
    char owner[64] = "";
    ssize_t n = read(l->fd, owner, sizeof owner - 1);
    owner[n > 0 ? n : 0] = 0;
    owner[strcspn(owner, "\n")] = 0;
    return fail(err, SAM_E_STATE,
                "%s: another sambench is writing there (process %s); wait until it has ended, or give another folder",
                folder, owner[0] ? owner : "unknown");
}

static void say_who(const folder_lock *l)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(l->fd, 0) || write(l->fd, text, (size_t)n) != n)
        return; /* the message of the other one is less clear then */
}

/* Files of rows lie one folder below. */
static void sweep(const char *folder)
{
    static const char *const below[] = {"frames", "worst", "overlays", "masks"};
    atomic_file_sweep(folder);
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        char *path;
        if (path_join(&path, folder, below[i], NULL) != SAM_OK)
            continue;
        atomic_file_sweep(path);
        free(path);
    }
}

sam_status folder_lock_take(folder_lock *l, const char *folder, sam_error *err)
{
    *l = (folder_lock){.fd = -1};
    TRY(folders_make(folder, err));
    TRY(path_join(&l->path, folder, FOLDER_LOCK_FILE, err));
    for (int i = 0; i < 100; i++) {
        int got = try_once(l);
        if (got == 1 && is_still_there(l)) {
            say_who(l);
            sweep(folder);
            return SAM_OK;
        }
        sam_status status = got < 0    ? fail(err, SAM_E_IO, "%s: cannot be locked: %s", l->path, strerror(errno))
                            : got == 0 ? taken(l, folder, err)
                                       : SAM_OK;
        if (l->fd >= 0)
            close(l->fd);
        l->fd = -1;
        if (status != SAM_OK) {
            free(l->path);
            l->path = NULL;
            return status;
        }
    }
    free(l->path);
    l->path = NULL;
    return fail(err, SAM_E_STATE, "%s: others keep locking this folder", folder);
}

void folder_lock_free(folder_lock *l)
{
    if (!l->path)
        return;
    unlink(l->path); /* before it is let go, so that whoever gets it next has a new one */
    close(l->fd);
    free(l->path);
    *l = (folder_lock){0};
}
