/* Round trip of the safetensors reader and writer, and files that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h defines a macro named fail: after error.h */
#include "safetensors.h"

#include <cmocka.h>

static const char path[] = BUILD_DIR "/test_safetensors.tmp";

static void write_raw(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* A file with this header and n_data bytes of data. */
static size_t build(const char *header, size_t n_data, uint8_t out[4096])
{
    uint64_t n = strlen(header);
    assert_true(8 + n + n_data <= 4096);
    memcpy(out, &n, 8);
    memcpy(out + 8, header, n);
    for (size_t i = 0; i < n_data; i++)
        out[8 + n + i] = (uint8_t)i;
    return 8 + n + n_data;
}

static void round_trip(void **state)
{
    (void)state;
    float w[6] = {0, 1, 2, 3, 4, 5};
    uint16_t half[3] = {0x3c00, 0, 0xbc00};
    int64_t n = 7;
    const st_tensor in[] = {
        {"w", ST_F32, 2, {2, 3}, w, sizeof w}, {"h\xc3\xa9", ST_F16, 1, {3}, half, sizeof half},
        {"n", ST_I64, 0, {0}, &n, sizeof n},   {"empty", ST_U8, 2, {0, 5}, "", 0},
        {"last", ST_BF16, 1, {1}, half, 2},
    };
    const st_meta meta[] = {{"name", "x"}, {"quote", "\"\\\n"}};
    const size_t count = sizeof in / sizeof in[0];
    st_file f;
    sam_error err;
    uint64_t n_header;
    assert_int_equal(st_write(path, in, count, meta, 2, &err), SAM_OK);
    assert_int_equal(st_open(path, &f, &err), SAM_OK);
    assert_int_equal(f.n_tensors, count);
    for (size_t i = 0; i < count; i++) {
        const st_tensor *t = st_find(&f, in[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, in[i].dtype);
        assert_int_equal(t->n_dims, in[i].n_dims);
        assert_memory_equal(t->shape, in[i].shape, (size_t)t->n_dims * sizeof t->shape[0]);
        assert_int_equal(t->n_bytes, in[i].n_bytes);
        assert_memory_equal(t->data, in[i].data, in[i].n_bytes);
    }
    assert_null(st_find(&f, "absent"));
    assert_string_equal(st_meta_get(&f, "quote"), "\"\\\n");
    assert_null(st_meta_get(&f, "absent"));
    memcpy(&n_header, f.map, 8);
    assert_int_equal((8 + n_header) % 64, 0);
    printf("round trip: %zu tensors, %zu strings; data starts at byte %llu\n", f.n_tensors, f.n_meta,
           (unsigned long long)(8 + n_header));
    st_close(&f);
}

static void writer_refuses(void **state)
{
    (void)state;
    float w[6] = {0};
    const st_tensor twice[] = {{"w", ST_F32, 1, {6}, w, sizeof w}, {"w", ST_F32, 1, {6}, w, sizeof w}};
    const st_tensor wrong[] = {{"w", ST_F32, 1, {5}, w, sizeof w}};
    sam_error err;
    assert_int_equal(st_write(path, twice, 2, NULL, 0, &err), SAM_E_ARG);
    assert_non_null(strstr(err.text, "twice"));
    assert_int_equal(st_write(path, wrong, 1, NULL, 0, &err), SAM_E_ARG);
    assert_int_equal(st_write(BUILD_DIR "/no/such/folder/x", wrong, 0, NULL, 0, &err), SAM_E_IO);
    assert_non_null(strstr(err.text, "/no/such/folder/x"));
    printf("the writer refuses a name given twice, a wrong size and an absent folder: %s\n", err.text);
}

#define W "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        const char *because;
    } cases[] = {
        {W "}", 7, "not inside"},
        {W "}", 9, "belong to no tensor"},
        {W ",\"v\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "overlaps"},
        {W ",\"v\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "overlaps"},
        {W ",\"v\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[9,10]}}", 10, "gap"},
        {W ",\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "duplicate"},
        {W ",\"__metadata__\":{\"a\":1}}", 8, "not a string"},
        {W ",\"__metadata__\":[]}", 8, "not an object"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "not inside"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "not inside"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9223372036854775807]}}", 8, "not inside"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,99999999999999999999]}}", 8, "header"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "two integers"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8.0]}}", 8, "two integers"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "its shape takes 12"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "non-negative"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", 8, "non-negative"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8, "can be counted"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807],\"data_offsets\":[0,8]}}", 8, "can be counted"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "at most 8"},
        {"{\"w\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}", 8, "F8_E4M3 is not supported"},
        {"{\"w\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "missing is not supported"},
        {"{\"w\":{\"shape\":[2],\"data_offsets\":[0,8],\"x\":0}}", 8, "missing is not supported"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":0}}", 8, "exactly"},
        {"{\"w\":[]}", 8, "not an object"},
        {"{\"w\\u0000\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "header"},
        {"[1]", 8, "does not start with"},
        {" " W "}", 8, "does not start with"},
        {W, 8, "header"},
        {W "}x", 8, "header"},
        {"", 8, "does not start with"},
    };
    const size_t n = sizeof cases / sizeof cases[0];
    uint8_t bytes[4096];
    st_file f;
    sam_error err;
    for (size_t i = 0; i < n; i++) {
        write_raw(bytes, build(cases[i].header, cases[i].n_data, bytes));
        sam_status status = st_open(path, &f, &err);
        if (status != SAM_E_FORMAT || !strstr(err.text, cases[i].because))
            fail_msg("%s: status %d, %s; expected: %s", cases[i].header, status, err.text, cases[i].because);
        assert_null(f.map);
    }
    printf("%zu malformed headers refused, each for its reason\n", n);
}

