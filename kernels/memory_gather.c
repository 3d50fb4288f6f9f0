/* memory_gather: the tokens that an object's frame attends to, out of the memory bank by index.
 *   0 bank [1, slots*T, C]             1 pos [1, T, C] f32              2 tpos [1, K, C] f32
 *   3 slots [n, S, 1] i32: the bank frame of each memory               4 tpos_index [n, S, 1] i32: its row of tpos, or -1: none
 *   5 n_frames [n, 1, 1] i32           6 pointers [1, slots2, G*C]      7 pointer_slots [n, A, 1] i32
 *   8 n_pointers [n, 1, 1] i32         9 pointer_pos? [n, A, C]
 *   ->  mem [n, S*T + A*G, C]    key_in, same    n_keys [n, 1, 1] i32    n_rotated [n, 1, 1] i32
 * For memory f < n_frames, T rows: mem = bank frame slots[f], key_in = mem + (pos + tpos[tpos_index[f]]). Then for pointer
 * a < n_pointers, its G rows of C columns: mem = pointer, key_in = pointer + pointer_pos[a] (or pointer). Contiguous from
 * row 0; n_keys = n_frames*T + n_pointers*G rows are written, the others left as they are. n_rotated = n_frames*T.
 * attr: count = T; type of mem and key_in (default f32). S and A are capacities; bank and pointers are any float type.
 * Source: sam2 modeling/sam2_base.py _prepare_memory_conditioned_features. */
#include "operands.h"
#include "shape.h"

static const char *infer(const tensor *in, const op_attr *a, tensor *out)
{
    const tensor *bank = &in[GATHER_BANK], *pointers = &in[GATHER_POINTERS];
    int cols = bank->cols, n_memories = in[GATHER_SLOTS].rows, n_pointers = in[GATHER_POINTER_SLOTS].rows;
    if (!is_float(bank->type) || bank->n != 1 || a->count < 1 || bank->rows % a->count)
        return "bank must be [1, slots * count, C]";
    if (in[GATHER_POS].type != DT_F32 || in[GATHER_POS].n != 1 || in[GATHER_POS].rows != a->count ||
        in[GATHER_POS].cols != cols)
        return "pos must be [1, count, C] f32";
    if (in[GATHER_TPOS].type != DT_F32 || in[GATHER_TPOS].n != 1 || in[GATHER_TPOS].cols != cols)
        return "tpos must be [1, K, C] f32";
    if (!is_count(&in[GATHER_SLOTS], DT_I32, n_memories) || !is_count(&in[GATHER_TPOS_INDEX], DT_I32, n_memories))
        return "slots and tpos_index must be [n, S, 1] i32";
    if (!is_float(pointers->type) || pointers->n != 1 || pointers->cols % cols)
        return "pointers must be [1, slots, G * C]";
    if (!is_count(&in[GATHER_POINTER_SLOTS], DT_I32, n_pointers))
        return "pointer_slots must be [n, A, 1] i32";
    if (!is_count(&in[GATHER_N_FRAMES], DT_I32, 1) || !is_count(&in[GATHER_N_POINTERS], DT_I32, 1))
        return "n_frames and n_pointers must be [n, 1, 1] i32";
    if (in[GATHER_POINTER_POS].type != DT_NONE &&
        (!is_float(in[GATHER_POINTER_POS].type) || in[GATHER_POINTER_POS].rows != n_pointers ||
         in[GATHER_POINTER_POS].cols != cols))
        return "pointer_pos must be [n, A, C]";
    if (!batches_agree(in, 10))
        return "inputs have different batch sizes";
    int n = batch_of(in, GATHER_INPUTS), rows = n_memories * a->count + n_pointers * (pointers->cols / cols);
    out[GATHER_MEMORY] = out[GATHER_KEY] = shaped(type_or(a, DT_F32), n, rows, cols);
    out[GATHER_N_KEYS] = out[GATHER_N_ROTATED] = shaped(DT_I32, n, 1, 1);
    return is_float(out[GATHER_MEMORY].type) ? NULL : "the outputs must be a float type";
}

/* At full capacity; each row that is attended is read once per object. */
static op_cost cost(const tensor *in, const tensor *out, const op_attr *a)
{
    (void)a;
    op_cost c = cost_of(in + 1, 5, out, 4, 2);
    c.bytes_read += (double)tensor_count(&out[GATHER_MEMORY]) * (double)dtype_bytes(in[GATHER_BANK].type);
    return c;
}

const op_def op_memory_gather = {.name = "memory_gather",
                                 .n_in = GATHER_INPUTS,
                                 .n_out = GATHER_OUTPUTS,
                                 .optional = 1u << GATHER_POINTER_POS,
                                 .infer = infer,
                                 .cost = cost};
