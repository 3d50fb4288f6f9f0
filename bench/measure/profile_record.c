/* profile_record.c - see profile_record.h. */
#include "profile_record.h"

#include "atomic_file.h"
#include "clip.h"
#include "clock.h"
#include "text_out.h"

#include <stdlib.h>
#include <string.h>

/* ---- recording ---- */

/* Room for one more element; 0 if there is no memory. */
static int grow(void **array, size_t n, size_t *capacity, size_t element)
{
    if (n < *capacity)
        return 1;
    size_t more = *capacity ? 2 * *capacity : 4096;
    void *larger = realloc(*array, more * element);
    if (!larger)
        return 0;
    *array = larger;
    *capacity = more;
    return 1;
}

void profile_on_node(void *user, const tap_node *n)
{
    profile_record *r = user;
    void *ops = r->ops;
    if (!grow(&ops, r->n_ops, &r->op_capacity, sizeof *r->ops)) {
        r->lost++;
        return;
    }
    r->ops = ops;
    r->ops[r->n_ops++] = (profile_op){*n, r->frame};
}

static void add_span(profile_record *r, const char *name, double start_ms, double ms)
{
    void *spans = r->spans;
    if (!grow(&spans, r->n_spans, &r->span_capacity, sizeof *r->spans)) {
        r->lost++;
        return;
    }
    r->spans = spans;
    r->spans[r->n_spans++] = (profile_span){name, r->frame, start_ms, ms};
}

void profile_on_graph(void *user, const char *graph, int begins)
{
    profile_record *r = user;
    if (begins)
        r->entered_ms = clock_ms();
    else
        add_span(r, graph, r->entered_ms, clock_ms() - r->entered_ms);
}

void profile_on_frame(profile_record *r, double start_ms, double ms)
{
    add_span(r, NULL, start_ms, ms);
    r->frame++;
}

void profile_record_free(profile_record *r)
{
    free(r->ops);
    free(r->spans);
    *r = (profile_record){0};
}

/* ---- sums ---- */

static int longest_first(const void *a, const void *b)
{
    double x = ((const op_sum *)a)->ms, y = ((const op_sum *)b)->ms;
    return (x < y) - (x > y);
}

static op_sum *sum_of(op_sum *sums, int *n, const tap_node *node)
{
    for (int i = 0; i < *n; i++)
        if (sums[i].graph == node->graph && sums[i].op == node->op)
            return &sums[i];
    sums[*n] = (op_sum){.graph = node->graph, .op = node->op};
    return &sums[(*n)++];
}

sam_status profile_sums(const profile_record *r, int first_frame, op_sum **out, int *n, int *n_frames, sam_error *err)
{
    enum { MAX_GRAPHS = 16 };
    op_sum *sums = calloc((size_t)OP_COUNT * MAX_GRAPHS, sizeof *sums);
    *n = 0;
    *n_frames = r->frame - first_frame;
    if (!sums)
        return fail(err, SAM_E_MEMORY, "out of memory: sums by operator");
    for (size_t i = 0; i < r->n_ops; i++) {
        const tap_node *node = &r->ops[i].node;
        if (r->ops[i].frame < first_frame)
            continue;
        op_sum *s = sum_of(sums, n, node);
        s->calls++;
        s->ms += node->ms;
        s->flops += node->cost.flops;
        s->bytes += node->cost.bytes_read + node->cost.bytes_written;
        s->max_ms = node->ms > s->max_ms ? node->ms : s->max_ms;
    }
    for (int i = 0; i < *n; i++) {
        sums[i].calls /= *n_frames;
        sums[i].ms /= *n_frames;
        sums[i].flops /= *n_frames;
        sums[i].bytes /= *n_frames;
    }
    qsort(sums, (size_t)*n, sizeof *sums, longest_first);
    *out = sums;
    return SAM_OK;
}

roof roof_of(const op_sum *s, const peaks *p)
{
    roof r = {0};
    if (s->ms <= 0 || p->gb_s <= 0 || p->gflop_s <= 0)
        return r;
    r.gflop_s = s->flops / s->ms / 1e6;
    r.gb_s = s->bytes / s->ms / 1e6;
    r.intensity = s->bytes > 0 ? s->flops / s->bytes : 0;
    double compute_ms = s->flops / p->gflop_s / 1e6, memory_ms = s->bytes / p->gb_s / 1e6;
    r.by_compute = compute_ms > memory_ms;
    r.share = (r.by_compute ? compute_ms : memory_ms) / s->ms;
    return r;
}

/* ---- the trace ---- */

enum { TRACK_FRAMES = 1, TRACK_GRAPHS, TRACK_OPERATORS };

static void write_track_name(FILE *to, int track, const char *name)
{
    fprintf(to, "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"args\":{\"name\":\"%s\"}},\n", track,
            name);
}

static double first_ms(const profile_record *r)
{
    double first = r->n_spans ? r->spans[0].start_ms : 0;
    for (size_t i = 0; i < r->n_spans; i++)
        first = r->spans[i].start_ms < first ? r->spans[i].start_ms : first;
    return first;
}

static void write_event(FILE *to, int track, double start_ms, double ms)
{
    fprintf(to, "\",\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"args\":{", track, start_ms * 1e3,
            ms * 1e3);
}

static void write_trace(FILE *to, const profile_record *r, const char *title)
{
    double zero = first_ms(r);
    fprintf(to, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
    fprintf(to, "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"");
    text_json(to, title);
    fprintf(to, "\"}},\n");
    write_track_name(to, TRACK_FRAMES, "frames");
    write_track_name(to, TRACK_GRAPHS, "graphs");
    write_track_name(to, TRACK_OPERATORS, "operators");
    for (size_t i = 0; i < r->n_spans; i++) {
        const profile_span *s = &r->spans[i];
        if (s->name)
            fprintf(to, "{\"cat\":\"graph\",\"name\":\"%s", s->name);
        else
            fprintf(to, "{\"cat\":\"frame\",\"name\":\"frame %d", s->frame);
        write_event(to, s->name ? TRACK_GRAPHS : TRACK_FRAMES, s->start_ms - zero, s->ms);
        fprintf(to, "\"frame\":%d}},\n", s->frame);
    }
    for (size_t i = 0; i < r->n_ops; i++) {
        const tap_node *n = &r->ops[i].node;
        fprintf(to, "{\"cat\":\"op\",\"name\":\"%s", n->op);
        write_event(to, TRACK_OPERATORS, n->start_ms - zero, n->ms);
        fprintf(to, "\"graph\":\"%s\",\"node\":%d,\"value\":\"", n->graph, n->index);
        text_json(to, n->name);
        fprintf(to, "\",\"frame\":%d,\"GFLOP\":%.6g,\"MB\":%.6g}},\n", r->ops[i].frame, n->cost.flops / 1e9,
                (n->cost.bytes_read + n->cost.bytes_written) / 1e6);
    }
    fprintf(to, "{\"name\":\"lost\",\"ph\":\"M\",\"pid\":1,\"args\":{\"events\":%d}}\n]}\n", r->lost);
}

sam_status profile_write_trace(const profile_record *r, const char *title, const char *path, sam_error *err)
{
    text_out t;
    TRY(text_open(&t, path, err));
    write_trace(t.to, r, title);
    return text_close(&t, err);
}
