/* Still images: pixels equal PIL's, masks keep their values, damaged and odd files are errors. */
#include "image_decoders.h"
#include "image_io.h"

#include "small_images.h"
#include "temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_SMALL = sizeof small_images / sizeof small_images[0] };

static uint64_t hash_of(const image *im)
{
    uint64_t h = UINT64_C(14695981039346656037);
    size_t n = (size_t)im->width * (size_t)im->height * (size_t)im->channels;
    for (size_t i = 0; i < n; i++)
        h = (h ^ im->data[i]) * UINT64_C(1099511628211);
    return h;
}

/* Whether this build has the decoder; a test for the rest would only say that it has not. */
static int can_read(const char *name)
{
    const char *suffix = strrchr(name, '.');
    if (!strcmp(suffix, ".webp"))
        return webp_version() != 0;
    return stb_is_here() || (strcmp(suffix, ".bmp") && strcmp(suffix, ".tga") && strcmp(suffix, ".gif"));
}

/* Bytes without which a file is whole: behind a PNG's last checksum nothing is looked at, nor at a GIF's end mark, a TGA's
 * footer, white space behind plain numbers. */
static size_t spare_bytes(const char *name)
{
    static const struct {
        const char *end;
        size_t n;
    } spare[] = {{".png", 4}, {".gif", 1}, {".tga", 26}, {"plain.ppm", 1}, {"plain.pbm", 1}, {"rgb16.tga", 0}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof spare / sizeof *spare; i++)
        if (strlen(name) >= strlen(spare[i].end) && !strcmp(name + strlen(name) - strlen(spare[i].end), spare[i].end))
            n = spare[i].n;
    return n;
}

static void small_files_read_as_pil_reads_them(void **state)
{
    temp_dir dir;
    uint8_t bytes[4096];
    char path[512];
    image im = {0};
    sam_error err = {0};
    (void)state;
    temp_dir_make(&dir);
    for (int i = 0; i < N_SMALL; i++) {
        const small_image *s = &small_images[i];
        int width = 0, height = 0;
        if (!can_read(s->name))
            continue;
        write_file(temp_dir_file(&dir, s->name, path, sizeof path), bytes, unhex(s->hex, bytes));
        if (image_read_rgb(path, &im, &err) != SAM_OK)
            fail_msg("%s", err.text);
        uint64_t rgb = hash_of(&im);
        assert_int_equal(im.channels, 3);
        if (!s->mask_hash) {
            assert_int_equal(image_read_mask(path, MASK_IDS, &im, &err), SAM_E_FORMAT);
            print_message("%-20s %d x %d rgb %016llx, as mask: %s\n", s->name, im.width, im.height,
                          (unsigned long long)rgb, err.text);
            assert_true(rgb == s->rgb_hash);
            continue;
        }
        assert_int_equal(image_read_mask(path, MASK_IDS, &im, &err), SAM_OK);
        print_message("%-20s %d x %d rgb %016llx mask %016llx\n", s->name, im.width, im.height, (unsigned long long)rgb,
                      (unsigned long long)hash_of(&im));
        assert_int_equal(im.width, s->width);
        assert_int_equal(im.height, s->height);
        assert_int_equal(im.channels, 1);
        assert_true(rgb == s->rgb_hash);
        assert_true(hash_of(&im) == s->mask_hash);
        assert_int_equal(image_read_size(path, &width, &height, &err), SAM_OK);
        assert_int_equal(width, s->width);
        assert_int_equal(height, s->height);
    }
    image_free(&im);
    temp_dir_remove(&dir);
}

