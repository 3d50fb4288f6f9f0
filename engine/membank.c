#include "membank.h"

#include <assert.h>
#include <stddef.h>

void bank_init(membank *b, bank_size size, bank_entry *storage)
{
    *b = (membank){.size = size, .entry = storage};
}

void bank_clear(membank *b)
{
    b->n_entries = 0;
    b->forgotten.n = b->forgotten_fit.n = 0;
    b->way = NOT_TRACKED;
}

static bank_entry *find(const membank *b, int64_t frame, int pending)
{
    for (int i = 0; i < b->n_entries; i++)
        if (b->entry[i].frame == frame && b->entry[i].pending == pending)
            return &b->entry[i];
    return NULL;
}

bank_entry *bank_find(const membank *b, int64_t frame)
{
    return find(b, frame, 0);
}

bank_entry *bank_latest(const membank *b, int64_t frame)
{
    bank_entry *e = find(b, frame, 1);
    return e ? e : find(b, frame, 0);
}

/* 1: a pending result of a conditioning frame that has another in effect: not one more frame. */
static int is_another(const membank *b, const bank_entry *e)
{
    const bank_entry *in_effect = e->pending ? find(b, e->frame, 0) : NULL;
    return in_effect && in_effect->prompted;
}

int bank_prompted(const membank *b)
{
    int n = 0;
    for (int i = 0; i < b->n_entries; i++)
        n += b->entry[i].prompted && !is_another(b, &b->entry[i]);
    return n;
}

tracked_way bank_tracked(const membank *b, int64_t frame)
{
    const bank_entry *e = bank_find(b, frame);
    const frame_run *run = runs_find(&b->forgotten, frame);
    return e ? e->tracked : run ? (tracked_way)run->tag : NOT_TRACKED;
}

/* ---- room --------------------------------------------------------------------------------------------------------- */

/* The entry whose slot (or pointer) is least needed from `frame` on: neither prompted, pending nor wanted, furthest away. Those
 * that are wanted go only when nothing else is left. */
static bank_entry *victim(const membank *b, int64_t frame, int pointers)
{
    bank_entry *best = NULL;
    int best_wanted = 1;
    for (int i = 0; i < b->n_entries; i++) {
        bank_entry *e = &b->entry[i];
        if (e->prompted || e->pending || e->frame == frame || (!pointers && e->slot < 0))
            continue;
        int wanted = bank_wants(b, e, frame, pointers);
        if (!best || wanted < best_wanted ||
            (wanted == best_wanted && frames_apart(e->frame, frame) > frames_apart(best->frame, frame))) {
            best = e;
            best_wanted = wanted;
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
    assert(v);
    s = v->slot;
    v->slot = -1;
    return s;
}

static int take_pointer_slot(membank *b, int64_t frame)
{
    int s = free_slot(b, b->size.pointer_slots, 1);
    if (s >= 0)
        return s;
    bank_entry *v = victim(b, frame, 1);
    assert(v);
    s = v->pointer_slot;
    runs_add(&b->forgotten, v->frame, v->tracked);
    if (bank_values(b, v))
        runs_add(&b->forgotten_fit, v->frame, 0);
    *v = b->entry[--b->n_entries];
    return s;
}

/* The entry of `frame`, pending or in effect, with a slot and a pointer slot. */
static bank_entry *entry_for(membank *b, int64_t frame, int pending)
{
    bank_entry *e = find(b, frame, pending);
    if (!e) {
        int pointer_slot = take_pointer_slot(b, frame);
        tracked_way tracked = bank_tracked(b, frame);
        e = &b->entry[b->n_entries++];
        *e = (bank_entry){.frame = frame,
                          .pending = pending,
                          .slot = -1,
                          .pointer_slot = pointer_slot,
                          .tracked = tracked,
                          .motion = 1};
    }
    if (e->slot < 0)
        e->slot = take_slot(b, frame);
    return e;
}

/* ---- prompts and tracking ----------------------------------------------------------------------------------------- */

bank_room bank_room_for(const membank *b, int64_t frame, int prompted)
{
    const bank_entry *e = bank_latest(b, frame);
    int n_pending = 0;
    if (e && e->pending)
        return BANK_ROOM;
    if (prompted && !(e && e->prompted))
        return bank_prompted(b) < b->size.max_prompted ? BANK_ROOM : BANK_TOO_MANY_PROMPTED;
    for (int i = 0; i < b->n_entries; i++)
        n_pending += b->entry[i].pending && (!b->entry[i].prompted || is_another(b, &b->entry[i]));
    return n_pending < b->size.max_pending ? BANK_ROOM : BANK_TOO_MANY_PENDING;
}

bank_entry *bank_propose(membank *b, int64_t frame, int prompted)
{
    bank_entry *e = entry_for(b, frame, 1);
    e->prompted = prompted;
    return e;
}

static void drop(membank *b, bank_entry *e)
{
    *e = b->entry[--b->n_entries];
}

void bank_commit(membank *b)
{
    for (int i = 0; i < b->n_entries; i++) {
        bank_entry p = b->entry[i], *in_effect = bank_find(b, p.frame);
        if (!p.pending)
            continue;
        b->entry[i].pending = 0;
        if (!in_effect)
            continue;
        /* Either way an entry goes, and another takes its place in the list: look again from the start. */
        drop(b, in_effect->prompted && !p.prompted ? &b->entry[i] : in_effect);
        i = -1;
    }
}

bank_entry *bank_track(membank *b, int64_t frame, tracked_way way)
{
    bank_entry *e = entry_for(b, frame, 0);
    e->tracked = b->way = way;
    e->anchor = 0;
    return e;
}
