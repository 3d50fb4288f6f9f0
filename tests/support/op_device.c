#include "op_device.h"

#include <stdlib.h>
#include <string.h>

enum { GUARD = 256, GUARD_BYTE = 0xA5 }; /* keeps the 256-byte alignment of the backend's memory */

/* Device memory between two guards. */
typedef struct block {
    unsigned char *base, *data;
    size_t n_bytes;
} block;

typedef struct device_case {
    backend *b;
    const op_case *t;
    void *stream;
    block in[OP_MAX_IN], out[OP_MAX_OUT], scratch;
} device_case;

static void must(const device_case *d, const char *what, const char *wrong)
{
    if (wrong)
        fail_msg("%s, %s: on the device, %s: %s", op_table[d->t->op]->name, d->t->label, what, wrong);
}

/* `from` NULL: filled with what is a NaN in every float type. */
static block block_new(const device_case *d, const void *from, size_t n_bytes)
{
    const backend_api *api = d->b->api;
    unsigned char *host = malloc(GUARD + n_bytes + GUARD);
    block k = {.base = api->alloc(d->b, GUARD + n_bytes + GUARD), .n_bytes = n_bytes};
    assert_true(host && k.base);
    k.data = k.base + GUARD;
    memset(host, GUARD_BYTE, GUARD + n_bytes + GUARD);
    if (from)
        memcpy(host + GUARD, from, n_bytes);
    else
        memset(host + GUARD, 0xFF, n_bytes);
    must(d, "writing", api->write(d->b, d->stream, k.base, host, GUARD + n_bytes + GUARD));
    must(d, "writing", api->wait(d->b, d->stream));
    free(host);
    return k;
}

/* Checks the guards, compares with or copies to the host, gives the memory back. */
static void block_end(const device_case *d, block *k, const char *what, const void *same, void *to)
{
    const backend_api *api = d->b->api;
    unsigned char *host = malloc(GUARD + k->n_bytes + GUARD);
    assert_non_null(host);
    must(d, "reading", api->read(d->b, d->stream, host, k->base, GUARD + k->n_bytes + GUARD));
    must(d, "reading", api->wait(d->b, d->stream));
    for (size_t i = 0; i < GUARD; i++) {
        if (host[i] != GUARD_BYTE)
            fail_msg("%s, %s: device: wrote %zu bytes before its %s", op_table[d->t->op]->name, d->t->label, GUARD - i,
                     what);
        if (host[GUARD + k->n_bytes + i] != GUARD_BYTE)
            fail_msg("%s, %s: device: wrote %zu bytes past its %s", op_table[d->t->op]->name, d->t->label, i + 1, what);
    }
    if (same && memcmp(host + GUARD, same, k->n_bytes))
        fail_msg("%s, %s: device: an input was written", op_table[d->t->op]->name, d->t->label);
    if (to)
        memcpy(to, host + GUARD, k->n_bytes);
    free(host);
    api->release(d->b, k->base);
}

/* Packs the weights, then overwrites those that `run` may no longer read. */
static void pack(device_case *d, tensor *in, op_call *call)
{
    const backend_api *api = d->b->api;
    const op_case *t = d->t;
    unsigned in_packed = api->in_packed(d->b, t->op) & t->weights;
    tensor weights[OP_MAX_IN];
    size_t took = 0;
    for (int i = 0; i < OP_MAX_IN; i++) {
        weights[i] = in[i];
        if (!(t->weights >> i & 1))
            weights[i].data = NULL;
    }
    call->in = weights;
    must(d, "pack", api->pack(d->b, t->op, call, &call->packed, &took));
    call->in = in;
    for (int i = 0; i < op_table[t->op]->n_in; i++) {
        if (!(in_packed >> i & 1) || t->in[i].type == DT_NONE)
            continue;
        block_end(d, &d->in[i], "weights", t->in[i].data, NULL);
        d->in[i].base = NULL;
        in[i].data = NULL;
    }
}

void op_device_run(backend *b, op_case *t, const struct op_libraries *libraries)
{
    const backend_api *api = b->api;
    const op_def *def = op_table[t->op];
    device_case d = {.b = b, .t = t};
    tensor in[OP_MAX_IN], out[OP_MAX_OUT];
    must(&d, "stream", api->stream_open(b, &d.stream));
    op_call call = {.in = in, .out = out, .attr = &t->attr, .libraries = libraries};
    memcpy(in, t->in, sizeof in);
    memcpy(out, t->out, sizeof out);
    for (int i = 0; i < def->n_in; i++)
        if (in[i].type != DT_NONE) {
            d.in[i] = block_new(&d, in[i].data, tensor_bytes(&in[i]));
            in[i].data = d.in[i].data;
        }
    for (int o = 0; o < OP_MAX_OUT; o++)
        out[o].data = NULL;
    pack(&d, in, &call);
    d.scratch = block_new(&d, NULL, api->scratch_bytes(b, t->op, &call));
    for (int o = 0; o < def->n_out; o++) {
        d.out[o] = block_new(&d, t->out[o].data, tensor_bytes(&out[o]));
        out[o].data = d.out[o].data;
    }
    call.scratch = d.scratch.data;
    call.stream = d.stream;
    must(&d, "bind", api->bind(b, t->op, &call, &call.bound));
    must(&d, "run", api->run(b, t->op, &call));
    must(&d, "wait", api->wait(b, d.stream));
    api->unbind(b, t->op, call.bound);
    api->unpack(b, t->op, call.packed);
    for (int i = 0; i < def->n_in; i++)
        if (d.in[i].base)
            block_end(&d, &d.in[i], "input", t->in[i].data, NULL);
    for (int o = 0; o < def->n_out; o++)
        block_end(&d, &d.out[o], "output", NULL, t->out[o].data);
    block_end(&d, &d.scratch, "scratch", NULL, NULL);
    api->stream_close(b, d.stream);
}
