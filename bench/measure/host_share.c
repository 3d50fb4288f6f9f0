/* host_share.c - see host_share.h. */
#include "host_share.h"

#include <math.h>
#include <string.h>

static int is_device(const sam_stats *s)
{
    return s->backend && strcmp(s->backend, "cpu") != 0;
}

double host_share_ms(const sam_stats *s, double ms)
{
    return is_device(s) ? ms - s->wait_ms : NAN;
}

double host_share_device_ms(const sam_stats *s)
{
    double ms = 0;
    for (int k = 0; k < SAM_N_STAGES; k++)
        ms += s->stage_ms[k];
    return is_device(s) ? ms : NAN;
}

const char *host_share_says(double host_ms, double device_ms, double frame_ms, char text[HOST_SHARE_BYTES])
{
    text[0] = 0;
    if (isnan(host_ms) || isnan(device_ms) || !(frame_ms > 0))
        return text;
    const char *is_limit = host_ms >= 0.9 * frame_ms ? "the host is the limit, the device waits for work"
                           : device_ms >= 0.7 * frame_ms
                               ? "the device is the limit"
                               : "host and device take turns; --overlap lets them work at once";
    snprintf(text, HOST_SHARE_BYTES, "of %.2f ms a frame the host works %.2f ms and the device %.2f ms: %s", frame_ms,
             host_ms, device_ms, is_limit);
    return text;
}

void host_share_print(const figures *f, FILE *to)
{
    char text[HOST_SHARE_BYTES];
    for (int r = 0; r < f->n_rows; r++) {
        double fps = figures_number_of(f, r, "fps_median");
        if (host_share_says(figures_number_of(f, r, "host_ms"), figures_number_of(f, r, "device_ms"), 1e3 / fps,
                            text)[0])
            fprintf(to, "%s: %s\n", figures_word_of(f, r, "model"), text);
    }
}
