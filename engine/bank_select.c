/* What a frame attends to, by the rule of the bank's policy: membank.h. */
#include "membank.h"

#include <stddef.h>

/* How far `at` lies behind `frame` on a pass with this sign (-1: forward), negative if it does not. */
static int64_t behind(int64_t at, int64_t frame, int64_t sign)
{
    return sign < 0 ? frame - at : at - frame;
}

static void select_memory(bank_selection *out, const bank_entry *e, int age)
{
    if (e->slot < 0) {
        out->incomplete = 1;
        return;
    }
    out->incomplete |= e->incomplete;
    out->slots[out->n_memories] = e->slot;
    out->ages[out->n_memories++] = age;
}

static void select_pointer(bank_selection *out, const bank_entry *e, int64_t age, int64_t reach)
{
    out->incomplete |= e->incomplete;
    out->pointer_slots[out->n_pointers] = e->pointer_slot;
    out->pointer_ages[out->n_pointers++] = (float)age / (float)(reach > 0 ? reach : 1);
}

/* 1: frame + sign * back is a frame number. */
static int within(int64_t frame, int64_t sign, int64_t back)
{
    return sign > 0 ? frame <= INT64_MAX - back : frame >= back;
}

/* The tracked frame `at`, if it is kept; notes what is lost. */
static const bank_entry *tracked_entry(const membank *b, int64_t at, bank_selection *out)
{
    const bank_entry *e = bank_find(b, at);
    out->incomplete |= e ? e->incomplete : runs_find(&b->forgotten, at) != NULL;
    return e && !e->prompted ? e : NULL;
}

static int is_tracked(const bank_entry *e)
{
    return !e->prompted && !e->pending;
}

/* ---- frames attended for what they are ----------------------------------------------------------------------------- */

/* 1: attended for what it is, not because it is the frame before: fit, and not among the first of a pass. The public code's
 * pass begins on frame 0; here on the prompted frame furthest behind. */
static int stands_for_itself(const membank *b, const bank_entry *e, int64_t sign)
{
    int64_t first = sign < 0 ? INT64_MAX : -1;
    if (!is_tracked(e) || !e->fit)
        return 0;
    for (int i = 0; i < b->n_entries; i++) {
        const bank_entry *p = &b->entry[i];
        if (p->prompted && !p->pending && (sign < 0 ? p->frame < first : p->frame > first))
            first = p->frame;
    }
    return sign < 0 ? first < e->frame - b->size.rule.first_skipped : first > e->frame + b->size.rule.first_skipped;
}

/* 1: it may be a recent memory; spacing 1: whatever its number. */
static int is_spaced(const bank_entry *e, int spacing)
{
    return is_tracked(e) && e->fit && !e->anchor && e->frame % spacing == 0;
}

/* 1: attended for what it is on a pass with this sign, as long as not too many nearer ones are. spacing, of RECENT_SPACED: 1
 * takes frames of any number. */
static int may_be_attended(const membank *b, const bank_entry *e, int64_t sign, int spacing)
{
    return b->size.rule.kind == RECENT_FIT ? stands_for_itself(b, e, sign) : is_spaced(e, spacing);
}

/* The nearest such frame behind, further than `than`; NULL: there is none. */
static const bank_entry *next_behind(const membank *b, int64_t frame, int64_t sign, int64_t than, int spacing)
{
    const bank_entry *best = NULL;
    for (int i = 0; i < b->n_entries; i++) {
        const bank_entry *e = &b->entry[i];
        int64_t d = behind(e->frame, frame, sign);
        if (d > than && (!best || d < behind(best->frame, frame, sign)) && may_be_attended(b, e, sign, spacing))
            best = e;
    }
    return best;
}

/* 1: a fit frame that was forgotten lies behind, no further than `reach`. Where runs hold frames that were tracked again, those
 * are known. */
static int lacks_fit(const membank *b, int64_t frame, int64_t sign, int64_t reach)
{
    for (int i = 0; i < b->forgotten_fit.n; i++) {
        const frame_run *r = &b->forgotten_fit.run[i];
        int64_t at = sign < 0 ? (r->to < frame ? r->to : frame - 1) : (r->from > frame ? r->from : frame + 1);
        while (at >= r->from && at <= r->to && bank_find(b, at))
            at += sign;
        if (at >= r->from && at <= r->to && behind(at, frame, sign) <= reach)
            return 1;
    }
    return 0;
}

/* ---- fit frames: SAMURAI, SAM 3 ------------------------------------------------------------------------------------ */

/* sam2_base.py of SAMURAI, _prepare_memory_conditioned_features, and SAM 3's frame_filter. The frame before takes the first
 * rank even where there is nothing of it. Both stop looking at `reach` fit frames, of which the newest are attended. */
static void select_fit(const membank *b, int64_t frame, int64_t sign, int64_t reach, bank_selection *out)
{
    const bank_entry *e = within(frame, sign, 1) ? tracked_entry(b, frame + sign, out) : NULL, *held = e;
    int pointers = b->size.rule.fit_pointers, rank = 1;
    int most = !pointers ? b->size.recent : (int)reach + !(e && stands_for_itself(b, e, sign));
    int64_t at = 1;
    if (e)
        select_memory(out, e, 0);
    for (; rank < most && (e = next_behind(b, frame, sign, at, 0)); rank++) {
        at = behind(e->frame, frame, sign);
        if (rank < b->size.recent)
            select_memory(out, e, rank);
        if (pointers && held) /* the oldest of the list is left out: SAM 3's `-t_diff <= -len(valid_indices)` */
            select_pointer(out, held, rank, reach);
        held = e;
    }
    out->incomplete |= lacks_fit(b, frame, sign, rank < most ? INT64_MAX : at);
}

