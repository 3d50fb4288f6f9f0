/* box_tracks.h - boxes that a detector or tracker gives over time, as prompts: an object starts on the first frame that has its
 * box, and may be prompted again.
 *
 *   MOT text    a line a box: frame,id,left,top,width,height[,confidence,...]; frames and pixels count from 1 (MOTChallenge)
 *   COCO JSON   {"images": [{"id", "file_name", ...}], "annotations": [{"image_id", "track_id", "bbox": [left, top, width, height]}]};
 *               a frame is an image's "frame_id" if it has one, else its place in the list; pixels count from 0
 *
 * Told apart by the first character: '{' begins JSON. Boxes without area and lines that are none are SAM_E_FORMAT, naming the line. */
#ifndef BOX_TRACKS_H
#define BOX_TRACKS_H

#include "prompts.h"

/* every: a box is given again when so many frames have passed since the last one of its object; 0: never. Adds to `out`, in
 * which the objects of the first frame are prompted before tracking starts, the others when it gets there. */
sam_status box_tracks_read(const char *path, int every, prompt_file *out, sam_error *err);

#endif
