/* op_test.c - the operator test harness; see op_test.h. */
#include "op_device.h" /* op_test.h, after error.h: cmocka makes a macro of `fail` */

#include "amx_instructions.h"
#include "control.h"
#include "cpu_select.h"
#include "described_device.h"
#include "device_libraries.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_BYTES 256
#define GUARD_BYTE  0xA5

const op_cuda *const *op_cuda_select_emu(void);

#ifdef __SANITIZE_ADDRESS__ /* which look at addresses, and those do not change with the order of threads */
#define N_SEEDS 1
#else
#define N_SEEDS 3
#endif
#define MANY_STEPS 300000 /* of the emulator: such a case runs with one seed less */

/* Memory between two guards, 64-byte aligned. */
typedef struct guarded {
    unsigned char *base, *data;
    size_t n_bytes;
} guarded;

static guarded guarded_new(size_t n_bytes)
{
    size_t total = (GUARD_BYTES + n_bytes + GUARD_BYTES + 255) / 256 * 256;
    guarded g = {.base = aligned_alloc(256, total), .n_bytes = n_bytes};
    assert_non_null(g.base);
    g.data = g.base + GUARD_BYTES;
    memset(g.base, GUARD_BYTE, GUARD_BYTES);
    memset(g.data, 0xFF, n_bytes); /* a NaN in every float type */
    memset(g.data + n_bytes, GUARD_BYTE, GUARD_BYTES);
    return g;
}
static void guarded_end(guarded *g, const char *what)
{
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        if (g->base[i] != GUARD_BYTE)
            fail_msg("%s: wrote %zu bytes before its start", what, GUARD_BYTES - i);
        if (g->data[g->n_bytes + i] != GUARD_BYTE)
            fail_msg("%s: wrote %zu bytes past its end", what, i + 1);
    }
    free(g->base);
}

const char *dtype_name(dtype type)
{
    static const char *const names[] = {"-", "f32", "bf16", "f16", "i32"};
    return names[type];
}

/* Mantissa bits including the hidden one, and the exponent of the smallest subnormal. */
static int precision_of(dtype type)
{
    return type == DT_BF16 ? 8 : type == DT_F16 ? 11 : 24;
}
static int smallest_of(dtype type)
{
    return type == DT_BF16 ? -133 : type == DT_F16 ? -24 : -149;
}
static int quantum_exponent(dtype type, double v)
{
    int e = 0, smallest = smallest_of(type);
    if (v == 0 || !isfinite(v))
        return smallest;
    frexp(v, &e);
    return e - precision_of(type) > smallest ? e - precision_of(type) : smallest;
}
double rounded(dtype type, double v)
{
    if (type == DT_NONE || type == DT_I32 || !isfinite(v))
        return v;
    if (type == DT_F32)
        return (float)v;
    int q = quantum_exponent(type, v);
    double r = ldexp(nearbyint(ldexp(v, -q)), q);
    double limit = type == DT_F16 ? 65504.0 : 0x1.FEp127;
    return fabs(r) > limit ? copysign(INFINITY, v) : r;
}
double ulp_of(dtype type, double v)
{
    return ldexp(1.0, quantum_exponent(type, v));
}

/* Decoding and encoding by definition (IEEE 754 fields), on purpose not by the operators' own conversions. */
static double decode16(uint16_t h, int exponent_bits)
{
    int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    int e = (h & 0x7FFF) >> mantissa_bits, m = h & ((1 << mantissa_bits) - 1);
    double v = e == (1 << exponent_bits) - 1 ? (m ? NAN : INFINITY)
               : e                           ? ldexp(m + (1 << mantissa_bits), e - bias - mantissa_bits)
                                             : ldexp(m, 1 - bias - mantissa_bits);
    return h & 0x8000 ? -v : v;
}
static uint16_t encode16(double v, dtype type)
{
    int mantissa_bits = precision_of(type) - 1, exponent_bits = 15 - mantissa_bits;
    uint16_t sign = signbit(v) ? 0x8000 : 0, top = (uint16_t)(((1 << exponent_bits) - 1) << mantissa_bits);
    if (isnan(v))
        return (uint16_t)(sign | top | (1 << (mantissa_bits - 1)));
    v = fabs(rounded(type, v));
    if (isinf(v))
        return (uint16_t)(sign | top);
    int q = quantum_exponent(type, v);
    unsigned m = (unsigned)ldexp(v, -q), e = (unsigned)(q - smallest_of(type));
    /* The hidden bit carries into the exponent field by itself. */
    return (uint16_t)(sign | ((e << mantissa_bits) + m));
}

