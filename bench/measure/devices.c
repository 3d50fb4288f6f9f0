/* devices.c - see devices.h.
 *
 * GeForce cards of the Ampere, Ada and Blackwell generations sum f16 products in f32 at half the rate of f16 sums; the
 * figures are those with f32 sums, without sparsity, at boost clock. Orin: 2048 FLOP a cycle and multiprocessor, as an
 * A100; that this holds with f32 sums is inferred from a bf16 product measured at 10.9 TFLOP/s on an Orin Nano, where half
 * the rate would give 8.4 (zzc0721/torch-performance-test-data#110). mma.sync on Hopper: about 62 % of the peak, which
 * needs wgmma (arXiv 2402.13499, 2501.12084). */
#include "devices.h"

#include <ctype.h>

const gpu_device gpu_devices[] = {
    {"RTX 3060", 86, 28, 25.5, 12.7, 360, 3, 25, 1, 99, 12, "NVIDIA GA102 whitepaper's rates at 28 SM, 1.78 GHz"},
    {"RTX 3090", 86, 82, 71, 35.6, 936, 6, 25, 1, 99, 24, "NVIDIA GA102 whitepaper"},
    {"RTX 4070", 89, 46, 58.3, 29.1, 504, 36, 25, 1, 99, 12, "NVIDIA Ada whitepaper's rates at 46 SM, 2.48 GHz"},
    {"RTX 4090", 89, 128, 165.2, 82.6, 1008, 72, 25, 1, 99, 24, "NVIDIA Ada whitepaper"},
    {"RTX 5090", 120, 170, 209.5, 104.8, 1792, 96, 50, 1, 99, 32, "NVIDIA RTX Blackwell whitepaper"},
    {"Orin Nano", 87, 8, 16.7, 2.1, 102, 2, 0, 1, 163, 8,
     "Jetson Orin Nano 8GB Super: 8 SM at 1.02 GHz, 128-bit LPDDR5"},
    {"Orin NX", 87, 8, 15.0, 1.9, 102, 2, 0, 1, 163, 16, "Jetson Orin NX 16GB: 8 SM at 0.918 GHz (deviceQuery)"},
    {"AGX Orin", 87, 16, 42.6, 5.3, 204.8, 4, 0, 1, 163, 64, "Jetson AGX Orin 64GB brief: 16 SM at 1.3 GHz"},
    {"A100", 80, 108, 312, 19.5, 2039, 40, 25, 1, 163, 80, "NVIDIA A100 80GB SXM data sheet"},
    {"H100", 90, 132, 989.4, 66.9, 3350, 50, 50, 0.62, 227, 80, "NVIDIA H100 SXM data sheet"},
    {"H200", 90, 132, 989.4, 66.9, 4800, 50, 50, 0.62, 227, 141, "NVIDIA H200 SXM data sheet"},
};
const int n_gpu_devices = sizeof gpu_devices / sizeof *gpu_devices;

/* The next letter or digit in lower case, 0 at the end. */
static int next(const char **at, const char *end)
{
    while (*at < end && **at && !isalnum((unsigned char)**at))
        ++*at;
    return *at < end && **at ? tolower((unsigned char)*(*at)++) : 0;
}

static int is_called(const gpu_device *d, const char *name, size_t n)
{
    const char *a = d->name, *b = name, *a_end = a + 64, *b_end = b + n;
    for (;;) {
        int x = next(&a, a_end), y = next(&b, b_end);
        if (x != y)
            return 0;
        if (!x)
            return 1;
    }
}

const gpu_device *gpu_device_find(const char *name, size_t n)
{
    for (int i = 0; i < n_gpu_devices; i++)
        if (is_called(&gpu_devices[i], name, n))
            return &gpu_devices[i];
    return NULL;
}
