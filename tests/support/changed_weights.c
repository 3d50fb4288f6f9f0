#include "changed_weights.h"

#include "safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void transpose(st_tensor *t)
{
    int64_t rows = t->shape[0];
    assert_true(t->n_dims == 2 && rows != t->shape[1]);
    t->shape[0] = t->shape[1];
    t->shape[1] = rows;
}

static float *set_values(st_tensor *t, weights_change what, float value)
{
    size_t n = (size_t)st_count(t);
    float *x = calloc(n, sizeof *x);
    assert_non_null(x);
    for (size_t k = 0; k < n; k++)
        x[k] = what == FILL || k == n / 2 ? value : 0;
    t->dtype = ST_F32;
    t->data = x;
    t->n_bytes = n * sizeof *x;
    return x;
}

void weights_change_tensor(const char *from, const char *to, const char *tensor, weights_change what, float value)
{
    st_file f;
    sam_error err;
    float *own = NULL;
    int found = 0;
    assert_int_equal(st_open(from, &f, &err), SAM_OK);
    st_tensor *t = malloc(f.n_tensors * sizeof *t);
    assert_non_null(t);
    for (size_t i = 0; i < f.n_tensors; i++) {
        t[i] = f.tensors[i];
        if (strcmp(t[i].name, tensor))
            continue;
        found = 1;
        if (what == TRANSPOSE)
            transpose(&t[i]);
        else
            own = set_values(&t[i], what, value);
    }
    assert_true(found);
    assert_int_equal(st_write(to, t, f.n_tensors, f.meta, f.n_meta, &err), SAM_OK);
    free(own);
    free(t);
    st_close(&f);
}
