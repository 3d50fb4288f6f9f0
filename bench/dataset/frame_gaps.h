/* frame_gaps.h - numbers that are missing among the frames of a folder: a file that was lost makes the video jump. */
#ifndef FRAME_GAPS_H
#define FRAME_GAPS_H

#include "listing.h"

/* How many numbers are missing in a sorted listing of frames, which may go up in steps (00000, 00004, ...); `first` is the name
 * of the first one. Names that do not go up in even steps, as time stamps, have no gaps. */
int frame_gaps(const listing *frames, char *first, size_t n_first);

/* Says on stderr that there are some in `folder`. */
void frame_gaps_say(const char *verb, const char *folder, const listing *frames);

#endif
