/* changed_weights.h - a model file that differs from another in one tensor. Any failure ends the test. */
#ifndef CHANGED_WEIGHTS_H
#define CHANGED_WEIGHTS_H

/* Its middle value (the others 0), all values, or the order of a matrix's two sizes. Changed values are f32. */
typedef enum weights_change { SET, FILL, TRANSPOSE } weights_change;

/* The safetensors file `from` to `to`, with `tensor` changed. */
void weights_change_tensor(const char *from, const char *to, const char *tensor, weights_change what, float value);

#endif
