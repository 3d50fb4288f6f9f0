/* Tables of results: what is written is read back, and a full disk leaves the old table in place. */
#include "csv.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const columns[] = {"video", "object", "note"};

static char folder[] = "/tmp/test_csv_XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/table.csv", folder);
    unlink(path);
    return 0;
}

static void write_text(const char *text, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    fclose(file);
}

static size_t read_text(char *text, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(text, 1, capacity - 1, file);
    text[n] = 0;
    fclose(file);
    return n;
}

static void reads_back_what_it_wrote(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"a", "001", ""}, {"b,c", "\"q\"", "two\nlines"}, {" lead", "trail ", "\r\n"},
        {"", "", NULL},   {"ünïcode", "#", "a\"\"b"},
    };
    csv_table t;
    sam_error err;
    assert_int_equal(csv_open(&t, path, columns, 3, 0, &err), SAM_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(csv_add(&t, rows[i], &err), SAM_OK);
    csv_close(&t);
    char text[512];
    read_text(text, sizeof text);
    printf("%s", text);
    assert_int_equal(csv_open(&t, path, columns, 3, 1, &err), SAM_OK);
    assert_int_equal(t.n_rows, 5);
    for (int i = 0; i < 5; i++)
        for (int c = 0; c < 3; c++)
            assert_string_equal(csv_cell(&t, i, c), rows[i][c] ? rows[i][c] : "");
    assert_int_equal(csv_find(&t, rows[1], 2), 1);
    assert_int_equal(csv_find(&t, (const char *const[]){"a", "002"}, 2), -1);
    assert_int_equal(csv_column(&t, "note"), 2);
    assert_int_equal(csv_column(&t, "none"), -1);
    assert_int_equal(csv_add(&t, rows[0], &err), SAM_OK);
    csv_close(&t);
    assert_int_equal(csv_open(&t, path, columns, 3, 1, &err), SAM_OK);
    assert_int_equal(t.n_rows, 6);
    csv_close(&t);
}

static void one_column_keeps_empty_rows(void **state)
{
    (void)state;
    csv_table t;
    sam_error err;
    assert_int_equal(csv_open(&t, path, columns, 1, 0, &err), SAM_OK);
    assert_int_equal(csv_add(&t, (const char *const[]){""}, &err), SAM_OK);
    assert_int_equal(csv_add(&t, (const char *const[]){"x"}, &err), SAM_OK);
    csv_close(&t);
    assert_int_equal(csv_open(&t, path, columns, 1, 1, &err), SAM_OK);
    assert_int_equal(t.n_rows, 2);
    assert_string_equal(csv_cell(&t, 0, 0), "");
    csv_close(&t);
}

#define TEXT(s) s, sizeof s - 1

static void refuses_what_is_no_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        const char *part; /* of the message; NULL: accepted with `rows` */
        int rows;
    } cases[] = {
        {TEXT("video,object,note\r\na,1,x\r\n"), NULL, 1},
        {TEXT("video,object,note\na,1,x"), NULL, 1},
        {TEXT(""), NULL, 0},
        {TEXT("video,object\n"), ":1: 2 fields, expected 3", 0},
        {TEXT("video,object,note,more\n"), ":1: 4 fields, expected 3", 0},
        {TEXT("video,object,score\n"), "column 3 is 'score', expected 'note'", 0},
        {TEXT("video,object,note\na,1\n"), ":2: 2 fields", 0},
        {TEXT("video,object,note\na,\"1\n,x\n"), ":2: a quoted field does not end", 0},
        {TEXT("video,object,note\na,\"1\n\",x\nb\n"), ":4: 1 fields", 0},
        {TEXT("video,object,note\na,\0,x\n"), "zero byte", 0},
        {TEXT("\""), ":1: a quoted field does not end", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        csv_table t;
        sam_error err = {0};
        write_text(cases[i].text, cases[i].n);
        sam_status status = csv_open(&t, path, columns, 3, 1, &err);
        printf("case %zu: %s\n", i, cases[i].part ? err.text : "accepted");
        if (cases[i].part) {
            assert_int_equal(status, SAM_E_FORMAT);
            assert_non_null(strstr(err.text, cases[i].part));
        } else {
            assert_int_equal(status, SAM_OK);
            assert_int_equal(t.n_rows, cases[i].rows);
        }
        csv_close(&t);
    }
}

