/* Weights of resampling in one direction.
 *
 * The arithmetic follows the originals operation by operation, double and float where they use them, because a window
 * that starts one pixel later or a weight rounded otherwise is a visible difference: Pillow's Resample.c
 * (precompute_coeffs, normalize_coeffs_8bpc) and ATen's UpSampleKernel.cpp (_compute_indices_min_size_weights_aa,
 * compute_source_index_and_lambda). This file is compiled without contraction to fused multiply-adds. */
#include "resample_rows.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static double pil_bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static void pil_weights(const resample_axis *a, int i, double (*filter)(double), double support, double *w)
{
    double scale = (double)a->n_in / a->n_out, widen = scale < 1 ? 1 : scale;
    double centre = (i + 0.5) * scale, narrow = 1 / widen, sum = 0;
    int first = (int)(centre - support * widen + 0.5), end = (int)(centre + support * widen + 0.5);
    first = first < 0 ? 0 : first;
    end = end > a->n_in ? a->n_in : end;
    a->start[i] = first;
    a->count[i] = end - first;
    for (int t = 0; t < end - first; t++)
        sum += w[t] = filter((t + first - centre + 0.5) * narrow);
    for (int t = 0; t < end - first; t++) {
        double unit = (sum != 0 ? w[t] / sum : w[t]) * (1 << RESAMPLE_BITS);
        a->fixed[(size_t)i * (size_t)a->taps + (size_t)t] = (int32_t)(unit < 0 ? unit - 0.5 : unit + 0.5);
    }
}

static void antialias_weights(const resample_axis *a, int i)
{
    float scale = (float)a->n_in / (float)a->n_out, support = scale >= 1 ? scale : 1;
    float centre = (float)((double)scale * (i + 0.5)), narrow = scale >= 1 ? 1 / scale : 1, sum = 0;
    int first = (int)((double)(centre - support) + 0.5), end = (int)((double)(centre + support) + 0.5);
    first = first < 0 ? 0 : first;
    end = end > a->n_in ? a->n_in : end;
    end = end - first > a->taps ? first + a->taps : end;
    a->start[i] = first;
    a->count[i] = end - first;
    float *w = a->weight + (size_t)i * (size_t)a->taps;
    for (int t = 0; t < end - first; t++) {
        float x = (float)(((double)((float)(t + first) - centre) + 0.5) * (double)narrow);
        sum += w[t] = (float)triangle(x);
    }
    for (int t = 0; t < end - first && sum != 0; t++)
        w[t] /= sum;
}

static void bilinear_weights(const resample_axis *a, int i)
{
    float scale = (float)a->n_in / (float)a->n_out;
    float at = scale * ((float)i + 0.5f) - 0.5f;
    at = at < 0 ? 0 : at;
    int first = (int)at;
    first = first > a->n_in - 1 ? a->n_in - 1 : first;
    float part = at - (float)first;
    part = part > 1 ? 1 : part;
    a->start[i] = first;
    a->count[i] = first < a->n_in - 1 ? 2 : 1;
    float *w = a->weight + (size_t)i * 2;
    w[0] = a->count[i] == 2 ? 1 - part : 1;
    w[1] = a->count[i] == 2 ? part : 0;
}

/* An unchanged side is copied: one tap of weight 1. */
static void identity_weights(const resample_axis *a)
{
    for (int i = 0; i < a->n_out; i++) {
        a->start[i] = i;
        a->count[i] = 1;
        if (a->fixed)
            a->fixed[i] = 1 << RESAMPLE_BITS;
        else
            a->weight[i] = 1;
    }
}

static int taps_of(resample_kind kind, int n_in, int n_out)
{
    double scale = (double)n_in / n_out, widen = scale < 1 ? 1 : scale;
    if (n_in == n_out)
        return 1;
    if (kind == RESAMPLE_BILINEAR)
        return 2;
    return (int)ceil((kind == RESAMPLE_PIL_BICUBIC ? 2 : 1) * widen) * 2 + 1;
}

size_t resample_axis_bytes(resample_kind kind, int n_in, int n_out)
{
    return (size_t)n_out * (2 * sizeof(int) + (size_t)taps_of(kind, n_in, n_out) * sizeof(float));
}

