/* Every fusion rule: a small graph, fused and as written, agrees within rounding, and the rule did (or did not) fire. Then
 * whole miniature models with and without fusion over tracked frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph_run.h"
#include "model.h"
#include "snapshot.h"
#include "tiny_model.h"

#include <cmocka.h> /* after error.h: it makes a macro of `fail` */

static scope on(const char *name)
{
    return at((scope){{0}}, name);
}

/* ---- patterns ----------------------------------------------------------------------------------------------------- */

static val act_linear(builder *b, val x, val y)
{
    (void)y;
    return activation(b, linear(b, x, 32, on("a")), ACT_GELU);
}

static val act_conv(builder *b, val x, val y)
{
    (void)y;
    return activation(b, conv2d(b, x, RUN_SIDE_H, RUN_SIDE_W, 16, 3, 1, 1, 1, on("f")), ACT_RELU);
}

static val act_norm(builder *b, val x, val y)
{
    (void)y;
    return activation(b, layernorm(b, x, 1e-6f, on("n")), ACT_GELU);
}

static val act_twice(builder *b, val x, val y)
{
    (void)y;
    return activation(b, activation(b, linear(b, x, 32, on("a")), ACT_SIGMOID), ACT_GELU);
}

static val pair(builder *b, val x, val y)
{
    (void)y;
    return linear(b, linear(b, x, 32, on("a")), 8, on("b"));
}

static val pair_no_bias(builder *b, val x, val y)
{
    (void)y;
    return linear_no_bias(b, linear_no_bias(b, x, 32, on("a")), 8, on("b"));
}

static val pair_one_bias(builder *b, val x, val y)
{
    (void)y;
    return linear_no_bias(b, linear(b, x, 32, on("a")), 8, on("b"));
}

static val pair_act(builder *b, val x, val y)
{
    (void)y;
    return activation(b, linear(b, linear(b, x, 32, on("a")), 8, on("b")), ACT_RELU);
}

/* Two halves of one weight's rows after the same kind of product: their folded weights must not be taken for each other. */
static val pair_slices(builder *b, val x, val y)
{
    (void)y;
    val first = linear_rows(b, linear_no_bias(b, x, 16, on("k")), 0, 8, 16, on("e"));
    val second = linear_rows(b, linear_no_bias(b, x, 16, on("k")), 8, 8, 16, on("e"));
    return concat_rows(b, first, second);
}

static val bottleneck(builder *b, val x, val y)
{
    (void)y;
    return linear(b, linear(b, x, 2, on("d")), 16, on("c"));
}

static val pair_shared(builder *b, val x, val y)
{
    (void)y;
    val h = linear(b, x, 32, on("a"));
    return concat_rows(b, linear(b, h, 8, on("b")), linear(b, h, 8, on("b")));
}

static val scaled(builder *b, val x, val y)
{
    (void)y;
    return mul(b, linear(b, x, 16, on("e")), weight_vector(b, on("g"), "weight", 16));
}

static val scaled_no_bias(builder *b, val x, val y)
{
    (void)y;
    return mul(b, linear_no_bias(b, x, 16, on("e")), weight_vector(b, on("g"), "weight", 16));
}

static val residual(builder *b, val x, val y)
{
    (void)y;
    return add(b, x, linear(b, x, 16, on("e")));
}

static val residual_left(builder *b, val x, val y)
{
    return add(b, linear(b, x, 16, on("e")), y);
}

static val residual_conv(builder *b, val x, val y)
{
    (void)y;
    return add(b, x, conv2d(b, x, RUN_SIDE_H, RUN_SIDE_W, 16, 3, 1, 1, 1, on("f")));
}

static val residual_act(builder *b, val x, val y) /* x + act(linear), not act(x + linear) */
{
    (void)y;
    return add(b, x, activation(b, linear(b, x, 16, on("e")), ACT_RELU));
}

static val residual_shared(builder *b, val x, val y) /* the product is shared, the sum is not */
{
    return add(b, x, linear(b, y, 16, on("e")));
}

static val residual_row(builder *b, val x, val y)
{
    (void)y;
    return add(b, linear(b, x, 16, on("e")), weight_vector(b, on("g"), "weight", 16));
}

static val residual_half(builder *b, val x, val y)
{
    (void)y;
    return add_scaled(b, x, linear(b, x, 16, on("e")), 0.5f);
}

