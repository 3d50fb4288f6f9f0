/* synth_random.c - see synth_random.h. */
#include "synth_random.h"

#include "dataset.h" /* splitmix64 */

synth_rng rng_begin(uint64_t seed, uint64_t stream)
{
    synth_rng r = {seed};
    r.state = splitmix64(&r.state) ^ (stream + 1) * UINT64_C(0x9E3779B97F4A7C15);
    splitmix64(&r.state);
    return r;
}

double rng_unit(synth_rng *r)
{
    return (double)(splitmix64(&r->state) >> 11) / 9007199254740992.0; /* 2^53 */
}

double rng_range(synth_rng *r, double low, double high)
{
    return low + (high - low) * rng_unit(r);
}

int rng_int(synth_rng *r, int n)
{
    return (int)(splitmix64(&r->state) % (uint64_t)n);
}

uint32_t rng_seed(synth_rng *r)
{
    return (uint32_t)(splitmix64(&r->state) >> 32);
}

static int32_t floor_of(double x)
{
    int32_t i = (int32_t)x;
    return i - (x < (double)i);
}

/* Taylor series on a quarter turn. */
double wave(double turns)
{
    double x = turns - (double)floor_of(turns), sign = 1.0;
    if (x >= 0.5) {
        x -= 0.5;
        sign = -1.0;
    }
    if (x > 0.25)
        x = 0.5 - x;
    double a = x * 6.283185307179586, s = a * a, term = a, sum = a;
    for (int k = 2; k <= 14; k += 2) {
        term = -term * s / (double)(k * (k + 1));
        sum += term;
    }
    return sign * sum;
}

double hash_unit(uint32_t seed, int32_t x, int32_t y)
{
    uint32_t h = seed ^ (uint32_t)x * 0x9E3779B1u ^ (uint32_t)y * 0x85EBCA77u;
    h = (h ^ h >> 15) * 0x2C1B3C6Du;
    h = (h ^ h >> 12) * 0x297A2D39u;
    return (double)(h ^ h >> 15) / 4294967296.0;
}

double smooth_noise(uint32_t seed, double x, double y)
{
    int32_t ix = floor_of(x), iy = floor_of(y);
    double fx = x - (double)ix, fy = y - (double)iy;
    fx = fx * fx * (3.0 - 2.0 * fx);
    fy = fy * fy * (3.0 - 2.0 * fy);
    double top = hash_unit(seed, ix, iy), bottom = hash_unit(seed, ix, iy + 1);
    top += fx * (hash_unit(seed, ix + 1, iy) - top);
    bottom += fx * (hash_unit(seed, ix + 1, iy + 1) - bottom);
    return top + fy * (bottom - top);
}

double octave_noise(uint32_t seed, double x, double y, int n_octaves)
{
    double sum = 0.0, weight = 1.0, total = 0.0;
    for (int i = 0; i < n_octaves; i++) {
        sum += weight * smooth_noise(seed + (uint32_t)i, x, y);
        total += weight;
        weight *= 0.5;
        x *= 2.0;
        y *= 2.0;
    }
    return sum / total;
}

double clamp01(double x)
{
    return x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x;
}
