#include "position.h"

#include <math.h>
#include <stdio.h>

#define PI 3.14159265358979323846

static void fill_sine(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int side = (int)args[0], channels = (int)args[1], half = channels / 2;
    (void)in;
    (void)shape;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            float *row = out + ((size_t)y * (size_t)side + (size_t)x) * (size_t)channels;
            for (int c = 0; c < channels; c++) {
                int i = c % half;
                double pos = ((c < half ? y : x) + 1) / (side + 1e-6) * 2 * PI;
                double angle = pos / pow(10000.0, 2.0 * (i / 2) / half);
                row[c] = (float)(i % 2 ? cos(angle) : sin(angle));
            }
        }
}

val sine_position(builder *b, int side, int channels)
{
    char name[64];
    snprintf(name, sizeof name, "(sine position %d x %d)", side, channels);
    return table(b, name, DT_F32, side * side, channels, (derive){.fill = fill_sine, .args = {side, channels}});
}

/* Pair c of a row turns by x * f for the first half of the pairs and by y * f for the second, f = 10000^(-4i/channels). */
static void fill_rope(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int side = (int)args[0], channels = (int)args[1], quarter = channels / 4;
    (void)in;
    (void)shape;
    for (int t = 0; t < side * side; t++)
        for (int c = 0; c < channels / 2; c++) {
            double pos = c < quarter ? t % side : t / side;
            double angle = pos * pow(10000.0, -4.0 * (c % quarter) / channels);
            float *pair = out + (size_t)t * (size_t)channels + 2 * (size_t)c;
            pair[0] = (float)cos(angle);
            pair[1] = (float)sin(angle);
        }
}

val rope_table(builder *b, int side, int channels)
{
    char name[64];
    snprintf(name, sizeof name, "(rope %d x %d)", side, channels);
    return table(b, name, DT_F32, side * side, channels, (derive){.fill = fill_rope, .args = {side, channels}});
}

static void fill_dense(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int side = (int)args[0], half = shape[0].cols;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double u = 2 * ((x + 0.5) / side) - 1, v = 2 * ((y + 0.5) / side) - 1;
            float *row = out + ((size_t)y * (size_t)side + (size_t)x) * 2 * (size_t)half;
            for (int c = 0; c < half; c++) {
                double angle = 2 * PI * (u * in[0][c] + v * in[0][half + c]);
                row[c] = (float)sin(angle);
                row[half + c] = (float)cos(angle);
            }
        }
}

val dense_position(builder *b, int side, int channels, scope prompt_encoder)
{
    val gaussian =
        weight_rows(b, at(prompt_encoder, "pe_layer"), "positional_encoding_gaussian_matrix", 2, channels / 2);
    char name[64];
    snprintf(name, sizeof name, "(dense position %d x %d)", side, channels);
    if (!gaussian.id)
        return no_val();
    derive how = {.fill = fill_dense, .n_src = 1, .src = {b->g->values[gaussian.id].index}, .args = {side}};
    return table(b, name, DT_F32, side * side, channels, how);
}