static val residual_named(builder *b, val x, val y)
{
    (void)y;
    return add(b, x, named(b, linear(b, x, 16, on("e")), "seen by taps"));
}

static val residual_self(builder *b, val x, val y) /* both sides are the product */
{
    (void)y;
    val h = linear(b, x, 16, on("e"));
    return add(b, h, h);
}

static val convnext(builder *b, val x, val y)
{
    (void)y;
    val h = activation(b, linear(b, layernorm(b, x, 1e-6f, on("n")), 32, on("a")), ACT_GELU);
    return add(b, x, mul(b, linear(b, h, 16, on("o")), weight_vector(b, on("g"), "weight", 16)));
}

static val excitation(builder *b, val x, val y)
{
    (void)y;
    val s = apply(b, OP_mean_rows, &x, 1, (op_attr){0});
    s = activation(b, linear(b, s, 32, on("a")), ACT_RELU);
    return mul(b, x, activation(b, linear(b, s, 16, on("o")), ACT_SIGMOID));
}

/* In 16 bits one node on a device; in f32 as ever. */
static val perceptron(builder *b, val x, val y)
{
    val h = activation(b, linear(b, layernorm(b, x, 1e-6f, on("n")), 32, on("a")), ACT_GELU);
    return mul(b, add(b, x, linear(b, h, 16, on("o"))), y);
}
static val perceptron_bare(builder *b, val x, val y)
{
    val h = activation(b, linear_no_bias(b, x, 32, on("a")), ACT_RELU);
    return mul(b, linear_no_bias(b, h, 16, on("o")), y);
}

/* RepViT's block: with 16 bits two nodes on a device, or one without squeeze-excite. */
static val depthwise(builder *b, val x)
{
    return conv2d(b, x, RUN_SIDE_H, RUN_SIDE_W, 16, 3, 1, 1, 16, on("t"));
}
static val mixed(builder *b, val x)
{
    return add(b, x, linear(b, activation(b, linear(b, x, 32, on("a")), ACT_GELU), 16, on("o")));
}
static val block(builder *b, val x, val y)
{
    return mul(b, mixed(b, depthwise(b, x)), y);
}
static val block_squeezed(builder *b, val x, val y)
{
    return mul(b, mixed(b, excitation(b, depthwise(b, x), y)), y);
}
static val block_seen(builder *b, val x, val y) /* the convolution is read elsewhere too */
{
    val u = depthwise(b, x);
    return mul(b, mixed(b, u), add(b, u, y));
}

/* With 16 bits one node on a device; the norm itself is read too. */
static val norm_product(builder *b, val x, val y)
{
    val h = layernorm(b, mul(b, x, y), 1e-5f, on("n"));
    return concat_rows(b, h, activation(b, linear(b, h, 16, on("e")), ACT_RELU));
}
static val norm_sum_product(builder *b, val x, val y)
{
    val h = layernorm(b, x, 1e-5f, on("n"));
    return concat_rows(b, h, activation(b, linear_no_bias(b, add(b, h, y), 16, on("e")), ACT_SIGMOID));
}
static val norm_sum_seen(builder *b, val x, val y) /* the sum has two readers */
{
    val h = layernorm(b, x, 1e-5f, on("n")), sum = add(b, h, y);
    return concat_rows(b, sum, activation(b, linear(b, sum, 16, on("e")), ACT_RELU));
}

static val constants(builder *b, val x, val y) /* rows of weights under x, as data would be */
{
    (void)y;
    val w = concat_rows(b, weight_rows(b, on("g"), "weight", 1, 16), weight_rows(b, on("k"), "weight", 16, 16));
    return concat_rows(b, cast(b, w, b->act), x);
}

static val same_twice(builder *b, val x, val y)
{
    val first = add(b, x, y), second = add(b, x, y);
    return concat_rows(b, activation(b, first, ACT_RELU), activation(b, second, ACT_GELU));
}

static val named_twice_stays(builder *b, val x, val y)
{
    return concat_rows(b, named(b, add(b, x, y), "seen by taps"), add(b, x, y));
}

static void ramp(float *out, const float *const *in, const tensor *shape, const double *args)
{
    (void)in;
    (void)shape;
    for (int i = 0; i < (int)args[0]; i++)
        out[i] = (float)(i % 37) / 37.0f - 0.5f;
}
static val constant_rows(builder *b)
{
    return table(b, "ramp", DT_F32, RUN_ROWS, RUN_COLS, (derive){.fill = ramp, .args = {RUN_ROWS * RUN_COLS}});
}

