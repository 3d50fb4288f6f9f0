#include "text_out.h"

#include "atomic_file.h"

#include <stdlib.h>

sam_status text_open(text_out *t, const char *path, sam_error *err)
{
    *t = (text_out){.path = path};
    t->to = open_memstream(&t->text, &t->n);
    return t->to ? SAM_OK : fail(err, SAM_E_MEMORY, "%s: out of memory", path);
}

sam_status text_close(text_out *t, sam_error *err)
{
    /* When memory runs out in fclose itself, the text is NULL or cut, and fclose does not tell (glibc 2.36). */
    int broken = ferror(t->to) || fflush(t->to);
    size_t n_written = t->n;
    broken |= fclose(t->to) != 0;
    broken |= !t->text || t->n != n_written;
    sam_status status = broken ? fail(err, SAM_E_MEMORY, "%s: no memory for its text", t->path)
                               : atomic_file_write(t->path, t->text, t->n, err);
    free(t->text);
    *t = (text_out){0};
    return status;
}

void text_abandon(text_out *t)
{
    if (t->to)
        fclose(t->to);
    free(t->text);
    *t = (text_out){0};
}

void text_json(FILE *to, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(to, "\\%c", *c);
        else if (*c < 0x20)
            fprintf(to, "\\u%04x", *c);
        else
            fputc(*c, to);
    }
}

void text_html(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", to);
        else if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '>')
            fputs("&gt;", to);
        else if (*text == '"')
            fputs("&quot;", to);
        else
            fputc(*text, to);
    }
}