/* Cubic convolution weights with a = -0.75, as torch.nn.functional.interpolate(mode="bicubic"). */
static void cubic(double t, double w[4])
{
    const double a = -0.75;
    double u = 1 - t;
    w[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
    w[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    w[2] = ((a + 2) * u - (a + 3)) * u * u + 1;
    w[3] = ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a;
}

static int clamp_index(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void fill_hiera(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int side = (int)args[0], channels = shape[0].rows, h = (int)args[1], w = (int)args[2], window = (int)args[3];
    for (int y = 0; y < side; y++) {
        double sy = (y + 0.5) * h / side - 0.5, wy[4], wx[4];
        int iy = (int)floor(sy);
        cubic(sy - iy, wy);
        for (int x = 0; x < side; x++) {
            double sx = (x + 0.5) * w / side - 0.5;
            int ix = (int)floor(sx);
            cubic(sx - ix, wx);
            float *row = out + ((size_t)y * (size_t)side + (size_t)x) * (size_t)channels;
            for (int c = 0; c < channels; c++) {
                double sum = 0;
                for (int j = 0; j < 4; j++)
                    for (int i = 0; i < 4; i++)
                        sum += wy[j] * wx[i] *
                               in[0][(c * h + clamp_index(iy + j - 1, h)) * w + clamp_index(ix + i - 1, w)];
                row[c] = (float)(sum + in[1][(c * window + y % window) * window + x % window]);
            }
        }
    }
}

val hiera_position(builder *b, int side, int channels, const int background[2], int window, scope trunk)
{
    val whole = weight_rows(b, trunk, "pos_embed", channels, background[0] * background[1]);
    val tile = weight_rows(b, trunk, "pos_embed_window", channels, window * window);
    if (!whole.id || !tile.id)
        return no_val();
    derive how = {.fill = fill_hiera,
                  .n_src = 2,
                  .src = {b->g->values[whole.id].index, b->g->values[tile.id].index},
                  .args = {side, background[0], background[1], window}};
    return table(b, at(trunk, "(position)").path, DT_F32, side * side, channels, how);
}

/* Linear resampling of one axis as torch.nn.functional.interpolate does it: taps first .. first + n - 1 of n_in elements for
 * element i of n_out; antialiased, the triangle is as wide as an output element. Returns n. */
enum { MAX_TAPS = 256 };
static int linear_taps(int i, int n_in, int n_out, int antialias, int *first, double w[MAX_TAPS])
{
    double scale = (double)n_in / n_out, width = antialias && scale > 1 ? scale : 1, sum = 0;
    double centre = (i + 0.5) * scale - 0.5;
    if (!antialias && centre < 0) /* the first element is repeated, not faded */
        centre = 0;
    int from = (int)ceil(centre - width), n = 0;
    *first = clamp_index(from, n_in);
    for (int j = from; j <= centre + width && n < MAX_TAPS; j++) {
        double tap = 1 - fabs(j - centre) / width;
        if (tap <= 0 || j < 0 || j >= n_in)
            continue;
        if (n == 0)
            *first = j;
        w[n++] = tap;
        sum += tap;
    }
    for (int k = 0; k < n; k++)
        w[k] /= sum;
    return n;
}

static void fill_vit(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int side = (int)args[0], trained = (int)args[1], channels = shape[0].cols;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double wy[MAX_TAPS], wx[MAX_TAPS];
            int y0, x0, ny = linear_taps(y, trained, side, 1, &y0, wy), nx = linear_taps(x, trained, side, 1, &x0, wx);
            float *row = out + ((size_t)y * (size_t)side + (size_t)x) * (size_t)channels;
            for (int c = 0; c < channels; c++) {
                double sum = 0;
                for (int j = 0; j < ny; j++)
                    for (int i = 0; i < nx; i++)
                        sum += wy[j] * wx[i] *
                               in[0][((size_t)(y0 + j) * (size_t)trained + (size_t)(x0 + i)) * (size_t)channels +
                                     (size_t)c];
                row[c] = (float)sum;
            }
        }
}

val vit_position(builder *b, int side, int channels, int trained, scope encoder)
{
    val learned = weight_rows(b, encoder, "pos_embed", trained * trained, channels);
    if (!learned.id || side == trained)
        return learned;
    derive how = {.fill = fill_vit, .n_src = 1, .src = {b->g->values[learned.id].index}, .args = {side, trained}};
    return table(b, at(encoder, "(pos_embed)").path, DT_F32, side * side, channels, how);
}

static void fill_relative(float *out, const float *const *in, const tensor *shape, const double *args)
{
    int rows = (int)args[0], channels = shape[0].cols;
    for (int r = 0; r < rows; r++) {
        double w[MAX_TAPS];
        int first, n = linear_taps(r, shape[0].rows, rows, 0, &first, w);
        for (int c = 0; c < channels; c++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += w[k] * in[0][(size_t)(first + k) * (size_t)channels + (size_t)c];
            out[(size_t)r * (size_t)channels + (size_t)c] = (float)sum;
        }
    }
}

val relative_position(builder *b, int side, int channels, int trained, const char *leaf, scope attention)
{
    val learned = weight_rows(b, attention, leaf, 2 * trained - 1, channels);
    char name[32];
    snprintf(name, sizeof name, "(%s)", leaf);
    if (!learned.id || side == trained)
        return learned;
    derive how = {.fill = fill_relative, .n_src = 1, .src = {b->g->values[learned.id].index}, .args = {2 * side - 1}};
    return table(b, at(attention, name).path, DT_F32, 2 * side - 1, channels, how);
}
