/* shared_library.h - a library that is found, or not, when the program runs. */
#ifndef SHARED_LIBRARY_H
#define SHARED_LIBRARY_H

#include <stddef.h>

typedef struct library_symbol {
    const char *name;
    void *function; /* address of the function pointer that receives it */
} library_symbol;

/* Opens the first of `names` (the last is NULL) that there is, and fills in all symbols. NULL, with the reason in `why`,
 * if there is none or it lacks a symbol. For dlclose. */
void *shared_library_open(const char *const *names, const library_symbol *symbols, int n_symbols, char *why,
                          size_t n_why);

#endif