double value_at(const tensor *t, size_t index)
{
    switch (t->type) {
    case DT_F32:
        return ((const float *)t->data)[index];
    case DT_I32:
        return ((const int32_t *)t->data)[index];
    case DT_BF16:
        return decode16(((const uint16_t *)t->data)[index], 8);
    default:
        return decode16(((const uint16_t *)t->data)[index], 5);
    }
}
void set_value(tensor *t, size_t index, double v)
{
    if (t->type == DT_F32)
        ((float *)t->data)[index] = (float)v;
    else if (t->type == DT_I32)
        ((int32_t *)t->data)[index] = (int32_t)v;
    else
        ((uint16_t *)t->data)[index] = encode16(v, t->type);
}

op_case op_case_new(op_id op, const char *label)
{
    op_case t = {.op = op, .label = label, .random = 0x9E3779B97F4A7C15u * (uint64_t)(op + 1)};
    for (const char *s = label; *s; s++)
        t.random = (t.random ^ (uint64_t)*s) * 0x100000001B3u;
    return t;
}
/* splitmix64 */
double random_uniform(op_case *t)
{
    uint64_t z = (t->random += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}
void in_zero(op_case *t, int i, dtype type, int n, int rows, int cols)
{
    tensor *x = &t->in[i];
    free(x->data);
    *x = (tensor){.type = type, .n = n, .rows = rows, .cols = cols};
    x->data = calloc(tensor_count(x) ? tensor_count(x) : 1, dtype_bytes(type));
    assert_non_null(x->data);
}
void in_uniform(op_case *t, int i, dtype type, int n, int rows, int cols, double low, double high)
{
    in_zero(t, i, type, n, rows, cols);
    for (size_t k = 0; k < tensor_count(&t->in[i]); k++)
        set_value(&t->in[i], k, low + (high - low) * random_uniform(t));
}
void in_normal(op_case *t, int i, dtype type, int n, int rows, int cols)
{
    in_zero(t, i, type, n, rows, cols);
    for (size_t k = 0; k < tensor_count(&t->in[i]); k++) {
        double u = 1.0 - random_uniform(t), v = random_uniform(t);
        set_value(&t->in[i], k, sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
    }
}
void in_ints(op_case *t, int i, int n, int rows, int cols, int low, int high)
{
    in_zero(t, i, DT_I32, n, rows, cols);
    for (size_t k = 0; k < tensor_count(&t->in[i]); k++)
        set_value(&t->in[i], k, low + floor((high - low + 1) * random_uniform(t)));
}
static void inputs_free(op_case *t)
{
    for (int i = 0; i < OP_MAX_IN; i++)
        free(t->in[i].data);
    memset(t->in, 0, sizeof t->in);
}

double act_reference(act kind, double v)
{
    switch (kind) {
    case ACT_RELU:
        return v < 0 ? 0 : v;
    case ACT_GELU:
        return isinf(v) ? (v > 0 ? v : 0) : 0.5 * v * erfc(-v * 0.70710678118654752440);
    case ACT_SIGMOID:
        return 1.0 / (1.0 + exp(-v));
    default:
        return v;
    }
}

static void describe(const op_case *t, char *text, size_t n_bytes)
{
    const op_def *def = op_table[t->op];
    size_t at = (size_t)snprintf(text, n_bytes, "%s, %s:", def->name, t->label);
    for (int i = 0; i < def->n_in + def->n_out && at < n_bytes; i++) {
        const tensor *x = i < def->n_in ? &t->in[i] : &t->out[i - def->n_in];
        at += (size_t)snprintf(text + at, n_bytes - at, i == def->n_in ? " -> %s" : " %s", dtype_name(x->type));
        if (x->type != DT_NONE && at < n_bytes)
            at += (size_t)snprintf(text + at, n_bytes - at, "[%d,%d,%d]", x->n, x->rows, x->cols);
    }
}

/* The shape rule must not need data, and must give the same shapes when the number of objects is still open. */
static void infer_shapes(op_case *t)
{
    const op_def *def = op_table[t->op];
    tensor in[OP_MAX_IN], open[OP_MAX_OUT] = {{0}};
    memset(t->out, 0, sizeof t->out);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < OP_MAX_IN; i++) {
            in[i] = t->in[i];
            in[i].data = NULL;
            if (pass && in[i].type != DT_NONE && in[i].n != 1)
                in[i].n = N_OBJECTS;
        }
        const char *wrong = def->infer(in, &t->attr, pass ? open : t->out);
        if (wrong)
            fail_msg("%s, %s: shape rule refused: %s", def->name, t->label, wrong);
    }
    for (int o = 0; o < def->n_out; o++) {
        assert_int_equal(open[o].type, t->out[o].type);
        if (o > 0 && t->out[o].type == DT_NONE)
            continue; /* an optional output */
        assert_int_equal(open[o].n, t->out[o].n == 1 ? 1 : N_OBJECTS);
        assert_int_equal(open[o].rows, t->out[o].rows);
        assert_int_equal(open[o].cols, t->out[o].cols);
        assert_true(t->out[o].type != DT_NONE && tensor_count(&t->out[o]) > 0);
    }
    op_cost cost = def->cost(in, t->out, &t->attr);
    assert_true(cost.flops >= 0 && cost.bytes_read > 0 && cost.bytes_written > 0);
}

