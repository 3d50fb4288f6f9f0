#include "device_libraries.h"

#include "cublaslt.h"
#include "cudnn_conv.h"
#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_WORKSPACE ((size_t)32 << 20) /* bytes; what NVIDIA advises for cuBLAS on its largest devices */

struct device_libraries {
    op_libraries use;
    cublaslt *lt; /* also where it is switched off: tuning files are told apart by the versions */
    cudnn *dnn;
    tuning *store;
    device_timer *timer;
    char found[700], text[1280];
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

/* cuDNN is used for what tuning found it to be faster at; before that only tuning has a use for it. */
static void choose_cudnn(device_libraries *d, const sam_model_options *o, const char *why)
{
    int wanted = !o->deterministic && (o->tune || tuning_uses(d->store, WAY_CUDNN));
    const char *wrong = !d->dnn       ? why
                        : o->no_cudnn ? "switched off"
                        : wanted      ? NULL
                                      : "no choice of it in the tuning cache";
    size_t n = strlen(d->found);
    snprintf(d->found + n, sizeof d->found - n, "; cuDNN %s%s%s%s", d->dnn ? cudnn_version(d->dnn) : "",
             d->dnn && wrong ? " " : "", wrong ? "is not used: " : "", wrong ? wrong : "");
    if (!wrong)
        d->use.cudnn = d->dnn;
}

device_libraries *device_libraries_open(const sam_model_options *o, const device_identity *device, device_timer *timer)
{
    char software[128];
    device_libraries *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->timer = timer;
    open_cublaslt(d, device->cublaslt, o->no_cublas);
    char why[256];
    d->dnn = cudnn_open(device->cudnn, why, sizeof why);
    snprintf(software, sizeof software, "driver %d.%d, cuBLASLt %s, cuDNN %s, sambench %s", device->driver / 1000,
             device->driver % 1000 / 10, d->lt ? cublaslt_version(d->lt) : "none",
             d->dnn ? cudnn_version(d->dnn) : "none", SAM_VERSION);
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
    choose_cudnn(d, o, why);
    d->use.recall = o->tune || tuning_count(d->store) ? recall : NULL;
    return d;
}

void device_libraries_close(device_libraries *d)
{
    if (!d)
        return;
    cublaslt_close(d->lt);
    cudnn_close(d->dnn);
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
