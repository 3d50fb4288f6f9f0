/* kernels_fit.h - does this build have machine code for the device? That of one architecture does not run on another. */
#ifndef KERNELS_FIT_H
#define KERNELS_FIT_H

#ifdef __cplusplus
extern "C" {
#endif

/* NULL, or why kernels of this build cannot run on the calling thread's device. */
const char *kernels_fit_cuda(void);

#ifdef __cplusplus
}
#endif

#endif