/* The last ones may be absent. */
static int n_outputs(const op_case *t)
{
    int n = op_table[t->op]->n_out;
    while (n > 1 && t->out[n - 1].type == DT_NONE)
        n--;
    return n;
}

typedef struct expectation {
    double *exact, *plain;
    double plain_error;
} expectation;

static double finite_error(double got, double want)
{
    return isfinite(got) && isfinite(want) ? fabs(got - want) : 0;
}

static void expect(const op_case *t, expectation *e)
{
    double *exact[OP_MAX_OUT] = {0}, *plain[OP_MAX_OUT] = {0};
    for (int o = 0; o < n_outputs(t); o++) {
        e[o].exact = exact[o] = calloc(tensor_count(&t->out[o]), sizeof(double));
        e[o].plain = plain[o] = calloc(tensor_count(&t->out[o]), sizeof(double));
        assert_true(exact[o] && plain[o]);
    }
    t->reference(t, DT_NONE, exact);
    t->reference(t, t->plain ? t->plain : t->out[0].type == DT_I32 ? DT_F32 : t->out[0].type, plain);
    for (int o = 0; o < n_outputs(t); o++) {
        e[o].plain_error = 0;
        for (size_t i = 0; i < tensor_count(&t->out[o]); i++) {
            plain[o][i] = rounded(t->out[o].type, plain[o][i]);
            e[o].plain_error = fmax(e[o].plain_error, finite_error(plain[o][i], exact[o][i]));
        }
    }
}

/* Returns the largest error; fails the test where the rule is broken. */
static double compare(const op_case *t, const tensor *out, const expectation *e, const char *who)
{
    char text[640];
    double worst = 0;
    size_t n_bad = 0, first = 0;
    for (size_t i = 0; i < tensor_count(out); i++) {
        double got = value_at(out, i), want = e->exact[i], limit = rounded(out->type, want);
        bool good;
        if (t->exact || out->type == DT_I32)
            good = isnan(e->plain[i]) ? isnan(got) : got == e->plain[i];
        else if (!isfinite(limit))
            good = isnan(limit) ? isnan(got) : got == limit;
        else
            good = isfinite(got) && fabs(got - want) <= 2 * e->plain_error + ulp_of(out->type, want);
        worst = fmax(worst, finite_error(got, want));
        first = good || n_bad ? first : i;
        n_bad += !good;
    }
    if (n_bad) {
        describe(t, text, sizeof text);
        size_t c = (size_t)out->cols, r = (size_t)out->rows;
        fail_msg("%s\n  %s: output %d: %zu of %zu wrong, worst error %.3g, plain error %.3g\n"
                 "  first at [%zu,%zu,%zu]: got %.9g, want %.9g, plain %.9g",
                 text, who, (int)(out - t->out), n_bad, tensor_count(out), worst, e->plain_error, first / (r * c),
                 first / c % r, first % c, value_at(out, first), e->exact[first], e->plain[first]);
    }
    return worst;
}

static bool is_input(unsigned bits, int i)
{
    return bits >> i & 1u;
}

/* FNV-1a over the data of all inputs: an operator must not write them. */
static uint64_t inputs_hash(const op_case *t)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (int i = 0; i < op_table[t->op]->n_in; i++)
        for (size_t k = 0; t->in[i].type != DT_NONE && k < tensor_bytes(&t->in[i]); k++)
            hash = (hash ^ ((const unsigned char *)t->in[i].data)[k]) * 0x100000001B3u;
    return hash;
}

