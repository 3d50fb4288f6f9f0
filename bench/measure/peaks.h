/* peaks.h - the rates this machine reaches on the two simplest things, measured through the backend that models run on:
 * a copy of a large array and a large product. They are the roof of a roofline, not data-sheet figures. On a CPU with tiles
 * the products of tiles alone are the roof of bf16: no product comes near them that reads its operands from memory. */
#ifndef PEAKS_H
#define PEAKS_H

#include "sam.h"

typedef struct peaks {
    double gflop_s;      /* best of `runs`: [side, side] x [side, side], in the type of the session; or of tiles */
    double tile_gflop_s; /* products of tiles (AMX) alone; 0: no tiles, or not bf16                              */
    double gb_s;         /* best of `runs`: bytes read and written, 1e9 a second                                 */
    int side;
    size_t copy_bytes;
} peaks;

/* side 0: 2048 (CUDA: 8192); copy_bytes 0: 256 MiB (CUDA: 1 GiB), half read, half written. Operands are random. */
sam_status peaks_measure(const sam_model_options *o, int side, size_t copy_bytes, int runs, peaks *out, sam_error *err);

#endif
