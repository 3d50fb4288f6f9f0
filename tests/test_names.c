/* The names and shapes of weights stand in three places that do not know each other: the official code (tests/parity/data/names_*.txt,
 * made by make_reference.py), the converter (weights_tools/names_*.c, fold.c) and the engine's graphs. For each known model they
 * must be the same. No weights are read: files are as large as their tensors, but have no bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fold.h"
#include "hash_weights.h"
#include "names.h"
#include "predictor.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

/* "sam2.1_hiera_tiny" is called sam2.1_tiny there. */
static FILE *official_names(const known_model *c)
{
    char path[400];
    const char *hiera = strstr(c->name, "hiera_");
    size_t n = hiera ? (size_t)(hiera - c->name) : strlen(c->name);
    snprintf(path, sizeof path, "%s/tests/parity/data/names_%.*s%s.txt", SOURCE_DIR, (int)n, c->name,
             hiera ? hiera + strlen("hiera_") : "");
    return fopen(path, "r");
}

/* A line: name, type, "7,1,1,64"; a scalar has no third word. */
static void expect_line(const char *line, const st_tensor *t)
{
    char want[300], shape[100] = "";
    size_t n = 0;
    for (int d = 0; d < t->n_dims; d++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%lld", d ? "," : "", (long long)t->shape[d]);
    snprintf(want, sizeof want, "%s %s %s\n", t->name, t->dtype == ST_I64 ? "int64" : "float32", shape);
    assert_string_equal(line, want);
}

/* The converter's names in the official order, for every published model. */
static void test_official(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_known_models; i++) {
        const known_model *c = &known_models[i];
        FILE *f = official_names(c);
        tensor_set set;
        char line[300];
        size_t n = 0;
        if (!c->url) { /* the demo models are this project's own */
            assert_null(f);
            continue;
        }
        assert_non_null(f);
        assert_int_equal(names_of_model(c, &set, NULL), SAM_OK);
        while (fgets(line, sizeof line, f))
            if (line[0] != '#') {
                assert_true(n < set.n_tensors);
                expect_line(line, &set.tensors[n++]);
            }
        printf("%s: %zu tensors have the official names, shapes and order\n", c->name, n);
        assert_int_equal(n, set.n_tensors);
        fclose(f);
        tensor_set_free(&set);
    }
}

/* What a converted file holds; RepViT's tensors are folded, which takes numbers. */
static void converted_names(const known_model *c, tensor_set *official, tensor_set *out)
{
    sam_error err;
    if ((c->trunk == TRUNK_REPVIT ? hash_weights(c, 1, HASH_STABLE, 0, official, &err)
                                  : names_of_model(c, official, &err)) != SAM_OK ||
        fold(official, out, &err) != SAM_OK)
        fail_msg("%s", err.text);
}

static void write_names(const char *path, const known_model *c, st_tensor *t, size_t n)
{
    char *config = known_model_json(c);
    const st_meta meta[] = {{"format_version", "1"}, {"family", c->family}, {"name", c->name}, {"config", config}};
    for (size_t i = 0; i < n; i++)
        t[i].data = NULL;
    tiny_file_write(path, t, n, meta, sizeof meta / sizeof *meta);
    free(config);
}

/* Each tensor that the converter makes is one that a graph asks for, of that shape, and there are no others. */
static void test_graphs(void **state)
{
    (void)state;
    temp_dir dir;
    char path[320];
    temp_dir_make(&dir);
    temp_dir_file(&dir, "names", path, sizeof path);
    for (size_t i = 0; i < n_known_models; i++) {
        const known_model *c = &known_models[i];
        tensor_set official, set;
        sam_error err;
        converted_names(c, &official, &set);
        write_names(path, c, set.tensors, set.n_tensors);
        if (tiny_graphs_check(families, path, 1, &err) != SAM_OK)
            fail_msg("%s: %s", c->name, err.text);
        printf("%s: the graphs ask for the converter's %zu tensors\n", c->name, set.n_tensors);
        /* and the check can fail: without the last tensor, and with one more */
        write_names(path, c, set.tensors, set.n_tensors - 1);
        assert_int_equal(tiny_graphs_check(families, path, 1, &err), SAM_E_FORMAT);
        assert_non_null(strstr(err.text, set.tensors[set.n_tensors - 1].name));
        st_tensor extra = set.tensors[0];
        extra.name = "not.of.this.model";
        st_tensor *more = malloc((set.n_tensors + 1) * sizeof *more);
        assert_non_null(more);
        memcpy(more, set.tensors, set.n_tensors * sizeof *more);
        more[set.n_tensors] = extra;
        write_names(path, c, more, set.n_tensors + 1);
        assert_int_equal(tiny_graphs_check(families, path, 1, &err), SAM_E_FORMAT);
        assert_non_null(strstr(err.text, extra.name));
        free(more);
        tensor_set_free(&set);
        tensor_set_free(&official);
    }
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_official), cmocka_unit_test(test_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
