/* sav_train.h - annotations of SA-V's training split: <video>_manual.json or <video>_auto.json beside <video>.mp4, with
 * "masklet" [annotated frame][object] as COCO run-length masks. Every fourth frame of the video is annotated. */
#ifndef SAV_TRAIN_H
#define SAV_TRAIN_H

#include "image_io.h"
#include "listing.h"

typedef struct sav_train sav_train;

/* The videos of a folder that have such a file, sorted; empty if it has none. */
sam_status sav_train_list(const char *folder, listing *videos, sam_error *err);
/* The file of a video, for the caller to free: manual before auto. */
sam_status sav_train_path(const char *folder, const char *video, char **path, sam_error *err);

sam_status sav_train_open(const char *path, sav_train **out, sam_error *err);
void sav_train_close(sav_train *t); /* NULL is a no-op */
const char *sav_train_file(const sav_train *t);
int sav_train_frames(const sav_train *t); /* annotated frames                             */
int sav_train_step(const sav_train *t);   /* frames of the video from one to the next     */
int sav_train_objects(const sav_train *t);
int sav_train_id(const sav_train *t, int object); /* masklet_id */
int sav_train_shows(const sav_train *t, int annotated, int object);
sam_status sav_train_mask(const sav_train *t, int annotated, int object, image *out, sam_error *err);

#endif