/* ---- anchors and spaced frames: DAM4SAM ---------------------------------------------------------------------------- */

/* How many added anchors are attended; prompted frames come first. */
static int anchor_room(const membank *b)
{
    int room = b->size.rule.max_anchors - bank_prompted(b);
    return room > 0 ? room : 0;
}

/* 1: `e` is among the newest anchors of a pass with this sign. */
static int is_held_anchor(const membank *b, const bank_entry *e, int64_t sign)
{
    int newer = 0;
    for (int i = 0; i < b->n_entries; i++)
        newer += is_tracked(&b->entry[i]) && b->entry[i].anchor && behind(b->entry[i].frame, e->frame, sign) < 0;
    return is_tracked(e) && e->anchor && newer < anchor_room(b);
}

static void select_spaced(const membank *b, int64_t frame, int64_t sign, bank_selection *out)
{
    const bank_entry *e;
    int64_t at = 0;
    int rank = 0;
    for (int i = 0; i < b->n_entries; i++)
        if (is_held_anchor(b, &b->entry[i], sign))
            select_memory(out, &b->entry[i], -1);
    int most = b->size.recent + 1 - out->n_memories;
    most = most > 0 ? most : 1;
    for (; rank < most && (e = next_behind(b, frame, sign, at, rank ? b->size.rule.spacing : 1)); rank++) {
        select_memory(out, e, rank);
        at = behind(e->frame, frame, sign);
    }
    out->incomplete |= lacks_fit(b, frame, sign, rank < most ? INT64_MAX : at);
}

/* ---- SAM 2 --------------------------------------------------------------------------------------------------------- */

static void select_nearest(const membank *b, int64_t frame, int64_t sign, bank_selection *out)
{
    for (int64_t back = 1; back <= b->size.recent && within(frame, sign, back); back++) {
        const bank_entry *e = tracked_entry(b, frame + sign * back, out);
        if (e)
            select_memory(out, e, (int)back - 1);
    }
}

static void select_near_pointers(const membank *b, int64_t frame, int64_t sign, int64_t reach, bank_selection *out)
{
    for (int64_t back = 1; back <= reach && within(frame, sign, back); back++) {
        const bank_entry *e = tracked_entry(b, frame + sign * back, out);
        if (e && (!b->size.rule.pointers_need_object || e->score > 0))
            select_pointer(out, e, back, reach);
    }
}

/* 1: a reverse pass from the earliest prompted frame attends to this one. */
static int is_guarded(const membank *b, const bank_entry *e, int reach)
{
    int64_t first = INT64_MAX;
    for (int i = 0; i < b->n_entries; i++)
        if (b->entry[i].prompted && b->entry[i].frame < first)
            first = b->entry[i].frame;
    return first != INT64_MAX && e->frame > first && e->frame - first <= reach;
}

/* ---- any rule ------------------------------------------------------------------------------------------------------ */

void bank_select(const membank *b, int64_t frame, int reverse, int64_t n_frames, bank_selection *out)
{
    int64_t sign = reverse ? 1 : -1;
    int64_t reach = b->size.recent_pointers; /* max_obj_ptrs - 1, less in a video of fewer frames */
    const bank_rule *rule = &b->size.rule;
    if (n_frames > 0 && n_frames - 1 < reach)
        reach = n_frames - 1;
    out->n_memories = out->n_pointers = out->incomplete = 0;

    /* Prompted frames count even when they lie ahead, and the frame itself when it is corrected; their pointers only once
     * they lie behind. */
    for (int i = 0; i < b->n_entries; i++) {
        const bank_entry *e = &b->entry[i];
        if (!e->prompted || e->pending)
            continue;
        select_memory(out, e, rule->kind == RECENT_SPACED ? -1 : b->size.recent);
        if (reverse ? e->frame >= frame : e->frame <= frame)
            select_pointer(out, e, frames_apart(e->frame, frame), reach);
    }
    if (rule->kind == RECENT_NEAREST)
        select_nearest(b, frame, sign, out);
    else if (rule->kind == RECENT_FIT)
        select_fit(b, frame, sign, reach, out);
    else
        select_spaced(b, frame, sign, out);
    if (!rule->fit_pointers)
        select_near_pointers(b, frame, sign, reach, out);
}

int bank_values(const membank *b, const bank_entry *e)
{
    const bank_rule *rule = &b->size.rule;
    if (rule->kind == RECENT_NEAREST)
        return 0;
    return rule->kind == RECENT_FIT ? is_tracked(e) && e->fit : is_spaced(e, rule->spacing);
}

int bank_wants(const membank *b, const bank_entry *e, int64_t frame, int pointers)
{
    const bank_rule *rule = &b->size.rule;
    int64_t sign = b->way == TRACKED_REVERSE ? 1 : -1, d = behind(e->frame, frame, sign);
    if (rule->kind == RECENT_NEAREST)
        return is_guarded(b, e, pointers ? b->size.recent_pointers : b->size.recent);
    if (rule->kind == RECENT_SPACED && (is_held_anchor(b, e, sign) || next_behind(b, frame, sign, 0, 1) == e))
        return 1;
    if (d <= 0 || !may_be_attended(b, e, sign, rule->spacing))
        return 0;
    int nearer = 0, most = pointers && rule->fit_pointers ? b->size.recent_pointers : b->size.recent;
    for (int i = 0; i < b->n_entries; i++) {
        int64_t other = behind(b->entry[i].frame, frame, sign);
        nearer += other > 0 && other < d && may_be_attended(b, &b->entry[i], sign, rule->spacing);
    }
    return nearer < most;
}
