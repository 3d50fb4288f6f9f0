/* described_device.h - the device that launchers choose tiles and splits for, where it is not the one they run on: a plan
 * for a board that is not here. Of the calling thread. */
#ifndef DESCRIBED_DEVICE_H
#define DESCRIBED_DEVICE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct described_device {
    size_t shared_limit; /* most dynamic shared bytes of a block */
    int multiprocessors;
} described_device;

/* NULL: the device that is there, which is asked. *d is copied. */
void device_describe(const described_device *d);
/* NULL: none is described. */
const described_device *device_described(void);

#ifdef __cplusplus
}
#endif

#endif
