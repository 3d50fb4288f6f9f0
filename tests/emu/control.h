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
/* How often launchers have asked what the device has: those that never do choose no tiles by it. */
unsigned long long emu_questions(void);
/* What device_shared_limit() says where no device is described (described_device.h); at first 99 KiB, the least of the
 * targets. */
void emu_shared_limit(size_t n_bytes);

#ifdef __cplusplus
}
#endif

#endif
