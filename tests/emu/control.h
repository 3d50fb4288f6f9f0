/* control.h - what tests tell the emulator; see emu.h. */
#ifndef EMU_CONTROL_H
#define EMU_CONTROL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Order of threads and blocks in later launches: 0 ascending, 1 descending, else shuffled. */
void emu_seed(unsigned seed);
/* Starts of threads and switches between them since the program began. */
unsigned long long emu_steps(void);
/* What device_shared_limit() says; at first 99 KiB, the least of the targets. */
void emu_shared_limit(size_t n_bytes);

#ifdef __cplusplus
}
#endif

#endif
