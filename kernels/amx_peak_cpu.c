/* The rate of tile products with operands that stay in tiles, as GFLOP/s of n_threads threads together: the roof of
 * everything on tiles. 0 in variants without tiles. */
#include "cpu_amx.h"
#include "op.h"

#include <omp.h>

double CPU_FN(amx_peak)(int n_threads);

double CPU_FN(amx_peak)(int n_threads)
{
    enum { FLOPS = 2 * 16 * 16 * 32, ROUNDS = 64 }; /* of a product; of four products between looks at the clock */
    double rate = 0;
    if (!HAVE_AMX)
        return 0;
#pragma omp parallel num_threads(n_threads) reduction(+ : rate)
    {
        static const uint16_t ones[16 * 32] = {0x3F80, 0x3F80, 0x3F80};
        amx_tiles x;
        amx_begin(&x);
        for (int warm = 1; warm >= 0; warm--) {
            double start = omp_get_wtime(), seconds = 0;
            long rounds = 0;
            amx_load(&x, 4, ones, 64);
            amx_load(&x, 5, ones, 64);
            amx_load(&x, 6, ones, 64);
            amx_load(&x, 7, ones, 64);
            while (seconds < 5e-3) {
                for (int i = 0; i < ROUNDS; i++) {
                    amx_dot(&x, 0, 4, 6);
                    amx_dot(&x, 1, 4, 7);
                    amx_dot(&x, 2, 5, 6);
                    amx_dot(&x, 3, 5, 7);
                }
                rounds += ROUNDS;
                seconds = omp_get_wtime() - start;
            }
            rate = 4.0 * (double)rounds * FLOPS / seconds * 1e-9;
        }
        amx_end(&x);
    }
    return rate;
}
