/* Conversion as a whole: every input format gives the same file, and what does not fit is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h defines a macro named fail: after error.h */
#include "convert.h"
#include "digest.h"
#include "float_convert.h"
#include "fold.h"
#include "inspect.h"
#include "names_hf.h"
#include "torch_writer.h"

#include <cmocka.h>

#define TMP BUILD_DIR "/test_convert"
static const char in_path[] = TMP ".in", out_path[] = TMP ".out", random_path[] = TMP ".random";
static const char cache[] = TMP ".cache/deep";

static void write_bytes(const char *path, const byte_buffer *b)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b->at, 1, b->n, f), b->n);
    fclose(f);
}

static void weights(const char *model, int half, tensor_set *out)
{
    const known_model *c;
    assert_int_equal(known_model_find(model, &c, NULL), SAM_OK);
    assert_int_equal(hash_weights(c, 101, HASH_STABLE, half, out, NULL), SAM_OK);
}

static void make_random(const char *model, int half, const char *path)
{
    const random_options opt = {.model = model, .seed = 101, .half = half};
    assert_int_equal(convert_random(&opt, path, NULL, NULL), SAM_OK);
}

/* Same tensors in the same order with the same bytes, and the same model. Returns their number. */
static size_t expect_same(const char *a_path, const char *b_path)
{
    st_file a, b;
    static const char *const keys[] = {"format_version", "family", "name", "config"};
    assert_int_equal(st_open(a_path, &a, NULL), SAM_OK);
    assert_int_equal(st_open(b_path, &b, NULL), SAM_OK);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_string_equal(st_meta_get(&a, keys[i]), st_meta_get(&b, keys[i]));
    assert_int_equal(a.n_tensors, b.n_tensors);
    for (size_t i = 0; i < a.n_tensors; i++) {
        const st_tensor *x = &a.tensors[i], *y = &b.tensors[i];
        assert_string_equal(x->name, y->name);
        assert_true(x->dtype == y->dtype && same_shape(x, y));
        assert_memory_equal(x->data, y->data, x->n_bytes);
    }
    size_t n = a.n_tensors;
    st_close(&a);
    st_close(&b);
    return n;
}

static void from_torch(void **state)
{
    (void)state;
    static const char *const keys[] = {NULL, "model", "state_dict"};
    for (int half = 0; half <= 1; half++) {
        tensor_set official;
        weights("edgetam", half, &official);
        make_random("edgetam", half, random_path);
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            byte_buffer b = {0};
            sam_error err;
            torch_build(&b, official.tensors, official.n_tensors, keys[i]);
            write_bytes(in_path, &b);
            buffer_free(&b);
            if (convert_file(in_path, out_path, NULL, &err) != SAM_OK)
                fail_msg("%s", err.text);
            printf("torch.save of %s%s: %zu tensors equal\n", keys[i] ? keys[i] : "a bare dict",
                   half ? ", float16" : "", expect_same(out_path, random_path));
        }
        tensor_set_free(&official);
    }
}

static void from_official_safetensors(void **state)
{
    (void)state;
    static const char *const models[] = {"edgetam", "edgetam_demo", "sam2_tiny", "sam2.1_t"};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        const random_options opt = {.model = models[i], .seed = 101, .half = 1, .official = 1};
        assert_int_equal(convert_random(&opt, in_path, NULL, NULL), SAM_OK);
        make_random(models[i], 1, random_path);
        assert_int_equal(convert_file(in_path, out_path, NULL, NULL), SAM_OK);
        printf("%s from official safetensors: %zu tensors equal\n", models[i], expect_same(out_path, random_path));
        assert_int_equal(convert_file(out_path, in_path, models[i], NULL), SAM_OK);
        expect_same(in_path, random_path); /* a converted file is copied */
    }
}

