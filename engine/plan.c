#include "plan.h"

static size_t rounded(size_t bytes)
{
    return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

/* Order by size, largest first; ties keep their order. Insertion sort: a graph has a few hundred buffers. */
static void sort_by_size(const plan_buffer *buffers, int n, int *order)
{
    for (int i = 0; i < n; i++) {
        int j = i;
        for (; j > 0 && buffers[order[j - 1]].bytes < buffers[i].bytes; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
}

static int live_together(const plan_buffer *a, const plan_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at or after `from` that no placed buffer live with `b` covers, and the room there. */
static size_t next_gap(const plan_buffer *buffers, const int *order, int n_placed, const plan_buffer *b, size_t from,
                       size_t *room)
{
    for (int moved = 1; moved;) {
        moved = 0;
        for (int i = 0; i < n_placed; i++) {
            const plan_buffer *p = &buffers[order[i]];
            if (live_together(p, b) && p->offset <= from && from < p->offset + rounded(p->bytes)) {
                from = p->offset + rounded(p->bytes);
                moved = 1;
            }
        }
    }
    *room = (size_t)-1;
    for (int i = 0; i < n_placed; i++) {
        const plan_buffer *p = &buffers[order[i]];
        if (p->bytes && live_together(p, b) && p->offset >= from && p->offset - from < *room)
            *room = p->offset - from;
    }
    return from;
}

size_t plan_arena(plan_buffer *buffers, int n, int *order)
{
    size_t total = 0;
    sort_by_size(buffers, n, order);
    for (int placed = 0; placed < n; placed++) {
        plan_buffer *b = &buffers[order[placed]];
        size_t need = rounded(b->bytes), best = 0, best_room = 0, room;
        int found = 0;
        for (size_t from = 0;;) {
            size_t gap = next_gap(buffers, order, placed, b, from, &room);
            if (room >= need && (!found || room < best_room)) {
                best = gap;
                best_room = room;
                found = 1;
            }
            if (room == (size_t)-1)
                break;
            from = gap + (room ? room : PLAN_ALIGN);
        }
        b->offset = best;
        if (best + need > total)
            total = best + need;
    }
    return total;
}
