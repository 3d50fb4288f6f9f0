/* verb_line.h - command lines of sambench with @ for the test's folder, and the tables and JSON they write. Whatever fails
 * ends the test. */
#ifndef VERB_LINE_H
#define VERB_LINE_H

#include "command.h"
#include "csv.h"
#include "documented.h"
#include "temp_tree.h"

#include <jansson.h>
#include <sys/types.h>

/* `sambench <line>` with every @ replaced by the tree's root, into `r`; its exit status must be `code`. */
void verb_line(command_result *r, const temp_tree *t, int code, const char *line);
/* The same, and it must say `words`. */
void verb_says(const temp_tree *t, int code, const char *words, const char *line);

/* Starts such a line in the background, with what it says in root/messages; then waits for its exit status. */
pid_t verb_start(temp_tree *t, const char *line);
int verb_end(pid_t child);

const char *table_cell(const csv_table *t, int row, const char *column);
double table_number(const csv_table *t, int row, const char *column); /* must be one */
json_t *verb_json(temp_tree *t, const char *path);

/* A video of n_frames 96x64 PNG frames in SA-V layout with objects 000 and 001, annotated on every second frame. */
void sav_video_make(temp_tree *t, const char *split, const char *video, int n_frames);
/* root/weights/tiny.safetensors: SAM 2.1 tiny with random weights, half precision. */
void sav_weights_make(temp_tree *t);

#endif