/* Every prefix and some damage of a table, under sanitizers: an error or a table, never a crash. */
static void survives_damage(void **state)
{
    (void)state;
    static const char whole[] = "video,object,note\n\"a\"\"b\",1,\"x\ny\"\nc,2,z\n";
    for (size_t n = 0; n < sizeof whole; n++) {
        for (int c = 0; c < 3; c++) {
            char text[sizeof whole];
            memcpy(text, whole, sizeof whole);
            if (n < sizeof whole - 1)
                text[n] = "\",\n"[c];
            write_text(text, c == 2 ? n : sizeof whole - 1);
            csv_table t;
            sam_error err;
            csv_open(&t, path, columns, 3, 1, &err);
            csv_close(&t);
        }
    }
}

static void full_disk_keeps_the_old_table(void **state)
{
    (void)state;
    char before[512], after[512], big[2048];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    csv_table t;
    sam_error err = {0};
    assert_int_equal(csv_open(&t, path, columns, 3, 0, &err), SAM_OK);
    assert_int_equal(csv_add(&t, (const char *const[]){"a", "1", "kept"}, &err), SAM_OK);
    read_text(before, sizeof before);

    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    fflush(NULL);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1024, old.rlim_max});
    sam_status status = csv_add(&t, (const char *const[]){"b", "2", big}, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    printf("%s\n", err.text);
    assert_int_equal(status, SAM_E_IO);
    assert_non_null(strstr(err.text, path));
    read_text(after, sizeof after);
    assert_string_equal(before, after);
    char temporary[80];
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    assert_int_not_equal(access(temporary, F_OK), 0);

    assert_int_equal(t.n_rows, 1);
    assert_int_equal(csv_add(&t, (const char *const[]){"c", "3", ""}, &err), SAM_OK);
    csv_close(&t);
    assert_int_equal(csv_open(&t, path, columns, 3, 1, &err), SAM_OK);
    assert_int_equal(t.n_rows, 2);
    csv_close(&t);
}

static void names_places_it_cannot_write(void **state)
{
    (void)state;
    static const char *const places[] = {"/dev/full", "/nonexistent/table.csv", "/tmp"};
    for (int i = 0; i < 3; i++) {
        csv_table t;
        sam_error err = {0};
        assert_int_equal(csv_open(&t, places[i], columns, 3, 0, &err), SAM_OK);
        assert_int_equal(csv_add(&t, (const char *const[]){"a", "1", "x"}, &err), SAM_E_IO);
        printf("%s\n", err.text);
        assert_non_null(strstr(err.text, places[i]));
        csv_close(&t);
    }
    csv_table t;
    sam_error err;
    assert_int_equal(csv_open(&t, "/tmp", columns, 3, 1, &err), SAM_E_IO);
}

