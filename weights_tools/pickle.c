/* pickle.c - see pickle.h. Opcodes as in CPython's Lib/pickletools.py, protocols 2 to 5. */
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

#include "pickle_names.h"

enum opcode {
    OP_MARK = '(',
    OP_STOP = '.',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_BINUNICODE = 'X',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_APPENDS = 'e',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_EMPTY_TUPLE = ')',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_PROTO = 0x80,
    OP_NEWOBJ = 0x81,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_BINBYTES8 = 0x8e,
    OP_EMPTY_SET = 0x8f,
    OP_ADDITEMS = 0x90,
    OP_FROZENSET = 0x91,
    OP_NEWOBJ_EX = 0x92,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95,
    OP_BYTEARRAY8 = 0x96
};

#define PICKLE_MAX ((size_t)16 << 20) /* that of SAM 2.1 large takes 0.2 MB */
/* Memory for the values of a pickle: a number of two bytes takes about 60 times as much here, nothing honest takes more. */
#define MEMORY_MIN   ((size_t)1 << 20)
#define MEMORY_RATIO 64
#define MEMORY_MAX   ((size_t)256 << 20)
#define REMEDY       "; save only the weights: torch.save({'model': model.state_dict()}, path)"

typedef struct values {
    pickle_value **at;
    size_t n, capacity;
} values;

/* The machine. A NULL on the stack is a mark. */
typedef struct vm {
    const char *path;
    const uint8_t *bytes;
    size_t n_bytes, at; /* at: next byte; op_at: the opcode being executed */
    size_t op_at;
    values stack, memo;
    size_t memory_left; /* for values, stack and memo */
    pickle_value *all;
    sam_error *err;
} vm;

static sam_status damaged(vm *m, const char *what)
{
    return fail(m->err, SAM_E_FORMAT, "%s: pickle: %s at byte %zu", m->path, what, m->op_at);
}

static sam_status no_memory(vm *m)
{
    return fail(m->err, SAM_E_MEMORY, "%s: no memory to read the pickle", m->path);
}

static sam_status count_memory(vm *m, size_t n_bytes)
{
    if (n_bytes > m->memory_left)
        return damaged(m, "its values take far more memory than weights need: it stops");
    m->memory_left -= n_bytes;
    return SAM_OK;
}

static sam_status grow(vm *m, pickle_value ***at, size_t *capacity, size_t needed)
{
    if (needed <= *capacity)
        return SAM_OK;
    size_t n = *capacity ? *capacity : 4;
    while (n < needed)
        n *= 2;
    TRY(count_memory(m, (n - *capacity) * sizeof(pickle_value *)));
    pickle_value **bigger = realloc(*at, n * sizeof *bigger);
    if (!bigger)
        return no_memory(m);
    *at = bigger;
    *capacity = n;
    return SAM_OK;
}

static sam_status push(vm *m, pickle_value *v)
{
    TRY(grow(m, &m->stack.at, &m->stack.capacity, m->stack.n + 1));
    m->stack.at[m->stack.n++] = v;
    return SAM_OK;
}

/* The topmost value; a mark is not one. */
static sam_status pop(vm *m, pickle_value **out)
{
    if (m->stack.n == 0 || !m->stack.at[m->stack.n - 1])
        return damaged(m, "stack is empty");
    *out = m->stack.at[--m->stack.n];
    return SAM_OK;
}

static sam_status new_value(vm *m, pickle_kind kind, pickle_value **out)
{
    TRY(count_memory(m, sizeof(pickle_value)));
    pickle_value *v = calloc(1, sizeof *v);
    if (!v)
        return no_memory(m);
    v->kind = kind;
    v->next = m->all;
    m->all = v;
    *out = v;
    return SAM_OK;
}

static sam_status push_new(vm *m, pickle_kind kind, pickle_value **out)
{
    *out = NULL;
    TRY(new_value(m, kind, out));
    return push(m, *out);
}

static sam_status take(vm *m, size_t n, const uint8_t **out)
{
    if (n > m->n_bytes - m->at)
        return damaged(m, "cut short");
    *out = m->bytes + m->at;
    m->at += n;
    return SAM_OK;
}

