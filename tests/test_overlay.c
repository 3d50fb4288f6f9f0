/* Drawing, the contact sheet, and videos that come back as they were written. */
#include "contact_sheet.h"
#include "draw.h"
#include "font.h"
#include "frames.h"
#include "image_io.h"
#include "overlay.h"

#include "temp_dir.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        if ((call) != SAM_OK)                                                                                          \
            fail_msg("%s", err.text);                                                                                  \
    } while (0)

static const uint8_t red[3] = {255, 0, 0};

static const uint8_t *pixel(const canvas *c, int x, int y)
{
    return c->rgb + (size_t)y * c->row_bytes + (size_t)x * 3;
}

static int is_red(const canvas *c, int x, int y)
{
    return memcmp(pixel(c, x, y), red, 3) == 0;
}

static void fill_and_contour(void **state)
{
    uint8_t rgb[8 * 10 * 3] = {0}, mask[8 * 10] = {0};
    canvas c = {rgb, 10, 8, 30};
    int n_red = 0;
    (void)state;
    for (int y = 2; y < 7; y++)
        for (int x = 3; x < 10; x++)
            mask[y * 10 + x] = 1;
    draw_fill(&c, mask, 10, red, 50);
    assert_int_equal(pixel(&c, 5, 4)[0], 128);
    assert_int_equal(pixel(&c, 2, 4)[0], 0);
    memset(rgb, 0, sizeof rgb);
    draw_contour(&c, mask, 10, red, 1);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 10; x++)
            n_red += is_red(&c, x, y);
    print_message("contour of a 7 x 5 box at the right edge: %d px\n", n_red);
    assert_int_equal(n_red, 7 + 7 + 3); /* the right side is the canvas's edge */
    assert_true(is_red(&c, 3, 2) && is_red(&c, 9, 6) && !is_red(&c, 9, 4) && !is_red(&c, 4, 3));
}

/* Shapes far outside must neither crash nor write outside; the guard rows around the canvas stay as they were. */
static void shapes_are_clipped(void **state)
{
    static const int places[] = {-2000000000, -100000, -7, -1, 0, 5, 15, 16, 23, 100000, 2000000000};
    enum { N = sizeof places / sizeof places[0], GUARD = 200 };
    uint8_t *memory = malloc(GUARD + 16 * 64 + GUARD);
    canvas c = {memory + GUARD, 16, 16, 64};
    (void)state;
    memset(memory, 77, GUARD + 16 * 64 + GUARD);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            draw_point(&c, places[i], places[j], 5, red, (i + j) % 2);
            draw_box(&c, places[i], places[j], places[j], places[i], red, 3);
            draw_text(&c, places[i] / 2, places[j] / 2, 2, "09 J&F 0.93", red);
        }
    for (int i = 0; i < GUARD; i++)
        assert_true(memory[i] == 77 && memory[GUARD + 16 * 64 + i] == 77);
    for (int y = 0; y < 16; y++)
        for (int x = 48; x < 64; x++)
            assert_int_equal(c.rgb[y * 64 + x], 77);
    memset(c.rgb, 0, 16 * 64);
    draw_box(&c, 12, 3, 4, 10, red, 1);
    assert_true(is_red(&c, 4, 3) && is_red(&c, 12, 10) && is_red(&c, 8, 3) && !is_red(&c, 8, 5) && !is_red(&c, 13, 3));
    memset(c.rgb, 0, 16 * 64);
    draw_box(&c, 4, 4, 1000, 1000, red, 1);
    assert_true(is_red(&c, 4, 15) && is_red(&c, 15, 4) && !is_red(&c, 15, 15));
    free(memory);
}

static void digits_differ(void **state)
{
    uint8_t seen[10][9 * 7 * 3];
    (void)state;
    for (int d = 0; d < 10; d++) {
        canvas c = {seen[d], 7, 9, 21};
        char text[2] = {(char)('0' + d), 0};
        memset(seen[d], 0, sizeof seen[d]);
        assert_int_equal(draw_text(&c, 0, 0, 1, text, red), 7);
        for (int e = 0; e < d; e++)
            assert_memory_not_equal(seen[d], seen[e], sizeof seen[d]);
        for (int y = 0; d < 3 && y < 9; y++) {
            for (int x = 0; x < 7; x++)
                printf("%c", is_red(&c, x, y) ? '#' : '.');
            printf("\n");
        }
    }
}

/* Every letter has its own shape, J is none of a root's: its hook is at the lower left, and it has no bar. */
static void letters_differ(void **state)
{
    (void)state;
    for (int a = '!'; a <= '~'; a++)
        for (int b = a + 1; b <= '~'; b++)
            assert_memory_not_equal(font_columns((char)a), font_columns((char)b), FONT_WIDTH);
    const uint8_t *j = font_columns('J');
    assert_true(j[4] == 0x3f && !(j[3] & 1) && !(j[0] & 1));
    assert_ptr_equal(font_columns((char)0xc3), font_columns('?'));
    assert_int_equal(draw_text_scale("12345678", 98, 3), 2);
    assert_int_equal(draw_text_scale("12345678", 10, 3), 1);
}

