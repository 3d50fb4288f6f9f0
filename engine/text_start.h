/* text_start.h - where the text of a file begins: behind the byte order mark that editors and spreadsheets put there. */
#ifndef TEXT_START_H
#define TEXT_START_H

#include <jansson.h>
#include <stddef.h>

/* 3 after a UTF-8 byte order mark, else 0. */
size_t text_start(const char *text, size_t n);

/* json_load_file of a file that may begin with the mark. NULL: `why` says what is wrong (it may be NULL). */
json_t *json_read_file(const char *path, size_t flags, json_error_t *why);

#endif