/* Every beginning of a file is refused (of an animation, which is read for its first picture, not); every file with one bit wrong is refused or read, without a fault. */
static void damaged_files_are_errors(void **state)
{
    temp_dir dir;
    uint8_t bytes[4096];
    char path[512];
    image im = {0};
    sam_error err = {0};
    int n_refused = 0, n_read = 0;
    (void)state;
    temp_dir_make(&dir);
    temp_dir_file(&dir, "damaged", path, sizeof path);
    for (int i = 0; i < N_SMALL; i++) {
        int width, height;
        size_t n = unhex(small_images[i].hex, bytes);
        size_t n_needed = n - spare_bytes(small_images[i].name);
        if (!can_read(small_images[i].name))
            continue;
        for (size_t length = 0; length < n_needed && strcmp(small_images[i].name, "animated.gif") != 0; length++) {
            write_file(path, bytes, length);
            if (image_read_rgb(path, &im, &err) == SAM_OK)
                fail_msg("%s: %zu of %zu bytes are enough", small_images[i].name, length, n);
            assert_int_equal(err.status, SAM_E_FORMAT);
            assert_non_null(strstr(err.text, path));
            assert_int_not_equal(image_read_mask(path, MASK_IDS, &im, &err), SAM_OK);
            (void)image_read_size(path, &width, &height, &err);
        }
        for (size_t at = 0; at < n; at += 1 + n / 250) {
            bytes[at] ^= (uint8_t)(1 << at % 8);
            write_file(path, bytes, n);
            if (image_read_rgb(path, &im, &err) == SAM_OK)
                n_read++;
            else
                n_refused++;
            (void)image_read_mask(path, MASK_IDS, &im, &err);
            bytes[at] ^= (uint8_t)(1 << at % 8);
        }
    }
    print_message("one bit wrong: %d files refused, %d read\n", n_refused, n_read);
    image_free(&im);
    temp_dir_remove(&dir);
}

static void what_is_not_an_image_is_named(void **state)
{
    temp_dir dir;
    char path[512];
    image im = {0};
    sam_error err = {0};
    (void)state;
    temp_dir_make(&dir);
    assert_int_equal(image_read_rgb(temp_dir_file(&dir, "missing.png", path, sizeof path), &im, &err), SAM_E_IO);
    print_message("%s\n", err.text);
    assert_int_equal(image_read_rgb(dir.path, &im, &err), SAM_E_IO);
    print_message("%s\n", err.text);
    write_file(temp_dir_file(&dir, "text.jpg", path, sizeof path), "hello", 5);
    assert_int_equal(image_read_rgb(path, &im, &err), SAM_E_FORMAT);
    print_message("%s\n", err.text);
    assert_int_equal(mkfifo(temp_dir_file(&dir, "pipe.jpg", path, sizeof path), 0600), 0);
    assert_int_equal(image_read_rgb(path, &im, &err), SAM_E_IO);
    print_message("%s\n", err.text);
    assert_null(im.data);
    temp_dir_remove(&dir);
}

/* Signature and header of a PNG of 40000 x 40000, with a right checksum. */
static void huge_sizes_are_refused(void **state)
{
    static const char hex[] = "89504e470d0a1a0a0000000d4948445200009c4000009c400802000000de6e9952";
    temp_dir dir;
    uint8_t bytes[64];
    char path[512];
    image im = {0};
    sam_error err = {0};
    int width, height;
    (void)state;
    temp_dir_make(&dir);
    write_file(temp_dir_file(&dir, "huge.png", path, sizeof path), bytes, unhex(hex, bytes));
    assert_int_equal(image_read_rgb(path, &im, &err), SAM_E_FORMAT);
    print_message("%s\n", err.text);
    assert_int_equal(image_read_size(path, &width, &height, &err), SAM_E_FORMAT);
    assert_null(im.data);
    temp_dir_remove(&dir);
}

