/* The CPU operators of one instruction set. */
#include "op.h"

extern const op_cpu *const CPU_FN(op_cpu_table)[OP_COUNT];
const op_cpu *const CPU_FN(op_cpu_table)[OP_COUNT] = {
#define OP(name) [OP_##name] = &CPU_FN(name##_cpu),
#include "ops.def"
#undef OP
};
