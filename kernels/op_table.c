#include "op.h"

const op_def *const op_table[OP_COUNT] = {
#define OP(name) [OP_##name] = &op_##name,
#include "ops.def"
#undef OP
};
