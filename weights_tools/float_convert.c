#include "float_convert.h"

#include <math.h>
#include <string.h>

int float_is(st_dtype dtype)
{
    return dtype == ST_F32 || dtype == ST_F16 || dtype == ST_BF16;
}

static double half_to_double(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double x;
    if (exponent == 31)
        x = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        x = ldexp(fraction, -24);
    else
        x = ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -x : x;
}

/* To a format of 16 bits with this many bits of fraction, to nearest even. Works on the bits: 53 significant ones of
 * the double are shifted to those that fit, more for what is subnormal in the narrow format. */
static uint16_t narrow(double value, int fraction_bits)
{
    const int bias = (1 << (14 - fraction_bits)) - 1;
    const uint16_t infinity = (uint16_t)(0x7fff >> fraction_bits << fraction_bits);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 48 & 0x8000);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023, shift = 52 - fraction_bits;
    uint64_t significand = (bits & (UINT64_MAX >> 12)) | (uint64_t)1 << 52;
    if (isnan(value))
        return infinity | 1 << (fraction_bits - 1);
    if (exponent > bias)
        return sign | infinity;
    if (exponent < 1 - bias)
        shift += 1 - bias - exponent;
    if (shift > 53) /* less than half of the smallest number */
        return sign;
    uint64_t kept = significand >> shift, rest = significand - (kept << shift), half = (uint64_t)1 << (shift - 1);
    kept += rest > half || (rest == half && kept & 1);
    if (exponent >= 1 - bias) /* kept has the implicit bit, which adds one to the exponent */
        kept += (uint64_t)(exponent + bias - 1) << fraction_bits;
    return sign | (uint16_t)kept;
}

double float_load(const void *data, st_dtype dtype, size_t i)
{
    if (dtype == ST_F32) {
        float x;
        memcpy(&x, (const uint8_t *)data + 4 * i, sizeof x);
        return x;
    }
    uint16_t half;
    memcpy(&half, (const uint8_t *)data + 2 * i, sizeof half);
    if (dtype == ST_F16)
        return half_to_double(half);
    uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

void float_store(void *data, st_dtype dtype, size_t i, double value)
{
    if (dtype == ST_F32) {
        float x = (float)value;
        memcpy((uint8_t *)data + 4 * i, &x, sizeof x);
        return;
    }
    uint16_t half = narrow(value, dtype == ST_F16 ? 10 : 7);
    memcpy((uint8_t *)data + 2 * i, &half, sizeof half);
}
