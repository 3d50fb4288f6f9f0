/* Each column's runs are closed at both its ends: that gives where the mask changes, as places in the image taken column by
 * column. They are found row by row, since bits lie so, counted by column, and put in order. Two changes at one place, at the end of a
 * column and the beginning of the next, are none. */
#include "mask_runs.h"

#include <stdlib.h>
#include <string.h>

/* A mask's box, in words of its rows, and where the image has it. */
typedef struct changes {
    const packed_mask *m;
    size_t row_words;
    int first_word, n_words; /* of each row       */
    int y0, y1;              /* rows; y1 is beyond */
    uint32_t first_place;    /* of the first word's first column at row 0 of the mask */
    uint32_t column;         /* pixels of an image's column */
    uint32_t *next;          /* [64 n_words] of each column: how many changes, then where the next one goes */
} changes;

/* Columns whose pixel differs from the one above: rows y0 to y1, where all of it has ended. */
static uint64_t changed(const changes *c, int y, int word)
{
    const uint64_t *at = mask_rows_of(c->m) + (size_t)y * c->row_words + (size_t)(c->first_word + word);
    uint64_t above = y > c->y0 ? *(at - c->row_words) : 0, here = y < c->y1 ? *at : 0;
    return above ^ here;
}

/* Counts changes in c->next; or puts them into `places`, if there are any. */
static void visit(const changes *c, uint32_t *places)
{
    for (int y = c->y0; y <= c->y1; y++)
        for (int word = 0; word < c->n_words; word++)
            for (uint64_t bits = changed(c, y, word); bits; bits &= bits - 1) {
                uint32_t x = 64 * (uint32_t)word + (uint32_t)__builtin_ctzll(bits);
                uint32_t i = c->next[x]++;
                if (places)
                    places[i] = c->first_place + x * c->column + (uint32_t)y;
            }
}

/* From numbers of changes to where those of each column begin; returns how many there are. */
static size_t add_up(uint32_t *next, size_t n_columns)
{
    size_t n = 0;
    for (size_t i = 0; i < n_columns; i++) {
        uint32_t count = next[i];
        next[i] = (uint32_t)n;
        n += count;
    }
    return n;
}

/* n places in order -> runs, in place. */
static size_t differences(uint32_t *places, size_t n, uint32_t n_px)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept && places[kept - 1] == places[i])
            kept--;
        else
            places[kept++] = places[i];
    }
    if (!kept || places[kept - 1] != n_px)
        places[kept++] = n_px;
    for (size_t i = kept; i-- > 1;)
        places[i] -= places[i - 1];
    return kept;
}

sam_status mask_runs_of(const packed_mask *m, int w, int x, int y, int width, int height, mask_runs *out,
                        sam_error *err)
{
    changes c = {.m = m, .row_words = mask_row_words(w), .column = (uint32_t)height};
    uint32_t *places = NULL;
    if (m->area) {
        c.first_word = m->box[0] / 64;
        c.n_words = m->box[2] / 64 - c.first_word + 1;
        c.y0 = m->box[1];
        c.y1 = m->box[3] + 1;
        c.first_place = (uint32_t)(64 * c.first_word + x) * c.column + (uint32_t)y;
    }
    c.next = calloc(64 * (size_t)c.n_words + 1, sizeof *c.next);
    size_t n = 0;
    if (c.next && m->area) {
        visit(&c, NULL);
        n = add_up(c.next, 64 * (size_t)c.n_words);
    }
    if (c.next)
        places = malloc((n + 1) * sizeof *places);
    if (places && n)
        visit(&c, places);
    free(c.next);
    if (!places)
        return fail(err, SAM_E_MEMORY, "no memory for the runs of a mask");
    *out = (mask_runs){places, differences(places, n, (uint32_t)width * (uint32_t)height)};
    return SAM_OK;
}

void mask_runs_paint(const uint32_t *runs, size_t n, int width, int height, uint8_t *to, size_t row_bytes)
{
    size_t x = 0, y = 0, column = (size_t)height;
    for (size_t k = 0; k < column; k++)
        memset(to + k * row_bytes, 0, (size_t)width);
    for (size_t i = 0; i < n; i++) {
        if (i % 2 == 0) {
            x += (y + runs[i]) / column;
            y = (y + runs[i]) % column;
            continue;
        }
        for (uint32_t k = 0; k < runs[i]; k++) {
            to[y * row_bytes + x] = 1;
            y = y + 1 < column ? y + 1 : 0;
            x += !y;
        }
    }
}

int32_t mask_runs_area(const uint32_t *runs, size_t n)
{
    uint32_t area = 0;
    for (size_t i = 1; i < n; i += 2)
        area += runs[i];
    return (int32_t)area;
}
