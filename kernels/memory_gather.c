/* memory_gather: the tokens that an object's frame attends to, out of the memory bank by index.
 *   0 bank [1, slots*T, C]             1 pos [1, T, C] f32              2 tpos [1, K, C] f32
 *   3 slots [n, S, 1] i32: the bank frame of each memory               4 tpos_index [n, S, 1] i32: its row of tpos
 *   5 n_frames [n, 1, 1] i32           6 pointers [1, slots2, G*C]      7 pointer_slots [n, A, 1] i32
 *   8 n_pointers [n, 1, 1] i32         9 pointer_pos? [n, A, C]
 *   ->  mem [n, S*T + A*G, C]    key_in, same    n_keys [n, 1, 1] i32    n_rotated [n, 1, 1] i32
 * For memory f < n_frames, T rows: mem = bank frame slots[f], key_in = mem + (pos + tpos[tpos_index[f]]). Then for pointer
 * a < n_pointers, its G rows of C columns: mem = pointer, key_in = pointer + pointer_pos[a] (or pointer). Contiguous from
 * row 0; n_keys = n_frames*T + n_pointers*G rows are written, the others left as they are. n_rotated = n_frames*T.
 * attr: count = T; type of mem and key_in (default f32). S and A are capacities; bank and pointers are any float type.
 * Source: sam2 modeling/sam2_base.py _prepare_memory_conditioned_features. */
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *bank = &in[0], *pointers = &in[6];
    int cols = bank->cols, n_memories = in[3].rows, n_pointers = in[7].rows;
    if (!is_float(bank->type) || bank->n != 1 || a->count < 1 || bank->rows % a->count)
        return "bank must be [1, slots * count, C]";
    if (in[1].type != DT_F32 || in[1].n != 1 || in[1].rows != a->count || in[1].cols != cols)
        return "pos must be [1, count, C] f32";
    if (in[2].type != DT_F32 || in[2].n != 1 || in[2].cols != cols)
        return "tpos must be [1, K, C] f32";
    if (!is_count(&in[3], DT_I32, n_memories) || !is_count(&in[4], DT_I32, n_memories))
        return "slots and tpos_index must be [n, S, 1] i32";
    if (!is_float(pointers->type) || pointers->n != 1 || pointers->cols % cols)
        return "pointers must be [1, slots, G * C]";
    if (!is_count(&in[7], DT_I32, n_pointers))
        return "pointer_slots must be [n, A, 1] i32";
    if (!is_count(&in[5], DT_I32, 1) || !is_count(&in[8], DT_I32, 1))
        return "n_frames and n_pointers must be [n, 1, 1] i32";
    if (in[9].type != DT_NONE && (!is_float(in[9].type) || in[9].rows != n_pointers || in[9].cols != cols))
        return "pointer_pos must be [n, A, C]";
    if (!batches_agree(in, 10))
        return "inputs have different batch sizes";
    int n = batch_of(in, 10), rows = n_memories * a->count + n_pointers * (pointers->cols / cols);
    out[0] = out[1] = shaped(type_or(a, DT_F32), n, rows, cols);
    out[2] = out[3] = shaped(DT_I32, n, 1, 1);
    return is_float(out[0].type) ? NULL : "the outputs must be a float type";
}

/* At full capacity; each row that is attended is read once per object. */
static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost c = cost_of(in + 1, 5, out, 4, 2);
    c.bytes_read += (double)tensor_count(&out[0]) * (double)dtype_bytes(in[0].type);
    return c;
}

const op_def op_memory_gather = {
    .name = "memory_gather", .n_in = 10, .n_out = 4, .optional = 1u << 9, .infer = infer, .cost = cost};