/* The official tensors under Hugging Face names, with its merged and split tensors. */
static void hf_tensors(const tensor_set *official, model_trunk trunk, tensor_set *out)
{
    *out = (tensor_set){0};
    uint8_t *points = NULL;
    for (size_t i = 0; i < official->n_tensors; i++) {
        const st_tensor *t = &official->tensors[i];
        const int64_t table[2] = {HF_POINT_ROWS, t->shape[1]}, part[2] = {t->shape[0] / 2, t->shape[1]};
        hf_source hf;
        hf_source_of(t->name, trunk, &hf);
        if (hf.row == 0) {
            points = tensor_set_alloc(out, HF_POINT_ROWS * t->n_bytes);
            tensor_set_add(out, hf.name, t->dtype, 2, table, points);
        }
        if (hf.row >= 0)
            memcpy(points + (size_t)hf.row * t->n_bytes, t->data, t->n_bytes);
        else if (hf.second[0]) {
            tensor_set_add(out, hf.name, t->dtype, 2, part, t->data);
            tensor_set_add(out, hf.second, t->dtype, 2, part, (const uint8_t *)t->data + t->n_bytes / 2);
        } else
            tensor_set_add(out, hf.name, t->dtype, t->n_dims, t->shape, t->data);
        if (strcmp(hf.name, HF_POSITION_TABLE) == 0)
            tensor_set_add(out, HF_POSITION_SHARED, t->dtype, t->n_dims, t->shape, t->data);
    }
    assert_int_equal(tensor_set_index(out, "hf", NULL), SAM_OK);
}

static void from_hugging_face(void **state)
{
    (void)state;
    static const char *const some[][2] = {
        {"edgetam", "spatial_perceiver.layers.1.cross_attention.k_proj.weight"},
        {"edgetam", "vision_encoder.backbone.timm_model.stages_2.blocks.13.token_mixer.conv1.bn.running_var"},
        {"edgetam", "memory_attention.layers.1.mlp.up_proj.bias"},
        {"sam2.1_tiny", "vision_encoder.backbone.blocks.11.mlp.proj_out.weight"},
        {"sam2.1_tiny", "memory_encoder.mask_downsampler.layers.3.layer_norm.bias"},
        {"sam2.1_tiny", "mask_decoder.output_hypernetworks_mlps.3.proj_out.weight"},
        {"sam2.1_tiny", "temporal_positional_encoding_projection_layer.weight"},
        {"sam_vit_b", "vision_encoder.layers.11.attn.rel_pos_w"},
        {"sam_vit_b", "vision_encoder.neck.layer_norm2.bias"},
        {"sam_vit_b", "prompt_encoder.point_embed.3.weight"},
        {"sam_vit_b", "mask_decoder.transformer.layers.1.mlp.lin2.weight"},
        {"sam_vit_b", "mask_decoder.transformer.final_attn_token_to_image.out_proj.weight"},
    };
    static const struct {
        const char *name;
        model_trunk trunk;
    } models[] = {{"edgetam", TRUNK_REPVIT}, {"sam2.1_tiny", TRUNK_HIERA}, {"sam_vit_b", TRUNK_VIT}};
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        tensor_set official, hf;
        sam_error err;
        weights(models[m].name, 1, &official);
        hf_tensors(&official, models[m].trunk, &hf);
        for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
            assert_true(strcmp(some[i][0], models[m].name) != 0 || tensor_set_find(&hf, some[i][1]));
        assert_int_equal(st_write(in_path, hf.tensors, hf.n_tensors, NULL, 0, NULL), SAM_OK);
        if (convert_file(in_path, out_path, NULL, &err) != SAM_OK)
            fail_msg("%s", err.text);
        make_random(models[m].name, 1, random_path);
        printf("%s from %zu tensors of Hugging Face: %zu tensors equal\n", models[m].name, hf.n_tensors,
               expect_same(out_path, random_path));
        tensor_set_free(&hf);
        tensor_set_free(&official);
    }
}

/* ------------------------------------------------------------------------------------------- folding ---- */

static double at(const tensor_set *s, const char *name, size_t i)
{
    const st_tensor *t = tensor_set_find(s, name);
    assert_non_null(t);
    return float_load(t->data, t->dtype, i);
}