static sam_status take_uint(vm *m, size_t n, uint64_t *out)
{
    const uint8_t *p = NULL;
    TRY(take(m, n, &p));
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out |= (uint64_t)p[i] << 8 * i;
    return SAM_OK;
}

static sam_status append(vm *m, pickle_value *to, pickle_value *v)
{
    TRY(grow(m, &to->items, &to->capacity, to->n_items + 1));
    to->items[to->n_items++] = v;
    return SAM_OK;
}

/* ------------------------------------------------------------------------------- numbers and strings ---- */

static sam_status push_int(vm *m, size_t n_bytes, int sign)
{
    uint64_t bits = 0;
    pickle_value *v = NULL;
    TRY(take_uint(m, n_bytes, &bits));
    TRY(push_new(m, PICKLE_INT, &v));
    if (sign && n_bytes > 0 && n_bytes < 8 && bits >> (8 * n_bytes - 1))
        bits |= ~(uint64_t)0 << 8 * n_bytes;
    v->integer = (int64_t)bits;
    return SAM_OK;
}

/* An object that nothing here looks into; `text` says what it is. */
static sam_status push_object(vm *m, const char *text, size_t n_text)
{
    pickle_value *v = NULL;
    TRY(push_new(m, PICKLE_OBJECT, &v));
    v->text = text;
    v->n_text = n_text;
    return SAM_OK;
}

/* One that does not fit 64 bits is kept as its bytes. */
static sam_status push_long(vm *m)
{
    uint64_t n = 0;
    const uint8_t *p = NULL;
    TRY(take_uint(m, 1, &n));
    if (n <= 8)
        return push_int(m, n, 1);
    TRY(take(m, n, &p));
    return push_object(m, (const char *)p, n);
}

static sam_status push_float(vm *m)
{
    const uint8_t *p = NULL;
    pickle_value *v = NULL;
    uint64_t bits = 0;
    TRY(take(m, 8, &p));
    for (int i = 0; i < 8; i++) /* the only big-endian field */
        bits = bits << 8 | p[i];
    TRY(push_new(m, PICKLE_FLOAT, &v));
    memcpy(&v->real, &bits, sizeof bits);
    return SAM_OK;
}

static sam_status push_bool(vm *m, int value)
{
    pickle_value *v = NULL;
    TRY(push_new(m, PICKLE_BOOL, &v));
    v->integer = value;
    return SAM_OK;
}

static sam_status push_string(vm *m, size_t n_length)
{
    uint64_t n = 0;
    const uint8_t *p = NULL;
    pickle_value *v = NULL;
    TRY(take_uint(m, n_length, &n));
    TRY(take(m, n, &p));
    TRY(push_new(m, PICKLE_STRING, &v));
    v->text = (const char *)p;
    v->n_text = n;
    return SAM_OK;
}

static sam_status push_bytes(vm *m, size_t n_length)
{
    uint64_t n = 0;
    const uint8_t *p = NULL;
    TRY(take_uint(m, n_length, &n));
    TRY(take(m, n, &p));
    return push_object(m, "bytes", 5);
}

/* ---------------------------------------------------------------------------------------- containers ---- */

/* Index of the first value above the topmost mark. */
static sam_status find_mark(vm *m, size_t *first)
{
    size_t i = m->stack.n;
    while (i > 0 && m->stack.at[i - 1])
        i--;
    if (i == 0)
        return damaged(m, "no mark on the stack");
    *first = i;
    return SAM_OK;
}

/* Moves the values from stack index `first` on into `to`, and drops them and `n_marks` marks from the stack. */
static sam_status collect(vm *m, pickle_value *to, size_t first, size_t n_marks)
{
    for (size_t i = first; i < m->stack.n; i++)
        TRY(append(m, to, m->stack.at[i]));
    m->stack.n = first - n_marks;
    return SAM_OK;
}

static sam_status push_tuple(vm *m, size_t n)
{
    pickle_value *v = NULL;
    if (n > m->stack.n)
        return damaged(m, "stack is empty");
    for (size_t i = m->stack.n - n; i < m->stack.n; i++)
        if (!m->stack.at[i])
            return damaged(m, "stack is empty");
    TRY(new_value(m, PICKLE_TUPLE, &v));
    TRY(collect(m, v, m->stack.n - n, 0));
    return push(m, v);
}