static void bad_lengths(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    st_file f;
    sam_error err;
    size_t n = build(W "}  ", 8, bytes);
    write_raw(bytes, n);
    assert_int_equal(st_open(path, &f, &err), SAM_OK); /* spaces may follow the JSON */
    st_close(&f);
    for (size_t cut = 0; cut < n; cut++) {
        write_raw(bytes, cut);
        assert_int_equal(st_open(path, &f, &err), SAM_E_FORMAT);
    }
    const uint64_t lengths[] = {n, 100 << 20, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memcpy(bytes, &lengths[i], 8);
        write_raw(bytes, n);
        assert_int_equal(st_open(path, &f, &err), SAM_E_FORMAT);
    }
    assert_int_equal(st_open(BUILD_DIR "/no-such-file", &f, &err), SAM_E_IO);
    assert_int_equal(st_open(BUILD_DIR, &f, &err), SAM_E_IO);
    printf("%zu truncations and %zu header lengths refused\n", n, sizeof lengths / sizeof lengths[0]);
}

/* Any change of a byte is refused or gives tensors inside the file. */
static void flipped_bytes(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    st_file f;
    size_t n = build(W ",\"v\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[8,12]}}", 12, bytes);
    unsigned accepted = 0, total = 0, seed = 1;
    for (size_t at = 0; at < n; at++)
        for (int k = 0; k < 6; k++, total++) {
            uint8_t was = bytes[at];
            seed = seed * 1664525u + 1013904223u;
            bytes[at] ^= (uint8_t)(1 + (seed >> 24) % 255);
            write_raw(bytes, n);
            if (st_open(path, &f, NULL) == SAM_OK) {
                unsigned sum = 0;
                for (size_t t = 0; t < f.n_tensors; t++)
                    for (size_t i = 0; i < f.tensors[t].n_bytes; i++)
                        sum += ((const uint8_t *)f.tensors[t].data)[i];
                accepted += sum < UINT32_MAX;
                st_close(&f);
            }
            bytes[at] = was;
        }
    printf("%u of %u files with one changed byte are valid files, the others refused\n", accepted, total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),  cmocka_unit_test(writer_refuses), cmocka_unit_test(refused),
        cmocka_unit_test(bad_lengths), cmocka_unit_test(flipped_bytes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(path);
    return failed;
}