static val constant_sum(builder *b, val x, val y)
{
    (void)y;
    val sum = add_scaled(b, x, constant_rows(b), 0.25f);
    return concat_rows(b, linear(b, sum, 16, on("e")), linear_no_bias(b, sum, 16, on("k")));
}

static val constant_sum_shared(builder *b, val x, val y) /* the sum itself is needed */
{
    (void)y;
    val sum = add(b, constant_rows(b), x);
    return concat_rows(b, linear(b, sum, 16, on("e")), sum);
}

static val slices(builder *b, val x, val y) /* rows 3..6 of x, in three steps, and all of it */
{
    (void)y;
    val part = slice_rows(b, x, 2, 9);
    val near = concat_rows(b, slice_rows(b, part, 1, 2), slice_rows(b, part, 3, 2));
    return concat_rows(b, near, slice_rows(b, x, 0, RUN_ROWS));
}

static val rows_apart(builder *b, val x, val y)
{
    (void)y;
    return concat_rows(b, slice_rows(b, x, 1, 2), slice_rows(b, x, 4, 2));
}

/* Three rows, each through products of its own; the last layer of one is narrower. */
static val row_groups(builder *b, val x, val y)
{
    (void)y;
    val all = no_val();
    static const char *const first[] = {"e", "k", "e"}, *const second[] = {"k", "e", "e"};
    for (int i = 0; i < 3; i++) {
        val h = activation(b, linear(b, slice_rows(b, x, 5 + i, 1), 16, on(first[i])), ACT_RELU);
        h = linear(b, h, 16, on(second[i]));
        all = i ? concat_rows(b, all, h) : h;
    }
    return all;
}

static val row_alone(builder *b, val x, val y)
{
    (void)y;
    return cast(b, activation(b, linear(b, slice_rows(b, x, 7, 1), 32, on("a")), ACT_RELU), DT_F32);
}

static val angles(builder *b, int rows)
{
    return table(b, "angles", DT_F32, rows, RUN_COLS, (derive){.fill = ramp, .args = {(double)rows * RUN_COLS}});
}

static val turned(builder *b, val x, val y)
{
    (void)y;
    val q = linear(b, x, 16, on("e"));
    return apply(b, OP_rope, (val[]){q, angles(b, 6)}, 2, (op_attr){.period = 8, .start = 2});
}

/* q and k turn, v does not: one product. */
static val side_by_side(builder *b, val x, val y)
{
    (void)y;
    val turns = angles(b, RUN_ROWS);
    val q = apply(b, OP_rope, (val[]){linear(b, x, 16, on("e")), turns}, 2, (op_attr){0});
    val v = linear_no_bias(b, x, 32, on("a"));
    val k = apply(b, OP_rope, (val[]){linear(b, x, 16, on("k")), turns}, 2, (op_attr){0});
    return attention(b, q, k, v, no_val(), 2);
}

/* Two attentions; k has a constant position, and one q is of another value. */
static val two_attentions(builder *b, val x, val y)
{
    val q = linear(b, y, 16, on("e")), k = linear(b, add(b, x, constant_rows(b)), 16, on("k"));
    val v = linear(b, x, 32, on("a")), q2 = linear_no_bias(b, add(b, x, constant_rows(b)), 16, on("e"));
    return add(b, attention(b, q, k, v, no_val(), 2), attention(b, q2, k, v, no_val(), 1));
}

static val shared_elsewhere(builder *b, val x, val y) /* v is read by another operator too */
{
    (void)y;
    val k = linear(b, x, 16, on("k")), v = linear(b, x, 16, on("e"));
    return add(b, v, attention(b, x, k, v, no_val(), 1));
}

static val norm_and_sum(builder *b, val x, val y)
{
    val h = layernorm(b, x, 1e-5f, on("n"));
    return concat_rows(b, h, add(b, y, h));
}

static val norm_and_later(builder *b, val x, val y) /* what is added is made of the norm */
{
    (void)y;
    val h = layernorm(b, x, 1e-5f, on("n"));
    return add(b, h, activation(b, h, ACT_SIGMOID));
}