static void run_once(op_case *t, const op_cpu *cpu, int n_threads)
{
    const op_def *def = op_table[t->op];
    tensor weights[OP_MAX_IN], shapes[OP_MAX_IN], in[OP_MAX_IN], no_data[OP_MAX_OUT];
    memcpy(no_data, t->out, sizeof no_data);
    for (int i = 0; i < OP_MAX_IN; i++) {
        weights[i] = shapes[i] = in[i] = t->in[i];
        shapes[i].data = NULL;
        if (!is_input(t->weights, i))
            weights[i].data = NULL;
    }
    for (int o = 0; o < OP_MAX_OUT; o++)
        no_data[o].data = NULL;
    op_call call = {.in = weights, .out = no_data, .attr = &t->attr, .n_threads = n_threads};
    size_t packed_bytes = 0;
    if (cpu->pack) {
        call.packed = cpu->pack(&call, &packed_bytes);
        assert_non_null(call.packed);
        for (int i = 0; i < def->n_in; i++)
            if (is_input(cpu->in_packed, i) && is_input(t->weights, i))
                in[i].data = NULL;
    }
    call.in = shapes;
    if (cpu->bind) {
        call.bound = cpu->bind(&call);
        assert_non_null(call.bound);
    }
    guarded scratch = guarded_new(cpu->scratch_bytes ? cpu->scratch_bytes(&call) : 0);
    call.in = in;
    call.out = t->out;
    call.scratch = scratch.data;
    cpu->run(&call);
    guarded_end(&scratch, "scratch");
    if (cpu->unbind)
        cpu->unbind(call.bound);
    if (cpu->unpack)
        cpu->unpack(call.packed);
}

/* The emulated device: memory is the host's. */
static void run_emulated(op_case *t, const op_cuda *cuda)
{
    const op_def *def = op_table[t->op];
    tensor weights[OP_MAX_IN], in[OP_MAX_IN], no_data[OP_MAX_IN];
    for (int i = 0; i < OP_MAX_IN; i++) {
        weights[i] = no_data[i] = in[i] = t->in[i];
        no_data[i].data = NULL;
        if (!is_input(t->weights, i))
            weights[i].data = NULL;
    }
    op_call call = {.in = weights, .out = t->out, .attr = &t->attr, .libraries = t->libraries};
    guarded packed = guarded_new(cuda->packed_bytes ? cuda->packed_bytes(&call) : 0);
    if (cuda->pack) {
        call.packed = packed.data;
        const char *wrong = cuda->pack(&call);
        if (wrong)
            fail_msg("%s, %s: pack: %s", def->name, t->label, wrong);
        for (int i = 0; i < def->n_in; i++)
            if (is_input(cuda->in_packed, i) && is_input(t->weights, i))
                in[i].data = NULL;
    }
    call.in = no_data;
    guarded scratch = guarded_new(cuda->scratch_bytes ? cuda->scratch_bytes(&call) : 0);
    call.in = in;
    call.scratch = scratch.data;
    if (cuda->bind) {
        call.bound = cuda->bind(&call);
        assert_non_null(call.bound);
    }
    const char *wrong = cuda->run(&call);
    if (wrong)
        fail_msg("%s, %s: %s", def->name, t->label, wrong);
    guarded_end(&scratch, "scratch");
    guarded_end(&packed, "packed weights");
    if (cuda->unbind)
        cuda->unbind(call.bound);
}

typedef struct summary {
    double worst;
    char who[96];
    int n_runs;
} summary;

/* Outputs between guards; what was not written is NaN. */
static void outputs_begin(op_case *t, guarded *memory)
{
    for (int o = 0; o < n_outputs(t); o++) {
        memory[o] = guarded_new(tensor_bytes(&t->out[o]));
        t->out[o].data = memory[o].data;
    }
}
static void outputs_end(op_case *t, guarded *memory, const expectation *expected, const char *who, summary *s)
{
    for (int o = 0; o < n_outputs(t); o++) {
        double error = compare(t, &t->out[o], &expected[o], who);
        if (error > s->worst) {
            s->worst = error;
            snprintf(s->who, sizeof s->who, "%s", who);
        }
        guarded_end(&memory[o], "output");
        t->out[o].data = NULL;
    }
    s->n_runs++;
}

