/* The engine's side of resample_sweep.py: resizes what standard input holds, until its end.
 *
 *   request   KIND IN_W IN_H OUT_W OUT_H newline, then the picture: "pil_bicubic" and "pil_bilinear" [in_h,in_w,3] u8,
 *             "antialias" and "bilinear" [in_h,in_w] f32
 *   answer    the resized picture, [out_h,out_w,3] u8 or [out_h,out_w] f32
 *
 * Ends with 1 and a message where a request is wrong. */
#include "resample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct request {
    int kind; /* of resample_kind; -1: another word */
    int in_w, in_h, out_w, out_h;
} request;

static int is_side(int n)
{
    return n > 0 && n < 65536;
}

/* 1: a request; 0: the end; -1: something else. */
static int read_request(request *q)
{
    static const char *const names[] = {
        [RESAMPLE_PIL_BICUBIC] = "pil_bicubic", [RESAMPLE_PIL_BILINEAR] = "pil_bilinear", [RESAMPLE_RGB_ANTIALIAS] = "",
        [RESAMPLE_ANTIALIAS] = "antialias",     [RESAMPLE_BILINEAR] = "bilinear",
    };
    char line[120], word[20];
    if (!fgets(line, sizeof line, stdin))
        return 0;
    if (sscanf(line, "%19s %d %d %d %d", word, &q->in_w, &q->in_h, &q->out_w, &q->out_h) != 5)
        return -1;
    for (q->kind = RESAMPLE_BILINEAR; q->kind >= 0 && strcmp(names[q->kind], word) != 0;)
        q->kind--;
    return q->kind >= 0 && is_side(q->in_w) && is_side(q->in_h) && is_side(q->out_w) && is_side(q->out_h) ? 1 : -1;
}

static int answer(const request *q)
{
    int is_rgb = q->kind == RESAMPLE_PIL_BICUBIC || q->kind == RESAMPLE_PIL_BILINEAR;
    size_t pixel = is_rgb ? 3 : sizeof(float);
    size_t n_in = pixel * (size_t)q->in_w * (size_t)q->in_h, n_out = pixel * (size_t)q->out_w * (size_t)q->out_h;
    resample *r = resample_open((resample_kind)q->kind, q->in_w, q->in_h, q->out_w, q->out_h);
    void *in = malloc(n_in), *out = malloc(n_out);
    int ok = r && in && out && fread(in, 1, n_in, stdin) == n_in;
    if (ok && is_rgb)
        resample_rgb(r, in, 3 * (size_t)q->in_w, out, 1);
    else if (ok)
        resample_plane(r, in, out, 1);
    ok = ok && fwrite(out, 1, n_out, stdout) == n_out && fflush(stdout) == 0;
    resample_close(r);
    free(in);
    free(out);
    return ok;
}

int main(void)
{
    request q;
    int found;
    while ((found = read_request(&q)) > 0)
        if (!answer(&q)) {
            fprintf(stderr, "%d x %d: the picture is short, or there is no memory\n", q.in_w, q.in_h);
            return 1;
        }
    if (found < 0)
        fprintf(stderr, "expected: pil_bicubic|pil_bilinear|antialias|bilinear IN_W IN_H OUT_W OUT_H\n");
    return found < 0;
}
