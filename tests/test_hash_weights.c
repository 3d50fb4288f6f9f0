/* The deterministic random weights: digests that the reference implementation in Python recorded, and float16. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h defines a macro named fail: after error.h */
#include "convert.h"
#include "digest.h"
#include "float_convert.h"

#include <cmocka.h>

static void digests(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int half;
        const char *sha256;
    } cases[] = {
        {"sam2.1_tiny", 0, "2274c265747eef66d975e5395573e022b4fca739017e78f5cdee713ca8fc6b1d"},
        {"sam2.1_tiny", 1, "fbd048f555ba9a8a6ab61d9c7b4578606d30aaba55907162ec4b485fb47386e2"},
        {"edgetam", 0, "c2fba9ca9534244050a8885466d0fd8448a436a0ed3b15fc68453f53e0431f30"},
        {"edgetam", 1, "1f4930e229852234347c7e9abf274648a2acae561c2aaa9eec8456fd0d727e8d"},
        {"sam_vit_b", 0, "2297158ef6b4711b183f13244063fc8f0c5b50e6d62a768e2aefb8c09ac5ce10"},
        {"sam_vit_b", 1, "f3998bf46dd25eef9f0ba9c5d439f46b91467bcaf6f981c426529b76c252bcb0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const random_options opt = {.model = cases[i].model, .seed = 101, .half = cases[i].half};
        char digest[DIGEST_TEXT];
        sam_error err;
        assert_int_equal(convert_random(&opt, NULL, digest, &err), SAM_OK);
        printf("%s %s: %s\n", cases[i].model, cases[i].half ? "float16" : "float32", digest);
        assert_string_equal(digest, cases[i].sha256);
    }
}

static const st_tensor *find(const tensor_set *s, const char *name)
{
    const st_tensor *t = tensor_set_find(s, name);
    assert_non_null(t);
    return t;
}

/* The variants differ in one tensor, by the ratio of their gains; seeds change everything but counters. */
static void variants(void **state)
{
    (void)state;
    const known_model *c;
    tensor_set stable, unstable, other;
    size_t n_variant = 0, n_seed = 0;
    assert_int_equal(known_model_find("edgetam", &c, NULL), SAM_OK);
    assert_int_equal(hash_weights(c, 1, HASH_STABLE, 0, &stable, NULL), SAM_OK);
    assert_int_equal(hash_weights(c, 1, HASH_UNSTABLE, 0, &unstable, NULL), SAM_OK);
    assert_int_equal(hash_weights(c, 2, HASH_STABLE, 0, &other, NULL), SAM_OK);
    for (size_t i = 0; i < stable.n_tensors; i++) {
        const st_tensor *t = &stable.tensors[i];
        n_variant += memcmp(t->data, unstable.tensors[i].data, t->n_bytes) != 0;
        n_seed += memcmp(t->data, other.tensors[i].data, t->n_bytes) != 0;
    }
    const char *name = "sam_mask_decoder.output_hypernetworks_mlps.0.layers.2.weight";
    double ratio =
        float_load(find(&stable, name)->data, ST_F32, 5) / float_load(find(&unstable, name)->data, ST_F32, 5);
    printf("variants differ in %zu tensor, by a factor of %.4f; seeds in %zu of %zu\n", n_variant, ratio, n_seed,
           stable.n_tensors);
    assert_int_equal(n_variant, 1);
    assert_true(fabs(ratio - 16.0 / 1.2) < 1e-5);
    assert_int_equal(n_seed, 982 - 106); /* 106 batch counters */
    tensor_set_free(&stable);
    tensor_set_free(&unstable);
    tensor_set_free(&other);
}

/* Every half-precision number survives; numbers between two go to the nearer one, ties to even. */
static void half_precision(void **state)
{
    (void)state;
    size_t n = 0, n_between = 0;
    for (unsigned bits = 0; bits < 0x10000; bits++)
        for (st_dtype dtype = ST_F16; dtype <= ST_BF16; dtype++) {
            uint16_t in = (uint16_t)bits, out, next = (uint16_t)(bits + 1);
            double x = float_load(&in, dtype, 0), y = float_load(&next, dtype, 0);
            float_store(&out, dtype, 0, x);
            if (isnan(x)) {
                assert_true(isnan(float_load(&out, dtype, 0)));
                continue;
            }
            assert_int_equal(in, out);
            n++;
            if (!isfinite(x) || !isfinite(y) || signbit(x) != signbit(y))
                continue;
            float_store(&out, dtype, 0, (x + y) / 2);
            assert_int_equal(out, bits & 1 ? next : in);
            float_store(&out, dtype, 0, x + (y - x) * 0.499);
            assert_int_equal(out, in);
            float_store(&out, dtype, 0, x + (y - x) * 0.501);
            assert_int_equal(out, next);
            n_between++;
        }
    printf("%zu half-precision numbers kept, %zu midpoints rounded to even\n", n, n_between);
}

static void sha256(void **state)
{
    (void)state;
    char text[DIGEST_TEXT];
    assert_int_equal(digest_bytes("abc", 3, text, NULL), SAM_OK);
    printf("SHA-256 of abc: %s\n", text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests),
        cmocka_unit_test(variants),
        cmocka_unit_test(half_precision),
        cmocka_unit_test(sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
