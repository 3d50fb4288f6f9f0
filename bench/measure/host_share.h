/* host_share.h - what limits a frame on a device: the host, which enqueues its work, or the device, which does it. */
#ifndef HOST_SHARE_H
#define HOST_SHARE_H

#include "figures.h"
#include "sam.h"

enum { HOST_SHARE_BYTES = 240 };

/* The host's own time of a frame that took `ms`, that is all of it but waiting; NaN on the CPU, where there is no other. */
double host_share_ms(const sam_stats *s, double ms);
/* The device's time: its marks around the stages. NaN on the CPU. */
double host_share_device_ms(const sam_stats *s);

/* One sentence; "" where one of them is NaN. */
const char *host_share_says(double host_ms, double device_ms, double frame_ms, char text[HOST_SHARE_BYTES]);

/* A line for each row of a final table with `model`, `fps_median`, `host_ms` and `device_ms`. */
void host_share_print(const figures *f, FILE *to);

#endif
