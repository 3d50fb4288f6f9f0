#include "report_html.h"

#include "text_out.h"

#include <math.h>
#include <string.h>

void html_words(FILE *to, const char *text)
{
    fprintf(to, "<td class=\"l\">");
    text_html(to, text);
    fprintf(to, "</td>");
}

void html_best(FILE *to, int decimals, double x, int is)
{
    if (isnan(x))
        fprintf(to, "<td></td>");
    else
        fprintf(to, is ? "<td class=\"best\">%.*f</td>" : "<td>%.*f</td>", decimals, x);
}

void html_figure(FILE *to, int decimals, double x)
{
    html_best(to, decimals, x, 0);
}

void html_scroll_begin(FILE *to)
{
    fprintf(
        to,
        "<div class=\"wide\"><p class=\"hint\">wider than this window: scroll sideways &rarr;</p><div class=\"scroll\">");
}

void html_scroll_end(FILE *to)
{
    fprintf(to, "</div></div>\n");
}

void html_table_begin(FILE *to, const char *names)
{
    html_scroll_begin(to);
    fprintf(to, "<table class=\"sort\"><thead><tr>");
    while (*names) {
        size_t n = strcspn(names, "|");
        int left = *names == '<';
        fprintf(to, left ? "<th class=\"l\">" : "<th>");
        fprintf(to, "%.*s</th>", (int)n - left, names + left);
        names += n + (names[n] == '|');
    }
    fprintf(to, "</tr></thead><tbody>\n");
}

void html_table_end(FILE *to)
{
    fprintf(to, "</tbody></table>");
    html_scroll_end(to);
}

static const char *last_name(const char *folder)
{
    const char *slash = strrchr(folder, '/');
    return slash && slash[1] ? slash + 1 : folder;
}

const char *html_folder(const results_data *d, int run)
{
    const char *name = last_name(d->folders[run]);
    for (int i = 0; i < d->n_folders; i++)
        if (i != run && !strcmp(last_name(d->folders[i]), name))
            return d->folders[run];
    return name;
}

void html_group(const results_data *d, const report_group *g, char *text, size_t n_text)
{
    int n = snprintf(text, n_text, "%s", g->model);
    if (g->imgsz && (size_t)n < n_text)
        n += snprintf(text + n, n_text - (size_t)n, " %d %s", g->imgsz, g->precision);
    if (d->n_folders > 1 && (size_t)n < n_text)
        snprintf(text + n, n_text - (size_t)n, " (%s)", html_folder(d, g->run));
}
