#include "verb_line.h"

#include "convert.h"
#include "image_io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINE_BYTES = 3000, MAX_WORDS = 64 };

static void expand(const temp_tree *t, const char *line, char *full)
{
    size_t at = 0;
    for (; *line && at + sizeof t->root < LINE_BYTES; line++) {
        if (*line == '@')
            at += (size_t)snprintf(full + at, LINE_BYTES - at, "%s", t->root);
        else
            full[at++] = *line;
    }
    full[at] = 0;
}

pid_t verb_start(temp_tree *t, const char *line)
{
    char full[LINE_BYTES], *argv[MAX_WORDS + 1] = {SAMBENCH_WORDS};
    int argc = N_SAMBENCH_WORDS;
    expand(t, line, full);
    for (char *word = strtok(full, " "); word && argc < MAX_WORDS; word = strtok(NULL, " "))
        argv[argc++] = word;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child)
        return child;
    if (!freopen(tree_path(t, "messages"), "w", stdout) || dup2(1, 2) < 0)
        _exit(99);
    execv(argv[0], argv);
    _exit(98);
}

int verb_end(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void verb_line(command_result *r, const temp_tree *t, int code, const char *line)
{
    char full[LINE_BYTES];
    expand(t, line, full);
    command(r, "sambench %s", full);
    assert_int_equal(r->code, code);
}

void verb_says(const temp_tree *t, int code, const char *words, const char *line)
{
    static command_result r;
    verb_line(&r, t, code, line);
    if (!strstr(r.text, words))
        fprintf(stderr, "expected '%s'\n", words);
    assert_non_null(strstr(r.text, words));
}

const char *table_cell(const csv_table *t, int row, const char *column)
{
    assert_true(row < t->n_rows);
    assert_true(csv_column(t, column) >= 0);
    return csv_cell(t, row, csv_column(t, column));
}

double table_number(const csv_table *t, int row, const char *column)
{
    char *rest;
    const char *text = table_cell(t, row, column);
    double value = strtod(text, &rest);
    assert_true(text[0] && !*rest);
    return value;
}

json_t *verb_json(temp_tree *t, const char *path)
{
    json_error_t why;
    json_t *json = json_load_file(tree_path(t, "%s", path), 0, &why);
    if (!json)
        fprintf(stderr, "%s, line %d: %s\n", t->path, why.line, why.text);
    assert_non_null(json);
    return json;
}

enum { W = 96, H = 64 };

static void make_frame(temp_tree *t, const char *path, int at)
{
    static uint8_t rgb[H * W * 3];
    sam_error err;
    for (int i = 0; i < H * W * 3; i++)
        rgb[i] = (uint8_t)(i / 97 + 5 * at + (i * 31) % 17);
    tree_text(t, path, ""); /* makes the folders */
    assert_int_equal(image_write_rgb(tree_path(t, "%s", path), rgb, 3 * W, W, H, &err), SAM_OK);
}

void sav_video_make(temp_tree *t, const char *split, const char *video, int n_frames)
{
    char path[512];
    for (int at = 0; at < n_frames; at++) {
        snprintf(path, sizeof path, "%s/JPEGImages_24fps/%s/%05d.png", split, video, at);
        make_frame(t, path, at);
        for (int o = 0; o < 2 && at % 2 == 0; o++) {
            uint8_t px[H * W] = {0};
            fill_box(px, W, 10 + 2 * at + 20 * o, 10, 40 + 2 * at + 20 * o, 40, 1);
            snprintf(path, sizeof path, "%s/Annotations_6fps/%s/%03d/%05d.png", split, video, o, at);
            tree_gray(t, path, px, W, H);
        }
    }
}

void sav_weights_make(temp_tree *t)
{
    sam_error err;
    tree_folder(t, "weights");
    const random_options random = {.model = "sam2.1_tiny", .seed = 7, .half = 1};
    assert_int_equal(convert_random(&random, tree_path(t, "weights/tiny.safetensors"), NULL, &err), SAM_OK);
}
