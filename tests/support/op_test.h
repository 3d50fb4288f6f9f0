/* op_test.h - checks an operator's CPU code, and its CUDA kernels in the emulator, against a float64 reference.
 *
 *     op_case t = op_case_new(OP_add, "row broadcast");
 *     in_normal(&t, 0, DT_BF16, 3, 7, 33);        // input 0: [3, 7, 33] bf16, N(0,1) rounded to bf16
 *     in_normal(&t, 1, DT_F32, 1, 1, 33);
 *     t.attr.scale = 0.5f;
 *     t.reference = add_reference;
 *     op_check(&t);                               // every instruction set, 1 and 2 threads; emulated; frees the inputs
 *
 * The rule (the only tolerance there is): every output element is non-finite exactly where the reference is (NaN for
 * NaN, the same infinity), and elsewhere  |kernel - reference| <= 2 * E + 1 ulp(reference)  with the ulp of the
 * output's type and E = max |plain - reference| over the tensor, where plain is the reference with its intermediates
 * rounded to the dtype. Integer outputs, and all outputs of an `exact` case, must be equal to the plain result.
 *
 * Kernels run under several orders of threads and blocks (tests/emu), which must give the same bits, and where there is
 * a CUDA device on it, twice, by the same rule (test_backend.h). */
#ifndef OP_TEST_H
#define OP_TEST_H

#include "op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct op_case op_case;

/* Writes all elements of every output as doubles, in the layout of t->out. `round` is DT_NONE for the float64
 * reference, else the type to which intermediates go through rounded(); the final value need not be. */
typedef void op_reference(const op_case *t, dtype round, double *const *out);

struct op_case {
    op_id op;
    const char *label;
    tensor in[OP_MAX_IN];   /* owned */
    tensor out[OP_MAX_OUT]; /* shapes are set before `reference` is called, data never */
    op_attr attr;
    unsigned weights; /* bits of the inputs that op_cpu.pack sees with data */
    dtype plain;      /* type of plain's intermediates; DT_NONE: like the first output */
    bool exact;
    bool kernels_only;                    /* types that the CPU code does not take */
    const struct op_libraries *libraries; /* of the emulated device */
    op_reference *reference;
    uint64_t random;
};

op_case op_case_new(op_id op, const char *label);

/* Inputs; each is a fixed function of operator, label and the calls before it. */
void in_zero(op_case *t, int i, dtype type, int n, int rows, int cols);
void in_normal(op_case *t, int i, dtype type, int n, int rows, int cols);
void in_uniform(op_case *t, int i, dtype type, int n, int rows, int cols, double low, double high);
void in_ints(op_case *t, int i, int n, int rows, int cols, int low, int high); /* low..high */
double random_uniform(op_case *t);                                             /* [0, 1)    */

/* Runs and compares; prints one line with the worst error. Frees the inputs. */
void op_check(op_case *t);
/* For sizes whose reference would take too long: runs all of it once, on the device (with its libraries, too) or, where there is
 * none, on the CPU, and compares n_sampled rows of the one output. by_row: bits of the inputs that have a row for each of the
 * output's. Frees the inputs. */
void op_check_rows(op_case *t, unsigned by_row, int n_sampled);
/* Asserts that the shape rule refuses, prints its reason. Frees the inputs. */
void op_check_refused(op_case *t);

/* v rounded to nearest even, once, from double; DT_NONE: as it is. */
double rounded(dtype type, double v);
/* For running sums: f32 when intermediates are rounded at all. */
static inline dtype sum_type(dtype round)
{
    return round == DT_NONE ? DT_NONE : DT_F32;
}
/* Distance from |v| to the next larger value of the type. */
double ulp_of(dtype type, double v);

double value_at(const tensor *t, size_t index);
void set_value(tensor *t, size_t index, double v); /* rounds */
/* Element [n, r, c]; a batch, row or column axis of length 1 is shared. */
static inline double value(const tensor *t, int n, int r, int c)
{
    size_t in = t->n == 1 ? 0 : (size_t)n, ir = t->rows == 1 ? 0 : (size_t)r, ic = t->cols == 1 ? 0 : (size_t)c;
    return value_at(t, (in * (size_t)t->rows + ir) * (size_t)t->cols + ic);
}
/* Offset of row r of batch n in an output of t's shape. */
static inline size_t row_of(const tensor *t, int n, int r)
{
    return ((size_t)n * (size_t)t->rows + (size_t)r) * (size_t)t->cols;
}
double act_reference(act kind, double v); /* float64, libm */
const char *dtype_name(dtype type);

#endif