/* Files written come back as they were, from rows with gaps and at odd sizes; the buffer is reused. */
static void written_files_come_back(void **state)
{
    static const int sizes[][2] = {{1, 1}, {7, 3}, {64, 48}, {131, 77}};
    temp_dir dir;
    char path[512];
    image im = {0}, again = {0};
    sam_error err = {0};
    uint8_t *pixels = malloc(512 * 100);
    uint32_t seed = 1;
    (void)state;
    temp_dir_make(&dir);
    for (int i = 0; i < 512 * 100; i++)
        pixels[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24 & (i % 3 ? 255 : 0));
    temp_dir_file(&dir, "written.png", path, sizeof path);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int w = sizes[i][0], h = sizes[i][1];
        assert_int_equal(image_write_rgb(path, pixels, 512, w, h, &err), SAM_OK);
        assert_int_equal(image_read_rgb(path, &im, &err), SAM_OK);
        assert_true(im.width == w && im.height == h && im.channels == 3);
        for (int y = 0; y < h; y++)
            assert_memory_equal(im.data + (size_t)y * (size_t)w * 3, pixels + (size_t)y * 512, (size_t)w * 3);
        for (int palette = 0; palette < 2; palette++) {
            assert_int_equal(image_write_mask(path, pixels, 512, w, h, palette, &err), SAM_OK);
            assert_int_equal(image_read_mask(path, MASK_IDS, &im, &err), SAM_OK);
            assert_int_equal(image_read_rgb(path, &again, &err), SAM_OK);
            for (int y = 0; y < h; y++)
                for (int x = 0; x < w; x++) {
                    uint8_t v = pixels[y * 512 + x], rgb[3];
                    palette_color(v, rgb);
                    if (!palette)
                        memset(rgb, v ? 255 : 0, 3);
                    assert_int_equal(im.data[y * w + x], palette ? v : v ? 255 : 0);
                    assert_memory_equal(again.data + (y * w + x) * 3, rgb, 3);
                }
        }
    }
    const uint8_t *before = again.data;
    assert_int_equal(image_read_rgb(path, &again, &err), SAM_OK);
    assert_ptr_equal(again.data, before);
    assert_int_equal(temp_dir_count(&dir), 1);
    free(pixels);
    image_free(&im);
    image_free(&again);
    temp_dir_remove(&dir);
}

static void failed_writes_leave_nothing(void **state)
{
    temp_dir dir;
    char path[512];
    sam_error err = {0};
    const uint8_t pixels[12] = {0};
    (void)state;
    temp_dir_make(&dir);
    temp_dir_file(&dir, "no_such_folder/a.png", path, sizeof path);
    assert_int_equal(image_write_rgb(path, pixels, 6, 2, 2, &err), SAM_E_IO);
    print_message("%s\n", err.text);
    assert_int_equal(mkdir(temp_dir_file(&dir, "taken.png", path, sizeof path), 0700), 0);
    assert_int_equal(image_write_mask(path, pixels, 6, 2, 2, 0, &err), SAM_E_IO);
    print_message("%s\n", err.text);
    assert_int_equal(image_write_mask(path, pixels, 6, 0, 2, 0, &err), SAM_E_FORMAT);
    assert_int_equal(temp_dir_count(&dir), 1);
    temp_dir_remove(&dir);
}

static void palette_is_davis(void **state)
{
    static const uint8_t expected[][4] = {{0, 0, 0, 0},       {1, 128, 0, 0},     {2, 0, 128, 0},      {3, 128, 128, 0},
                                          {4, 0, 0, 128},     {7, 128, 128, 128}, {8, 64, 0, 0},       {16, 0, 64, 0},
                                          {21, 128, 64, 128}, {64, 32, 0, 0},     {255, 224, 224, 192}};
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        uint8_t rgb[3];
        palette_color(expected[i][0], rgb);
        print_message("%d: %d %d %d\n", expected[i][0], rgb[0], rgb[1], rgb[2]);
        assert_memory_equal(rgb, expected[i] + 1, 3);
    }
}

