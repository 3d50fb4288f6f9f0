/* tensor_core.h - mma, and how tensor cores add. */
#ifndef PTX_TENSOR_CORE_H
#define PTX_TENSOR_CORE_H

#include "convert.h"
#include "tensor_sum.h"

/* mma.m16n8kK, row x col, f32 sums. "Matrix fragments" of the ISA: element j of A in lane l (group g = l / 4, t = l % 4)
 *   16 bits, K 16: row g + (j / 2 % 2) * 8, column 2 t + j % 2 + j / 4 * 8      (two elements a register)
 *   16 bits, K 8:  row g + j / 2 * 8,       column 2 t + j % 2
 *   tf32:          row g + j % 2 * 8,       column t + j / 2 * 4
 * of B  16 bits: row 2 t + j % 2 + j / 2 * 8, column g;   tf32: row t + 4 j, column g
 * of C and D: row g + j / 2 * 8, column 2 t + j % 2.
 * o[0..3] d, then registers of a, b, c. imm: K, imm2: 0 f16, 1 bf16, 2 tf32 */
static void mma(Warp &w, const Ins &i, u32)
{
    static float a[16][16], b[16][8], bt[8][16];
    const int K = i.imm, type = i.imm2, na = type == 2 ? K / 2 : K / 4, nb = na / 2;
    const int *ra = i.o + 4, *rb = ra + na, *rc = rb + nb;
    for (int lane = 0; lane < 32; lane++) {
        int g = lane / 4, t = lane % 4;
        for (int j = 0; j < (type == 2 ? na : 2 * na); j++) {
            float v;
            if (type == 2) {
                u32 u = row<u32>(w, ra[j])[lane] & 0xFFFFE000u;
                memcpy(&v, &u, 4);
                a[g + j % 2 * 8][t + j / 2 * 4] = v;
            } else {
                v = from_half((u16)(row<u32>(w, ra[j / 2])[lane] >> (j % 2 * 16)), type == 1);
                a[g + (K == 16 ? j / 2 % 2 : j / 2) * 8][2 * t + j % 2 + (K == 16 ? j / 4 * 8 : 0)] = v;
            }
        }
        for (int j = 0; j < (type == 2 ? nb : 2 * nb); j++) {
            float v;
            if (type == 2) {
                u32 u = row<u32>(w, rb[j])[lane] & 0xFFFFE000u;
                memcpy(&v, &u, 4);
                b[t + 4 * j][g] = v;
            } else {
                v = from_half((u16)(row<u32>(w, rb[j / 2])[lane] >> (j % 2 * 16)), type == 1);
                b[2 * t + j % 2 + j / 2 * 8][g] = v;
            }
        }
    }
    float d[16][8];
    for (int r = 0; r < 16; r++)
        for (int n = 0; n < 8; n++)
            d[r][n] = row<float>(w, rc[r / 8 * 2 + n % 2])[r % 8 * 4 + n / 2];
    bool finite = true;
    Term ta[16][16], tb[8][16];
    const int least = type == 0 ? -14 : -126;
    for (int k = 0; k < K; k++) {
        for (int r = 0; r < 16; r++) {
            finite &= std::isfinite(a[r][k]);
            ta[r][k] = term_of(a[r][k], least);
        }
        for (int n = 0; n < 8; n++) {
            bt[n][k] = b[k][n];
            finite &= std::isfinite(b[k][n]);
            tb[n][k] = term_of(b[k][n], least);
        }
    }
    const bool late = settings.target >= 90;
    const int at_once = late ? K : std::min(K, 8), fraction = late ? 25 : 24;
    for (int r = 0; r < 16; r++)
        for (int n = 0; n < 8; n++)
            for (int k = 0; k < K; k += at_once) {
                bool plain = settings.f32_sums || !finite || !std::isfinite(d[r][n]);
                d[r][n] = plain ? plain_sum(a[r] + k, bt[n] + k, at_once, d[r][n])
                                : tensor_sum(ta[r] + k, tb[n] + k, at_once, d[r][n], fraction);
            }
    for (int r = 0; r < 16; r++)
        for (int n = 0; n < 8; n++)
            row<float>(w, i.o[r / 8 * 2 + n % 2])[r % 8 * 4 + n / 2] = d[r][n];
}

#endif