static sam_status push_marked_tuple(vm *m)
{
    size_t first = 0;
    pickle_value *v = NULL;
    TRY(find_mark(m, &first));
    TRY(new_value(m, PICKLE_TUPLE, &v));
    TRY(collect(m, v, first, 1));
    return push(m, v);
}

/* Adds the values from stack index `first` on to the container below them; an object drops them. */
static sam_status extend(vm *m, pickle_kind kind, size_t first, size_t n_marks)
{
    if (first < n_marks + 1 || first > m->stack.n)
        return damaged(m, "stack is empty");
    pickle_value *to = m->stack.at[first - n_marks - 1];
    if (!to || (to->kind != kind && to->kind != PICKLE_OBJECT))
        return damaged(m, "items for something that holds none");
    if (kind == PICKLE_DICT && (m->stack.n - first) % 2 != 0)
        return damaged(m, "a dict key without a value");
    for (size_t i = first; i < m->stack.n; i++)
        if (!m->stack.at[i])
            return damaged(m, "stack is empty");
    if (to->kind == PICKLE_OBJECT) {
        m->stack.n = first - n_marks;
        return SAM_OK;
    }
    return collect(m, to, first, n_marks);
}

static sam_status extend_marked(vm *m, pickle_kind kind)
{
    size_t first = 0;
    TRY(find_mark(m, &first));
    return extend(m, kind, first, 1);
}

static sam_status op_pop_mark(vm *m)
{
    size_t first = 0;
    TRY(find_mark(m, &first));
    m->stack.n = first - 1;
    return SAM_OK;
}

/* ---------------------------------------------------------------------------------------------- memo ---- */

static sam_status memo_put(vm *m, uint64_t index)
{
    if (m->stack.n == 0 || !m->stack.at[m->stack.n - 1])
        return damaged(m, "nothing to remember");
    if (index > m->n_bytes)
        return damaged(m, "memo index beyond what this pickle can hold");
    TRY(grow(m, &m->memo.at, &m->memo.capacity, index + 1));
    while (m->memo.n <= index)
        m->memo.at[m->memo.n++] = NULL;
    m->memo.at[index] = m->stack.at[m->stack.n - 1];
    return SAM_OK;
}

static sam_status op_put(vm *m, size_t n_bytes)
{
    uint64_t index = 0;
    TRY(take_uint(m, n_bytes, &index));
    return memo_put(m, index);
}

static sam_status op_get(vm *m, size_t n_bytes)
{
    uint64_t index = 0;
    TRY(take_uint(m, n_bytes, &index));
    if (index >= m->memo.n || !m->memo.at[index])
        return damaged(m, "memo entry that was never set");
    return push(m, m->memo.at[index]);
}

/* ------------------------------------------------------------------------------- names and what they make ---- */

static int same(const char *text, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(text, word, n) == 0;
}

static sam_status push_global(vm *m, const char *module, size_t n_module, const char *name, size_t n_name)
{
    pickle_value *v = NULL;
    st_dtype dtype = ST_F32;
    pickle_name_kind kind = pickle_name_find(module, n_module, name, n_name, &dtype);
    if (kind == NAME_UNKNOWN)
        return fail(m->err, SAM_E_FORMAT,
                    "%s: pickle refers to %.*s.%.*s at byte %zu, which weights do not need" REMEDY, m->path,
                    (int)(n_module < 80 ? n_module : 80), module, (int)(n_name < 80 ? n_name : 80), name, m->op_at);
    TRY(push_new(m, PICKLE_GLOBAL, &v));
    v->global = kind;
    v->dtype = dtype;
    v->text = name;
    v->n_text = n_name;
    return SAM_OK;
}

static sam_status op_global(vm *m)
{
    const char *start[2];
    size_t n[2];
    for (int i = 0; i < 2; i++) {
        const uint8_t *end = memchr(m->bytes + m->at, '\n', m->n_bytes - m->at);
        if (!end)
            return damaged(m, "cut short");
        start[i] = (const char *)m->bytes + m->at;
        n[i] = (size_t)(end - m->bytes) - m->at;
        m->at += n[i] + 1;
    }
    return push_global(m, start[0], n[0], start[1], n[1]);
}

