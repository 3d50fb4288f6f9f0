/* The pickle reader and the torch.save reader: files that torch wrote (tests/parity/make_torch_fixtures.py), and
 * programs that must not run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h defines a macro named fail: after error.h */
#include "float_convert.h"
#include "pickle.h"
#include "torch_file.h"
#include "torch_writer.h"
#include "wrapped_names.h"

#include <cmocka.h>

static const char *const fixtures[] = {"bare",      "model",    "module",    "parameters",   "half",    "bf16",
                                       "strided",   "deflated", "protocol4", "whole_module", "objects", "objects4",
                                       "double",    "old",      "old4",      "ema",          "two",     "averaged",
                                       "lightning", "array",    "sparse"};
enum { N_FIXTURES = sizeof fixtures / sizeof fixtures[0] };

static byte_buffer load(const char *name)
{
    char path[512];
    uint8_t bytes[8192];
    byte_buffer b = {0};
    snprintf(path, sizeof path, SOURCE_DIR "/tests/data/torch/%s.pt", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    buffer_add(&b, bytes, fread(bytes, 1, sizeof bytes, f));
    fclose(f);
    assert_true(b.n > 0 && b.n < sizeof bytes);
    return b;
}

static sam_status read_bytes(const uint8_t *bytes, size_t n, tensor_set *s, sam_error *err)
{
    *s = (tensor_set){0};
    sam_status status = torch_recognise_old(bytes, n) ? torch_read_old("test.pt", bytes, n, s, err)
                                                      : torch_read("test.pt", bytes, n, s, err);
    if (status == SAM_OK)
        status = names_unwrap("test.pt", s, err);
    return status == SAM_OK ? tensor_set_index(s, "test.pt", err) : status;
}

static void expect_values(const tensor_set *s, const char *name, st_dtype dtype, const double *values, size_t n)
{
    const st_tensor *t = tensor_set_find(s, name);
    assert_non_null(t);
    assert_int_equal(t->dtype, dtype);
    assert_int_equal(st_count(t), n);
    for (size_t i = 0; i < n; i++) {
        double wide = 0;
        if (dtype == ST_F64)
            memcpy(&wide, (const uint8_t *)t->data + i * sizeof wide, sizeof wide);
        assert_true((dtype == ST_F64 ? wide : float_load(t->data, dtype, i)) == values[i]);
    }
}

static void torch_files(void **state)
{
    (void)state;
    static const double w[] = {0, 1, 2, 3, 4, 5}, b[] = {0.5, 1.5, -2}, slice[] = {1, 5, 9, 2, 6, 10},
                        row[] = {4, 5, 6};
    static const struct {
        const char *file, *weight, *bias;
        st_dtype dtype;
        const double *w, *b;
        size_t n_bias, n_tensors;
    } cases[] = {
        {"bare", "w", "b", ST_F32, w, b, 3, 2},
        {"model", "w", "b", ST_F32, w, b, 3, 2},
        {"module", "weight", "bias", ST_F32, w, b, 2, 2},
        {"parameters", "weight", "bias", ST_F32, w, b, 2, 2},
        {"half", "w", "b", ST_F16, w, b, 3, 3},
        {"bf16", "w", "b", ST_BF16, w, b, 3, 2},
        {"deflated", "w", "b", ST_F32, w, b, 3, 2},
        {"protocol4", "w", "b", ST_F32, w, b, 3, 2},
        {"strided", "w", "b", ST_F32, slice, row, 3, 2},
        {"objects", "w", "b", ST_F32, w, b, 3, 2},
        {"objects4", "w", "b", ST_F32, w, b, 3, 2},
        {"double", "w", "b", ST_F64, w, b, 3, 2},
        {"old", "w", "b", ST_F32, w, b, 3, 3},
        {"old4", "w", "b", ST_F32, w, b, 3, 2},
        {"ema", "w", "b", ST_F32, w, b, 3, 2},
        {"lightning", "w", "b", ST_F32, w, b, 3, 2},
        {"averaged", "weight", "bias", ST_F32, w, b, 2, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        byte_buffer file = load(cases[i].file);
        tensor_set s;
        sam_error err;
        if (read_bytes(file.at, file.n, &s, &err) != SAM_OK)
            fail_msg("%s: %s", cases[i].file, err.text);
        assert_int_equal(s.n_tensors, cases[i].n_tensors);
        expect_values(&s, cases[i].weight, cases[i].dtype, cases[i].w, 6);
        expect_values(&s, cases[i].bias, cases[i].dtype, cases[i].b, cases[i].n_bias);
        const st_tensor *n = tensor_set_find(&s, "n");
        assert_true(!n || (n->n_dims == 0 && n->dtype == ST_I64 && *(const uint8_t *)n->data == 7));
        printf("%s.pt: %zu tensors of %s equal\n", cases[i].file, s.n_tensors, st_dtype_name(cases[i].dtype));
        tensor_set_free(&s);
        buffer_free(&file);
    }
}

/* What cannot be taken says what it is and what to do. */
static void refused_files(void **state)
{
    (void)state;
    static const struct {
        const char *file, *because, *remedy;
    } cases[] = {
        {"whole_module", "torch.nn.modules.linear.Linear at byte", "torch.save({'model': model.state_dict()}"},
        {"two", "2 tensors under net and as many under net_ema", "torch.save({'model': those}"},
        {"array", "tensor w is stored as _reconstruct", "torch.as_tensor(t)"},
        {"sparse", "tensor w is stored as _rebuild_sparse_tensor", "torch.as_tensor(t)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        byte_buffer file = load(cases[i].file);
        tensor_set s;
        sam_error err;
        assert_int_equal(read_bytes(file.at, file.n, &s, &err), SAM_E_FORMAT);
        if (!strstr(err.text, cases[i].because) || !strstr(err.text, cases[i].remedy))
            fail_msg("%s; expected: %s, %s", err.text, cases[i].because, cases[i].remedy);
        printf("%s\n", err.text);
        tensor_set_free(&s);
        buffer_free(&file);
    }
}

#define P(text)                                                                                                        \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }

static void refused_programs(void **state)
{
    (void)state;
    static const struct {
        struct {
            const uint8_t *bytes;
            size_t n;
        } program;
        const char *because;
    } cases[] = {
        {P("\x80\x02"
           "cos\nsystem\nX\2\0\0\0ls\x85R."),
         "os.system at byte 2"},
        {P("\x80\x04\x8c\x08"
           "builtins\x8c\x04"
           "eval\x93."),
         "builtins.eval at byte 18"},
        {P("\x80\x02"
           "ios\nsystem\n(X\2\0\0\0lsi."),
         "opcode 0x69 at byte 2"},
        {P("\x80\x02}\x81."), "stack is empty"},
        {P("\x80\x02}}\x81."), "not a known function"},
        {P("\x80\x07."), "unknown pickle protocol"},
        {P("\x80\x02"), "cut short"},
        {P(""), "cut short"},
        {P("."), "stack is empty"},
        {P("(."), "stack is empty"},
        {P("0"), "stack is empty"},
        {P("\x85."), "stack is empty"},
        {P("(\x85."), "stack is empty"},
        {P("t."), "no mark"},
        {P("u."), "no mark"},
        {P("s."), "stack is empty"},
        {P("NNs."), "stack is empty"},
        {P("NNNs."), "holds none"},
        {P("}(Nu."), "without a value"},
        {P("}((NNu."), "holds none"},
        {P("(Nu."), "stack is empty"},
        {P("Na."), "stack is empty"},
        {P("NNa."), "holds none"},
        {P("a."), "stack is empty"},
        {P("h\0."), "never set"},
        {P("j\xff\xff\xff\xff."), "never set"},
        {P("Nr\xff\xff\xff\xff."), "memo index"},
        {P("q\0."), "nothing to remember"},
        {P("(q\0."), "nothing to remember"},
        {P("X\xff\xff\xff\xff."), "cut short"},
        {P("X\5\0\0\0abc."), "cut short"},
        {P("\x8a\x09"
           "12345678"),
         "cut short"},
        {P("J\1\2"), "cut short"},
        {P("ctorch\nFloatStorage"), "cut short"},
        {P("ctorch\nFloatStorage\n)R."), "call of a storage type"},
        {P("ccollections\nOrderedDict\n]\x85R."), "OrderedDict with arguments"},
        {P("1."), "no mark"},
        {P("ctorch._tensor\n_rebuild_from_type_v2\n)R."), "without function"},
        {P("ccollections\nOrderedDict\nNR."), "not a known function"},
        {P("NNR."), "not a known function"},
        {P("NNb."), "not a dict"},
        {P("NQ."), "not a storage"},
        {P(")Q."), "not a storage"},
        {P("X\7\0\0\0storageN\x86Q."), "without type"},
        {P("ctorch._utils\n_rebuild_tensor_v2\n)R."), "without storage"},
        {P("ctorch._utils\n_rebuild_parameter\n)R."), "without a tensor"},
        {P("NN\x93."), "not a string"},
    };
    const size_t n = sizeof cases / sizeof cases[0];
    for (size_t i = 0; i < n; i++) {
        pickle p;
        sam_error err;
        uint8_t *copy = malloc(cases[i].program.n + 1); /* on the heap, for the sanitizer */
        memcpy(copy, cases[i].program.bytes, cases[i].program.n);
        sam_status status = pickle_open("test", copy, cases[i].program.n, &p, &err);
        if (status != SAM_E_FORMAT || !strstr(err.text, cases[i].because))
            fail_msg("program %zu: status %d, %s; expected: %s", i, status, err.text, cases[i].because);
        assert_null(p.all);
        free(copy);
    }
    printf("%zu programs refused, each for its reason\n", n);
}

/* A list that contains itself is harmless: nothing here recurses. */
static void cycle(void **state)
{
    (void)state;
    static const uint8_t program[] = "]q\0h\0a.";
    pickle p;
    assert_int_equal(pickle_open("test", program, sizeof program - 1, &p, NULL), SAM_OK);
    assert_ptr_equal(p.root->items[0], p.root);
    pickle_close(&p);
    printf("a list that contains itself is read\n");
}

/* A tensor whose sizes, strides or storage do not fit. */
static void bad_tensors(void **state)
{
    (void)state;
    static const float data[4] = {0};
    static const st_tensor good = {"w", ST_F32, 2, {2, 2}, data, sizeof data};
    static const struct {
        int64_t shape[2];
        size_t n_bytes;
        const char *because;
    } cases[] = {
        {{2, 3}, 16, "should hold 6 elements"},
        {{-2, -2}, 16, "reach outside"},
        {{65536, 32767}, 16, "should hold 2147418112"},
        {{2, 2}, 15, "should hold 4"},
        {{2, 2}, 0, "should hold 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        byte_buffer b = {0};
        tensor_set s;
        sam_error err;
        st_tensor t = good;
        memcpy(t.shape, cases[i].shape, sizeof cases[i].shape);
        t.n_bytes = cases[i].n_bytes;
        torch_build(&b, &t, 1, "model");
        assert_int_equal(read_bytes(b.at, b.n, &s, &err), SAM_E_FORMAT);
        if (!strstr(err.text, cases[i].because))
            fail_msg("%s; expected: %s", err.text, cases[i].because);
        tensor_set_free(&s);
        buffer_free(&b);
    }
    printf("%zu tensors that do not fit their storage refused\n", sizeof cases / sizeof cases[0]);
}

/* Every truncation is refused; changed bytes never crash. In an unchecked copy of exact size. */
static void hostile(void **state)
{
    (void)state;
    size_t n_truncated = 0, n_flipped = 0, n_read = 0;
    unsigned seed = 1;
    for (size_t i = 0; i < N_FIXTURES; i++) {
        byte_buffer file = load(fixtures[i]);
        tensor_set s;
        for (size_t n = 0; n < file.n; n++, n_truncated++) {
            uint8_t *copy = malloc(n ? n : 1);
            memcpy(copy, file.at, n);
            assert_int_not_equal(read_bytes(copy, n, &s, NULL), SAM_OK);
            tensor_set_free(&s);
            free(copy);
        }
        uint8_t *copy = malloc(file.n);
        for (int k = 0; k < 4000; k++, n_flipped++) {
            memcpy(copy, file.at, file.n);
            for (int j = 0; j <= k % 2; j++) {
                seed = seed * 1664525u + 1013904223u;
                copy[(seed >> 8) % file.n] = (uint8_t)(seed >> 24);
            }
            n_read += read_bytes(copy, file.n, &s, NULL) == SAM_OK;
            tensor_set_free(&s);
        }
        free(copy);
        buffer_free(&file);
    }
    printf("%zu truncations refused; %zu files with changed bytes survived, %zu of them readable\n", n_truncated,
           n_flipped, n_read);
}

/* The checksum hides the pickle from the test above: here it is read without its archive. */
static void hostile_pickle(void **state)
{
    (void)state;
    size_t n_read = 0, n_total = 0;
    unsigned seed = 1;
    for (size_t i = 0; i < N_FIXTURES; i++) {
        byte_buffer file = load(fixtures[i]);
        size_t at = 0, end = 0;
        while (at + 2 < file.n && memcmp(file.at + at, "\x80\x02}", 3) != 0 &&
               memcmp(file.at + at, "\x80\x04\x95", 3) != 0)
            at++;
        for (end = at; end + 2 < file.n && memcmp(file.at + end, "PK", 2) != 0;)
            end++;
        for (int k = 0; k < 20000 && at < end; k++, n_total++) {
            size_t n = k % 2 ? end - at : (size_t)k / 2 % (end - at);
            uint8_t *copy = malloc(n ? n : 1);
            pickle p;
            memcpy(copy, file.at + at, n);
            for (int j = 0; j < k % 4 && n; j++) {
                seed = seed * 1664525u + 1013904223u;
                copy[(seed >> 8) % n] = (uint8_t)(seed >> 24);
            }
            if (pickle_open("test", copy, n, &p, NULL) == SAM_OK) {
                n_read++;
                pickle_close(&p);
            }
            free(copy);
        }
        buffer_free(&file);
    }
    printf("%zu changed or cut pickles survived, %zu of them readable\n", n_total, n_read);
}

/* A small file that asks for gigabytes is refused before they are taken. */
static void bombs(void **state)
{
    (void)state;
    enum { N = 8 << 20 };
    char *nothing = malloc(N);
    tensor_set s;
    sam_error err;
    pickle p;
    memset(nothing, 'N', N);
    byte_buffer deflated = {0};
    const zip_item item = {"archive/data.pkl", nothing, N, 1};
    zip_build(&deflated, &item, 1, ZIP_PLAIN);
    assert_int_equal(read_bytes(deflated.at, deflated.n, &s, &err), SAM_E_FORMAT);
    assert_non_null(strstr(err.text, "would become 8388608 bytes"));
    printf("%zu bytes: %s\n", deflated.n, err.text);
    tensor_set_free(&s);
    buffer_free(&deflated);
    assert_int_equal(pickle_open("test", (const uint8_t *)nothing, N, &p, &err), SAM_E_FORMAT);
    assert_non_null(strstr(err.text, "far more memory"));
    printf("%d bytes: %s\n", N, err.text);
    free(nothing);
}

/* The product of the sizes does not fit 64 bits, though one of them is 0. */
static void huge_empty(void **state)
{
    (void)state;
    static const float data[1] = {0};
    const st_tensor t = {"w", ST_F32, 3, {(int64_t)1 << 62, 4, 0}, data, 0};
    assert_int_equal(st_count(&t), 0);
    assert_int_equal(st_count(&(st_tensor){"w", ST_F32, 2, {(int64_t)1 << 62, 4}, data, 0}), INT64_MAX);
    printf("a tensor [2^62, 4, 0] has 0 elements\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torch_files),    cmocka_unit_test(refused_files), cmocka_unit_test(refused_programs),
        cmocka_unit_test(cycle),          cmocka_unit_test(bad_tensors),   cmocka_unit_test(hostile),
        cmocka_unit_test(hostile_pickle), cmocka_unit_test(bombs),         cmocka_unit_test(huge_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
