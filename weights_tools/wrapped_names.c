#include "wrapped_names.h"

#include <string.h>

static const char *const wrappers[] = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"};

static int is_wrapper(const char *component, size_t n)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
        if (strlen(wrappers[i]) == n && memcmp(component, wrappers[i], n) == 0)
            return 1;
    return 0;
}

/* Copies a name without its wrappers; the last component is the tensor's own and stays. */
static void copy_unwrapped(char *to, const char *name)
{
    for (const char *dot; (dot = strchr(name, '.')); name = dot + 1)
        if (!is_wrapper(name, (size_t)(dot - name))) {
            memcpy(to, name, (size_t)(dot - name) + 1);
            to += dot - name + 1;
        }
    memcpy(to, name, strlen(name) + 1);
}

static void drop_counter(tensor_set *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n_tensors; i++)
        if (strcmp(s->tensors[i].name, "n_averaged") != 0 || s->tensors[i].n_dims != 0)
            s->tensors[kept++] = s->tensors[i];
    s->n_tensors = kept;
}

/* Bytes that all names begin with, up to and with a point. */
static size_t common_prefix(const tensor_set *s)
{
    size_t n = strlen(s->tensors[0].name);
    for (size_t i = 1; i < s->n_tensors; i++)
        for (size_t k = 0; k < n; k++)
            if (s->tensors[i].name[k] != s->tensors[0].name[k])
                n = k;
    while (n > 0 && s->tensors[0].name[n - 1] != '.')
        n--;
    return n;
}

sam_status names_unwrap(const char *path, tensor_set *s, sam_error *err)
{
    if (s->failed)
        return fail(err, SAM_E_MEMORY, "%s: no memory for its tensors", path);
    drop_counter(s);
    for (size_t i = 0; i < s->n_tensors; i++) {
        char *name = tensor_set_alloc(s, strlen(s->tensors[i].name) + 1);
        if (!name)
            return fail(err, SAM_E_MEMORY, "%s: no memory for its tensors", path);
        copy_unwrapped(name, s->tensors[i].name);
        s->tensors[i].name = name;
    }
    size_t n = s->n_tensors > 1 ? common_prefix(s) : 0;
    if (n == 0 || n >= sizeof s->prefix)
        return SAM_OK;
    memcpy(s->prefix, s->tensors[0].name, n);
    for (size_t i = 0; i < s->n_tensors; i++)
        s->tensors[i].name += n;
    return SAM_OK;
}