/* The bits of a case's outputs, by number of the case in this program: SAM_TEST_BITS=+FILE appends "operator case digest" of what
 * was emulated, SAM_TEST_BITS=FILE says of a device's whether they are those of the file. Both with the tiles of the smallest
 * device, so that the same kernels ran. tests/ptx adds as tensor cores do, so where no approximation is in the way a device that
 * has other bits has another operand, barrier or compiler. */
static void say_bits(const op_case *t, bool on_device)
{
    static int number;
    const char *path = getenv("SAM_TEST_BITS"), *name = op_table[t->op]->name;
    uint64_t hash = 0xCBF29CE484222325u;
    if (!path || (path[0] == '+') == on_device)
        return;
    for (int o = 0; o < n_outputs(t); o++)
        for (size_t i = 0; i < tensor_bytes(&t->out[o]); i++)
            hash = (hash ^ ((const unsigned char *)t->out[o].data)[i]) * 0x100000001B3u;
    FILE *f = fopen(path + !on_device, on_device ? "r" : "a");
    assert_non_null(f);
    char op[64] = "";
    int n = -1;
    unsigned long long want = 0;
    number++;
    if (!on_device)
        fprintf(f, "%s %d %016llx\n", name, number, (unsigned long long)hash);
    while (on_device && (strcmp(op, name) || n != number) && fscanf(f, "%63s %d %llx", op, &n, &want) == 3)
        ;
    if (on_device)
        printf("  bits: %s, case %d (%s): %s\n", name, number, t->label,
               strcmp(op, name) || n != number ? "unknown"
               : want == hash                  ? "equal"
                                               : "differ");
    fclose(f);
}

/* Under n_seeds orders of threads and blocks, which must give the same bits. */
static void check_orders(op_case *t, const op_cuda *cuda, const char *where, unsigned n_seeds,
                         const expectation *expected, uint64_t before, summary *s)
{
    const op_def *def = op_table[t->op];
    guarded first[OP_MAX_OUT] = {{0}};
    for (unsigned seed = 0; seed < n_seeds; seed++) {
        char who[96];
        guarded memory[OP_MAX_OUT];
        unsigned long long steps = emu_steps();
        snprintf(who, sizeof who, "emulated%s, seed %u", where, seed);
        outputs_begin(t, memory);
        emu_seed(seed);
        run_emulated(t, cuda);
        for (int o = 0; o < n_outputs(t); o++) {
            if (seed == 0) {
                first[o] = guarded_new(memory[o].n_bytes);
                memcpy(first[o].data, memory[o].data, memory[o].n_bytes);
            } else if (memcmp(first[o].data, memory[o].data, memory[o].n_bytes)) {
                fail_msg("%s, %s: %s: output %d changes with the order of threads: a race", def->name, t->label, who,
                         o);
            }
        }
        if (seed == 0 && device_described() && device_described()->multiprocessors == 1)
            say_bits(t, false);
        outputs_end(t, memory, expected, who, s);
        if (inputs_hash(t) != before)
            fail_msg("%s, %s: %s: an input was written", def->name, t->label, who);
        if (emu_steps() - steps > MANY_STEPS)
            seed++;
    }
    for (int o = 0; o < n_outputs(t); o++)
        guarded_end(&first[o], "copy");
}

/* Returns the worst error of the kernels, -1 if there are none. Launchers choose tiles by what the device has, so those that
 * ask are run for other devices too: what a case would launch on the smallest and on the largest. */
static double check_emulated(op_case *t, const expectation *expected, uint64_t before)
{
    static const described_device others[] = {{99 * 1024, 1}, {163 * 1024, 16}, {227 * 1024, 132}};
    const op_cuda *cuda = op_cuda_select_emu()[t->op];
    summary s = {.worst = -1};
    if (!cuda)
        return -1;
    s.worst = 0;
    device_describe(NULL); /* a case that failed has left its own */
    unsigned long long questions = emu_questions();
    check_orders(t, cuda, "", N_SEEDS, expected, before, &s);
    int n_others =
        emu_questions() != questions ? (int)(sizeof others / sizeof *others) : getenv("SAM_TEST_BITS") != NULL;
    for (int d = 0; d < n_others; d++) {
        char where[64];
        snprintf(where, sizeof where, " for %d multiprocessors of %zu KiB", others[d].multiprocessors,
                 others[d].shared_limit / 1024);
        device_describe(&others[d]);
        check_orders(t, cuda, where, 1, expected, before, &s);
        device_describe(NULL);
    }
    return s.worst;
}

