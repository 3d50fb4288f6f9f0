/* peaks.c - see peaks.h. One operator with its memory, run on a backend of its own. */
#include "peaks.h"

#include "cpu_select.h"
#include "trial.h"

/* Large enough to run well past launching, and for a copy not to fit any cache. */
enum { CPU_SIDE = 2048, CPU_COPY = 256 << 20, GPU_SIDE = 8192, GPU_COPY = 1 << 30 };

/* The best time of `runs`, after one that is not counted. */
static sam_status best_ms(trial *t, int runs, double *ms, sam_error *err)
{
    const char *wrong = trial_open(t);
    *ms = 0;
    for (int i = 0; i <= runs && !wrong; i++) {
        double took = 0;
        wrong = call_timed(t->b, t->op, &t->call, &took);
        if (i && (i == 1 || took < *ms))
            *ms = took;
    }
    trial_close(t);
    return wrong ? fail(err, SAM_E_DEVICE, "measuring the peak of %s: %s", op_table[t->op]->name, wrong) : SAM_OK;
}

static sam_status measure(const sam_model_options *o, backend *b, int runs, peaks *out, sam_error *err)
{
    /* On the CPU fp16 is computed in f32 from rounded weights, as the engine does it. */
    dtype type = o->compute == SAM_BF16 ? DT_BF16 : o->compute == SAM_F16 && o->backend == SAM_CUDA ? DT_F16 : DT_F32;
    trial product = {.b = b, .op = OP_linear};
    product.in[0] = product.in[1] = product.out[0] =
        (tensor){.type = type, .n = 1, .rows = out->side, .cols = out->side};
    trial copy = {.b = b, .op = OP_cast, .attr = {.type = DT_F32}};
    int rows = (int)(out->copy_bytes / 2 / 4096);
    copy.in[0] = copy.out[0] = (tensor){.type = DT_F32, .n = 1, .rows = rows, .cols = 1024};
    double ms, n = out->side;
    TRY(best_ms(&product, runs, &ms, err));
    out->gflop_s = 2 * n * n * n / ms / 1e6;
    if (type == DT_BF16 && o->backend == SAM_CPU) {
        out->tile_gflop_s = cpu_tile_gflop_s(o->cpu_variant, o->n_threads > 0 ? o->n_threads : 1);
        out->gflop_s = out->tile_gflop_s > out->gflop_s ? out->tile_gflop_s : out->gflop_s;
    }
    TRY(best_ms(&copy, runs, &ms, err));
    out->gb_s = 2.0 * 4096 * rows / ms / 1e6;
    return SAM_OK;
}

sam_status peaks_measure(const sam_model_options *o, int side, size_t copy_bytes, int runs, peaks *out, sam_error *err)
{
    backend *b = NULL;
    int gpu = o->backend == SAM_CUDA;
    *out = (peaks){.side = side ? side : (gpu ? GPU_SIDE : CPU_SIDE),
                   .copy_bytes = copy_bytes ? copy_bytes : (size_t)(gpu ? GPU_COPY : CPU_COPY)};
    TRY(backend_open(o, &b, err));
    sam_status status = measure(o, b, runs, out, err);
    b->api->close(b);
    return status;
}
