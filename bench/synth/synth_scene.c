/* synth_scene.c - see synth_scene.h. */
#include "synth_scene.h"

#include <stdlib.h>

const char *const synth_difficulty_names[N_DIFFICULTIES] = {"easy", "medium", "hard"};

enum { TEXTURE_PX = 160, N_ATTEMPTS = 200, SHORT_CLIP = 8 };

/* Lengths in heights of the frame, speeds in heights a frame. */
typedef struct recipe {
    int n_objects, n_twins, n_others; /* annotated, of the first one's look, of a look of their own */
    int hides, leaves;                /* a board passes before the first; the last leaves and comes back */
    double least_radius, most_radius, speed, contrast, spread, liveliness;
    double growth, spin; /* of the radius, as a share; turns */
    double pan, zoom, roll, shutter, gain, side_light, noise;
    int jpeg_quality;
} recipe;

static const recipe recipes[N_DIFFICULTIES] = {[SYNTH_EASY] = {.n_objects = 1,
                                                               .n_others = 1,
                                                               .least_radius = 0.18,
                                                               .most_radius = 0.30,
                                                               .speed = 0.006,
                                                               .contrast = 0.55,
                                                               .spread = 0.15,
                                                               .liveliness = 0.5,
                                                               .growth = 0.05,
                                                               .spin = 0.02,
                                                               .pan = 0.02,
                                                               .zoom = 0.02,
                                                               .gain = 0.05,
                                                               .noise = 2.0,
                                                               .jpeg_quality = 92},
                                               [SYNTH_MEDIUM] = {.n_objects = 2,
                                                                 .n_twins = 1,
                                                                 .n_others = 1,
                                                                 .hides = 1,
                                                                 .least_radius = 0.15,
                                                                 .most_radius = 0.27,
                                                                 .speed = 0.011,
                                                                 .contrast = 0.42,
                                                                 .spread = 0.22,
                                                                 .liveliness = 1.0,
                                                                 .growth = 0.15,
                                                                 .spin = 0.06,
                                                                 .pan = 0.06,
                                                                 .zoom = 0.08,
                                                                 .roll = 0.01,
                                                                 .shutter = 0.3,
                                                                 .gain = 0.15,
                                                                 .side_light = 0.1,
                                                                 .noise = 4.0,
                                                                 .jpeg_quality = 80},
                                               [SYNTH_HARD] = {.n_objects = 2,
                                                               .n_twins = 2,
                                                               .n_others = 1,
                                                               .hides = 1,
                                                               .leaves = 1,
                                                               .least_radius = 0.12,
                                                               .most_radius = 0.24,
                                                               .speed = 0.018,
                                                               .contrast = 0.30,
                                                               .spread = 0.28,
                                                               .liveliness = 1.5,
                                                               .growth = 0.25,
                                                               .spin = 0.12,
                                                               .pan = 0.10,
                                                               .zoom = 0.14,
                                                               .roll = 0.03,
                                                               .shutter = 0.6,
                                                               .gain = 0.25,
                                                               .side_light = 0.2,
                                                               .noise = 6.0,
                                                               .jpeg_quality = 62}};

/* ---- movement ----------------------------------------------------------------------------------------------------- */

static double swing_at(const swing *s, double frame)
{
    return s->middle + s->amplitude * wave(s->phase + s->rate * frame);
}

/* At most `speed` a frame: 2 pi amplitude rate. */
static swing swing_pick(synth_rng *r, double middle, double amplitude, double speed)
{
    double turns = amplitude > 0.0 ? speed * rng_range(r, 0.5, 1.0) / (6.2832 * amplitude) : 0.0;
    return (swing){middle, amplitude, turns, rng_unit(r)};
}

/* A swing of `share` around `middle` that takes some 40 frames. */
static swing slow_swing(synth_rng *r, double middle, double share)
{
    return (swing){middle, share * rng_range(r, 0.4, 1.0), rng_range(r, 0.015, 0.035), rng_unit(r)};
}

/* 0 far from the stay outside, 1 in it, smooth between. */
static double away(const thing *t, double frame)
{
    if (t->leave_over <= 0.0)
        return 0.0;
    double d = (frame - t->leave_at) / t->leave_over;
    d = d < 0.0 ? -d : d;
    double x = clamp01(2.0 - 1.6 * d);
    return x * x * (3.0 - 2.0 * x);
}

static void place(const thing *t, double frame, placed *p)
{
    double turn = swing_at(&t->turn, frame);
    p->x = swing_at(&t->x, frame) + t->drift_x * frame + t->leave_x * away(t, frame);
    p->y = swing_at(&t->y, frame) + t->drift_y * frame;
    p->radius = swing_at(&t->radius, frame);
    p->cos_turn = wave(turn + 0.25);
    p->sin_turn = wave(turn);
    shape_pose(&t->outline, frame, &p->outline);
}

