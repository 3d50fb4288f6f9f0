/* predict_out.c - see predict_out.h. */
#include "predict_out.h"

#include "json_build.h"

#include <stdio.h>

static double mib(size_t bytes)
{
    return (double)bytes / 0x1p20;
}

static const char *bound_of(const predict_sum *s)
{
    return s->compute_us >= s->memory_us && s->compute_us >= s->launch_us ? "compute"
           : s->memory_us >= s->launch_us                                 ? "memory"
                                                                          : "launches";
}

static void print_sum(const predict_sum *s, const char *name, const char *op)
{
    printf("%-18s %-18s %5d %10.3f %10.2f %10.1f %10.1f  %s\n", name, op, s->calls, s->flops / 1e9, s->bytes / 1e6,
           s->floor_us, s->expected_us, bound_of(s));
}

void predict_print(const prediction *p, const sam_stats *memory, int n_top)
{
    const gpu_device *d = p->device;
    printf("\n%s (sm_%d, %d multiprocessors): %.1f TFLOP/s, %.0f GB/s, L2 %.0f MiB; %s\n", d->name, d->sm,
           d->multiprocessors, d->matrix_tflop_s, d->gb_s, d->l2_mib, d->source);
    if (memory)
        printf("MiB: weights %.1f, tables %.1f, state %.1f, scratch %.1f, in all %.1f\n", mib(memory->weight_bytes),
               mib(memory->table_bytes), mib(memory->state_bytes), mib(memory->scratch_bytes),
               mib(sam_stats_bytes(memory)));
    printf("%-18s %-18s %5s %10s %10s %10s %10s  %s\n", "stage", "", "calls", "GFLOP", "MB", "floor us", "expected",
           "bound by");
    for (int i = 0; i < N_PREDICT_STAGES; i++)
        print_sum(&p->stages[i], predict_stage_names[i], "");
    printf("frame on the device: floor %.2f ms, expected %.2f ms (%.0f frames a second)\n", p->floor_us / 1e3,
           p->expected_us / 1e3, p->expected_us > 0 ? 1e6 / p->expected_us : 0);
    for (int i = 0; i < p->n_ops && i < n_top; i++)
        print_sum(&p->ops[i], p->ops[i].graph, p->ops[i].op);
}

static json_t *sum_json(const predict_sum *s)
{
    json_t *j = json_pack("{s:s,s:i,s:f,s:f,s:f,s:f,s:s,s:{s:f,s:f,s:f}}", "stage", predict_stage_names[s->stage],
                          "calls", s->calls, "GFLOP", s->flops / 1e9, "MB", s->bytes / 1e6, "floor_us", s->floor_us,
                          "expected_us", s->expected_us, "bound", bound_of(s), "expected_by", "compute_us",
                          s->compute_us, "memory_us", s->memory_us, "launch_us", s->launch_us);
    if (j && s->op) {
        json_put(&j, "graph", json_string(s->graph));
        json_put(&j, "op", json_string(s->op));
    }
    return j;
}

json_t *predict_shares_json(void)
{
    const predict_shares *s = &predict_expected;
    return json_pack("{s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f}", "attention", s->attention, "window_attention", s->window,
                     "linear", s->product, "conv2d", s->convolution, "plain", s->plain, "memory", s->memory, "link",
                     s->link, "launch_us", s->launch_us);
}

json_t *predict_json(const prediction *p, const sam_stats *memory)
{
    const gpu_device *d = p->device;
    json_t *stages = json_array(), *ops = json_array();
    for (int i = 0; i < N_PREDICT_STAGES; i++)
        json_add(&stages, sum_json(&p->stages[i]));
    for (int i = 0; i < p->n_ops; i++)
        json_add(&ops, sum_json(&p->ops[i]));
    json_t *j =
        json_pack("{s:{s:s,s:i,s:i,s:f,s:f,s:f,s:f,s:f,s:f,s:s},s:i,s:f,s:f,s:o,s:o}", "device", "name", d->name, "sm",
                  d->sm, "multiprocessors", d->multiprocessors, "matrix_TFLOP_s", d->matrix_tflop_s, "f32_TFLOP_s",
                  d->plain_tflop_s, "GB_s", d->gb_s, "L2_MiB", d->l2_mib, "link_GB_s", d->link_gb_s, "mma_share",
                  d->mma_share, "source", d->source, "objects", p->n_objects, "floor_us", p->floor_us, "expected_us",
                  p->expected_us, "stages", stages, "operators", ops);
    if (j && memory)
        json_put(&j, "planned_bytes",
                 json_pack("{s:I,s:I,s:I,s:I}", "weights", (json_int_t)memory->weight_bytes, "tables",
                           (json_int_t)memory->table_bytes, "state", (json_int_t)memory->state_bytes, "scratch",
                           (json_int_t)memory->scratch_bytes));
    return j;
}