static sam_status op_stack_global(vm *m)
{
    pickle_value *module = NULL, *name = NULL;
    TRY(pop(m, &name));
    TRY(pop(m, &module));
    if (module->kind != PICKLE_STRING || name->kind != PICKLE_STRING)
        return damaged(m, "a global whose name is not a string");
    return push_global(m, module->text, module->n_text, name->text, name->n_text);
}

static int is_kind(const pickle_value *tuple, size_t i, pickle_kind kind)
{
    return i < tuple->n_items && tuple->items[i]->kind == kind;
}

/* ('storage', torch.FloatStorage, key, device, number of elements), as in torch/serialization.py */
static sam_status op_persistent_id(vm *m)
{
    pickle_value *id = NULL, *v = NULL;
    TRY(pop(m, &id));
    if (id->kind != PICKLE_TUPLE || !is_kind(id, 0, PICKLE_STRING) ||
        !same(id->items[0]->text, id->items[0]->n_text, "storage"))
        return damaged(m, "a persistent id that is not a storage");
    if (!is_kind(id, 1, PICKLE_GLOBAL) || id->items[1]->global != NAME_STORAGE || !is_kind(id, 2, PICKLE_STRING) ||
        !is_kind(id, 4, PICKLE_INT) || id->items[4]->integer < 0)
        return damaged(m, "a storage without type, key or size");
    if (id->n_items > 5 && id->items[5]->kind != PICKLE_NONE)
        return damaged(m, "a storage inside another one, as torch before 0.4 wrote");
    TRY(push_new(m, PICKLE_STORAGE, &v));
    v->dtype = id->items[1]->dtype;
    v->text = id->items[2]->text;
    v->n_text = id->items[2]->n_text;
    v->integer = id->items[4]->integer;
    return SAM_OK;
}

static sam_status read_sizes(vm *m, const pickle_value *tuple, int64_t out[ST_MAX_DIMS], size_t n)
{
    if (tuple->n_items != n || n > ST_MAX_DIMS)
        return damaged(m, "a tensor with more dimensions than are supported, or with other strides than sizes");
    for (size_t i = 0; i < n; i++) {
        if (!is_kind(tuple, i, PICKLE_INT))
            return damaged(m, "a tensor size that is not an integer");
        out[i] = tuple->items[i]->integer;
    }
    return SAM_OK;
}

/* _rebuild_tensor(storage, offset, sizes, strides); _v2 has requires_grad and hooks behind them */
static sam_status rebuild_tensor(vm *m, const pickle_value *args)
{
    pickle_value *v = NULL;
    if (!is_kind(args, 0, PICKLE_STORAGE) || !is_kind(args, 1, PICKLE_INT) || !is_kind(args, 2, PICKLE_TUPLE) ||
        !is_kind(args, 3, PICKLE_TUPLE))
        return damaged(m, "a tensor without storage, offset, sizes or strides");
    TRY(new_value(m, PICKLE_TENSOR, &v));
    TRY(count_memory(m, sizeof *v->layout));
    v->layout = calloc(1, sizeof *v->layout);
    if (!v->layout)
        return no_memory(m);
    v->storage = args->items[0];
    v->integer = args->items[1]->integer;
    v->n_dims = (int)args->items[2]->n_items;
    TRY(read_sizes(m, args->items[2], v->layout->shape, args->items[2]->n_items));
    TRY(read_sizes(m, args->items[3], v->layout->strides, args->items[2]->n_items));
    return push(m, v);
}

