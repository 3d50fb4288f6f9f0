/* cpu_rows.h - copies of whole rows, converted where the types differ: slice, concat, partition, shuffle. */
#ifndef CPU_ROWS_H
#define CPU_ROWS_H

#include "cpu_math.h"

/* Element offset `at` of batch `object`. */
static inline void *element_at(const tensor *t, int object, size_t at)
{
    return (char *)tensor_at(t, object) + at * dtype_bytes(t->type);
}
/* n_rows rows of x from row `from` to row `to` of y; x may be shared. The columns are the same. */
static inline void copy_rows(const tensor *y, size_t to, const tensor *x, size_t from, size_t n_rows, int object)
{
    size_t cols = (size_t)x->cols;
    convert_row(element_at(y, object, to * cols), y->type, element_at(x, object, from * cols), x->type, n_rows * cols);
}

#endif
