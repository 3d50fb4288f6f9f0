/* The zip reader on archives of every kind it knows, and on damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h defines a macro named fail: after error.h */
#include "torch_writer.h"
#include "zip.h"

#include <cmocka.h>

static const char text[] = "one two three one two three one two three one two three one two three";
static const zip_item items[] = {
    {"a/first", text, sizeof text, 0}, {"a/second", text, sizeof text, 1}, {"a/empty", "", 0, 0}, {"z", "x", 1, 0}};
enum { N_ITEMS = sizeof items / sizeof items[0] };

/* Reads every entry; returns how many could be. */
static size_t read_entries(const uint8_t *bytes, size_t n)
{
    zip_archive z;
    const uint8_t *data;
    void *owned;
    size_t n_read = 0;
    if (zip_open("test.zip", bytes, n, &z, NULL) != SAM_OK)
        return 0;
    for (size_t i = 0; i < z.n_entries; i++)
        if (zip_read(&z, &z.entries[i], 1 << 20, &data, &owned, NULL) == SAM_OK) {
            n_read++;
            free(owned);
        }
    zip_close(&z);
    return n_read;
}

static void reads(void **state)
{
    (void)state;
    for (int flavour = ZIP_PLAIN; flavour <= ZIP_64; flavour++) {
        byte_buffer b = {0};
        zip_archive z;
        sam_error err;
        zip_build(&b, items, N_ITEMS, flavour);
        assert_true(zip_recognise(b.at, b.n));
        assert_int_equal(zip_open("test.zip", b.at, b.n, &z, &err), SAM_OK);
        assert_int_equal(z.n_entries, N_ITEMS);
        for (size_t i = 0; i < N_ITEMS; i++) {
            const uint8_t *data;
            void *owned;
            const zip_entry *e = zip_find(&z, items[i].name);
            assert_non_null(e);
            assert_int_equal(e->n_bytes, items[i].n_bytes);
            assert_int_equal(zip_read(&z, e, items[i].n_bytes, &data, &owned, &err), SAM_OK);
            assert_memory_equal(data, items[i].data, items[i].n_bytes);
            free(owned);
        }
        assert_null(zip_find(&z, "a/firs"));
        assert_null(zip_find(&z, "a/first2"));
        printf("%s: %d entries, stored and deflated, equal\n", flavour == ZIP_64 ? "zip64" : "zip", N_ITEMS);
        zip_close(&z);
        buffer_free(&b);
    }
}

/* With a comment behind the end record, and one whose text looks like an end record. */
static void comment(void **state)
{
    (void)state;
    byte_buffer b = {0};
    zip_build(&b, items, N_ITEMS, ZIP_PLAIN);
    static const char note[] = "a comment PK\5\6 with a false end record 1234567890";
    b.at[b.n - 2] = sizeof note;
    buffer_add(&b, note, sizeof note);
    assert_int_equal(read_entries(b.at, b.n), N_ITEMS);
    buffer_free(&b);
    printf("an archive with a comment: %d entries\n", N_ITEMS);
}

static void expect(const byte_buffer *b, const char *because)
{
    zip_archive z;
    sam_error err;
    if (zip_open("test.zip", b->at, b->n, &z, &err) == SAM_OK)
        fail_msg("accepted, expected: %s", because);
    if (!strstr(err.text, because))
        fail_msg("%s; expected: %s", err.text, because);
}

static void refused(void **state)
{
    (void)state;
    byte_buffer b = {0};
    const zip_item twice[] = {items[0], items[0]};
    zip_build(&b, twice, 2, ZIP_PLAIN);
    expect(&b, "is there twice");
    b.n = 0;
    zip_build(&b, items, N_ITEMS, ZIP_PLAIN);
    size_t central = 0;
    while (memcmp(b.at + central, "PK\1\2", 4) != 0)
        central++;
    b.at[central + 8] = 1;
    expect(&b, "encrypted");
    b.at[central + 8] = 0;
    b.at[central + 10] = 12;
    expect(&b, "method 12");
    b.at[central + 10] = 0;
    b.at[central + 24]++;
    expect(&b, "cannot come out of");
    b.at[central + 24]--;
    b.at[central + 45] = 0x7f;
    expect(&b, "its header is not where");
    b.at[central + 45] = 0;
    b.at[0] = 'x';
    expect(&b, "its header is not where");
    b.at[0] = 'P';
    b.at[b.n - 5] = 0x7f;
    expect(&b, "outside the file");
    buffer_free(&b);
    printf("7 kinds of damage refused, each for its reason\n");
}

static void damaged_data(void **state)
{
    (void)state;
    byte_buffer b = {0};
    zip_build(&b, items, 2, ZIP_PLAIN);
    assert_int_equal(read_entries(b.at, b.n), 2);
    b.at[30 + strlen(items[0].name)] ^= 1;
    assert_int_equal(read_entries(b.at, b.n), 1);
    buffer_free(&b);
    printf("a changed byte of data is found by its checksum\n");
}

/* Exact-size copies, so that the sanitizer sees any read past the end. */
static void hostile(void **state)
{
    (void)state;
    size_t n_truncated = 0, n_flipped = 0, n_read = 0;
    unsigned seed = 1;
    for (int flavour = ZIP_PLAIN; flavour <= ZIP_64; flavour++) {
        byte_buffer b = {0};
        zip_build(&b, items, N_ITEMS, flavour);
        for (size_t n = 0; n < b.n; n++, n_truncated++) {
            uint8_t *copy = malloc(n ? n : 1);
            memcpy(copy, b.at, n);
            assert_int_equal(read_entries(copy, n), 0);
            free(copy);
        }
        uint8_t *copy = malloc(b.n);
        for (int k = 0; k < 20000; k++, n_flipped++) {
            memcpy(copy, b.at, b.n);
            for (int i = 0; i <= k % 3; i++) {
                seed = seed * 1664525u + 1013904223u;
                copy[(seed >> 8) % b.n] = (uint8_t)(seed >> 24);
            }
            n_read += read_entries(copy, b.n) > 0;
        }
        free(copy);
        buffer_free(&b);
    }
    printf("%zu truncations refused; %zu archives with changed bytes survived, %zu with something to read\n",
           n_truncated, n_flipped, n_read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),   cmocka_unit_test(comment),      cmocka_unit_test(refused),
        cmocka_unit_test(hostile), cmocka_unit_test(damaged_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