void scene_at(const scene *s, double frame, moment *out)
{
    double roll = swing_at(&s->roll, frame);
    for (int i = 0; i < s->n_things; i++)
        place(&s->things[i], frame, &out->things[i]);
    out->pan_x = swing_at(&s->pan_x, frame);
    out->pan_y = swing_at(&s->pan_y, frame);
    out->zoom = swing_at(&s->zoom, frame);
    out->cos_roll = wave(roll + 0.25);
    out->sin_roll = wave(roll);
    out->gain = swing_at(&s->gain, frame);
    out->side_light = swing_at(&s->side_light, frame);
}

void scene_unproject(const scene *s, const moment *m, double x_px, double y_px, double *x, double *y)
{
    double h = s->size.height, cx = 0.5 * s->size.width / h;
    double u = (x_px / h - cx) / m->zoom, v = (y_px / h - 0.5) / m->zoom;
    *x = cx + m->pan_x + m->cos_roll * u + m->sin_roll * v;
    *y = 0.5 + m->pan_y - m->sin_roll * u + m->cos_roll * v;
}

int scene_hit(const scene *s, const moment *m, double x, double y, double *u, double *v)
{
    for (int i = 0; i < s->n_things; i++) {
        const placed *p = &m->things[i];
        double dx = (x - p->x) / p->radius, dy = (y - p->y) / p->radius;
        if (dx * dx + dy * dy > 1.21)
            continue;
        *u = p->cos_turn * dx + p->sin_turn * dy;
        *v = p->cos_turn * dy - p->sin_turn * dx;
        if (pose_covers(&p->outline, *u, *v))
            return i;
    }
    return -1;
}

/* ---- arrangement -------------------------------------------------------------------------------------------------- */

static thing thing_pick(synth_rng *r, const recipe *c, const synth_size *size, int texture)
{
    double aspect = (double)size->width / size->height, radius = rng_range(r, c->least_radius, c->most_radius);
    thing t = {.outline = shape_pick(r, (shape_kind)rng_int(r, N_OBJECT_SHAPES), c->liveliness), .texture = texture};
    t.radius = slow_swing(r, radius, radius * c->growth);
    t.x = swing_pick(r, rng_range(r, 0.7 * radius, aspect - 0.7 * radius), rng_range(r, 0.05, 0.2), c->speed);
    t.y = swing_pick(r, rng_range(r, 0.7 * radius, 1.0 - 0.7 * radius), rng_range(r, 0.03, 0.15), c->speed);
    t.turn = slow_swing(r, rng_range(r, -0.1, 0.1), c->spin);
    return t;
}

/* The same look at another place, in another phase of its movement. */
static thing twin_of(const thing *one, synth_rng *r, const recipe *c, const synth_size *size)
{
    thing t = thing_pick(r, c, size, one->texture);
    double phase = t.outline.phase;
    t.outline = one->outline;
    t.outline.phase = phase;
    return t;
}

/* A board that is before `hidden` in the middle of the clip, and beside it at both ends. */
static thing board_before(const thing *hidden, synth_rng *r, const synth_size *size, int texture)
{
    double middle = size->n_frames * rng_range(r, 0.45, 0.6);
    placed p;
    place(hidden, middle, &p);
    double radius = p.radius * rng_range(r, 1.9, 2.3), way = p.radius * 2.6 + 0.45 * radius;
    thing t = {.outline = shape_pick(r, SHAPE_BOARD, 0.0), .texture = texture};
    t.radius = (swing){.middle = radius};
    t.drift_x = (rng_int(r, 2) ? 1.0 : -1.0) * way / (0.42 * size->n_frames);
    t.x = (swing){.middle = p.x - t.drift_x * middle};
    t.y = (swing){.middle = p.y};
    return t;
}

static int add_thing(scene *s, thing t)
{
    s->things[s->n_things] = t;
    return s->n_things++;
}

/* Nearest first: the board, annotated objects and others shuffled by their places in this list. */
static void arrange(scene *s, const recipe *c, synth_rng *r)
{
    const synth_size *size = &s->size;
    int n_frames = size->n_frames, long_enough = n_frames >= SHORT_CLIP, texture = 0;
    thing objects[MAX_ANNOTATED];
    for (int i = 0; i < c->n_objects; i++)
        objects[i] = thing_pick(r, c, size, texture++);
    if (c->leaves && long_enough) {
        thing *t = &objects[c->n_objects - 1];
        double aspect = (double)size->width / size->height, to_right = t->x.middle > 0.5 * aspect ? 1.0 : -1.0;
        t->leave_at = n_frames * rng_range(r, 0.5, 0.65);
        t->leave_over = n_frames * rng_range(r, 0.14, 0.2);
        t->leave_x = to_right * (0.5 * aspect + 2.2 * t->radius.middle + 0.2);
    }
    s->n_things = s->n_annotated = 0;
    if (c->hides && long_enough)
        add_thing(s, board_before(&objects[0], r, size, texture));
    texture++;
    for (int i = 0; i < c->n_objects; i++)
        s->annotated[s->n_annotated++] = add_thing(s, objects[i]);
    for (int i = 0; i < c->n_twins; i++)
        add_thing(s, twin_of(&objects[0], r, c, size));
    for (int i = 0; i < c->n_others; i++)
        add_thing(s, thing_pick(r, c, size, texture++));
}

