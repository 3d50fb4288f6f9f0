/* synth_random.h - chance, waves and noise that are the same to the last bit on every machine.
 *
 * Only + - * / and comparisons of doubles, integer hashes and no libm; the files of the generator are compiled without
 * contraction to fused multiply-add (bench/CMakeLists.txt), so that a mask pixel never depends on the processor. */
#ifndef SYNTH_RANDOM_H
#define SYNTH_RANDOM_H

#include <stdint.h>

typedef struct synth_rng {
    uint64_t state;
} synth_rng;

/* One generator for each (seed, stream): clips do not depend on how many there are. */
synth_rng rng_begin(uint64_t seed, uint64_t stream);
double rng_unit(synth_rng *r);                           /* [0, 1)             */
double rng_range(synth_rng *r, double low, double high); /* [low, high)        */
int rng_int(synth_rng *r, int n);                        /* 0 .. n - 1         */
uint32_t rng_seed(synth_rng *r);                         /* for noise          */

double wave(double turns);                                             /* sin(2 pi turns), within 1e-9 */
double hash_unit(uint32_t seed, int32_t x, int32_t y);                 /* [0, 1) of a lattice point    */
double smooth_noise(uint32_t seed, double x, double y);                /* [0, 1], lattice of side 1   */
double octave_noise(uint32_t seed, double x, double y, int n_octaves); /* [0, 1], halving side and weight */
double clamp01(double x);

#endif
