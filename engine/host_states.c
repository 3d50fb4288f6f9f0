#include "host_states.h"

#include <string.h>

#define T_f32  DT_F32
#define T_i32  DT_I32
#define T_bf16 DT_BF16

typedef enum state_kind { SHARED, OBJECT, POOL, CONTROLS } state_kind;

typedef struct row {
    const char *name;
    state_kind kind;
    dtype type;
    int rows, cols, slots;
} row;

static row row_of(host_state_id id, const model_size *z)
{
    const row rows[] = {
#define CONTROL(t, n, r, c)       {#n, CONTROLS, T_##t, r, c, 0},
#define STATE(k, t, n, r, c)      {#n, k, T_##t, r, c, 0},
#define POOL_STATE(t, n, s, r, c) {#n, POOL, T_##t, r, c, s},
#include "host_states.def"
#undef CONTROL
#undef STATE
    };
    return rows[id];
}

val host_state(builder *b, const model_size *z, host_state_id id)
{
    const row r = row_of(id, z);
    switch (r.kind) {
    case CONTROLS:
        return control(b, r.name, r.rows, r.cols, r.type);
    case POOL:
        return state_pool(b, r.name, r.slots, r.rows, r.cols, r.type);
    default:
        return state(b, r.name, r.kind == OBJECT ? N_OBJECTS : 1, r.rows, r.cols, r.type);
    }
}

val result(builder *b, const model_size *z, val v, host_state_id id)
{
    const row r = row_of(id, z);
    const tensor t = shape_of(b, v);
    if (b->err.status == SAM_OK && (t.rows != r.rows || t.cols != r.cols || t.type != r.type))
        fail(&b->err, SAM_E_ARG, "graph %s: result %s is [%d, %d] here; host_states.def has [%d, %d]%s", b->g->name,
             r.name, t.rows, t.cols, r.rows, r.cols, t.type != r.type ? " of another type" : "");
    return output(b, v, r.name, r.kind == OBJECT ? N_OBJECTS : 1);
}

void result_to_pool(builder *b, const model_size *z, val v, host_state_id slot, host_state_id pool)
{
    const row r = row_of(pool, z);
    output_to_pool(b, v, host_state(b, z, slot), r.name, r.slots, r.type);
}

void host_states_find(session_controls *controls, session_states *states,
                      void *(*find)(void *user, const char *name, int control), void *user)
{
#define CONTROL(type, name, rows, cols)     controls->name = find(user, #name, 1);
#define STATE(kind, type, name, rows, cols) states->name = find(user, #name, 0);
#include "host_states.def"
#undef CONTROL
#undef STATE
}