/* Share of the first frame that each annotated object shows, on a coarse grid. */
static int is_well_shown(const scene *s)
{
    enum { GRID = 64 };
    int n[MAX_ANNOTATED] = {0};
    moment m;
    scene_at(s, 0.0, &m);
    for (int j = 0; j < GRID; j++) {
        for (int i = 0; i < GRID; i++) {
            double x, y, u, v;
            scene_unproject(s, &m, (i + 0.5) * s->size.width / GRID, (j + 0.5) * s->size.height / GRID, &x, &y);
            int hit = scene_hit(s, &m, x, y, &u, &v);
            for (int o = 0; o < s->n_annotated; o++)
                n[o] += hit == s->annotated[o];
        }
    }
    for (int o = 0; o < s->n_annotated; o++)
        if (n[o] < GRID * GRID / 80)
            return 0;
    return 1;
}

/* Not so near one another at first that neither is whole, unless nearer than chance could avoid. */
static int is_apart(const scene *s)
{
    moment m;
    scene_at(s, 0.0, &m);
    for (int i = 0; i < s->n_things; i++) {
        for (int j = 0; j < i; j++) {
            double dx = m.things[i].x - m.things[j].x, dy = m.things[i].y - m.things[j].y;
            double apart = 0.8 * (m.things[i].radius + m.things[j].radius);
            if (dx * dx + dy * dy < apart * apart)
                return 0;
        }
    }
    return 1;
}

static void pick_camera_and_light(scene *s, const recipe *c, synth_rng *r)
{
    s->pan_x = slow_swing(r, 0.0, c->pan);
    s->pan_y = slow_swing(r, 0.0, 0.7 * c->pan);
    s->zoom = slow_swing(r, 1.0, c->zoom);
    s->roll = slow_swing(r, 0.0, c->roll);
    s->gain = slow_swing(r, 1.0, c->gain);
    s->side_light = slow_swing(r, 0.0, c->side_light);
    for (int i = 0; i < 3; i++)
        s->tint[i] = rng_range(r, 1.0 - 0.4 * c->gain, 1.0 + 0.4 * c->gain);
    s->shutter = c->shutter;
    s->noise = c->noise;
    s->noise_seed = rng_seed(r);
    s->jpeg_quality = c->jpeg_quality;
}

/* Ground first; objects stand out from it, and the first of them from the others that are not its twins. */
static sam_status paint(scene *s, const recipe *c, synth_rng *r, sam_error *err)
{
    palette palettes[1 + MAX_THINGS];
    int n = c->n_objects + 1 + c->n_others;
    double unit = s->size.height, wide = s->size.width + 2.0 * s->ground_margin * unit;
    palettes[0] = palette_pick(r, NULL, 0, 0.0, 1.5 * c->spread);
    TRY(ground_draw(&s->ground, (int)wide, (int)(unit * (1.0 + 2.0 * s->ground_margin)), unit, &palettes[0], r, err));
    for (int i = 0; i < n; i++) {
        palettes[1 + i] = palette_pick(r, palettes, 1 + i, c->contrast, c->spread);
        TRY(texture_draw(&s->textures[i], TEXTURE_PX, &palettes[1 + i], r, err));
        s->n_textures++;
    }
    return SAM_OK;
}

sam_status scene_make(scene *s, synth_difficulty difficulty, const synth_size *size, uint64_t seed, uint64_t clip,
                      sam_error *err)
{
    const recipe *c = &recipes[difficulty];
    synth_rng r = rng_begin(seed, clip * N_DIFFICULTIES + (uint64_t)difficulty);
    int shown = 0;
    *s = (scene){.size = *size, .ground_margin = 0.3};
    pick_camera_and_light(s, c, &r);
    for (int attempt = 0; attempt < N_ATTEMPTS && !shown; attempt++) {
        arrange(s, c, &r);
        shown = is_well_shown(s) && (is_apart(s) || attempt > N_ATTEMPTS / 2);
    }
    if (!shown)
        return fail(err, SAM_E_ARG, "frames of %d x %d do not show every object; take another size or seed",
                    size->width, size->height);
    return paint(s, c, &r, err);
}

void scene_free(scene *s)
{
    for (int i = 0; i < MAX_THINGS; i++)
        free(s->textures[i].px);
    free(s->ground.px);
    *s = (scene){0};
}