/* Objects' colours are told apart by the colour-blind: the seven differ in brightness or along the axis of blue and yellow. */
static void object_colours_differ(void **state)
{
    (void)state;
    for (int a = 1; a <= 7; a++)
        for (int b = a + 1; b <= 7; b++) {
            uint8_t p[3], q[3];
            draw_object_color(a, p);
            draw_object_color(b, q);
            /* what is left without red and green cones apart: their mean, and blue */
            double yellow = fabs((p[0] + p[1] - q[0] - q[1]) / 2.0), blue = fabs((double)p[2] - q[2]);
            print_message("%d and %d: %.0f, %.0f\n", a, b, yellow, blue);
            assert_true(yellow + blue > 30);
        }
}

/* A smooth colour ramp with a square that moves. */
static void paint(uint8_t *rgb, int width, int height, int t)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = rgb + ((size_t)y * (size_t)width + (size_t)x) * 3;
            p[0] = (uint8_t)(x * 200 / width + 20);
            p[1] = (uint8_t)(y * 200 / height + 20);
            p[2] = (uint8_t)(120 + t);
            if (x / 16 == t % 4 + 1 && y / 16 == 1)
                memcpy(p, (const uint8_t[3]){200, 60, 40}, 3);
        }
}

static void round_trip(const temp_dir *dir, int width, int height, int mpeg4)
{
    enum { N = 30 };
    char path[512];
    sam_error err = {0};
    overlay *o;
    frame_source *s;
    const frame *f;
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    overlay_options opt = {.width = width, .height = height, .fps = 29.97, .mpeg4 = mpeg4};
    char encoder[32];
    int n = 0, worst = 0;
    double sum = 0;
    CHECK(overlay_open(temp_dir_file(dir, "clip.mp4", path, sizeof path), &opt, &o, &err));
    snprintf(encoder, sizeof encoder, "%s", overlay_encoder(o));
    for (int t = 0; t < N; t++) {
        paint(rgb, width, height, t);
        CHECK(overlay_write(o, rgb, (size_t)width * 3, &err));
    }
    CHECK(overlay_close(o, &err));
    assert_int_equal(temp_dir_count(dir), 1);

    CHECK(frames_open(path, NULL, &s, &err));
    assert_int_equal(frames_count(s), N);
    assert_true(fabs(frames_rate(s) - 29.97) < 0.01);
    for (;; n++) {
        CHECK(frames_next(s, &f, &err));
        if (!f)
            break;
        assert_true(f->width == (width + 1) / 2 * 2 && f->height == (height + 1) / 2 * 2);
        paint(rgb, width, height, n);
        for (int y = 0; y < height; y++)
            for (int i = 0; i < width * 3; i++) {
                int d = abs(f->rgb[(size_t)y * (size_t)f->width * 3 + (size_t)i] -
                            rgb[(size_t)y * (size_t)width * 3 + (size_t)i]);
                worst = d > worst ? d : worst;
                sum += d;
            }
        frames_release(s, f);
    }
    double mean = sum / ((double)n * width * height * 3);
    print_message("%s %d x %d: %d frames, colours differ by %.2f on average, %d at most\n", encoder, width, height, n,
                  mean, worst);
    assert_int_equal(n, N);
    assert_true(mean < 2.5); /* another colour matrix or range gives more than 6 */
    frames_close(s);
    free(rgb);
}

static void videos_come_back(void **state)
{
    temp_dir dir;
    (void)state;
    temp_dir_make(&dir);
    round_trip(&dir, 192, 108, 0);
    round_trip(&dir, 191, 107, 0);
    round_trip(&dir, 192, 108, 1);
    temp_dir_remove(&dir);
}

