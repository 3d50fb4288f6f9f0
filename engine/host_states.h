/* host_states.h - the states that host and graphs share, expanded from host_states.def. */
#ifndef HOST_STATES_H
#define HOST_STATES_H

#include "predictor.h"

#define C_f32  float
#define C_i32  int32_t
#define C_bf16 uint16_t

typedef enum host_state_id {
#define CONTROL(type, name, rows, cols)     STATE_##name,
#define STATE(kind, type, name, rows, cols) STATE_##name,
#include "host_states.def"
#undef CONTROL
#undef STATE
    HOST_STATE_COUNT
} host_state_id;

/* Controls: host addresses, in one block. NULL: the model has none. */
typedef struct session_controls {
#define CONTROL(type, name, rows, cols) C_##type *name;
#define STATE(kind, type, name, rows, cols)
#include "host_states.def"
#undef CONTROL
#undef STATE
} session_controls;

/* The others: addresses in the backend's memory. NULL: the model, or the session's mode, has none. */
typedef struct session_states {
#define CONTROL(type, name, rows, cols)
#define STATE(kind, type, name, rows, cols) C_##type *name;
#include "host_states.def"
#undef CONTROL
#undef STATE
} session_states;

/* The state as a value that a graph reads. */
val host_state(builder *b, const model_size *z, host_state_id id);
/* v, computed by this graph, is the state from now on. A value shared by all objects may become a state of each in a graph
 * that only runs for one. */
val result(builder *b, const model_size *z, val v, host_state_id id);
/* v goes to the slots `slot` of a pool. */
void result_to_pool(builder *b, const model_size *z, val v, host_state_id slot, host_state_id pool);

/* Addresses by name: find(user, name) gives each one's, host address of a control, else the backend's; or NULL. */
void host_states_find(session_controls *controls, session_states *states,
                      void *(*find)(void *user, const char *name, int control), void *user);

#endif