/* Pushes what calling a known name with a tuple of arguments makes. */
static sam_status make(vm *m, const pickle_value *callee, const pickle_value *args)
{
    pickle_value *v = NULL;
    switch (callee->global) {
    case NAME_COUNTER:
        if (is_kind(args, 0, PICKLE_DICT))
            return push(m, args->items[0]);
        return push_new(m, PICKLE_DICT, &v);
    case NAME_DICT: /* an argument is the factory of a defaultdict */
        if (args->n_items > 1 ||
            (args->n_items == 1 && args->items[0]->kind != PICKLE_GLOBAL && args->items[0]->kind != PICKLE_NONE))
            return damaged(m, "an OrderedDict with arguments");
        return push_new(m, PICKLE_DICT, &v);
    case NAME_REBUILD_TENSOR:
        return rebuild_tensor(m, args);
    case NAME_REBUILD_PARAMETER:
        if (!is_kind(args, 0, PICKLE_TENSOR))
            return damaged(m, "a parameter without a tensor");
        return push(m, args->items[0]);
    case NAME_REBUILD_FROM_TYPE: /* the function is none of this kind, so that this does not go deeper */
        if (!is_kind(args, 0, PICKLE_GLOBAL) || args->items[0]->global == NAME_REBUILD_FROM_TYPE ||
            !is_kind(args, 2, PICKLE_TUPLE))
            return damaged(m, "a tensor of a class without function or arguments");
        return make(m, args->items[0], args->items[2]);
    case NAME_ARRAY:
        TRY(push_object(m, callee->text, callee->n_text));
        m->stack.at[m->stack.n - 1]->integer = 1;
        return SAM_OK;
    case NAME_OBJECT:
        return push_object(m, callee->text, callee->n_text);
    default:
        return damaged(m, "a call of a storage type");
    }
}

/* n_more: values between the callee and the top that are dropped (the keyword arguments of NEWOBJ_EX). */
static sam_status op_reduce(vm *m, int n_more)
{
    pickle_value *args = NULL, *callee = NULL;
    for (int i = 0; i < n_more; i++)
        TRY(pop(m, &args));
    TRY(pop(m, &args));
    TRY(pop(m, &callee));
    if (callee->kind != PICKLE_GLOBAL || args->kind != PICKLE_TUPLE)
        return damaged(m, "a call of something that is not a known function");
    return make(m, callee, args);
}

/* The attributes of a dict (a state dict's _metadata), a tensor or an object say nothing about the weights: dropped. */
static sam_status op_build(vm *m)
{
    pickle_value *state = NULL;
    TRY(pop(m, &state));
    if (m->stack.n == 0 || !m->stack.at[m->stack.n - 1])
        return damaged(m, "stack is empty");
    pickle_kind kind = m->stack.at[m->stack.n - 1]->kind;
    if (kind != PICKLE_DICT && kind != PICKLE_OBJECT && kind != PICKLE_TENSOR)
        return damaged(m, "BUILD of an object that is not a dict");
    return SAM_OK;
}

static sam_status op_frozenset(vm *m)
{
    TRY(op_pop_mark(m));
    return push_object(m, "frozenset", 9);
}

/* ------------------------------------------------------------------------------------------- machine ---- */

static sam_status op_simple(vm *m, uint8_t op)
{
    uint64_t ignored = 0;
    pickle_value *v = NULL;
    switch (op) {
    case OP_PROTO:
        TRY(take_uint(m, 1, &ignored));
        return ignored >= 2 && ignored <= 5 ? SAM_OK : damaged(m, "unknown pickle protocol");
    case OP_FRAME:
        return take_uint(m, 8, &ignored);
    case OP_MARK:
        return push(m, NULL);
    case OP_POP:
        return pop(m, &v);
    case OP_POP_MARK:
        return op_pop_mark(m);
    case OP_EMPTY_SET:
        return push_object(m, "set", 3);
    case OP_FROZENSET:
        return op_frozenset(m);
    case OP_BINBYTES:
        return push_bytes(m, 4);
    case OP_SHORT_BINBYTES:
        return push_bytes(m, 1);
    case OP_BINBYTES8:
    case OP_BYTEARRAY8:
        return push_bytes(m, 8);
    case OP_NONE:
        return push_new(m, PICKLE_NONE, &v);
    case OP_EMPTY_DICT:
        return push_new(m, PICKLE_DICT, &v);
    case OP_EMPTY_LIST:
        return push_new(m, PICKLE_LIST, &v);
    case OP_EMPTY_TUPLE:
        return push_tuple(m, 0);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return push_tuple(m, (size_t)op - OP_TUPLE1 + 1);
    default:
        return fail(m->err, SAM_E_FORMAT, "%s: pickle opcode 0x%02x at byte %zu, which weights do not need" REMEDY,
                    m->path, op, m->op_at);
    }
}

