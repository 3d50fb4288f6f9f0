#include "kernels_run.h"

#include "noise_clip.h"
#include "tap.h"
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1280, HEIGHT = 720, PEAK_RUNS = 10, MAX_COUNTS = 1024 };

/* What the tap needs while the frame runs. */
typedef struct frame_state {
    kernels_run *r;
    trial flush; /* a copy that leaves nothing else in the caches */
    int flush_is_open;
} frame_state;

/* ---- what a call is called ---------------------------------------------------------------------------------------- */

static void describe_shapes(op_id op, const op_call *c, char *text, size_t n_text)
{
    static const char *const types[] = {"-", "f32", "bf16", "f16", "i32"};
    const op_def *def = op_table[op];
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < def->n_in + def->n_out && at < n_text; i++) {
        const tensor *t = i < def->n_in ? &c->in[i] : &c->out[i - def->n_in];
        const char *before = i == def->n_in ? " -> " : i ? " " : "";
        at += (size_t)(t->type == DT_NONE ? snprintf(text + at, n_text - at, "%s-", before)
                                          : snprintf(text + at, n_text - at, "%s%s[%d,%d,%d]", before, types[t->type],
                                                     t->n, t->rows, t->cols));
    }
}

static void describe_attrs(const op_attr *a, char *text, size_t n_text)
{
    static const char *const acts[] = {"", "relu", "gelu", "sigmoid"};
    const struct {
        const char *name;
        int value;
    } whole[] = {{"h", a->h},        {"w", a->w},           {"kernel", a->kernel}, {"stride", a->stride},
                 {"pad", a->pad},    {"groups", a->groups}, {"heads", a->heads},   {"window", a->window},
                 {"pool", a->pool},  {"first", a->first},   {"count", a->count},   {"period", a->period},
                 {"start", a->start}};
    const struct {
        const char *name;
        float value;
    } real[] = {{"scale", a->scale}, {"eps", a->eps}, {"bias", a->bias}};
    size_t at = (size_t)snprintf(text, n_text, "%s", acts[a->act]);
    for (size_t i = 0; i < sizeof whole / sizeof *whole && at < n_text; i++)
        if (whole[i].value)
            at += (size_t)snprintf(text + at, n_text - at, "%s%s %d", at ? " " : "", whole[i].name, whole[i].value);
    for (size_t i = 0; i < sizeof real / sizeof *real && at < n_text; i++)
        if (real[i].value != 0)
            at += (size_t)snprintf(text + at, n_text - at, "%s%s %.4g", at ? " " : "", real[i].name,
                                   (double)real[i].value);
}

static void add_graph(kernel_row *row, const char *graph)
{
    size_t n = strlen(row->graphs), more = strlen(graph);
    for (const char *at = row->graphs; (at = strstr(at, graph)); at += more)
        if ((at == row->graphs || at[-1] == ',') && (!at[more] || at[more] == ','))
            return;
    if (n + more + 2 <= sizeof row->graphs)
        snprintf(row->graphs + n, sizeof row->graphs - n, "%s%s", n ? "," : "", graph);
}

/* The row of this call; NULL: no memory. *is_new says whether it was made now. */
static kernel_row *row_of_call(kernels_run *r, const tap_call *c, int *is_new)
{
    kernel_row row = {.op = c->op};
    describe_shapes(c->op, c->call, row.shapes, sizeof row.shapes);
    describe_attrs(c->call->attr, row.attrs, sizeof row.attrs);
    *is_new = 0;
    for (int i = 0; i < r->n_rows; i++)
        if (r->rows[i].op == c->op && !strcmp(r->rows[i].shapes, row.shapes) && !strcmp(r->rows[i].attrs, row.attrs))
            return &r->rows[i];
    if (r->n_rows == r->row_capacity) {
        int more = r->row_capacity ? 2 * r->row_capacity : 64;
        kernel_row *rows = realloc(r->rows, (size_t)more * sizeof *rows);
        if (!rows)
            return NULL;
        r->rows = rows;
        r->row_capacity = more;
    }
    r->rows[r->n_rows] = row;
    *is_new = 1;
    return &r->rows[r->n_rows++];
}

static int is_wanted(const kernels_run *r, const kernel_row *row, const char *graph)
{
    return !r->filter || strstr(op_table[row->op]->name, r->filter) || strstr(row->shapes, r->filter) ||
           strstr(graph, r->filter);
}

/* ---- timing ------------------------------------------------------------------------------------------------------- */

/* With the counts that the call reads, so that attention is not charged for keys that are not there. */
static const char *cost_of_call(const tap_call *c, op_cost *cost)
{
    const op_def *def = op_table[c->op];
    const backend_api *api = c->b->api;
    int32_t counts[OP_MAX_IN][MAX_COUNTS];
    tensor in[OP_MAX_IN];
    memcpy(in, c->call->in, sizeof in);
    for (int i = 0; i < OP_MAX_IN; i++) {
        in[i].data = NULL;
        if (in[i].type != DT_I32 || in[i].rows != 1 || in[i].cols != 1 || in[i].n > MAX_COUNTS)
            continue;
        const char *wrong = api->read(c->b, c->call->stream, counts[i], c->call->in[i].data, tensor_bytes(&in[i]));
        wrong = wrong ? wrong : api->wait(c->b, c->call->stream);
        if (wrong)
            return wrong;
        in[i].data = counts[i];
    }
    *cost = def->cost ? def->cost(in, c->call->out, c->call->attr) : (op_cost){0};
    return NULL;
}

