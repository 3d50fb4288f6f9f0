/* zip.h - reads the entries of a zip archive in memory: stored and deflated, with zip64. That is what torch.save
 * writes (stored) and what re-zipping tools make of it (deflated). No encryption, no multi-part archives.
 *
 * Nothing in the archive is trusted: every offset and size is checked against the bytes given. */
#ifndef ZIP_H
#define ZIP_H

#include "error.h"

typedef struct zip_entry {
    const char *name; /* not zero-terminated */
    size_t name_bytes;
    const uint8_t *data;   /* as stored in the archive */
    size_t n_stored_bytes; /* of data                  */
    size_t n_bytes;        /* once inflated            */
    uint32_t crc;
    int deflated;
} zip_entry;

typedef struct zip_archive {
    const char *path;   /* for messages; borrowed */
    zip_entry *entries; /* in the order of the central directory */
    size_t n_entries;
    const zip_entry **by_name;
} zip_archive;

int zip_recognise(const uint8_t *bytes, size_t n_bytes); /* 1: starts like a zip archive */

/* `path` is only named in messages. `bytes` is borrowed until zip_close. */
sam_status zip_open(const char *path, const uint8_t *bytes, size_t n_bytes, zip_archive *out, sam_error *err);
void zip_close(zip_archive *z);
const zip_entry *zip_find(const zip_archive *z, const char *name); /* NULL if absent */

/* The entry's bytes, checked against its CRC if one is recorded: in place if stored (`*owned` = NULL), else inflated into `*owned`, which
 * the caller frees. One that inflates to more than `limit` bytes is refused before memory is taken. */
sam_status zip_read(const zip_archive *z, const zip_entry *e, size_t limit, const uint8_t **data, void **owned,
                    sam_error *err);

#endif
