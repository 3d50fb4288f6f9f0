/* nvtx.h - named ranges for NVIDIA's profilers, where their library is loaded or can be; nothing otherwise. */
#ifndef NVTX_H
#define NVTX_H

typedef struct nvtx {
    void *library;
    int (*push)(const char *name); /* NULL: there is none */
    int (*pop)(void);
} nvtx;

/* Only under a profiler (which sets NVTX_INJECTION64_PATH), or with SAMBENCH_NVTX=1. */
void nvtx_open(nvtx *n);
void nvtx_close(nvtx *n);
/* Begins a range, or ends the last one for NULL. */
void nvtx_range(const nvtx *n, const char *name);

#endif