/* Masks written as RGB: colours of the palette are numbers, gray is its value, one colour is one object, others are nobody's. */
static void rgb_masks_keep_their_objects(void **state)
{
    static const struct {
        uint8_t rgb[3][3];
        int ids[3], object[3]; /* expected; -1: refused */
    } cases[] = {
        {{{0, 0, 0}, {128, 0, 0}, {0, 128, 0}}, {0, 1, 2}, {-1}},
        {{{0, 0, 0}, {0, 128, 0}, {0, 128, 0}}, {0, 2, 2}, {0, 1, 1}}, /* object 2 alone stays object 2 */
        {{{0, 0, 0}, {224, 224, 192}, {64, 0, 0}}, {0, 255, 8}, {-1}},
        {{{0, 0, 0}, {255, 255, 255}, {255, 255, 255}}, {0, 1, 1}, {0, 1, 1}},
        {{{0, 0, 0}, {200, 0, 0}, {200, 0, 0}}, {-1}, {0, 1, 1}},
        {{{0, 0, 0}, {3, 3, 3}, {255, 255, 255}}, {0, 3, 255}, {-1}},
        {{{0, 0, 0}, {200, 0, 0}, {0, 200, 0}}, {-1}, {-1}},
        {{{0, 0, 0}, {0, 0, 0}, {0, 0, 0}}, {0, 0, 0}, {0, 0, 0}},
    };
    temp_dir dir;
    char path[512];
    image im = {0};
    sam_error err = {0};
    (void)state;
    temp_dir_make(&dir);
    temp_dir_file(&dir, "mask.png", path, sizeof path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(image_write_rgb(path, cases[i].rgb[0], 9, 3, 1, &err), SAM_OK);
        for (int kind = 0; kind < 2; kind++) {
            const int *expected = kind == MASK_IDS ? cases[i].ids : cases[i].object;
            sam_status status = image_read_mask(path, kind, &im, &err);
            assert_int_equal(status, expected[0] < 0 ? SAM_E_FORMAT : SAM_OK);
            if (status != SAM_OK)
                print_message("%s\n", err.text);
            for (int x = 0; x < 3 && status == SAM_OK; x++)
                assert_int_equal(im.data[x], expected[x]);
        }
    }
    for (int i = 0; i < 256; i++) {
        uint8_t rgb[3];
        palette_color(i, rgb);
        assert_int_equal(palette_index(rgb), i);
    }
    assert_int_equal(palette_index((const uint8_t[]){128, 0, 1}), -1);
    image_free(&im);
    temp_dir_remove(&dir);
}

/* 4 x 2 pixels of 16 bit gray, written by PIL: 0, 4095, 30000, 65535, 7, 8, 9, 10, which PIL would show white where they are above
 * 255; and 0, 100, 255, 1, 2, 3, 4, 5, which are what they are. */
static void gray_of_16_bits_is_read_as_pil_or_refused(void **state)
{
    static const char wide[] =
        "89504e470d0a1a0a0000000d49484452000000040000000210000000000a53fefc0000001a49444154789c6360"
        "60e0ff5f6af0ff3f23033b032303230323002c4403bd1c5cb3a30000000049454e44ae426082";
    static const char narrow[] =
        "89504e470d0a1a0a0000000d49484452000000040000000210000000000a53fefc0000001949444154789c05c1"
        "010100000880206c6bff2f14c03a65243d11a8016b6a059f7f0000000049454e44ae426082";
    static const uint8_t values[] = {0, 100, 255, 1, 2, 3, 4, 5};
    temp_dir dir;
    uint8_t bytes[256];
    char path[512];
    image im = {0};
    sam_error err = {0};
    (void)state;
    temp_dir_make(&dir);
    write_file(temp_dir_file(&dir, "wide.png", path, sizeof path), bytes, unhex(wide, bytes));
    assert_int_equal(image_read_rgb(path, &im, &err), SAM_E_FORMAT);
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, "16 bit gray with the value 4095"));
    write_file(temp_dir_file(&dir, "narrow.png", path, sizeof path), bytes, unhex(narrow, bytes));
    assert_int_equal(image_read_rgb(path, &im, &err), SAM_OK);
    for (int i = 0; i < 8; i++)
        for (int c = 0; c < 3; c++)
            assert_int_equal(im.data[3 * i + c], values[i]);
    image_free(&im);
    temp_dir_remove(&dir);
}