/* BN(3x3 depthwise) + BN(1x1 depthwise) + x at one pixel, against the folded convolution. */
static void folding(void **state)
{
    (void)state;
    enum { CHANNELS = 48, TAPS = 9 };
    static const char mixer[] = "image_encoder.trunk.body.stages_0.blocks.1.token_mixer";
    tensor_set official, folded;
    double worst = 0;
    weights("edgetam", 0, &official);
    assert_int_equal(fold(&official, &folded, NULL), SAM_OK);
    for (size_t c = 0; c < CHANNELS; c++) {
        double wide = 0, found = at(&folded, names_at("%s.conv.bias", mixer).text, c), x[TAPS], sum = 0;
        for (size_t i = 0; i < TAPS; i++) {
            x[i] = (double)((c * 31 + i * 17) % 23) / 11 - 1;
            wide += x[i] * at(&official, names_at("%s.conv.c.weight", mixer).text, c * TAPS + i);
            found += x[i] * at(&folded, names_at("%s.conv.weight", mixer).text, c * TAPS + i);
        }
        const double value[2] = {wide, x[4] * at(&official, names_at("%s.conv1.c.weight", mixer).text, c)};
        for (int b = 0; b < 2; b++) {
            tensor_name bn = names_at("%s.conv%s.bn", mixer, b ? "1" : "");
            double variance = at(&official, names_at("%s.running_var", bn.text).text, c) + 1e-5, root = 1;
            for (int k = 0; k < 60; k++)
                root = (root + variance / root) / 2;
            sum += (value[b] - at(&official, names_at("%s.running_mean", bn.text).text, c)) / root *
                       at(&official, names_at("%s.weight", bn.text).text, c) +
                   at(&official, names_at("%s.bias", bn.text).text, c);
        }
        double error = sum + x[4] - found;
        error = error < 0 ? -error : error;
        worst = error > worst ? error : worst;
        assert_true(error <= 4e-7); /* weights of about 1 rounded to float32, 10 terms */
    }
    printf("token mixer of %d channels: folded and not, largest difference %.1e; %zu tensors become %zu\n", CHANNELS,
           worst, official.n_tensors, folded.n_tensors);
    for (size_t i = 0; i < folded.n_tensors; i++)
        assert_null(strstr(folded.tensors[i].name, ".bn."));
    tensor_set_free(&official);
    tensor_set_free(&folded);
}

/* ------------------------------------------------------------------------------------------- refusals ---- */

static void refused(const tensor_set *s, const char *model, const char *because)
{
    sam_error err;
    assert_int_equal(st_write(in_path, s->tensors, s->n_tensors, NULL, 0, NULL), SAM_OK);
    remove(out_path);
    assert_int_not_equal(convert_file(in_path, out_path, model, &err), SAM_OK);
    if (!strstr(err.text, because))
        fail_msg("%s; expected: %s", err.text, because);
    assert_int_not_equal(access(out_path, F_OK), 0);
    printf("%s\n", strchr(err.text, ':'));
}

