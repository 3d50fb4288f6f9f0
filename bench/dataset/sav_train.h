/* sav_train.h - annotations of SA-V's training split: <video>_manual.json or <video>_auto.json beside <video>.mp4, with
 * "masklet" [annotated frame][object] as COCO run-length masks. Every fourth frame of the video is annotated. */
#ifndef SAV_TRAIN_H
#define SAV_TRAIN_H

#include "image_io.h"
#include "listing.h"

typedef struct sav_train sav_train;

/* The split is published in parts, sav_train/sav_000/ ..., so videos may lie in folders whose names begin with "sav_", up to
 * SAV_TRAIN_DOWN below the one given. */
enum { SAV_TRAIN_DOWN = 2 };
int sav_train_is_at(const char *folder, int down);

/* The videos below a folder that have such a file, as paths from there ("sav_000/sav_000001"), by the order of their names.
 * Two of the same name are SAM_E_FORMAT. */
sam_status sav_train_list(const char *folder, listing *videos, sam_error *err);
/* Which of them has this name; -1: none. */
int sav_train_find(const listing *videos, const char *name);
/* The name at the end of such a path. */
const char *sav_train_name(const char *video);
/* The file of a video given by its path, for the caller to free: manual before auto. */
sam_status sav_train_path(const char *folder, const char *video, char **path, sam_error *err);

sam_status sav_train_open(const char *path, sav_train **out, sam_error *err);
void sav_train_close(sav_train *t); /* NULL is a no-op */
const char *sav_train_file(const sav_train *t);
int sav_train_frames(const sav_train *t); /* annotated frames                             */
int sav_train_step(const sav_train *t);   /* frames of the video from one to the next     */
int sav_train_objects(const sav_train *t);
int64_t sav_train_id(const sav_train *t, int object); /* masklet_id; no two objects have the same */
/* Whether an annotation shows an object. A damaged one is SAM_E_FORMAT: it might have been where the object is prompted. */
sam_status sav_train_shows(const sav_train *t, int annotated, int object, int *shows, sam_error *err);
sam_status sav_train_mask(const sav_train *t, int annotated, int object, image *out, sam_error *err);

#endif
