#include "device_libraries.h"

#include "cublaslt.h"
#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_WORKSPACE ((size_t)32 << 20) /* bytes; what NVIDIA advises for cuBLAS on its largest devices */

struct device_libraries {
    op_libraries use;
    cublaslt *lt; /* also where it is switched off: tuning files are told apart by its version */
    tuning *store;
    device_timer *timer;
    char found[400], text[1024];
};

static int recall(void *user, const char *key, way *out)
{
    return tuning_recall(((device_libraries *)user)->store, key, out);
}

static void remember(void *user, const char *key, const way *w, double ms)
{
    tuning_remember(((device_libraries *)user)->store, key, w, ms);
}

static double time_ms(void *user, void *stream, way_enqueue *enqueue, void *what, const way *w)
{
    return ((device_libraries *)user)->timer(stream, enqueue, what, w);
}

/* Which cuBLASLt there is; it is used unless it is switched off or refuses the device. */
static void open_cublaslt(device_libraries *d, const char *file, int off)
{
    char why[256];
    d->lt = cublaslt_open(file, why, sizeof why);
    const char *wrong = !d->lt ? why : off ? "switched off" : cublaslt_start(d->lt);
    snprintf(d->found, sizeof d->found, "cuBLASLt %s%s%s%s", d->lt ? cublaslt_version(d->lt) : "",
             d->lt && wrong ? " " : "", wrong ? "is not used: " : "", wrong ? wrong : "");
    if (!wrong)
        d->use.cublaslt = d->lt;
}

device_libraries *device_libraries_open(const sam_model_options *o, const device_identity *device, device_timer *timer)
{
    char software[128];
    device_libraries *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->timer = timer;
    open_cublaslt(d, device->cublaslt, o->no_cublas);
    snprintf(software, sizeof software, "driver %d.%d, cuBLASLt %s, sambench %s", device->driver / 1000,
             device->driver % 1000 / 10, d->lt ? cublaslt_version(d->lt) : "none", SAM_VERSION);
    d->store = tuning_open(o->deterministic ? NULL : o->tuning_cache, device->name, software);
    if (!d->store) {
        device_libraries_close(d);
        return NULL;
    }
    d->use.workspace_bytes = o->workspace_bytes ? o->workspace_bytes : DEFAULT_WORKSPACE;
    d->use.deterministic = o->deterministic;
    d->use.tune = o->tune;
    d->use.user = d;
    d->use.time_ms = time_ms;
    d->use.remember = remember;
    /* Without choices nobody need list what they could be of. */
    d->use.recall = o->tune || tuning_count(d->store) ? recall : NULL;
    return d;
}

void device_libraries_close(device_libraries *d)
{
    if (!d)
        return;
    cublaslt_close(d->lt);
    tuning_close(d->store);
    free(d);
}

const op_libraries *device_libraries_use(const device_libraries *d)
{
    return d ? &d->use : NULL;
}

const char *device_libraries_text(device_libraries *d)
{
    if (!d)
        return "";
    const char *note = tuning_note(d->store);
    snprintf(d->text, sizeof d->text, "%s%s%s", d->found, *note ? "; " : "", note);
    return d->text;
}