static sam_status step(vm *m, uint8_t op)
{
    switch (op) {
    case OP_NEWTRUE:
    case OP_NEWFALSE:
        return push_bool(m, op == OP_NEWTRUE);
    case OP_BININT:
        return push_int(m, 4, 1);
    case OP_BININT1:
        return push_int(m, 1, 0);
    case OP_BININT2:
        return push_int(m, 2, 0);
    case OP_LONG1:
        return push_long(m);
    case OP_BINFLOAT:
        return push_float(m);
    case OP_BINUNICODE:
        return push_string(m, 4);
    case OP_BINSTRING: /* Python 2's */
        return push_string(m, 4);
    case OP_SHORT_BINUNICODE:
    case OP_SHORT_BINSTRING:
        return push_string(m, 1);
    case OP_BINUNICODE8:
        return push_string(m, 8);
    case OP_TUPLE:
        return push_marked_tuple(m);
    case OP_APPEND:
        return extend(m, PICKLE_LIST, m->stack.n - (m->stack.n >= 1), 0);
    case OP_APPENDS:
    case OP_ADDITEMS:
        return extend_marked(m, PICKLE_LIST);
    case OP_SETITEM:
        return m->stack.n < 2 ? damaged(m, "stack is empty") : extend(m, PICKLE_DICT, m->stack.n - 2, 0);
    case OP_SETITEMS:
        return extend_marked(m, PICKLE_DICT);
    case OP_BINPUT:
        return op_put(m, 1);
    case OP_LONG_BINPUT:
        return op_put(m, 4);
    case OP_MEMOIZE:
        return memo_put(m, m->memo.n);
    case OP_BINGET:
        return op_get(m, 1);
    case OP_LONG_BINGET:
        return op_get(m, 4);
    case OP_GLOBAL:
        return op_global(m);
    case OP_STACK_GLOBAL:
        return op_stack_global(m);
    case OP_BINPERSID:
        return op_persistent_id(m);
    case OP_REDUCE:
    case OP_NEWOBJ:
        return op_reduce(m, 0);
    case OP_NEWOBJ_EX:
        return op_reduce(m, 1);
    case OP_BUILD:
        return op_build(m);
    default:
        return op_simple(m, op);
    }
}

static sam_status run(vm *m, pickle_value **root)
{
    while (m->at < m->n_bytes) {
        if (m->at >= PICKLE_MAX)
            return damaged(m, "too large a pickle for weights");
        uint8_t op = m->bytes[m->op_at = m->at++];
        if (op == OP_STOP)
            return pop(m, root);
        TRY(step(m, op));
    }
    m->op_at = m->at;
    return damaged(m, "cut short");
}

sam_status pickle_open(const char *path, const uint8_t *bytes, size_t n_bytes, pickle *out, sam_error *err)
{
    size_t most = n_bytes < PICKLE_MAX ? n_bytes : PICKLE_MAX;
    vm m = {.path = path, .bytes = bytes, .n_bytes = n_bytes, .err = err};
    m.memory_left = MEMORY_MIN + MEMORY_RATIO * most < MEMORY_MAX ? MEMORY_MIN + MEMORY_RATIO * most : MEMORY_MAX;
    pickle_value *root = NULL;
    sam_status status = run(&m, &root);
    free(m.stack.at);
    free(m.memo.at);
    *out = (pickle){.root = root, .all = m.all, .n_used = m.at};
    if (status != SAM_OK)
        pickle_close(out);
    return status;
}

void pickle_close(pickle *p)
{
    for (pickle_value *v = p->all, *next; v; v = next) {
        next = v->next;
        free(v->items);
        free(v->layout);
        free(v);
    }
    *p = (pickle){0};
}

const pickle_value *pickle_get(const pickle_value *dict, const char *key)
{
    if (!dict || dict->kind != PICKLE_DICT)
        return NULL;
    for (size_t i = dict->n_items; i >= 2; i -= 2) { /* the last one wins, as in Python */
        const pickle_value *k = dict->items[i - 2];
        if (k->kind == PICKLE_STRING && same(k->text, k->n_text, key))
            return dict->items[i - 1];
    }
    return NULL;
}