/* Inside the wrappers of training tools, and in double precision, it is the same file. */
static void wrapped(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"module.", "_orig_mod.", "model.", "model.module._orig_mod.sam."};
    enum { N_PREFIXES = sizeof prefixes / sizeof prefixes[0], NAME = 256 };
    tensor_set official, wide = {0};
    sam_error err;
    weights("sam2.1_tiny", 0, &official);
    make_random("sam2.1_tiny", 0, random_path);
    char(*names)[NAME] = malloc(official.n_tensors * sizeof *names);
    for (size_t k = 0; k < N_PREFIXES; k++) {
        byte_buffer b = {0};
        tensor_set copy = {0};
        for (size_t i = 0; i < official.n_tensors; i++) {
            const st_tensor *t = &official.tensors[i];
            snprintf(names[i], NAME, "%s%s", prefixes[k], t->name);
            tensor_set_add(&copy, names[i], t->dtype, t->n_dims, t->shape, t->data);
        }
        torch_build(&b, copy.tensors, copy.n_tensors, k % 2 ? "model_state_dict" : "model");
        write_bytes(in_path, &b);
        if (convert_file(in_path, out_path, NULL, &err) != SAM_OK)
            fail_msg("%s", err.text);
        printf("%s: %zu tensors equal\n", prefixes[k], expect_same(out_path, random_path));
        static const float one[1] = {1};
        tensor_set_add(&copy, "loss.weight", ST_F32, 1, (const int64_t[]){1}, one);
        /* Where the wrapper is torch's own, the name without it is what does not fit. */
        refused(&copy, NULL,
                strstr(prefixes[k], "model.") ? ".items() if k.startswith('" : "1 unexpected (loss.weight)");
        buffer_free(&b);
        tensor_set_free(&copy);
    }
    for (size_t i = 0; i < official.n_tensors; i++) {
        const st_tensor *t = &official.tensors[i];
        double *data = tensor_set_alloc(&wide, (size_t)st_count(t) * sizeof *data);
        for (size_t j = 0; j < (size_t)st_count(t); j++)
            data[j] = float_load(t->data, t->dtype, j);
        tensor_set_add(&wide, t->name, ST_F64, t->n_dims, t->shape, data);
    }
    assert_int_equal(st_write(in_path, wide.tensors, wide.n_tensors, NULL, 0, NULL), SAM_OK);
    if (convert_file(in_path, out_path, NULL, &err) != SAM_OK)
        fail_msg("%s", err.text);
    printf("F64: %zu tensors equal\n", expect_same(out_path, random_path));
    tensor_set_free(&wide);
    tensor_set_free(&official);
    free(names);
}

static void refusals(void **state)
{
    (void)state;
    tensor_set s;
    sam_error err;
    weights("sam2.1_tiny", 1, &s);
    st_tensor *t = &s.tensors[20], was = *t;
    t->name = "stranger";
    refused(&s, NULL, "does not fit sam2.1_hiera_tiny: tensors 1 missing (");
    refused(&s, NULL, "1 unexpected (stranger)");
    *t = was;
    t->shape[0] /= 2;
    t->n_bytes /= 2;
    refused(&s, NULL, "expected [96], found [48]");
    *t = was;
    t->dtype = ST_I16;
    refused(&s, NULL, "1 of a dtype other than F64, F32, F16 and BF16");
    *t = was;
    refused(&s, "sam2.1_small", "holds sam2.1_hiera_tiny, not sam2.1_hiera_small");
    refused(&s, "sam_vit_b", "holds sam2.1_hiera_tiny, not sam_vit_b");
    refused(&s, "sam3", "unknown model sam3");
    s.n_tensors = 3;
    refused(&s, NULL, "are not those of SAM, SAM 2");
    refused(&s, "sam2.1_t", "missing");
    s.n_tensors = 0;
    refused(&s, NULL, "no tensors");
    tensor_set_free(&s);
    weights("edgetam", 1, &s); /* under a name of SAM v1 */
    refused(&s, "sam_vit_b", "holds edgetam, not sam_vit_b");
    tensor_set_free(&s);
    assert_int_equal(convert_file(TMP ".absent", out_path, NULL, &err), SAM_E_IO);
    assert_int_equal(convert_file(BUILD_DIR, out_path, NULL, &err), SAM_E_IO);
    assert_non_null(strstr(err.text, "is a folder"));
    remove(in_path);
    assert_int_equal(mkfifo(in_path, 0600), 0);
    assert_int_equal(convert_file(in_path, out_path, NULL, &err), SAM_E_IO); /* and does not wait for a writer */
    assert_non_null(strstr(err.text, "is a pipe"));
    remove(in_path);
}