int resample_axis_open(resample_axis *a, resample_kind kind, int n_in, int n_out)
{
    assert(n_in > 0 && n_in < 65536 && n_out > 0 && n_out < 65536);
    int is_fixed = kind == RESAMPLE_PIL_BICUBIC || kind == RESAMPLE_PIL_BILINEAR;
    *a = (resample_axis){.n_in = n_in, .n_out = n_out, .taps = taps_of(kind, n_in, n_out)};
    size_t n_weights = (size_t)n_out * (size_t)a->taps;
    a->start = malloc((size_t)n_out * sizeof *a->start);
    a->count = malloc((size_t)n_out * sizeof *a->count);
    a->fixed = is_fixed ? calloc(n_weights, sizeof *a->fixed) : NULL;
    a->weight = is_fixed ? NULL : calloc(n_weights, sizeof *a->weight);
    double *row = malloc((size_t)a->taps * sizeof *row);
    if (!a->start || !a->count || !(is_fixed ? (void *)a->fixed : (void *)a->weight) || !row) {
        free(row);
        resample_axis_close(a);
        return 0;
    }
    if (n_in == n_out)
        identity_weights(a);
    for (int i = 0; i < n_out && n_in != n_out; i++)
        switch (kind) {
        case RESAMPLE_PIL_BICUBIC:
            pil_weights(a, i, pil_bicubic, 2, row);
            break;
        case RESAMPLE_PIL_BILINEAR:
            pil_weights(a, i, triangle, 1, row);
            break;
        case RESAMPLE_BILINEAR:
            bilinear_weights(a, i);
            break;
        default:
            antialias_weights(a, i);
        }
    free(row);
    return 1;
}

/* Rows of the input that two neighbours of the middle touch. */
static int cut_taps(int n_in, int n_mid)
{
    return 2 + (n_in + n_mid - 1) / n_mid;
}

size_t resample_axis_cut_bytes(int n_in, int n_mid, int n_out)
{
    return (size_t)n_out * (2 * sizeof(int) + (size_t)cut_taps(n_in, n_mid) * sizeof(float));
}

/* out[i] = sum over the one or two taps of `last`, each a sum over those of `first`. */
static void multiply_weights(const resample_axis *a, const resample_axis *first, const resample_axis *last)
{
    for (int i = 0; i < a->n_out; i++) {
        float *w = a->weight + (size_t)i * (size_t)a->taps;
        a->start[i] = first->start[last->start[i]];
        a->count[i] = 0;
        for (int t = 0; t < last->count[i]; t++) {
            int mid = last->start[i] + t;
            float part = last->weight[(size_t)i * (size_t)last->taps + (size_t)t];
            for (int k = 0; k < first->count[mid]; k++) {
                int at = first->start[mid] + k - a->start[i];
                assert(at >= 0 && at < a->taps);
                w[at] += part * first->weight[(size_t)mid * (size_t)first->taps + (size_t)k];
                a->count[i] = at + 1 > a->count[i] ? at + 1 : a->count[i];
            }
        }
    }
}

int resample_axis_open_cut(resample_axis *a, int n_in, int n_mid, int n_cut, int n_out)
{
    resample_axis first = {0}, last = {0};
    assert(n_cut > 0 && n_cut <= n_mid);
    *a = (resample_axis){.n_in = n_in, .n_out = n_out, .taps = cut_taps(n_in, n_mid)};
    a->start = malloc((size_t)n_out * sizeof *a->start);
    a->count = malloc((size_t)n_out * sizeof *a->count);
    a->weight = calloc((size_t)n_out * (size_t)a->taps, sizeof *a->weight);
    int ok = a->start && a->count && a->weight && resample_axis_open(&first, RESAMPLE_BILINEAR, n_in, n_mid) &&
             resample_axis_open(&last, RESAMPLE_BILINEAR, n_cut, n_out);
    if (ok)
        multiply_weights(a, &first, &last);
    else
        resample_axis_close(a);
    resample_axis_close(&first);
    resample_axis_close(&last);
    return ok;
}

void resample_axis_close(resample_axis *a)
{
    free(a->start);
    free(a->count);
    free(a->fixed);
    free(a->weight);
    *a = (resample_axis){0};
}