/* Finding a row does not take longer in a longer table: a million rows, each found, in seconds. */
static void many_rows(void **state)
{
    (void)state;
    enum { N = 1000000 };
    static const char *const columns[] = {"video", "object", "fps"};
    csv_table t = {0};
    char cells[2][32];
    assert_int_equal(csv_open(&t, "unwritten.csv", columns, 3, 0, NULL), SAM_OK);
    for (int i = 0; i < N; i++) {
        snprintf(cells[0], sizeof cells[0], "video_%d", i / 8);
        snprintf(cells[1], sizeof cells[1], "%03d", i % 8);
        const char *const row[] = {cells[0], cells[1], "1"};
        assert_int_equal(csv_find(&t, row, 2), -1);
        assert_int_equal(csv_append(&t, row, NULL), SAM_OK);
        assert_int_equal(csv_find(&t, row, 2), i);
    }
    const char *const again[] = {"video_5", "003", "2"}, *const absent[] = {"video_50", "03", "2"};
    assert_int_equal(csv_append(&t, again, NULL), SAM_OK);
    assert_int_equal(csv_find(&t, again, 2), 43); /* of two alike the first */
    assert_int_equal(csv_find(&t, again, 3), N);  /* by other keys */
    assert_int_equal(csv_find(&t, absent, 2), -1);
    printf("%d rows added, each asked for twice\n", N);
    csv_close(&t);
}

#ifndef __SANITIZE_ADDRESS__
/* A memory stream takes its memory by realloc, the last time when it is closed. The program's own comes before the library's. */
static long realloc_fails_after = -1; /* calls; -1: never */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void __libc_free(void *p);

/* All four, or the counting ones of the library come in with their own realloc. */
__attribute__((visibility("default"))) void *malloc(size_t n)
{
    return __libc_malloc(n);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
    return __libc_calloc(n, size);
}

__attribute__((visibility("default"))) void free(void *p)
{
    __libc_free(p);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t n)
{
    return realloc_fails_after >= 0 && realloc_fails_after-- == 0 ? NULL : __libc_realloc(p, n);
}

static void memory_that_runs_out_while_saving_loses_no_row(void **state)
{
    (void)state;
    csv_table t = {0}, back = {0};
    sam_error err = {0};
    int n_failed = 0;
    assert_int_equal(csv_open(&t, path, columns, 3, 0, &err), SAM_OK);
    for (int i = 0; i < 400; i++)
        assert_int_equal(
            csv_append(&t, (const char *const[]){"video", "000", "a note that makes the table long"}, &err), SAM_OK);
    assert_int_equal(csv_save(&t, &err), SAM_OK);
    for (int after = 0; after < 40; after++) {
        realloc_fails_after = after;
        sam_status status = csv_save(&t, &err);
        realloc_fails_after = -1;
        n_failed += status != SAM_OK;
        assert_true(status == SAM_OK || status == SAM_E_MEMORY);
        assert_int_equal(csv_read(&back, path, &err), SAM_OK);
        assert_int_equal(back.n_rows, 400);
        csv_close(&back);
    }
    print_message("%d of 40 saves ran out of memory, all 400 rows stayed\n", n_failed);
    assert_true(n_failed > 0);
    csv_close(&t);
}
#endif

/* As spreadsheets save it; and a header that is cut short is no table. */
static void a_byte_order_mark_is_no_name(void **state)
{
    (void)state;
    csv_table t = {0};
    sam_error err = {0};
    write_text("\xef\xbb\xbfvideo,object,note\r\na,001,x\r\n", 31);
    assert_int_equal(csv_read(&t, path, &err), SAM_OK);
    assert_string_equal(t.columns[0], "video");
    assert_string_equal(csv_text(&t, 0, "video"), "a");
    csv_close(&t);
    write_text("video,obj", 9);
    assert_int_equal(csv_read(&t, path, &err), SAM_E_FORMAT);
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, "cut short"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_byte_order_mark_is_no_name, set_up),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test_setup(memory_that_runs_out_while_saving_loses_no_row, set_up),
#endif
        cmocka_unit_test_setup(reads_back_what_it_wrote, set_up),
        cmocka_unit_test_setup(one_column_keeps_empty_rows, set_up),
        cmocka_unit_test_setup(refuses_what_is_no_table, set_up),
        cmocka_unit_test_setup(survives_damage, set_up),
        cmocka_unit_test_setup(full_disk_keeps_the_old_table, set_up),
        cmocka_unit_test(many_rows),
        cmocka_unit_test(names_places_it_cannot_write),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}
