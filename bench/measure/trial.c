#include "trial.h"

#include "clip.h"
#include "clock.h"

enum { N_RANDOM = 1 << 14 }; /* words; longer operands repeat them */

/* Bits of two 16-bit or one 32-bit number, by their fields: a sign, an exponent of -2 or -1, any mantissa. */
static uint32_t random_word(uint32_t *seed, dtype type)
{
    *seed = *seed * 1664525u + 1013904223u;
    uint32_t r = *seed ^ *seed >> 16;
    if (type == DT_F32)
        return 0x3E800000u + (r & 0x80FFFFFFu);
    return type == DT_F16 ? 0x34003400u + (r & 0x87FF87FFu) : 0x3E803E80u + (r & 0x80FF80FFu);
}

static const char *fill(const trial *t, const tensor *x)
{
    uint32_t words[N_RANDOM];
    uint32_t seed = 1;
    const char *wrong = NULL;
    for (int i = 0; i < N_RANDOM; i++)
        words[i] = random_word(&seed, x->type);
    for (size_t at = 0, n; at < tensor_bytes(x) && !wrong; at += n) {
        n = tensor_bytes(x) - at < sizeof words ? tensor_bytes(x) - at : sizeof words;
        wrong = t->b->api->write(t->b, t->stream, (char *)x->data + at, words, n);
    }
    return wrong ? wrong : t->b->api->wait(t->b, t->stream);
}

static const char *take(trial *t, int i, tensor *x)
{
    t->memory[i] = t->b->api->alloc(t->b, tensor_bytes(x) + 64);
    x->data = t->memory[i];
    return x->data ? NULL : "no memory";
}

const char *trial_open(trial *t)
{
    const backend_api *api = t->b->api;
    const char *wrong = api->stream_open(t->b, &t->stream);
    size_t took, scratch;
    for (int i = 0; i < 2 && !wrong; i++) {
        if (t->in[i].type == DT_NONE)
            continue;
        wrong = take(t, i, &t->in[i]);
        wrong = wrong ? wrong : fill(t, &t->in[i]);
    }
    wrong = wrong ? wrong : take(t, 2, &t->out[0]);
    t->call = (op_call){.in = t->in, .out = t->out, .attr = &t->attr, .stream = t->stream};
    wrong = wrong ? wrong : api->pack(t->b, t->op, &t->call, &t->packed, &took);
    t->call.packed = t->packed;
    if (wrong)
        return wrong;
    scratch = api->scratch_bytes(t->b, t->op, &t->call);
    t->call.scratch = scratch ? api->alloc(t->b, scratch) : NULL;
    if (scratch && !t->call.scratch)
        return "no memory";
    wrong = api->bind(t->b, t->op, &t->call, &t->bound);
    t->call.bound = t->bound;
    return wrong;
}

void trial_close(trial *t)
{
    const backend_api *api = t->b->api;
    if (t->bound)
        api->unbind(t->b, t->op, t->bound);
    if (t->packed)
        api->unpack(t->b, t->op, t->packed);
    if (t->call.scratch)
        api->release(t->b, t->call.scratch);
    for (int i = 0; i < 3; i++)
        if (t->memory[i])
            api->release(t->b, t->memory[i]);
    api->stream_close(t->b, t->stream);
}

const char *call_timed(backend *b, op_id op, const op_call *c, double *ms)
{
    const backend_api *api = b->api;
    if (api->run_timed)
        return api->run_timed(b, op, c, ms);
    double start = clock_ms();
    const char *wrong = api->run(b, op, c);
    wrong = wrong ? wrong : api->wait(b, c->stream);
    *ms = clock_ms() - start;
    return wrong;
}
