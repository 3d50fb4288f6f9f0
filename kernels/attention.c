/* attention: out = softmax(scale q k^T) v, per head; scores and sums in f32, with the running maximum subtracted.
 *   q [n|1, R, H*Dk]    k [n|1, M, H*Dk]    v [n|1, M, H*Dv]  f32|bf16
 *   n_keys? [n, 1, 1] i32: only the first n_keys rows (1 <= n_keys <= M) of k and v are attended; the rest may hold
 *   anything
 *   ->  [n, R, H*Dv] of attr.type, or like q
 * attr: heads (0: 1), scale, type, groups (0: 1): rows of q and of k, v are split into that many equal consecutive parts
 * and attention stays within a part (then there is no n_keys).
 * attr: q_col, k_col, v_col, qk_cols, v_cols: q, k and v may be some columns of wider tensors (or of the same one): the
 * qk_cols from q_col on of in[ATTENTION_Q], as many from k_col on of in[ATTENTION_K], the v_cols from v_col on of in[ATTENTION_V]; 0, 0: all. */
#include "op.h"
#include "operands.h"

#include <stdbool.h>

static bool holds(const tensor *x, int first, int cols)
{
    return first >= 0 && cols >= 1 && first <= x->cols - cols;
}

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *q = &in[ATTENTION_Q], *k = &in[ATTENTION_K], *v = &in[ATTENTION_V], *n_keys = &in[ATTENTION_N_KEYS];
    int heads = a->heads ? a->heads : 1, groups = a->groups ? a->groups : 1;
    int qk_cols = a->qk_cols ? a->qk_cols : q->cols, v_cols = a->v_cols ? a->v_cols : v->cols;
    if ((!a->qk_cols && q->cols != k->cols) || k->rows != v->rows || k->rows < 1)
        return "q and k need the same columns, k and v the same rows";
    if (!holds(q, a->q_col, qk_cols) || !holds(k, a->k_col, qk_cols) || !holds(v, a->v_col, v_cols))
        return "q, k or v lacks the columns asked for";
    if (qk_cols % heads || v_cols % heads)
        return "columns must divide by the heads";
    if (q->rows % groups || k->rows % groups)
        return "rows must divide by the groups";
    if (n_keys->type != DT_NONE && (n_keys->type != DT_I32 || n_keys->rows != 1 || n_keys->cols != 1 || groups != 1))
        return "n_keys must be [n, 1, 1] i32, without groups";
    if (q->type == DT_I32 || k->type == DT_I32 || v->type == DT_I32)
        return "integers are not supported";
    dtype type = a->type == DT_NONE ? q->type : a->type;
    *out = (tensor){.type = type, .n = batch_of(in, ATTENTION_INPUTS), .rows = q->rows, .cols = v_cols};
    return NULL;
}

/* Keys of all batches that are attended to: n_keys where its data is at hand, else every one. */
static double keys_of_batches(const tensor *in, int n, int groups)
{
    double keys = 0;
    for (int i = 0; i < n; i++)
        keys += in[ATTENTION_N_KEYS].data ? *(const int32_t *)tensor_at(&in[ATTENTION_N_KEYS], i)
                                          : in[ATTENTION_K].rows / groups;
    return keys;
}

static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    int groups = a->groups ? a->groups : 1;
    double pairs = out->rows * keys_of_batches(in, out->n, groups);
    int qk_cols = a->qk_cols ? a->qk_cols : in[ATTENTION_Q].cols;
    const int cols[3] = {qk_cols, qk_cols, out->cols};
    op_cost c = {.flops = 2.0 * pairs * (qk_cols + out->cols), .bytes_written = (double)tensor_bytes(out)};
    for (int i = 0; i < 3; i++)
        c.bytes_read += (double)tensor_bytes(&in[i]) / in[i].cols * cols[i];
    c.bytes_read += (double)tensor_bytes(&in[ATTENTION_N_KEYS]);
    return c;
}

const op_def op_attention = {.name = "attention",
                             .n_in = ATTENTION_INPUTS,
                             .n_out = 1,
                             .optional = 1u << ATTENTION_N_KEYS,
                             .infer = infer,
                             .cost = cost};