/* Kinds that PIL and the decoder read differently, or that only one of them reads: one line each, with what to do. */
static void kinds_that_are_not_read_say_so(void **state)
{
    static const struct {
        const char *file, *says;
        size_t at; /* of the byte that is changed */
        uint8_t value;
    } changed[] = {
        {"rgb.bmp", "only 1, 4, 8, 24 and 32 bits", 28, 16},
        {"rgb.bmp", "run lengths (RLE)", 30, 1},
        {"rgb.bmp", "its header is none of 40, 108 or 124", 14, 12},
        {"rgb.bmp", "it is cut short", 18, 14}, /* one pixel wider */
        {"davis.bmp", "a colour that the palette lacks", 10, 58},
        {"rgb.tga", "from right to left", 17, 0x30},
        {"davis.tga", "does not begin with colour 0", 3, 1},
        {"palette.gif", "covers only a part", 6, 14},
        {"lossless.webp", "damaged or unsupported WebP", 15, 'X'},
        {"ids.pgm", "it is cut short", 1, '2'}, /* read as plain: numbers, which it has not */
        {"rgb.ppm", "not width, height and greatest value", 8, 'x'},
        {"plain.pbm", "a pixel is neither 0 nor 1", 21, '2'},
    };
    static const char gray16[] = "P5 2 1 65535\n\0\1\0\2";
    temp_dir dir;
    uint8_t bytes[4096];
    char path[512];
    image im = {0};
    sam_error err = {0};
    int width, height;
    (void)state;
    temp_dir_make(&dir);
    temp_dir_file(&dir, "picture", path, sizeof path);
    for (size_t k = 0; k < sizeof changed / sizeof *changed; k++)
        for (int i = 0; i < N_SMALL; i++) {
            if (strcmp(small_images[i].name, changed[k].file) != 0 || !can_read(changed[k].file))
                continue;
            size_t n = unhex(small_images[i].hex, bytes);
            bytes[changed[k].at] = changed[k].value;
            write_file(path, bytes, n);
            assert_int_equal(image_read_rgb(path, &im, &err), SAM_E_FORMAT);
            print_message("%s\n", err.text);
            assert_non_null(strstr(err.text, changed[k].says));
        }
    write_file(path, gray16, sizeof gray16 - 1);
    assert_int_equal(image_read_rgb(path, &im, &err), SAM_E_FORMAT);
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, "16 bit gray PNM"));
    assert_int_equal(image_read_size(path, &width, &height, &err), SAM_E_FORMAT);
    image_free(&im);
    temp_dir_remove(&dir);
}

