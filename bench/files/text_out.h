/* text_out.h - files of text that are put together by fprintf and take their name when they are whole. */
#ifndef TEXT_OUT_H
#define TEXT_OUT_H

#include "error.h"

#include <stdio.h>

typedef struct text_out {
    FILE *to; /* fprintf here, without checking: a failure is found by text_close */
    char *text;
    size_t n;
    const char *path;
} text_out;

sam_status text_open(text_out *t, const char *path, sam_error *err);
/* Writes the file, atomically, and frees. */
sam_status text_close(text_out *t, sam_error *err);

/* Frees and leaves no file; harmless for {0}. */
void text_abandon(text_out *t);

/* The text as the inside of a JSON string, or as HTML text and attribute values. */
void text_json(FILE *to, const char *text);
void text_html(FILE *to, const char *text);

#endif
