/* Columns as data: a struct becomes a row, cells may be empty, and --resume goes on with the table of a version that had other
 * columns. */
#include "csv_layout.h"
#include "resume.h"
#include "temp_tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct row {
    const char *object;
    char note[16];
    int frames;
    double fps;
    const char *status;
} row;

static const csv_field fields[] = {{"object", CSV_TEXT, offsetof(row, object)},
                                   {"fps", CSV_NUMBER + 2, offsetof(row, fps)},
                                   {"frames", CSV_INT, offsetof(row, frames)},
                                   {"status", CSV_TEXT, offsetof(row, status)},
                                   {"note", CSV_CHARS, offsetof(row, note)}};
static const csv_layout layout = {fields, 5, sizeof(row)};

static temp_tree tree;

static void a_struct_is_a_row(void **state)
{
    (void)state;
    static const char *const want[2][5] = {{"001", "12.35", "-3", "ok", "n, m"}, {"", "", "", "", ""}};
    csv_table t;
    sam_error err = {0};
    row r;
    assert_int_equal(csv_open_layout(&t, tree_path(&tree, "table.csv"), &layout, 0, &err), SAM_OK);
    csv_clear_row(&layout, &r);
    assert_true(isnan(r.fps) && r.frames == CSV_NONE && !r.object && !r.note[0]);
    assert_int_equal(csv_append_row(&t, &layout, &(row){"001", "n, m", -3, 12.346, "ok"}, &err), SAM_OK);
    assert_int_equal(csv_add_row(&t, &layout, &r, &err), SAM_OK);
    csv_close(&t);
    assert_int_equal(csv_open_layout(&t, tree_path(&tree, "table.csv"), &layout, 1, &err), SAM_OK);
    assert_int_equal(t.n_rows, 2);
    for (int i = 0; i < 2; i++)
        for (int c = 0; c < 5; c++)
            assert_string_equal(csv_cell(&t, i, c), want[i][c]);
    csv_close(&t);
}

static sam_status resume(const char *folder, csv_table *t, sam_error *err)
{
    static const setting settings[] = {{"imgsz", "512"}};
    const resume_table files = {.folder = folder,
                                .file = "table.csv",
                                .settings_file = "settings.json",
                                .layout = &layout,
                                .settings = settings,
                                .n_settings = 1};
    int renamed;
    return resume_open(&files, 1, t, &renamed, err);
}

/* An older version had neither "note" nor "fps", and its columns in another order. */
static void resume_goes_on_with_an_older_table(void **state)
{
    (void)state;
    csv_table t = {0};
    sam_error err = {0};
    char folder[512];
    snprintf(folder, sizeof folder, "%s", tree_path(&tree, "old"));
    tree_text(&tree, "old/settings.json", "{\"imgsz\": \"512\"}");
    tree_text(&tree, "old/table.csv", "status,object,frames\nok,001,7\nerror: x,002,\nok: not scored,003,9\n");
    assert_int_equal(resume(folder, &t, &err), SAM_OK);
    static const char *const want[2][5] = {{"001", "", "7", "ok", ""}, {"003", "", "9", "ok: not scored", ""}};
    assert_int_equal(t.n_rows, 2);
    for (int i = 0; i < 2; i++)
        for (int c = 0; c < 5; c++)
            assert_string_equal(csv_cell(&t, i, c), want[i][c]);
    csv_close(&t);
}

/* A newer version's column would be lost. */
static void resume_refuses_what_it_would_lose(void **state)
{
    (void)state;
    static const char text[] = "object,fps,frames,status,note,later\n001,1.00,7,ok,,8\n";
    csv_table t = {0};
    sam_error err = {0};
    char folder[512], now[200] = "";
    snprintf(folder, sizeof folder, "%s", tree_path(&tree, "new"));
    tree_text(&tree, "new/settings.json", "{\"imgsz\": \"512\"}");
    tree_text(&tree, "new/table.csv", text);
    assert_int_equal(resume(folder, &t, &err), SAM_E_FORMAT);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "'later'"));
    csv_close(&t);
    FILE *file = fopen(tree_path(&tree, "new/table.csv"), "r");
    assert_non_null(file);
    now[fread(now, 1, sizeof now - 1, file)] = 0;
    fclose(file);
    assert_string_equal(now, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_struct_is_a_row),
        cmocka_unit_test(resume_goes_on_with_an_older_table),
        cmocka_unit_test(resume_refuses_what_it_would_lose),
    };
    tree_open(&tree);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tree_close(&tree);
    return failed;
}