/* What has no mark of its own is not taken for a picture: videos, texts and rubbish whose first bytes come near. */
static void only_pictures_are_taken_for_pictures(void **state)
{
    static const struct {
        const char *first;
        size_t n;
        image_format format;
    } known[] = {
        {"\0\0\0\x20"
         "ftypisom\0\0\2\0isom",
         20, IMAGE_UNKNOWN},
        {"\0\0\2\x20"
         "ftypisom\0\0\2\0isom",
         20, IMAGE_UNKNOWN}, /* a TGA of 24 bits begins so, too */
        {"\0\0\1\xba!\0\1\0\1\x80\x1b\x91\0\0\1\xbb\x8\0", 18, IMAGE_UNKNOWN},
        {"BM stands for Barrier Method", 28, IMAGE_UNKNOWN},
        {"P5.js is a library", 18, IMAGE_UNKNOWN},
        {"RIFF\0\0\0\0AVI LIST....", 20, IMAGE_UNKNOWN},
        {"P6\n1 1\n255\nabc", 14, IMAGE_PNM},
        {"\0\0\2\0\0\0\0\0\0\0\0\0\4\0\3\0\x18\x20", 18, IMAGE_TGA},
        {"\0\0\2\0\0\0\0\0\0\0\0\0\0\0\3\0\x18\x20", 18, IMAGE_UNKNOWN}, /* no width */
        {"GIF87a", 6, IMAGE_GIF},
        {"", 0, IMAGE_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        image_format f = image_format_of((const uint8_t *)known[i].first, known[i].n);
        print_message("%.8s: %s\n", known[i].first, image_format_name(f));
        assert_int_equal(f, known[i].format);
    }
}

/* As PIL and the official code: the entry says "turn by 90 degrees", and nobody does. */
static void exif_turns_nothing(void **state)
{
    static const uint8_t exif[] = {0xff, 0xe1, 0,    34, 'E', 'x', 'i', 'f', 0, 0, 'I', 'I', '*', 0, 8, 0, 0, 0,
                                   1,    0,    0x12, 1,  3,   0,   1,   0,   0, 0, 6,   0,   0,   0, 0, 0, 0, 0};
    temp_dir dir;
    uint8_t bytes[4096], turned[4096];
    char path[512];
    image im = {0};
    sam_error err = {0};
    (void)state;
    temp_dir_make(&dir);
    size_t n = unhex(small_images[0].hex, bytes);
    memcpy(turned, bytes, 2);
    memcpy(turned + 2, exif, sizeof exif);
    memcpy(turned + 2 + sizeof exif, bytes + 2, n - 2);
    write_file(temp_dir_file(&dir, "turned.jpg", path, sizeof path), turned, n + sizeof exif);
    if (image_read_rgb(path, &im, &err) != SAM_OK)
        fail_msg("%s", err.text);
    assert_true(im.width == small_images[0].width && im.height == small_images[0].height);
    assert_true(hash_of(&im) == small_images[0].rgb_hash);
    image_free(&im);
    temp_dir_remove(&dir);
}

/* Hashes from PIL 13 with libjpeg-turbo 3.2. */
static void real_frames_equal_pil(void **state)
{
    static const struct {
        const char *file;
        int mask;
        uint64_t hash;
    } known[] = {
        {"sav_bedroom/JPEGImages_24fps/bedroom/00000.jpg", 0, UINT64_C(0xc346028e66230b90)},
        {"sav_bedroom/JPEGImages_24fps/bedroom/00027.jpg", 0, UINT64_C(0xbdc1c269a5cf5aef)},
        {"sav_bedroom/JPEGImages_24fps/bedroom/00054.jpg", 0, UINT64_C(0xecb77a57709d66a5)},
        {"truck.jpg", 0, UINT64_C(0xf8ee03a900634202)},
        {"sav_bedroom/Annotations_6fps/bedroom/001/00000.png", 1, UINT64_C(0xca43890b9cf30a00)},
        {"metrics/davis/gt/bike-packing/00000.png", 1, UINT64_C(0xce8c1427237df703)},
    };
    image im = {0};
    sam_error err = {0};
    int n = 0;
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/data/%s", SHARED_DIR, known[i].file);
        if (access(path, R_OK) != 0)
            continue;
        sam_status status =
            known[i].mask ? image_read_mask(path, MASK_IDS, &im, &err) : image_read_rgb(path, &im, &err);
        if (status != SAM_OK)
            fail_msg("%s", err.text);
        print_message("%-52s %016llx\n", known[i].file, (unsigned long long)hash_of(&im));
        assert_true(hash_of(&im) == known[i].hash);
        n++;
    }
    image_free(&im);
    if (n == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_files_read_as_pil_reads_them),
        cmocka_unit_test(damaged_files_are_errors),
        cmocka_unit_test(what_is_not_an_image_is_named),
        cmocka_unit_test(huge_sizes_are_refused),
        cmocka_unit_test(written_files_come_back),
        cmocka_unit_test(failed_writes_leave_nothing),
        cmocka_unit_test(palette_is_davis),
        cmocka_unit_test(rgb_masks_keep_their_objects),
        cmocka_unit_test(kinds_that_are_not_read_say_so),
        cmocka_unit_test(only_pictures_are_taken_for_pictures),
        cmocka_unit_test(exif_turns_nothing),
        cmocka_unit_test(gray_of_16_bits_is_read_as_pil_or_refused),
        cmocka_unit_test(real_frames_equal_pil),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
