/* synth_shape.c - see synth_shape.h. */
#include "synth_shape.h"

#include <string.h>

static double cosine(double turns)
{
    return wave(turns + 0.25);
}

shape shape_pick(synth_rng *r, shape_kind kind, double liveliness)
{
    shape s = {.kind = kind, .rate = rng_range(r, 0.02, 0.05) * liveliness, .phase = rng_unit(r)};
    s.n_parts = kind == SHAPE_STAR ? 4 + rng_int(r, 6) : kind == SHAPE_FLOWER ? 4 + rng_int(r, 4) : 9;
    s.amount = liveliness * rng_range(r, 0.4, 1.0);
    s.amount = s.amount > 1.0 ? 1.0 : s.amount;
    for (int i = 0; i < 16; i++)
        s.proportions[i] = rng_unit(r);
    return s;
}

static void add(pose *p, double x0, double y0, double x1, double y1, double radius)
{
    p->capsules[p->n_capsules++] = (capsule){x0, y0, x1, y1, radius};
}

/* Spikes whose tips and valleys breathe. */
static void star(const shape *s, double turn, pose *p)
{
    p->n_vertices = 2 * s->n_parts;
    for (int i = 0; i < p->n_vertices; i++) {
        double own = s->proportions[i % 16], angle = ((double)i + 0.5 * own) / p->n_vertices;
        double radius = i & 1 ? 0.45 + 0.2 * own : 0.75 + 0.15 * own;
        radius *= 1.0 + 0.1 * s->amount * wave(turn + own);
        p->x[i] = radius * cosine(angle);
        p->y[i] = radius * wave(angle);
    }
}

/* Two links that bend; angles in turns, 0 is down. */
static void limb(pose *p, double x, double y, double upper, double lower, double length, double radius)
{
    double kx = x + length * wave(upper), ky = y + length * cosine(upper);
    add(p, x, y, kx, ky, radius);
    add(p, kx, ky, kx + length * wave(lower), ky + length * cosine(lower), 0.85 * radius);
}

static void figure(const shape *s, double turn, pose *p)
{
    double wide = 0.11 + 0.08 * s->proportions[0], swing = 0.11 * s->amount, thick = 0.07 + 0.04 * s->proportions[1];
    double step = wave(turn), hip = 0.10 + 0.1 * s->proportions[2], shoulder = -0.32;
    add(p, 0.0, shoulder, 0.0, hip, wide + 0.06);
    add(p, 0.03 * step, -0.66, 0.03 * step, -0.62, 0.17 + 0.06 * s->proportions[3]);
    limb(p, -wide, hip, swing * step, swing * step - 0.04, 0.34, thick + 0.02);
    limb(p, wide, hip, -swing * step, -swing * step - 0.04, 0.34, thick + 0.02);
    limb(p, -wide - 0.04, shoulder, -0.10 - swing * step, -0.14 - 0.5 * swing * step, 0.28, thick);
    limb(p, wide + 0.04, shoulder, 0.10 - swing * step, 0.14 + 0.5 * swing * step, 0.28, thick);
}

static void worm(const shape *s, double turn, pose *p)
{
    double px = -0.8, py = 0.0;
    for (int i = 0; i < s->n_parts; i++) {
        double along = (double)i / (s->n_parts - 1), x = -0.8 + 1.5 * along;
        double y = (0.18 + 0.14 * s->proportions[0]) * wave(turn - 0.8 * along) * (0.4 + 0.6 * s->amount);
        double radius = 0.12 + 0.1 * s->proportions[1] * (1.0 - along) + 0.06 * (along > 0.9);
        add(p, i ? px : x, i ? py : y, x, y, radius);
        px = x;
        py = y;
    }
}

static void crescent(const shape *s, double turn, pose *p)
{
    double open = 0.1 * s->amount * wave(turn);
    add(p, 0.0, 0.0, 0.0, 0.0, 0.92);
    p->has_hole = 1;
    p->hole = (capsule){0.45 + 0.25 * s->proportions[0] + open, 0.0, 0.9, 0.0, 0.45 + 0.15 * s->proportions[1]};
}

static void flower(const shape *s, double turn, pose *p)
{
    add(p, 0.0, 0.0, 0.0, 0.0, 0.28 + 0.1 * s->proportions[0]);
    for (int i = 0; i < s->n_parts; i++) {
        double own = s->proportions[1 + i], angle = ((double)i + 0.3 * own) / s->n_parts;
        double length = (0.55 + 0.15 * own) * (1.0 + 0.15 * s->amount * wave(turn + own));
        angle += 0.03 * s->amount * wave(turn + 0.5 * own);
        add(p, 0.2 * cosine(angle), 0.2 * wave(angle), length * cosine(angle), length * wave(angle), 0.13 + 0.06 * own);
    }
}

static void board(const shape *s, pose *p)
{
    double half = 0.30 + 0.15 * s->proportions[0], lean = 0.2 * (s->proportions[1] - 0.5);
    const double x[] = {-half - lean, half - lean, half + lean, -half + lean}, y[] = {-0.88, -0.88, 0.88, 0.88};
    p->n_vertices = 4;
    memcpy(p->x, x, sizeof x);
    memcpy(p->y, y, sizeof y);
}

void shape_pose(const shape *s, double frame, pose *out)
{
    double turn = s->phase + s->rate * frame;
    *out = (pose){0};
    switch (s->kind) {
    case SHAPE_STAR:
        star(s, turn, out);
        break;
    case SHAPE_FIGURE:
        figure(s, turn, out);
        break;
    case SHAPE_WORM:
        worm(s, turn, out);
        break;
    case SHAPE_CRESCENT:
        crescent(s, turn, out);
        break;
    case SHAPE_FLOWER:
        flower(s, turn, out);
        break;
    case SHAPE_BOARD:
        board(s, out);
        break;
    }
}

static int in_capsule(const capsule *c, double x, double y)
{
    double ax = c->x1 - c->x0, ay = c->y1 - c->y0, px = x - c->x0, py = y - c->y0, length2 = ax * ax + ay * ay;
    double t = length2 > 0.0 ? clamp01((px * ax + py * ay) / length2) : 0.0;
    px -= t * ax;
    py -= t * ay;
    return px * px + py * py <= c->radius * c->radius;
}

/* Crossings of a ray to the right. */
static int in_polygon(const pose *p, double x, double y)
{
    int inside = 0;
    for (int i = 0, j = p->n_vertices - 1; i < p->n_vertices; j = i++)
        if ((p->y[i] > y) != (p->y[j] > y) && x < p->x[i] + (p->x[j] - p->x[i]) * (y - p->y[i]) / (p->y[j] - p->y[i]))
            inside = !inside;
    return inside;
}

int pose_covers(const pose *p, double x, double y)
{
    int covers = p->n_vertices && in_polygon(p, x, y);
    for (int i = 0; i < p->n_capsules && !covers; i++)
        covers = in_capsule(&p->capsules[i], x, y);
    return covers && !(p->has_hole && in_capsule(&p->hole, x, y));
}
