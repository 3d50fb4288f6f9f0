#include "report_head.h"

#include "report_html.h"
#include "text_out.h"

#include <stdlib.h>
#include <string.h>

/* `before` and the value, if there is one. */
static void put(FILE *to, const char *before, const char *text, const char *after)
{
    if (!text[0])
        return;
    fprintf(to, "%s", before);
    text_html(to, text);
    fprintf(to, "%s", after);
}

static void put_number(FILE *to, const char *before, double x, const char *after)
{
    if (x > 0)
        fprintf(to, "%s%.0f%s", before, x, after);
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* 0 where there is no memory to count in: then no number is shown. */
static int count_videos(const results_data *d)
{
    int n = 0;
    const char **names = malloc(((size_t)d->n_rows + 1) * sizeof *names);
    if (!names)
        return 0;
    for (int i = 0; i < d->n_rows; i++)
        names[i] = d->rows[i].video;
    qsort(names, (size_t)d->n_rows, sizeof *names, by_text);
    for (int i = 0; i < d->n_rows; i++)
        n += !i || strcmp(names[i], names[i - 1]) != 0;
    free(names);
    return n;
}

/* The last folder of a path, in `name`. */
static const char *last_name(const char *path, char name[200])
{
    size_t n = strlen(path), from;
    while (n > 1 && path[n - 1] == '/')
        n--;
    for (from = n; from && path[from - 1] != '/'; from--)
        ;
    snprintf(name, 200, "%.*s", (int)(n - from < 199 ? n - from : 199), path + from);
    return name;
}

static int same_data(const json_t *a, const json_t *b)
{
    char x[200], y[200];
    return a && b && !strcmp(member_text(a, "split_name"), member_text(b, "split_name")) &&
           !strcmp(last_name(member_text(a, "split_dir"), x), last_name(member_text(b, "split_dir"), y)) &&
           !strcmp(member_text(a, "metric"), member_text(b, "metric"));
}

/* "sav_val of DATA, scored as sav"; each data set once. */
static void write_data(FILE *to, const results_data *d)
{
    int n_said = 0;
    for (int i = 0; i < d->n_folders; i++) {
        const json_t *s = d->settings[i];
        char name[200];
        int seen = !s;
        for (int k = 0; k < i && !seen; k++)
            seen = same_data(s, d->settings[k]);
        if (seen)
            continue;
        put(to, n_said++ ? "; <b>" : "<b>", member_text(s, "split_name"), "</b>");
        put(to, " of ", last_name(member_text(s, "split_dir"), name), "");
        put(to, ", scored as ", member_text(s, "metric"), "");
    }
    int n_videos = count_videos(d);
    if (n_videos)
        fprintf(to, "%s%d video%s", n_said ? " &middot; " : "", n_videos, n_videos == 1 ? "" : "s");
}

static void write_machine(FILE *to, const results_data *d, int run)
{
    const json_t *m = d->machines[run];
    const char *board = member_text(m, "board"), *device = "";
    for (int g = 0; g < d->n_groups && !device[0]; g++)
        if (d->groups[g].run == run && strcmp(d->groups[g].backend, "cpu"))
            device = d->groups[g].device;
    fprintf(to, "<li><b>");
    text_html(to, html_folder(d, run));
    fprintf(to, "</b>%s: ", results_is_earlier(d, run) ? " (compared with)" : "");
    put(to, "", board, ", ");
    put(to, "", device, ", ");
    put(to, "", member_text(m, "cpu"), ", ");
    fprintf(to, "%.0f processors", json_number_value(json_object_get(m, "processors")));
    put_number(to, " at up to ", json_number_value(json_object_get(m, "cpu_MHz")), " MHz");
    put(to, " (", member_text(m, "cpu_governor"), ")");
    put_number(to, ", GPU at up to ", json_number_value(json_object_get(m, "gpu_MHz")), " MHz");
    put_number(to, ", ", json_number_value(json_object_get(m, "memory_MiB")), " MiB");
    put(to, ", driver ", member_text(m, "nvidia_driver"), "");
    put(to, ", sambench ", member_text(m, "sambench"), "");
    put(to, ", ", member_text(m, "date"), "");
    fprintf(to, "</li>\n");
}

void head_write(FILE *to, const char *title, const results_data *d, int machines)
{
    int n_machines = 0;
    fprintf(to, "<h1>");
    text_html(to, title);
    fprintf(to, "</h1>\n<p>");
    write_data(to, d);
    fprintf(to, "</p>\n");
    for (int i = 0; i < d->n_folders && machines; i++)
        n_machines += d->machines[i] != NULL;
    if (!n_machines)
        return;
    fprintf(to, "<ul class=\"soft head\">\n");
    for (int i = 0; i < d->n_folders; i++)
        if (d->machines[i])
            write_machine(to, d, i);
    fprintf(to, "</ul>\n");
}
