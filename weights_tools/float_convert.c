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

/* A format of `digits` significant bits whose smallest normal number is 2^min_exponent; rint rounds to even. */
static double round_to(double x, int digits, int min_exponent)
{
    int exponent;
    frexp(x, &exponent); /* |x| in [2^(exponent-1), 2^exponent) */
    int unit = exponent - 1 < min_exponent ? min_exponent : exponent - 1;
    return ldexp(rint(ldexp(x, digits - 1 - unit)), unit - digits + 1);
}

static uint16_t double_to_half(double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double x = fabs(value);
    if (isnan(x))
        return 0x7e00;
    if (!isinf(x))
        x = round_to(x, 11, -14);
    if (x >= 65536) /* 65504 is the largest; what rounds to 2^16 is infinite */
        return sign | 0x7c00;
    if (x < ldexp(1, -14))
        return sign | (uint16_t)ldexp(x, 24);
    int exponent;
    double fraction = frexp(x, &exponent); /* [0.5, 1) */
    return sign | (uint16_t)((exponent + 14) << 10 | ((int)ldexp(fraction, 11) & 1023));
}

/* The upper half of the float32 with the same value. */
static uint16_t double_to_bfloat(double value)
{
    uint32_t bits;
    float x = (float)(isfinite(value) ? round_to(value, 8, -126) : value);
    memcpy(&bits, &x, sizeof bits);
    return isnan(value) ? 0x7fc0 : (uint16_t)(bits >> 16);
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
    uint16_t half = dtype == ST_F16 ? double_to_half(value) : double_to_bfloat(value);
    memcpy((uint8_t *)data + 2 * i, &half, sizeof half);
}