/* On a real device, twice: results that differ between two runs are a race. */
static void check_twice(op_case *t, backend *device, const char *who, const expectation *expected, summary *s)
{
    const op_def *def = op_table[t->op];
    guarded first[OP_MAX_OUT] = {{0}}, memory[OP_MAX_OUT];
    for (int run = 0; run < 2; run++) {
        outputs_begin(t, memory);
        op_device_run(device, t, NULL);
        for (int o = 0; o < def->n_out; o++) {
            if (run == 0) {
                first[o] = guarded_new(memory[o].n_bytes);
                memcpy(first[o].data, memory[o].data, memory[o].n_bytes);
            } else if (memcmp(first[o].data, memory[o].data, memory[o].n_bytes)) {
                fail_msg("%s, %s: output %d differs between two runs on the %s: a race", def->name, t->label, o, who);
            }
        }
        if (run == 0 && device_described() && device_described()->multiprocessors == 1)
            say_bits(t, true);
        outputs_end(t, memory, expected, who, s);
    }
    for (int o = 0; o < def->n_out; o++)
        guarded_end(&first[o], "copy");
}

/* As launchers choose for the device that is there, then with the tiles of a small and of a large one; every target has the
 * 99 KiB of those. Returns -1 if there is no device. */
static double check_device(op_case *t, const expectation *expected)
{
    static const described_device others[] = {{99 * 1024, 1}, {99 * 1024, 132}};
    backend *device = test_cuda();
    summary s = {.worst = device ? 0 : -1};
    device_describe(NULL);
    if (device)
        check_twice(t, device, "device", expected, &s);
    for (size_t d = 0; device && d < sizeof others / sizeof *others; d++) {
        char who[64];
        snprintf(who, sizeof who, "device, tiles for %d multiprocessors", others[d].multiprocessors);
        device_describe(&others[d]);
        check_twice(t, device, who, expected, &s);
        device_describe(NULL);
    }
    return s.worst;
}

/* The copies of tests/CMakeLists.txt that have the compiler's own tile instructions: run by the processor if it has them,
 * else by amx_instructions.h. NULL: the operator has no code for tiles, or this machine cannot run it either way. */
static const op_cpu *with_instructions(op_id op)
{
#ifdef HAVE_AVX2AMX
    extern const op_cpu attention_cpu_avx2amx, window_attention_cpu_avx2amx;
    static const op_cpu *const table[OP_COUNT] = {
        [OP_attention] = &attention_cpu_avx2amx, [OP_window_attention] = &window_attention_cpu_avx2amx};
    cpu_facts here = cpu_facts_here();
    return here.avx2 && here.amx == here.amx_allowed ? table[op] : NULL;
#else
    (void)op;
    return NULL;
#endif
}

/* One run of an operator's CPU code, compared. */
static void check_cpu(op_case *t, const op_cpu *cpu, const char *variant, int n_threads, const expectation *expected,
                      uint64_t before, summary *s)
{
    char who[64];
    guarded memory[OP_MAX_OUT];
    snprintf(who, sizeof who, "%s, %d thread%s", variant, n_threads, n_threads > 1 ? "s" : "");
    outputs_begin(t, memory);
    run_once(t, cpu, n_threads);
    outputs_end(t, memory, expected, who, s);
    if (inputs_hash(t) != before)
        fail_msg("%s, %s: %s: an input was written", op_table[t->op]->name, t->label, who);
}

