/* device_libraries.h - NVIDIA's libraries and the tuner of one backend: opened with a model, used by its sessions. All of it
 * is optional; what is not there is not used, and said. */
#ifndef DEVICE_LIBRARIES_H
#define DEVICE_LIBRARIES_H

#include "sam.h"
#include "ways.h"

typedef struct device_libraries device_libraries;

/* Milliseconds of device time that the work takes in steady state; negative: it failed. */
typedef double device_timer(void *stream, way_enqueue *enqueue, void *what, const way *w);

typedef struct device_identity {
    const char *name;             /* and capability: "NVIDIA H200, sm_90" */
    int driver;                   /* as cudaDriverGetVersion says it      */
    const char *cublaslt, *cudnn; /* files; NULL: where they are installed */
} device_identity;

/* What `o` allows, for the calling thread's device. NULL when memory is short. */
device_libraries *device_libraries_open(const sam_model_options *o, const device_identity *device, device_timer *timer);
void device_libraries_close(device_libraries *d); /* NULL is a no-op */

/* For op_call; NULL for NULL. */
const op_libraries *device_libraries_use(const device_libraries *d);
/* "cuBLASLt 13.1.0; ...", with what there is to say about the tuning cache; "" for NULL. Valid until the next call. */
const char *device_libraries_text(device_libraries *d);

#endif
