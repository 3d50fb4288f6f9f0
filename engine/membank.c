#include "membank.h"

#include <stddef.h>

void bank_init(membank *b, bank_size size, bank_entry *storage)
{
    *b = (membank){.size = size, .entry = storage};
}

void bank_clear(membank *b)
{
    b->n_entries = 0;
}

bank_entry *bank_find(const membank *b, int64_t frame)
{
    for (int i = 0; i < b->n_entries; i++)
        if (b->entry[i].frame == frame)
            return &b->entry[i];
    return NULL;
}

int bank_prompted(const membank *b)
{
    int n = 0;
    for (int i = 0; i < b->n_entries; i++)
        n += b->entry[i].prompted;
    return n;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* 1: a reverse pass from the earliest prompted frame attends to this one. */
static int guarded(const membank *b, const bank_entry *e, int reach)
{
    int64_t first = INT64_MAX;
    for (int i = 0; i < b->n_entries; i++)
        if (b->entry[i].prompted && b->entry[i].frame < first)
            first = b->entry[i].frame;
    return first != INT64_MAX && e->frame > first && e->frame - first <= reach;
}

/* The entry whose slot (or pointer) is least needed from `frame` on: not prompted, not guarded, furthest away. Guarded
 * ones go only when nothing else is left. */
static bank_entry *victim(const membank *b, int64_t frame, int pointers)
{
    bank_entry *best = NULL;
    int best_guarded = 1;
    int reach = pointers ? b->size.recent_pointers : b->size.recent;
    for (int i = 0; i < b->n_entries; i++) {
        bank_entry *e = &b->entry[i];
        if (e->prompted || e->frame == frame || (!pointers && e->slot < 0))
            continue;
        int g = guarded(b, e, reach);
        if (!best || g < best_guarded ||
            (g == best_guarded && distance(e->frame, frame) > distance(best->frame, frame))) {
            best = e;
            best_guarded = g;
        }
    }
    return best;
}

/* A free slot number below `count`, or -1. */
static int free_slot(const membank *b, int count, int pointers)
{
    for (int s = 0; s < count; s++) {
        int used = 0;
        for (int i = 0; i < b->n_entries && !used; i++)
            used = (pointers ? b->entry[i].pointer_slot : b->entry[i].slot) == s;
        if (!used)
            return s;
    }
    return -1;
}

static int take_slot(membank *b, int64_t frame)
{
    int s = free_slot(b, b->size.slots, 0);
    if (s >= 0)
        return s;
    bank_entry *v = victim(b, frame, 0);
    s = v ? v->slot : -1;
    if (v)
        v->slot = -1;
    return s;
}

static int take_pointer_slot(membank *b, int64_t frame)
{
    int s = free_slot(b, b->size.pointer_slots, 1);
    if (s >= 0)
        return s;
    bank_entry *v = victim(b, frame, 1);
    if (!v)
        return -1;
    s = v->pointer_slot;
    *v = b->entry[--b->n_entries];
    return s;
}

bank_entry *bank_store(membank *b, int64_t frame, int prompted)
{
    bank_entry *e = bank_find(b, frame);
    if (prompted && !(e && e->prompted) && bank_prompted(b) >= b->size.max_prompted)
        return NULL;
    if (!e) {
        int pointer_slot = take_pointer_slot(b, frame);
        if (pointer_slot < 0)
            return NULL;
        e = &b->entry[b->n_entries++];
        *e = (bank_entry){.frame = frame, .slot = -1, .pointer_slot = pointer_slot};
    }
    e->prompted |= prompted;
    if (e->slot < 0)
        e->slot = take_slot(b, frame);
    return e->slot < 0 ? NULL : e;
}

static void select_memory(bank_selection *out, const bank_entry *e, int age)
{
    out->slots[out->n_memories] = e->slot;
    out->ages[out->n_memories++] = age;
}

static void select_pointer(bank_selection *out, const bank_entry *e, int64_t frame, int64_t reach)
{
    out->pointer_slots[out->n_pointers] = e->pointer_slot;
    out->pointer_ages[out->n_pointers++] = (float)distance(e->frame, frame) / (float)(reach > 0 ? reach : 1);
}

/* 1: frame + sign * back is a frame number. */
static int within(int64_t frame, int64_t sign, int64_t back)
{
    return sign > 0 ? frame <= INT64_MAX - back : frame >= back;
}

void bank_select(const membank *b, int64_t frame, int reverse, int64_t n_frames, bank_selection *out)
{
    int64_t sign = reverse ? 1 : -1;
    int64_t reach = b->size.recent_pointers; /* max_obj_ptrs - 1, less in a video of fewer frames */
    if (n_frames > 0 && n_frames - 1 < reach)
        reach = n_frames - 1;
    out->n_memories = out->n_pointers = 0;

    /* Prompted frames count even when they lie ahead; their pointers only once they lie behind. */
    for (int i = 0; i < b->n_entries; i++) {
        const bank_entry *e = &b->entry[i];
        if (!e->prompted || e->frame == frame)
            continue;
        select_memory(out, e, b->size.recent);
        if (reverse ? e->frame >= frame : e->frame <= frame)
            select_pointer(out, e, frame, reach);
    }
    for (int64_t back = 1; back <= b->size.recent && within(frame, sign, back); back++) {
        const bank_entry *e = bank_find(b, frame + sign * back);
        if (e && !e->prompted && e->slot >= 0)
            select_memory(out, e, (int)back - 1);
    }
    for (int64_t back = 1; back <= reach && within(frame, sign, back); back++) {
        const bank_entry *e = bank_find(b, frame + sign * back);
        if (e && !e->prompted)
            select_pointer(out, e, frame, reach);
    }
}
