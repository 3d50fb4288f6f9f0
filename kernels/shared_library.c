#include "shared_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void *shared_library_open(const char *const *names, const library_symbol *symbols, int n_symbols, char *why,
                          size_t n_why)
{
    void *library = NULL;
    int i;
    /* NODELETE: CUDA libraries leave things behind that must not lose their code. */
    for (i = 0; names[i] && !library; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        snprintf(why, n_why, "%s is not installed, or not where the loader looks", names[0]);
        return NULL;
    }
    for (int k = 0; k < n_symbols; k++) {
        void *symbol = dlsym(library, symbols[k].name);
        /* POSIX lets an object pointer become a function pointer through memory only. */
        memcpy(symbols[k].function, &symbol, sizeof symbol);
        if (!symbol) {
            snprintf(why, n_why, "%s has no %s", names[i - 1], symbols[k].name);
            dlclose(library);
            return NULL;
        }
    }
    return library;
}