static void model_names(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"sam2.1_t", "sam2.1_hiera_tiny"},
        {"sam2.1_hiera_tiny", "sam2.1_hiera_tiny"},
        {"sam2.1-hiera-small", "sam2.1_hiera_small"},
        {"sam2_b+", "sam2_hiera_base_plus"},
        {"sam2_hiera_b+", "sam2_hiera_base_plus"},
        {"SAM2.1_Base", "sam2.1_hiera_base_plus"},
        {"sam2_l", "sam2_hiera_large"},
        {"EdgeTAM", "edgetam"},
        {"edgetam_demo", "edgetam_demo"},
        {"sam2", NULL},
        {"sam2.1_", NULL},
        {"sam2.1_tinyx", NULL},
        {"", NULL},
        {"edgetam_t", NULL},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const known_model *c = NULL;
        sam_status status = known_model_find(names[i][0], &c, NULL);
        assert_int_equal(status, names[i][1] ? SAM_OK : SAM_E_ARG);
        if (names[i][1])
            assert_string_equal(c->name, names[i][1]);
    }
    printf("%zu model names, long, short and wrong\n", sizeof names / sizeof names[0]);
}

/* ---------------------------------------------------------------------------------------------- cache ---- */

static void cached(void **state)
{
    (void)state;
    char dir[256], first[512], second[512];
    sam_error err;
    struct stat before, after;
    assert_int_equal(convert_cache_dir("/x", "/home/u", dir, sizeof dir, NULL), SAM_OK);
    assert_string_equal(dir, "/x/sambench");
    assert_int_equal(convert_cache_dir("", "/home/u", dir, sizeof dir, NULL), SAM_OK);
    assert_string_equal(dir, "/home/u/.cache/sambench");
    assert_int_equal(convert_cache_dir(NULL, NULL, dir, sizeof dir, &err), SAM_E_ARG);
    const random_options opt = {.model = "edgetam", .seed = 7, .half = 1, .official = 1};
    assert_int_equal(convert_random(&opt, in_path, NULL, NULL), SAM_OK);
    if (convert_cached(in_path, cache, NULL, first, sizeof first, &err) != SAM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(stat(first, &before), 0);
    assert_int_equal(convert_cached(in_path, cache, NULL, second, sizeof second, &err), SAM_OK);
    assert_int_equal(stat(second, &after), 0);
    assert_string_equal(first, second);
    assert_true(before.st_ino == after.st_ino); /* not written again: that would make a new file */
    assert_int_equal(truncate(first, 100), 0);  /* damaged: made again */
    assert_int_equal(convert_cached(in_path, cache, NULL, second, sizeof second, &err), SAM_OK);
    assert_int_equal(stat(second, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(convert_cached(first, cache, NULL, second, sizeof second, &err), SAM_OK);
    assert_string_equal(first, second); /* a converted file is used where it is */
    assert_int_equal(convert_cached(first, cache, "sam2_t", second, sizeof second, &err), SAM_E_FORMAT);
    assert_int_equal(convert_cached(in_path, cache, NULL, second, 8, &err), SAM_E_ARG);
    printf("cached as %s\n", strrchr(first, '/') + 1);
    remove(first);
    rmdir(cache);
    rmdir(TMP ".cache");
}

static void inspected(void **state)
{
    (void)state;
    char text[4096] = {0};
    make_random("edgetam", 1, in_path);
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(inspect_file(in_path, f, NULL), SAM_OK);
    assert_int_equal(inspect_file(SOURCE_DIR "/tests/data/torch/half.pt", f, NULL), SAM_OK);
    rewind(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    assert_true(n > 100);
    assert_non_null(strstr(text, "name: edgetam"));
    assert_non_null(strstr(text, "\"depths\":[2,2,14,2]"));
    assert_non_null(strstr(text, "[24, 3, 3, 3]"));
    printf("%.160s...\n", text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_torch),        cmocka_unit_test(from_official_safetensors),
        cmocka_unit_test(from_hugging_face), cmocka_unit_test(folding),
        cmocka_unit_test(wrapped),           cmocka_unit_test(refusals),
        cmocka_unit_test(model_names),       cmocka_unit_test(cached),
        cmocka_unit_test(inspected),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(in_path);
    remove(out_path);
    remove(random_path);
    return failed;
}
