/* backend_emu.h - the CUDA kernels under the emulator as a backend of the engine, so that whole models run through them
 * without a GPU. It is as asynchronous as a device: work is queued on streams and happens when somebody waits (or when
 * emu.order says), recordings are lists that are replayed, host memory is read and written when a copy's turn comes, and
 * device memory can only be touched by queued work (except under AddressSanitizer, which checks its bounds instead). */
#ifndef BACKEND_EMU_H
#define BACKEND_EMU_H

#include "backend.h"

extern const backend_api backend_emu;

/* When queued work happens. Results may not depend on it. */
typedef enum emu_order {
    EMU_LATE,         /* when waited for, and no other stream's work than that needs */
    EMU_AT_ONCE,      /* when enqueued                                               */
    EMU_OTHERS_FIRST, /* when waited for, after everything on other streams          */
    EMU_ORDERS
} emu_order;

/* What tests set and read; one device at a time, so it is global. */
typedef struct emu_device {
    emu_order order;
    /* The n-th call from now on fails; 0: none does. `fault`: the n-th operator that happens, and everything after it. */
    long fail_alloc, fail_host_alloc, fail_mark, fail_record, fail_run, fault;
    long n_allocs, n_host_allocs, n_marks; /* taken and not given back */
    size_t bytes;                          /* of device memory, now      */
    long n_taken;                          /* calls of alloc, host_alloc */
    long n_waits, n_runs, n_happened, n_replays;
    int stays_lost;               /* 1: after a fault opening fails too, as in a process whose CUDA context is broken */
    const char *cublaslt, *cudnn; /* files of pretended libraries for models that are opened from now on; NULL: none */
} emu_device;
extern emu_device emu;
enum { EMU_BYTES = 1 << 30 }; /* of device memory */

/* Streams with work that has not happened. */
int emu_pending(void);

/* Called with 1 before queued work happens and 0 after it; what it takes from the heap is the emulator's. */
void emu_on_work(void (*begins_or_ends)(int begins));

#endif
