/* devices.h - GPUs by their data sheets, for predictions where none is at hand. */
#ifndef DEVICES_H
#define DEVICES_H

#include <stddef.h>

typedef struct gpu_device {
    const char *name; /* as --predict takes it; case and anything but letters and digits do not matter */
    int sm;           /* compute capability: 87 */
    int multiprocessors;
    double matrix_tflop_s; /* dense f16 and bf16 with f32 sums                                        */
    double plain_tflop_s;  /* f32 on the ordinary units                                               */
    double gb_s;           /* device memory, 1e9 bytes a second                                       */
    double l2_mib;
    double link_gb_s; /* to and from the host, one way; 0: the host's memory is the device's     */
    double mma_share; /* of matrix_tflop_s that mma.sync reaches; 1 where it is the only way     */
    int shared_kib;   /* most dynamic shared memory of a block                                   */
    double memory_gib;
    const char *source;
} gpu_device;

extern const gpu_device gpu_devices[];
extern const int n_gpu_devices;

/* By name, of which n characters count: "rtx4090", "Orin Nano". NULL: none. */
const gpu_device *gpu_device_find(const char *name, size_t n);

#endif
