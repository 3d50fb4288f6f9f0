/* motion_filter.h - the Kalman filter on an object's box by which SAMURAI chooses among masks, as host and device run it.
 *
 * State: x and y of the centre, shape, h, with their velocities; one step is one frame. The shape is w / h as the public code
 * has it, or w as the paper does (by_width). Every matrix of the original (8 x 8) is four 2 x 2 blocks, one for each coordinate
 * and its velocity, because its initial covariance and its noise are diagonal. So three numbers of each block are all there is.
 * Boxes are x0, y0, x1, y1 in pixels of the network's input, maxima inclusive; an empty mask's is 0, 0, 0, 0.
 * Source: yangchris11/samurai sam2/sam2/utils/kalman_filter.py, modeling/sam2_base.py _forward_sam_heads; in float64 there, f32 here. */
#ifndef MOTION_FILTER_H
#define MOTION_FILTER_H

#ifdef __CUDACC__
#define MOTION_FN static __host__ __device__ __forceinline__
#else
#define MOTION_FN static inline
#endif

enum { FILTER_X, FILTER_Y, FILTER_SHAPE, FILTER_H, FILTER_COORDINATES };

/* [1, FILTER_FLOATS] f32 in a state. */
typedef struct motion_filter {
    float at[4], velocity[4];
    float at_var[4], covar[4], velocity_var[4]; /* of each coordinate and its velocity */
    float stable;                               /* frames since the start or a loss; 0: not started */
    float unused[3];
} motion_filter;
enum { FILTER_FLOATS = 24 };

/* What the policy fixes: [1, RULE_FLOATS] f32. */
typedef struct motion_rule {
    float weight;        /* of the filter's overlap beside the predicted IoU                    */
    float stable_frames; /* from so many on the filter has a say                                */
    float stable_iou;    /* a chosen mask's predicted IoU below this is a loss                  */
    float by_width;      /* 1: the shape is w (the paper), 0: w / h (the public code)           */
} motion_rule;
enum { RULE_FLOATS = 4 };

/* The first largest of v[0..2]; a NaN counts as the largest, as in torch.argmax. */
MOTION_FN int largest_of_three(const float *v)
{
    int best = 0;
    for (int k = 1; k < 3; k++)
        if (v[k] > v[best] || (v[k] != v[k] && v[best] == v[best]))
            best = k;
    return best;
}

/* xyxy_to_xyah: what the filter sees of a box. */
MOTION_FN void measure_box(const float *box, int by_width, float *z)
{
    float w = box[2] - box[0], h = box[3] - box[1];
    h = h == 0.0f ? 1.0f : h;
    z[FILTER_X] = (box[0] + box[2]) / 2.0f;
    z[FILTER_Y] = (box[1] + box[3]) / 2.0f;
    z[FILTER_SHAPE] = by_width ? w : w / h;
    z[FILTER_H] = h;
}

/* Standard deviation of coordinate k: a share of the height, or `of_ratio` for w / h. */
MOTION_FN float filter_std(int k, int by_width, float share, float h, float of_ratio)
{
    return k == FILTER_SHAPE && !by_width ? of_ratio : share * h;
}

static const float POSITION_SHARE = 1.0f / 20.0f, VELOCITY_SHARE = 1.0f / 160.0f;

/* initiate */
MOTION_FN void filter_start(motion_filter *f, const float *z, int by_width)
{
    for (int k = 0; k < FILTER_COORDINATES; k++) {
        float at = filter_std(k, by_width, 2.0f * POSITION_SHARE, z[FILTER_H], 1e-2f);
        float velocity = filter_std(k, by_width, 10.0f * VELOCITY_SHARE, z[FILTER_H], 1e-5f);
        f->at[k] = z[k];
        f->velocity[k] = f->covar[k] = 0.0f;
        f->at_var[k] = at * at;
        f->velocity_var[k] = velocity * velocity;
    }
}