static void unfinished_videos_leave_nothing(void **state)
{
    temp_dir dir;
    char path[512];
    sam_error err = {0};
    overlay *o;
    uint8_t rgb[32 * 32 * 3] = {0};
    overlay_options opt = {.width = 32, .height = 32};
    (void)state;
    temp_dir_make(&dir);
    temp_dir_file(&dir, "clip.mp4", path, sizeof path);
    CHECK(overlay_open(path, &opt, &o, &err));
    CHECK(overlay_write(o, rgb, 96, &err));
    overlay_abandon(o);
    overlay_abandon(NULL);
    CHECK(overlay_open(path, &opt, &o, &err));
    assert_int_equal(overlay_close(o, &err), SAM_E_STATE);
    print_message("%s\n", err.text);
    assert_int_equal(temp_dir_count(&dir), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    CHECK(overlay_open(path, &opt, &o, &err));
    CHECK(overlay_write(o, rgb, 96, &err));
    assert_int_equal(overlay_close(o, &err), SAM_E_IO);
    print_message("%s\n", err.text);
    assert_int_equal(temp_dir_count(&dir), 1);
    temp_dir_file(&dir, "no_such_folder/clip.mp4", path, sizeof path);
    assert_int_equal(overlay_open(path, &opt, &o, &err), SAM_E_IO);
    print_message("%s\n", err.text);
    assert_null(o);
    opt.fps = -1;
    assert_int_equal(overlay_open(path, &opt, &o, &err), SAM_E_ARG);
    print_message("%s\n", err.text);
    temp_dir_remove(&dir);
}

static void results_are_drawn(void **state)
{
    uint8_t *rgb = calloc(640 * 360, 3), *mask = calloc(640, 360), color[3];
    canvas c = {rgb, 640, 360, 640 * 3};
    sam_point points[2] = {{320, 180, 1}, {NAN, 1e30f, 0}};
    sam_box box = {100, 100, 500, 300};
    overlay_object objects[2] = {{.id = 1, .mask = mask, .mask_row_bytes = 640, .points = points, .n_points = 2},
                                 {.id = 2, .box = &box}};
    (void)state;
    for (int y = 150; y < 210; y++)
        memset(mask + y * 640 + 200, 1, 200);
    uint8_t *truth = calloc(640, 360);
    for (int y = 150; y < 210; y++)
        memset(truth + y * 640 + 200, 1, 260);
    objects[0].truth = truth;
    objects[0].truth_row_bytes = 640;
    overlay_draw(&c, objects, 2, "123");
    draw_object_color(1, color);
    assert_memory_equal(pixel(&c, 200, 150), color, 3); /* contour */
    assert_memory_equal(pixel(&c, 320, 180), color, 3); /* click */
    assert_int_equal(pixel(&c, 250, 180)[0], (color[0] * 55 + 50) / 100);
    draw_object_color(2, color);
    assert_memory_equal(pixel(&c, 100, 200), color, 3);                        /* box */
    assert_int_equal(pixel(&c, 8 + 2 * 3, 8 + 2 * 4)[0], 255);                 /* the 1 of 123: its stem */
    assert_memory_equal(pixel(&c, 459, 180), ((uint8_t[]){255, 255, 255}), 3); /* the annotation's right side, */
    assert_true(pixel(&c, 461, 180)[0] < 20);                                  /* and its rim */
    free(truth);
    free(rgb);
    free(mask);
}

static void sheet_shows_tiles(void **state)
{
    temp_dir dir;
    char path[512];
    sam_error err = {0};
    sheet *s;
    image im = {0};
    uint8_t *rgb = malloc(160 * 90 * 3), *mask = calloc(160, 90), *truth = calloc(160, 90);
    (void)state;
    temp_dir_make(&dir);
    for (int y = 30; y < 60; y++) {
        memset(mask + y * 160 + 60, 1, 40);
        memset(truth + y * 160 + 70, 1, 40);
    }
    CHECK(sheet_open(5, 3, 80, &s, &err));
    assert_int_equal(sheet_write(s, "unused.png", &err), SAM_E_STATE);
    for (int i = 0; i < 5; i++) {
        memset(rgb, 40 * i + 20, 160 * 90 * 3);
        CHECK(sheet_add(s, &(sheet_tile){rgb, 160, 90, mask, truth, i == 0 ? "0 J 0.93" : NULL, NULL, i == 2}, &err));
    }
    assert_int_equal(sheet_add(s, &(sheet_tile){rgb, 160, 90, mask, truth, NULL, NULL, 0}, &err), SAM_E_FULL);
    CHECK(sheet_write(s, temp_dir_file(&dir, "sheet.png", path, sizeof path), &err));
    sheet_close(s);
    CHECK(image_read_rgb(path, &im, &err));
    print_message("sheet of 5 tiles: %d x %d\n", im.width, im.height);
    assert_int_equal(im.width, 3 * 84 + 4);
    assert_int_equal(im.height, 2 * 49 + 4);
    canvas c = {im.data, im.width, im.height, (size_t)im.width * 3};
    assert_int_equal(pixel(&c, 4 + 84 + 2, 4 + 40)[0], 60);                               /* tile 1 */
    assert_memory_equal(pixel(&c, 4 + 84 + 30, 4 + 20), ((uint8_t[]){230, 159, 0}), 3);   /* left side of mask */
    assert_memory_equal(pixel(&c, 4 + 84 + 54, 4 + 20), ((uint8_t[]){255, 255, 255}), 3); /* right side of truth */
    assert_int_equal(pixel(&c, 4 + 168 + 40, 4 + 49 + 20)[0], 0);                         /* no sixth tile */
    image_free(&im);
    assert_int_equal(sheet_open(5, 500, 320, &s, &err), SAM_E_ARG);
    print_message("%s\n", err.text);
    sheet_close(NULL);
    free(rgb);
    free(mask);
    free(truth);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fill_and_contour),
        cmocka_unit_test(shapes_are_clipped),
        cmocka_unit_test(digits_differ),
        cmocka_unit_test(letters_differ),
        cmocka_unit_test(object_colours_differ),
        cmocka_unit_test(videos_come_back),
        cmocka_unit_test(unfinished_videos_leave_nothing),
        cmocka_unit_test(results_are_drawn),
        cmocka_unit_test(sheet_shows_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