void op_check(op_case *t)
{
    expectation expected[OP_MAX_OUT];
    char text[640], kernels[96] = "";
    summary s = {0};
    infer_shapes(t);
    expect(t, expected);
    uint64_t before = inputs_hash(t);
    int on_host = test_backend() == SAM_CPU;
    /* tests/ptx runs what differs there, the kernels. */
    int on_cpu = on_host && !t->kernels_only && !getenv("SAM_TEST_KERNELS_ONLY");
    for (int v = 0; on_cpu && cpu_variant_name(v); v++) {
        const op_cpu *const *table = op_cpu_select(cpu_variant_name(v), NULL);
        for (int n_threads = 1; table && n_threads <= 2; n_threads++)
            check_cpu(t, table[t->op], cpu_variant_name(v), n_threads, expected, before, &s);
    }
    const op_cpu *instructions = with_instructions(t->op);
    if (on_cpu && instructions) {
        assert_int_equal(amx_instructions_begin(), 0);
        check_cpu(t, instructions, "avx2amx", 2, expected, before, &s);
        amx_instructions_end();
    }
    double emulated = on_host ? check_emulated(t, expected, before) : -1;
    double device = check_device(t, expected);
    assert_true(s.n_runs > 0 || emulated >= 0 || device >= 0);
    if (emulated >= 0)
        snprintf(kernels, sizeof kernels, ", kernels %.2e", emulated);
    if (device >= 0)
        snprintf(kernels + strlen(kernels), sizeof kernels - strlen(kernels), ", device %.2e", device);
    describe(t, text, sizeof text);
    if (t->exact || (s.worst == 0 && emulated <= 0 && device <= 0))
        printf("  %s: exact (%d runs%s%s)\n", text, s.n_runs, emulated >= 0 ? ", and kernels" : "",
               device >= 0 ? ", and device" : "");
    else if (s.n_runs == 0)
        printf("  %s: not on the CPU%s, plain %.2e\n", text, kernels, expected[0].plain_error);
    else
        printf("  %s: worst error %.2e (%s)%s, plain %.2e (%d runs)\n", text, s.worst, s.who, kernels,
               expected[0].plain_error, s.n_runs);
    for (int o = 0; o < n_outputs(t); o++) {
        free(expected[o].exact);
        free(expected[o].plain);
    }
    inputs_free(t);
}

/* Rows first, first + step, ... of `from`, all batches. */
static tensor sampled_rows(const tensor *from, int first, int step, int n)
{
    tensor to = *from;
    size_t row_bytes = (size_t)from->cols * dtype_bytes(from->type);
    to.rows = n;
    to.data = malloc((size_t)to.n * (size_t)n * row_bytes);
    assert_non_null(to.data);
    for (int b = 0; b < to.n; b++)
        for (int r = 0; r < n; r++)
            memcpy((char *)to.data + ((size_t)b * (size_t)n + (size_t)r) * row_bytes,
                   (const char *)from->data + ((size_t)b * (size_t)from->rows + (size_t)(first + r * step)) * row_bytes,
                   row_bytes);
    return to;
}

void op_check_rows(op_case *t, unsigned by_row, int n_sampled)
{
    char text[640];
    const char *variant;
    op_case part = *t;
    expectation expected[OP_MAX_OUT];
    infer_shapes(t);
    int step = t->out[0].rows / n_sampled, first = step / 2;
    for (int i = 0; i < OP_MAX_IN; i++)
        if (is_input(by_row, i) && t->in[i].type != DT_NONE)
            part.in[i] = sampled_rows(&t->in[i], first, step, n_sampled);
    infer_shapes(&part);
    expect(&part, expected);
    backend *device = test_cuda();
    const struct op_libraries *libraries = device ? device_libraries_use(device->libraries) : NULL;
    for (int with = 0; with <= (libraries != NULL); with++) {
        guarded memory[OP_MAX_OUT];
        outputs_begin(t, memory);
        if (device)
            op_device_run(device, t, with ? libraries : NULL);
        else
            run_once(t, op_cpu_select(NULL, &variant)[t->op], 2);
        part.out[0] = sampled_rows(&t->out[0], first, step, n_sampled);
        double error = compare(&part, &part.out[0], &expected[0], device ? "device" : "CPU");
        describe(t, text, sizeof text);
        printf("  %s, %d rows of %d on the %s%s: worst error %.2e, plain %.2e\n", text, n_sampled, t->out[0].rows,
               device ? "device" : "CPU", with ? " with its libraries" : "", error, expected[0].plain_error);
        free(part.out[0].data);
        guarded_end(&memory[0], "output");
        t->out[0].data = NULL;
    }
    for (int i = 0; i < OP_MAX_IN; i++)
        if (is_input(by_row, i) && t->in[i].type != DT_NONE)
            free(part.in[i].data);
    free(expected[0].exact);
    free(expected[0].plain);
    inputs_free(t);
}

void op_check_refused(op_case *t)
{
    const op_def *def = op_table[t->op];
    tensor out[OP_MAX_OUT] = {{0}};
    const char *wrong = def->infer(t->in, &t->attr, out);
    if (!wrong)
        fail_msg("%s, %s: the shape rule accepted it", def->name, t->label);
    printf("  %s, %s: refused: %s\n", def->name, t->label, wrong);
    inputs_free(t);
}
