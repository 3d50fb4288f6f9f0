/* fibre.h - stacks to switch between, for the emulated threads of a block. */
#ifndef FIBRE_H
#define FIBRE_H

#include <stddef.h>

typedef struct fibre {
    void *context; /* stack pointer while it is not running (ucontext_t where there is no hand-written switch) */
    char *stack;   /* lowest address; NULL for the stack of the program itself */
    size_t n_bytes;
    void *fake_stack; /* AddressSanitizer's */
} fibre;

/* A fibre that will run entry() when first switched to; entry must never return. NULL: no memory. */
fibre *fibre_new(void (*entry)(void));
/* Forgets where it was: the next switch to it starts entry() again. */
void fibre_restart(fibre *f, void (*entry)(void));
/* Continues `to`; returns when something switches back to `from`, the fibre that runs now. */
void fibre_switch(fibre *from, fibre *to);
/* First call in an entry(). `program`: learns the bounds of the stack that started it. */
void fibre_begin(fibre *program);

#endif