static val enlarged(builder *b, val x, val y)
{
    val h = apply(b, OP_pixel_shuffle, (val[]){linear(b, x, 16, on("e"))}, 1, (op_attr){.h = 4, .w = 5});
    val more = concat_rows(b, slice_rows(b, y, 0, 20), slice_rows(b, y, 0, 20)); /* [40, 16] */
    val wide = apply(b, OP_pixel_shuffle, (val[]){linear_no_bias(b, more, 16, on("k"))}, 1, (op_attr){.h = 8, .w = 5});
    return activation(b, add(b, h, slice_rows(b, wide, 30, 80)), ACT_GELU);
}

static val to_bf16(builder *b, val x, val y)
{
    (void)y;
    return cast(b, linear(b, x, 16, on("e")), DT_BF16);
}

/* Where 16 bits make a difference: nodes after fusion, with casts of x, of y and of the result; 0: not looked at. */
static int nodes_in_bf16(toy_build build)
{
    static const struct {
        toy_build build;
        int nodes;
    } known[] = {{perceptron, 5},   {perceptron_bare, 5},  {block, 5},        {block_squeezed, 6}, {block_seen, 7},
                 {norm_product, 6}, {norm_sum_product, 5}, {norm_sum_seen, 6}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].build == build)
            return known[i].nodes;
    return 0;
}

static void test_rules(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        toy_build build;
        int as_written, fused; /* nodes in float32 */
    } rules[] = {
        {"activation after linear", act_linear, 2, 1},
        {"activation after convolution", act_conv, 2, 1},
        {"activation after layernorm", act_norm, 2, 1},
        {"second activation stays", act_twice, 3, 2},
        {"linear pair", pair, 2, 1},
        {"linear pair, no biases", pair_no_bias, 2, 1},
        {"linear pair, inner bias", pair_one_bias, 2, 1},
        {"linear pair, activation", pair_act, 3, 1},
        {"linear pairs of row slices", pair_slices, 5, 3},
        {"bottleneck stays", bottleneck, 2, 2},
        {"shared inner product stays", pair_shared, 4, 4},
        {"layer scale", scaled, 2, 1},
        {"layer scale, no bias", scaled_no_bias, 2, 1},
        {"residual", residual, 2, 1},
        {"residual on the left, shared", residual_left, 2, 1},
        {"residual of a convolution", residual_conv, 2, 1},
        {"residual after activation", residual_act, 3, 1},
        {"residual to a shared product stays", residual_shared, 2, 2},
        {"one row to all stays", residual_row, 2, 2},
        {"scaled sum stays", residual_half, 2, 2},
        {"named product stays", residual_named, 2, 2},
        {"product added to itself stays", residual_self, 2, 2},
        {"ConvNeXt block", convnext, 6, 3},
        {"cast", to_bf16, 3, 2},
        {"excitation", excitation, 6, 2},
        {"MLP", perceptron, 6, 4},
        {"MLP without norm and residual", perceptron_bare, 4, 3},
        {"RepViT block", block, 6, 4},
        {"RepViT block with squeeze-excite", block_squeezed, 12, 6},
        {"convolution read elsewhere stays", block_seen, 7, 5},
        {"norm into a product", norm_product, 5, 4},
        {"norm and sum into a product", norm_sum_product, 5, 3},
        {"sum with two readers stays", norm_sum_seen, 5, 3},
        {"constants", constants, 2, 1},
        {"the same twice", same_twice, 5, 4},
        {"the same twice, named, stays", named_twice_stays, 3, 3},
        {"constant sum", constant_sum, 4, 3},
        {"constant sum, needed, stays", constant_sum_shared, 3, 3},
        {"slices", slices, 6, 2},
        {"slices apart stay", rows_apart, 3, 3},
        {"row groups", row_groups, 14, 3},
        {"row alone", row_alone, 3, 1},
        {"turned", turned, 2, 1},
        {"columns", side_by_side, 6, 2},
        {"columns of two attentions", two_attentions, 9, 5},
        {"columns read elsewhere stay", shared_elsewhere, 4, 4},
        {"second output", norm_and_sum, 3, 2},
        {"second output, too early, stays", norm_and_later, 3, 3},
        {"enlargement", enlarged, 10, 6},
    };
    static const struct {
        dtype act, matrix;
        double tolerance;
        const char *name;
    } types[] = {
        {DT_F32, DT_F32, 1e-6, "f32"}, {DT_F32, DT_F16, 2e-3, "f16 weights"}, {DT_BF16, DT_BF16, 2e-2, "bf16"}};
    static toy_result plain, fused;
    toy_weights t;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
            toy_weights_open(&t);
            toy_run(&t, rules[i].build, 0, types[k].act, types[k].matrix, &plain);
            toy_run(&t, rules[i].build, 1, types[k].act, types[k].matrix, &fused);
            toy_weights_close(&t);
            double error = relative_error(fused.out, plain.out, (size_t)plain.n_out);
            printf("fuse: %-12s %-36s %d -> %d nodes, error %.1e\n", types[k].name, rules[i].name, plain.n_nodes,
                   fused.n_nodes, error);
            if (types[k].act == DT_BF16 && nodes_in_bf16(rules[i].build))
                assert_int_equal(fused.n_nodes, nodes_in_bf16(rules[i].build));
            if (types[k].act == DT_F32)
                assert_true(plain.n_nodes == rules[i].as_written && fused.n_nodes == rules[i].fused);
            assert_true(error <= (rules[i].build == to_bf16 ? 5e-3 : 0) + types[k].tolerance);
        }
}

