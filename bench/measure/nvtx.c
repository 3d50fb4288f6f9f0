#include "nvtx.h"

#include "backend.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

void nvtx_open(nvtx *n)
{
    const char *wanted = getenv("SAMBENCH_NVTX");
    n->graphs = nvtx_built && getenv("NVTX_INJECTION64_PATH") != NULL;
    n->operators = n->graphs && wanted && !strcmp(wanted, "operators");
}

void nvtx_range(const nvtx *n, const char *name)
{
    if (n->graphs && name)
        nvtx_push(name);
    else if (n->graphs)
        nvtx_pop();
}

static void on_graph(void *user, const char *graph, int begins)
{
    nvtx_range(user, begins ? graph : NULL);
}

static const char *on_operator(void *user, const tap_call *c)
{
    nvtx_range(user, op_table[c->op]->name);
    const char *wrong = c->b->api->run(c->b, c->op, c->call);
    nvtx_range(user, NULL);
    return wrong;
}

void nvtx_watch(nvtx *n, sam_session *s)
{
    if (n->graphs)
        session_tap(s, (tap){.user = n, .span = on_graph, .run = n->operators ? on_operator : NULL});
}