/* predict */
MOTION_FN void filter_predict(motion_filter *f, int by_width)
{
    float h = f->at[FILTER_H];
    for (int k = 0; k < FILTER_COORDINATES; k++) {
        float at = filter_std(k, by_width, POSITION_SHARE, h, 1e-2f);
        float velocity = filter_std(k, by_width, VELOCITY_SHARE, h, 1e-5f);
        f->at[k] += f->velocity[k];
        f->at_var[k] += 2.0f * f->covar[k] + f->velocity_var[k] + at * at;
        f->covar[k] += f->velocity_var[k];
        f->velocity_var[k] += velocity * velocity;
    }
}

/* project and update */
MOTION_FN void filter_update(motion_filter *f, const float *z, int by_width)
{
    float h = f->at[FILTER_H];
    for (int k = 0; k < FILTER_COORDINATES; k++) {
        float noise = filter_std(k, by_width, POSITION_SHARE, h, 1e-1f);
        float innovation = z[k] - f->at[k], var = f->at_var[k] + noise * noise;
        float gain = f->at_var[k] / var, velocity_gain = f->covar[k] / var;
        f->at[k] += gain * innovation;
        f->velocity[k] += velocity_gain * innovation;
        f->velocity_var[k] -= velocity_gain * f->covar[k];
        f->covar[k] -= gain * f->covar[k];
        f->at_var[k] -= gain * f->at_var[k];
    }
}

/* compute_iou of the filter's box and a mask's; areas without the inclusive pixel, 0 for an empty mask. */
MOTION_FN float filter_overlap(const motion_filter *f, int by_width, const float *box)
{
    float h = f->at[FILTER_H], w = by_width ? f->at[FILTER_SHAPE] : f->at[FILTER_SHAPE] * h;
    float x0 = f->at[FILTER_X] - w / 2.0f, x1 = f->at[FILTER_X] + w / 2.0f;
    float y0 = f->at[FILTER_Y] - h / 2.0f, y1 = f->at[FILTER_Y] + h / 2.0f;
    float across = (x1 < box[2] ? x1 : box[2]) - (x0 > box[0] ? x0 : box[0]);
    float down = (y1 < box[3] ? y1 : box[3]) - (y0 > box[1] ? y0 : box[1]);
    float both = (across > 0.0f ? across : 0.0f) * (down > 0.0f ? down : 0.0f);
    float all = (x1 - x0) * (y1 - y0) + (box[2] - box[0]) * (box[3] - box[1]) - both;
    if (box[0] == 0.0f && box[1] == 0.0f && box[2] == 0.0f && box[3] == 0.0f)
        return 0.0f;
    return all != 0.0f ? both / all : 0.0f;
}

/* One frame: which of the three masks with these boxes [3, 4] and predicted IoUs [3] is the answer; 0 to 2. *motion: the
 * chosen one's overlap with the filter's box, or 1 where the filter had no say. */
MOTION_FN int filter_step(motion_filter *f, const motion_rule *r, const float *boxes, const float *ious, float *motion)
{
    int by_width = r->by_width != 0.0f, chosen;
    float z[FILTER_COORDINATES], overlap[3], weighted[3];
    *motion = 1.0f;
    if (f->stable == 0.0f) {
        chosen = largest_of_three(ious);
        measure_box(boxes + 4 * chosen, by_width, z);
        filter_start(f, z, by_width);
        f->stable = 1.0f;
        return chosen;
    }
    int judges = f->stable >= r->stable_frames;
    filter_predict(f, by_width);
    for (int k = 0; k < 3; k++) {
        overlap[k] = filter_overlap(f, by_width, boxes + 4 * k);
        weighted[k] = r->weight * overlap[k] + (1.0f - r->weight) * ious[k];
    }
    chosen = largest_of_three(judges ? weighted : ious);
    if (judges)
        *motion = overlap[chosen];
    /* The public code says > before the filter has a say and >= after. */
    if (judges ? ious[chosen] < r->stable_iou : !(ious[chosen] > r->stable_iou)) {
        f->stable = 0.0f;
        return chosen;
    }
    measure_box(boxes + 4 * chosen, by_width, z);
    filter_update(f, z, by_width);
    f->stable += judges ? 0.0f : 1.0f;
    return chosen;
}

#endif