static val values_in_memory(builder *b, val x, val y)
{
    val q = linear(b, x, 16, on("e")), k = linear(b, y, 16, on("k"));
    val m = activation(b, linear_rows(b, y, 8, 8, 16, on("k")), ACT_GELU); /* [20, 8] */
    return linear(b, attention(b, q, k, linear(b, m, 32, on("m")), no_val(), 1), 16, on("o"));
}

static void test_value_fold(void **state)
{
    (void)state;
    static toy_result plain, fused;
    toy_weights t;
    toy_weights_open(&t);
    toy_run(&t, values_in_memory, 0, DT_F32, DT_F32, &plain);
    toy_run(&t, values_in_memory, 1, DT_F32, DT_F32, &fused);
    toy_weights_close(&t);
    double error = relative_error(fused.out, plain.out, (size_t)plain.n_out);
    printf("fuse: value projection through attention: %d -> %d nodes, error %.1e\n", plain.n_nodes, fused.n_nodes,
           error);
    assert_int_equal(plain.n_nodes, 7);
    assert_int_equal(fused.n_nodes, 5); /* activation and value projection are gone */
    assert_true(error <= 1e-6);
}

/* ---- whole models ------------------------------------------------------------------------------------------------- */

enum { W = 80, H = 64, N_FRAMES = 8 };

static int run_model(const char *path, int no_fusion, snapshot out[N_FRAMES][2])
{
    sam_model *m = tiny_open(path, &(sam_model_options){.no_fusion = no_fusion});
    sam_session *s = tiny_session(m, (sam_session_options){.width_px = W, .height_px = H, .max_objects = 2});
    int n_nodes = 0;
    for (int id = 0; id < MAX_GRAPHS; id++)
        n_nodes += m->graphs[id].g.n_nodes;
    for (int t = 0; t < N_FRAMES; t++) {
        tiny_push(s, W, H, t);
        if (t == 0) {
            prompt_point(s, 1, 30, 25, 1);
            prompt_box(s, 2, 40, 20, 75, 60);
        }
        track(s, SAM_FORWARD);
        for (int o = 0; o < 2; o++)
            snapshot_take(s, o + 1, W, H, &out[t][o]);
    }
    sam_session_close(s);
    sam_model_close(m);
    return n_nodes;
}

static void test_models(void **state)
{
    (void)state;
    static snapshot fused[N_FRAMES][2], plain[N_FRAMES][2];
    tiny_models models;
    tiny_models_make(&models);
    for (int f = 0; f < TINY_COUNT; f++) {
        int n_fused = run_model(models.path[f], 0, fused), n_plain = run_model(models.path[f], 1, plain);
        double worst = 0;
        size_t flipped = 0;
        for (int t = 0; t < N_FRAMES; t++)
            for (int o = 0; o < 2; o++) {
                double error = snapshot_error(&fused[t][o], &plain[t][o]);
                worst = error > worst ? error : worst;
                flipped += snapshot_bits_changed(&fused[t][o], &plain[t][o]);
            }
        printf("fuse: %s: %d -> %d nodes; %d frames of 2 objects, worst error %.1e, %zu mask pixels differ\n",
               tiny_names[f], n_plain, n_fused, N_FRAMES, worst, flipped);
        assert_true(n_fused < n_plain * 4 / 5);
        /* Rounding alone makes 1e-6. One pixel of a memory's mask that lies that near 0 flips for some compilers' order of
         * sums, and makes 1e-4. */
        assert_true(worst <= 5e-4);
    }
    tiny_models_remove(&models);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_value_fold),
                                       cmocka_unit_test(test_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
