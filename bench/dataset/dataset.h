/* dataset.h - annotated videos on disk, in the layouts of the public data sets.
 *
 *   SA-V     JPEGImages_24fps/<video>/<frame>.jpg, Annotations_6fps/<video>/<object>/<frame>.png (binary), SPLIT.txt;
 *            a video without a folder of frames may be <video>.mp4, in the root or in videos/
 *   DAVIS    JPEGImages/480p/<video>/, Annotations/480p/<video>/<frame>.png (index), ImageSets/2017/SPLIT.txt (or 2016,
 *            480p); Full-Resolution and 1080p likewise. 255 is void, or the object where it is the only value (2016)
 *   flat     JPEGImages/<video>/, Annotations/<video>/<frame>.png (index), maybe few (MOSE, YouTube-VOS, LVOS),
 *            SPLIT.txt in the root or in ImageSets/
 *   SA-V train   <video>.mp4 with <video>_manual.json or <video>_auto.json (sav_train.h) in one folder, or in folders
 *            sav_000, sav_001 ... of it, SPLIT.txt
 *
 * The root is split_dir, or split_dir/split_name. Frames count from 0 in the order of their file names (name_compare in
 * listing.h); a mask belongs to the frame with its name. Everything but pixels is checked when the set is opened. */
#ifndef DATASET_H
#define DATASET_H

#include "image_io.h"
#include "listing.h"

typedef enum dataset_layout { DATASET_SAV, DATASET_DAVIS, DATASET_FLAT, DATASET_SAV_TRAIN } dataset_layout;

typedef struct dataset_object {
    char *name;     /* SA-V: its folder, "000"; else its id in three digits, "001"                             */
    int value;      /* of its pixels; 0: every nonzero pixel (SA-V)                                            */
    int *annotated; /* [n_annotated] frames, ascending. From the first that shows it on (SA-V: all it has), so
                       the first is where it is prompted; later ones may be empty                              */
    int n_annotated;
    listing files; /* [n_annotated] file names of the masks */
} dataset_object;

typedef struct dataset_video {
    char *name;
    char *frames_dir; /* NULL for a video file                        */
    char *video_file; /* NULL for a folder of frames                  */
    char *masks_dir;  /* SA-V train: the file of annotations          */
    listing frames;   /* file names in frames_dir; empty for a video file */
    listing masks;    /* DAVIS, flat: file names in masks_dir         */
    dataset_object *objects;
    int n_objects;
    sam_error *fault; /* why it cannot be run; only its name is there then. NULL: nothing is wrong */
} dataset_video;

typedef struct dataset_options {
    const char *split_name; /* of the list; NULL or without such a list: every annotated video is taken            */
    int split_required;     /* 1: the user named it: having other lists below ImageSets, but not it, is SAM_E_ARG     */
    int limit_videos;       /* 0: all. Applied after shuffling                                                     */
    int limit_objects;      /* per video, by name; 0: all                                                          */
    int shuffle;            /* 1: the order of videos is shuffled, always the same way for a seed                  */
    uint64_t seed;
} dataset_options;

typedef struct dataset {
    dataset_layout layout;
    char *root;
    char *list_file;   /* NULL: the folders were listed         */
    int n_unannotated; /* listed folders without annotations, left out */
    int n_faulty;      /* videos that cannot be run */
    dataset_video *videos;
    int n_videos;
    int limit_objects;
    struct sav_train **recent; /* SA-V train: [1] the file read last, NULL: none */
} dataset;

/* Start with {0}; dataset_close also after a failure is harmless. A video that cannot be run (a frame is missing, a folder is
 * no object's, a list names it but it is not there) is kept with its fault, unless all are such. */
sam_status dataset_open(dataset *d, const char *split_dir, const dataset_options *options, sam_error *err);
void dataset_close(dataset *d);

/* Fills in the objects of a video. In the DAVIS and flat layouts that decodes its annotations: the first for DAVIS, whose
 * objects are those of the first frame, else all of them. Call before use; a second call does nothing. For a video
 * with a fault that is what comes back. */
sam_status dataset_find_objects(dataset *d, int video, sam_error *err);

/* Reads an object's annotation of an annotated frame as [height, width] u8 of 0 and 1, into `out`, whose memory is
 * reused. Another size than width x height (0: any) is SAM_E_FORMAT. */
sam_status dataset_read_mask(const dataset *d, int video, int object, int frame, int width, int height, image *out,
                             sam_error *err);

/* 1: annotations are files of single objects (SA-V); 0: one picture holds the numbers of all objects (DAVIS, flat). */
int dataset_masks_by_object(const dataset *d);

/* Path of a frame's image, for the caller to free; not for video files. */
sam_status dataset_frame_path(const dataset *d, int video, int frame, char **out, sam_error *err);

/* The next number of the generator behind `shuffle` (splitmix64). */
uint64_t splitmix64(uint64_t *state);

#endif