static const char *open_flush(frame_state *s, backend *b)
{
    trial *t = &s->flush;
    int rows = (int)(s->r->flush_bytes / 2 / 4096) + 1;
    *t = (trial){.b = b, .op = OP_cast, .attr = {.type = DT_F32}};
    t->in[0] = t->out[0] = (tensor){.type = DT_F32, .n = 1, .rows = rows, .cols = 1024};
    s->flush_is_open = 1;
    return trial_open(t);
}

/* One run after the caches were overwritten, and one after the call itself ran. Nothing waits in between: a device is
 * still busy with the copy while the call is enqueued, and its events see no gap. */
static const char *time_once(frame_state *s, const tap_call *c, double *cold_ms, double *warm_ms)
{
    const backend_api *api = c->b->api;
    op_call flush = s->flush.call;
    flush.stream = c->call->stream;
    const char *wrong = api->run(c->b, s->flush.op, &flush);
    wrong = wrong ? wrong : call_timed(c->b, c->op, c->call, cold_ms);
    wrong = wrong ? wrong : api->run(c->b, s->flush.op, &flush);
    wrong = wrong ? wrong : api->run(c->b, c->op, c->call);
    return wrong ? wrong : call_timed(c->b, c->op, c->call, warm_ms);
}

static const char *time_row(frame_state *s, const tap_call *c, kernel_row *row)
{
    const char *wrong = s->flush_is_open ? NULL : open_flush(s, c->b);
    wrong = wrong ? wrong : cost_of_call(c, &row->cost);
    for (int i = 0; i <= s->r->runs && !wrong && !s->r->stop(); i++) {
        double cold = 0, warm = 0;
        wrong = time_once(s, c, &cold, &warm);
        if (i && !wrong &&
            (samples_add(&row->cold, cold * 1e3, NULL) != SAM_OK ||
             samples_add(&row->warm, warm * 1e3, NULL) != SAM_OK))
            wrong = "no memory for its times";
    }
    row->timed = row->warm.n > 0;
    if (s->r->on_row)
        s->r->on_row(s->r->user);
    return wrong;
}

static const char *on_call(void *user, const tap_call *c)
{
    frame_state *s = user;
    int is_new;
    kernel_row *row = row_of_call(s->r, c, &is_new);
    if (!row)
        return "no memory for its times";
    row->calls++;
    add_graph(row, c->graph);
    if (is_new && is_wanted(s->r, row, c->graph))
        return time_row(s, c, row);
    return c->b->api->run(c->b, c->op, c->call);
}

/* ---- the frame ---------------------------------------------------------------------------------------------------- */

static sam_status run_frames(kernels_run *r, noise_clip *clip, sam_error *err)
{
    frame_state s = {.r = r};
    TRY(noise_clip_start(clip, r->n_objects, err));
    for (int i = 0; i < r->warmup && !r->stop(); i++) {
        noise_clip_draw(clip);
        TRY(noise_clip_track(clip, err));
    }
    noise_clip_draw(clip);
    session_tap(clip->session, (tap){.user = &s, .run = on_call});
    sam_status status = noise_clip_track(clip, err);
    session_tap(clip->session, (tap){0});
    if (s.flush_is_open)
        trial_close(&s.flush);
    return status;
}

static sam_status measure_in(kernels_run *r, sam_model *m, noise_clip *clip, sam_error *err)
{
    const sam_session_options options = {.width_px = WIDTH,
                                         .height_px = HEIGHT,
                                         .max_objects = r->n_objects,
                                         .history = -1,
                                         .mem_limit = r->choice.mem_limit};
    sam_model_options on = model_options(&r->choice);
    sam_stats stats;
    TRY(sam_session_open(m, &options, &clip->session, err));
    TRY(sam_get_stats(clip->session, &stats, err));
    on.backend = strcmp(stats.backend, "cpu") ? SAM_CUDA : SAM_CPU; /* what `auto` has become */
    r->image_px = sam_model_image_px(m);
    snprintf(r->backend, sizeof r->backend, "%s", stats.backend);
    snprintf(r->device, sizeof r->device, "%s", stats.device);
    TRY(peaks_measure(&on, 0, 0, PEAK_RUNS, &r->peaks, err));
    return run_frames(r, clip, err);
}

sam_status kernels_measure(kernels_run *r, sam_error *err)
{
    sam_model *m = NULL;
    noise_clip clip;
    TRY(noise_clip_open(&clip, WIDTH, HEIGHT, err));
    sam_status status = model_open("kernels", &r->choice, 0, 0, &m, err);
    if (status == SAM_OK)
        status = measure_in(r, m, &clip, err);
    sam_session_close(clip.session);
    sam_model_close(m);
    noise_clip_close(&clip);
    return status;
}

void kernels_run_free(kernels_run *r)
{
    for (int i = 0; i < r->n_rows; i++) {
        samples_free(&r->rows[i].cold);
        samples_free(&r->rows[i].warm);
    }
    free(r->rows);
    r->rows = NULL;
    r->n_rows = r->row_capacity = 0;
}
