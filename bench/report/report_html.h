/* report_html.h - the pieces that the sections of a report are made of: tables that sort, and names for what they show. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include "report_data.h"

#include <stdio.h>

/* Around what may be wider than a phone: it scrolls, and says so. */
void html_scroll_begin(FILE *to);
void html_scroll_end(FILE *to);
/* A header from names parted by '|'; a '<' before one: left aligned. Then rows: <tr>, cells, </tr>. */
void html_table_begin(FILE *to, const char *names);
void html_table_end(FILE *to);
void html_words(FILE *to, const char *text);              /* a cell, left aligned       */
void html_figure(FILE *to, int decimals, double x);       /* a cell; NaN: empty         */
void html_best(FILE *to, int decimals, double x, int is); /* the same, marked if `is`   */

/* The folder by its last name, or as given if another one has that too. */
const char *html_folder(const results_data *d, int run);
/* "edgetam_points 1024 bf16", and which folder if there are several. */
void html_group(const results_data *d, const report_group *g, char *text, size_t n_text);

#endif
