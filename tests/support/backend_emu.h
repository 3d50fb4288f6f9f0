/* backend_emu.h - the CUDA kernels under the emulator as a backend of the engine, so that whole models run through them
 * without a GPU. Its memory counts as a device's: everything the tracker needs on the host is copied. */
#ifndef BACKEND_EMU_H
#define BACKEND_EMU_H

#include "backend.h"

extern const backend_api backend_emu;

#endif
