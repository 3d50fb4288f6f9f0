/* Prompts from masks and the --prompts file: what is read, and that errors name the place. */
#include "prompts.h"
#include "temp_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { W = 24, H = 16 };

static temp_tree tree;

static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_close(&tree);
    return 0;
}

static void check_mask(const char *what, const uint8_t *m, sam_box box, float x, float y)
{
    sam_box b;
    sam_point p;
    sam_error err;
    assert_int_equal(prompt_box_from_mask(m, W, W, H, &b, &err), SAM_OK);
    assert_int_equal(prompt_point_from_mask(m, W, W, H, &p, &err), SAM_OK);
    printf("%-22s box %g,%g,%g,%g point %g,%g\n", what, b.x0_px, b.y0_px, b.x1_px, b.y1_px, p.x_px, p.y_px);
    assert_memory_equal(&b, &box, sizeof b);
    assert_true(p.x_px == x && p.y_px == y && p.label == 1);
    assert_true(m[(int)y * W + (int)x] != 0);
}

static void from_masks(void **state)
{
    (void)state;
    uint8_t m[W * H] = {0};
    m[5 * W + 7] = 255;
    check_mask("one pixel", m, (sam_box){7, 5, 7, 5}, 7, 5);
    fill_box(m, W, 0, 0, W, H, 1);
    check_mask("all", m, (sam_box){0, 0, W - 1, H - 1}, 11, 7); /* 11.5, 7.5 cut */
    memset(m, 0, sizeof m);
    fill_box(m, W, 4, 2, 13, 11, 1);
    fill_box(m, W, 6, 4, 11, 9, 0);
    check_mask("ring", m, (sam_box){4, 2, 12, 10}, 8, 3); /* centre 8,6; as near: 8,3 5,6 11,6 8,9 */
    memset(m, 0, sizeof m);
    fill_box(m, W, 0, 8, 2, 9, 1);
    fill_box(m, W, 20, 8, 22, 9, 3);
    check_mask("two parts", m, (sam_box){0, 8, 21, 8}, 1, 8); /* centre 10.5 cut to 10: 1 is 9 away, 20 is 10 */

    memset(m, 0, sizeof m);
    sam_box b;
    sam_point p;
    sam_error err;
    assert_int_equal(prompt_box_from_mask(m, W, W, H, &b, &err), SAM_E_ARG);
    assert_int_equal(prompt_point_from_mask(m, W, W, H, &p, &err), SAM_E_ARG);
    printf("%s\n", err.text);
    assert_non_null(strstr(err.text, "empty"));
}

static sam_status read_text(const char *text, prompt_file *f, sam_error *err)
{
    *f = (prompt_file){0};
    *err = (sam_error){0};
    tree_text(&tree, "sub/p.json", text);
    return prompts_read(tree_path(&tree, "sub/p.json"), f, err);
}

static void reads_the_documented_file(void **state)
{
    (void)state;
    prompt_file f;
    sam_error err;
    assert_int_equal(
        read_text(
            "{\"objects\": [{\"id\": 7, \"prompts\": ["
            "{\"frame\": 5, \"points\": [[100, 50.5]], \"labels\": [0], \"when\": \"tracked\"},"
            "{\"frame\": 0, \"points\": [[480, 270], [1, 2]], \"labels\": [1, 0]},"
            "{\"frame\": 5, \"points\": [[9, 9]], \"labels\": [1]},"
            "{\"frame\": 0, \"box\": [100, 80, 300, 400]},"
            "{\"frame\": 0, \"points\": [[3, 4]], \"labels\": [1], \"logits\": \"l.safetensors\"},"
            "{\"frame\": 9, \"mask\": \"/abs/m.png\"}]},"
            "{\"id\": 2, \"prompts\": [{\"frame\": 0, \"box\": [1, 1, 1, 1]}, {\"frame\": 0, \"mask\": \"m.png\"}]},"
            "{\"id\": 3, \"prompts\": [{\"frame\": 0, \"mask\": \"m.png\"}, {\"frame\": 0, \"box\": [1, 1, 2, 2]}]}],"
            "\"start_frame\": 3, \"reverse\": true, \"multimask\": false}",
            &f, &err),
        SAM_OK);
    assert_int_equal(f.n_objects, 3);
    assert_true(f.start_frame == 3 && f.reverse == 1 && f.multimask == 0);
    const prompt_object *o = &f.objects[0];
    assert_true(o->id == 7 && o->n_prompts == 4);
    const prompt *p = o->prompts;
    assert_true(p[0].frame == 0 && p[0].n_points == 3 && p[0].has_box && p[0].box.y1_px == 400);
    assert_true(p[0].points[1].y_px == 2 && p[0].points[1].label == 0 && p[0].points[2].x_px == 3);
    assert_string_equal(p[0].logits_path, tree_path(&tree, "sub/l.safetensors"));
    assert_true(p[1].frame == 5 && p[1].when == PROMPT_BEFORE && p[1].points[0].x_px == 9);
    assert_true(p[2].frame == 5 && p[2].when == PROMPT_TRACKED && p[2].points[0].y_px == 50.5f);
    assert_string_equal(p[3].mask_path, "/abs/m.png");
    assert_true(f.objects[1].n_prompts == 1 && !f.objects[1].prompts[0].has_box);
    assert_string_equal(f.objects[1].prompts[0].mask_path, tree_path(&tree, "sub/m.png"));
    assert_true(f.objects[2].n_prompts == 1 && f.objects[2].prompts[0].has_box && !f.objects[2].prompts[0].mask_path);
    prompts_free(&f);

    assert_int_equal(
        read_text("{\"objects\": [{\"id\": 0, \"prompts\": [{\"frame\": 0, \"logits\": \"x\"}]}]}", &f, &err), SAM_OK);
    assert_true(f.start_frame == -1 && !f.reverse && f.multimask);
    prompts_free(&f);
}

/* The cases fill in one prompt of one object. */
#define PROMPT(text) "{\"objects\": [{\"id\": 1, \"prompts\": [{\"frame\": 0, \"box\": [0, 0, 1, 1]}, {" text "}]}]}"

static void errors_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "p.json:1: "},
        {"{\"objects\": [", "p.json:1: "},
        {"{\n\"objects\": [], \"objects\": []}", "p.json:2: duplicate"},
        {"[]", "top level: expected an object in braces"},
        {"{}", "objects: expected a list with at least one object"},
        {"{\"objects\": []}", "objects: expected a list"},
        {"{\"objects\": {}}", "objects: expected a list"},
        {"{\"objects\": [3]}", "objects[0]: expected an object in braces"},
        {"{\"object\": []}", "unknown key \"object\"; known are objects|masks|start_frame|"},
        {"{\"\": []}", "unknown key \"\""},
        {"{\"objects\": [{\"id\": 1}]}", "objects[0].prompts: expected a list with at least one prompt"},
        {"{\"objects\": [{\"id\": \"a\", \"prompts\": []}]}", "objects[0].id: expected a whole number"},
        {"{\"objects\": [{\"id\": -1, \"prompts\": []}]}", "objects[0].id: expected a whole number from 0"},
        {"{\"objects\": [{\"id\": 4294967297, \"prompts\": []}]}", "objects[0].id: expected a whole number"},
        {"{\"objects\": [{\"id\": 1, \"frame\": 0, \"prompts\": []}]}", "objects[0]: unknown key \"frame\""},
        {PROMPT("\"frame\": 1"), "objects[0].prompts[1]: expected \"points\", \"box\", \"mask\" or \"logits\""},
        {PROMPT("\"box\": [1, 2, 3, 4]"), "objects[0].prompts[1].frame: expected a whole number"},
        {PROMPT("\"frame\": 1.5"), "objects[0].prompts[1].frame"},
        {PROMPT("\"frame\": 1, \"box\": [1, 2, 3]"), "objects[0].prompts[1].box: expected [x0, y0, x1, y1]"},
        {PROMPT("\"frame\": 1, \"box\": [3, 2, 1, 4]"), "objects[0].prompts[1].box"},
        {PROMPT("\"frame\": 1, \"box\": [0, 0, 1e300, 4]"), "objects[0].prompts[1].box"},
        {PROMPT("\"frame\": 1, \"points\": [[1, 2]]"), "objects[0].prompts[1].labels: expected a list"},
        {PROMPT("\"frame\": 1, \"labels\": [1]"), "objects[0].prompts[1].points: expected a list"},
        {PROMPT("\"frame\": 1, \"points\": [], \"labels\": []"), "objects[0].prompts[1].points"},
        {PROMPT("\"frame\": 1, \"points\": [[1, 2]], \"labels\": [1, 1]"), "objects[0].prompts[1].labels"},
        {PROMPT("\"frame\": 1, \"points\": [[1, 2], 3], \"labels\": [1, 1]"), "prompts[1].points[1]: expected [x, y]"},
        {PROMPT("\"frame\": 1, \"points\": [[1, \"2\"]], \"labels\": [1]"), "objects[0].prompts[1].points[0]"},
        {PROMPT("\"frame\": 1, \"points\": [[1, 2]], \"labels\": [2]"), "prompts[1].labels[0]: expected 1 (object)"},
        {PROMPT("\"frame\": 1, \"points\": [[1, 2]], \"labels\": [true]"), "objects[0].prompts[1].labels[0]"},
        {PROMPT("\"frame\": 1, \"mask\": 3"), "objects[0].prompts[1].mask: expected the path"},
        {PROMPT("\"frame\": 1, \"mask\": \"\""), "objects[0].prompts[1].mask"},
        {PROMPT("\"frame\": 1, \"mask\": \"m\", \"box\": [1, 2, 3, 4]"), "prompts[1].mask: expected a mask without"},
        {PROMPT("\"frame\": 1, \"logits\": [1]"), "objects[0].prompts[1].logits"},
        {PROMPT("\"frame\": 1, \"when\": \"later\""), "prompts[1].when: expected \"before\" or \"tracked\""},
        {PROMPT("\"frame\": 1, \"point\": [[1, 2]]"), "objects[0].prompts[1]: unknown key \"point\""},
        {"{\"objects\": [{\"id\": 1, \"prompts\": [{\"frame\": 0, \"mask\": \"m\"}]},"
         "{\"id\": 1, \"prompts\": [{\"frame\": 0, \"mask\": \"m\"}]}]}",
         "objects[1].id: expected a number that no other"},
        {"{\"objects\": [], \"reverse\": 1}", "reverse: expected true or false"},
        {"{\"objects\": [], \"start_frame\": -2}", "start_frame: expected a whole number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prompt_file f;
        sam_error err;
        assert_int_equal(read_text(cases[i].text, &f, &err), SAM_E_FORMAT);
        printf("%s\n", strstr(err.text, "p.json"));
        assert_non_null(strstr(err.text, "sub/p.json"));
        assert_non_null(strstr(err.text, cases[i].part));
        prompts_free(&f);
    }
    prompt_file f = {0};
    sam_error err;
    assert_int_equal(prompts_read("/nonexistent/p.json", &f, &err), SAM_E_IO);
    printf("%s\n", err.text);
    prompts_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_masks),
        cmocka_unit_test(reads_the_documented_file),
        cmocka_unit_test(errors_name_the_place),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
