/* The automatic mask generator: segment_anything and sam2, automatic_mask_generator.py, _process_crop and _process_batch. A batch is
 * decoded; masks of low predicted quality go before they are enlarged; the others are enlarged, cut and counted where the logits
 * are, and of those only the stable ones come to the host, where they are kept as runs. */
#include "amg.h"

#include "image_decode.h"
#include "mask_nms.h"
#include "mask_regions.h"
#include "result_check.h"
#include "steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ------------------------------------------------------------------------------------------------------ */

/* 0 is the default, below 0 is 0. */
static double given(double v, double standard)
{
    return v == 0 ? standard : v < 0 ? 0 : v;
}

static sam_status within(const char *name, double v, double least, double most, sam_error *err)
{
    if (v >= least && v <= most)
        return SAM_OK;
    return fail(err, SAM_E_ARG, "%s %g: expected %g to %g", name, v, least, most);
}

static sam_status check_family(const sam_model *m, const sam_amg_options *o, sam_error *err)
{
    const char *what = o->use_m2m ? "use_m2m" : o->single_mask ? "single_mask" : "mask_threshold";
    if (m->p->generator.fixed && (o->use_m2m || o->single_mask || o->mask_threshold != 0))
        return fail(err, SAM_E_ARG, "%s: the mask generator of %s has no %s; that of SAM 2 has", what, m->title, what);
    return SAM_OK;
}

static sam_status fill_options(const sam_model *m, const sam_amg_options *opt, sam_amg_options *o, sam_error *err)
{
    *o = *opt;
    o->points_per_side = o->points_per_side ? o->points_per_side : 32;
    o->points_per_batch = o->points_per_batch ? o->points_per_batch : 64;
    o->pred_iou_thresh = given(o->pred_iou_thresh, m->p->generator.pred_iou_thresh);
    o->stability_score_thresh = given(o->stability_score_thresh, 0.95);
    o->stability_score_offset = o->stability_score_offset == 0 ? 1 : o->stability_score_offset;
    o->box_nms_thresh = given(o->box_nms_thresh, 0.7);
    o->crop_nms_thresh = given(o->crop_nms_thresh, 0.7);
    o->crop_overlap_ratio = given(o->crop_overlap_ratio, 512.0 / 1500);
    o->crop_n_points_downscale_factor = o->crop_n_points_downscale_factor ? o->crop_n_points_downscale_factor : 1;
    TRY(within("points_per_side", o->points_per_side, 1, AMG_MOST_POINTS, err));
    TRY(within("points_per_batch", o->points_per_batch, 1, SESSION_OBJECTS, err));
    TRY(within("pred_iou_thresh", o->pred_iou_thresh, 0, 1e6, err)); /* SAM v1's is not limited to 1 */
    TRY(within("stability_score_thresh", o->stability_score_thresh, 0, 1, err));
    TRY(within("stability_score_offset", o->stability_score_offset, 1e-6, 1e6, err));
    TRY(within("mask_threshold", o->mask_threshold, -1e6, 1e6, err));
    TRY(within("box_nms_thresh", o->box_nms_thresh, 0, 1, err));
    TRY(within("crop_nms_thresh", o->crop_nms_thresh, 0, 1, err));
    TRY(within("crop_n_layers", o->crop_n_layers, 0, AMG_MOST_LAYERS, err));
    TRY(within("crop_overlap_ratio", o->crop_overlap_ratio, 0, 0.99, err));
    TRY(within("crop_n_points_downscale_factor", o->crop_n_points_downscale_factor, 1, AMG_MOST_POINTS, err));
    TRY(within("min_mask_region_area", o->min_mask_region_area, 0, INT32_MAX, err));
    if (!amg_points_of_layer(o->points_per_side, o->crop_n_points_downscale_factor, o->crop_n_layers))
        return fail(err, SAM_E_ARG,
                    "points_per_side %d: nothing is left for crop layer %d, whose points are %d^%d times fewer a side",
                    o->points_per_side, o->crop_n_layers, o->crop_n_points_downscale_factor, o->crop_n_layers);
    return check_family(m, o, err);
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

static int finished_area(const sam_amg *g)
{
    return g->s->m->p->generator.cleans_finished_masks ? g->o.min_mask_region_area : 0;
}

/* Crops of one size share pictures. */
static sam_status open_sources(sam_amg *g, sam_error *err)
{
    sam_session *s = g->s;
    sam_stats stats;
    g->sources[0] = session_own_source(s);
    g->n_sources = 1;
    for (int i = 0; i < g->n_crops; i++) {
        const amg_crop *c = &g->crops[i];
        int w = c->x1 - c->x0, h = c->y1 - c->y0, k = 0;
        while (k < g->n_sources && (g->sources[k].width_px != w || g->sources[k].height_px != h))
            k++;
        g->source_of[i] = k;
        if (k == g->n_sources)
            g->more_bytes += session_plan_source(s, w, h, &g->sources[g->n_sources++]);
    }
    TRY(sam_get_stats(s, &stats, err));
    size_t total = sam_stats_bytes(&stats) + g->more_bytes;
    if (g->o.mem_limit && total > g->o.mem_limit)
        return fail(
            err, SAM_E_MEMORY,
            "the mask generator needs %zu MiB (%zu of them for crops), the limit is %zu MiB; fewer points at once, a "
            "smaller image size or fewer crop layers would fit",
            total >> 20, g->more_bytes >> 20, g->o.mem_limit >> 20);
    for (int k = 1; k < g->n_sources; k++)
        TRY(session_open_source(s, &g->sources[k], err));
    return SAM_OK;
}

static sam_status take(void **to, size_t bytes, sam_error *err)
{
    *to = calloc(1, bytes + 1);
    return *to ? SAM_OK : fail(err, SAM_E_MEMORY, "no memory for the mask generator (%zu MiB)", bytes >> 20);
}

static sam_status open_generator(sam_amg *g, sam_model *m, sam_error *err)
{
    const sam_amg_options *o = &g->o;
    size_t n = (size_t)o->points_per_batch, n_px = (size_t)o->width_px * (size_t)o->height_px;
    int of_logits = m->p->generator.cleans_finished_masks ? 0 : o->min_mask_region_area;
    const sam_session_options session = {.width_px = o->width_px,
                                         .height_px = o->height_px,
                                         .mode = SAM_IMAGE,
                                         .max_objects = o->points_per_batch,
                                         .fill_hole_area = of_logits,
                                         .remove_speck_area = of_logits,
                                         .no_recording = 1, /* pictures change from crop to crop */
                                         .mem_limit = o->mem_limit};
    TRY(sam_session_open(m, &session, &g->s, err));
    TRY(amg_crops(o->width_px, o->height_px, o->crop_n_layers, o->crop_overlap_ratio, &g->crops, &g->n_crops, err));
    for (int i = 0; i < g->n_crops; i++) {
        int side = amg_points_of_layer(o->points_per_side, o->crop_n_points_downscale_factor, g->crops[i].layer);
        g->n_points += side * side;
    }
    TRY(take((void **)&g->sources, (size_t)g->n_crops * sizeof *g->sources, err));
    TRY(take((void **)&g->source_of, (size_t)g->n_crops * sizeof *g->source_of, err));
    TRY(open_sources(g, err));
    TRY(take((void **)&g->points, n * sizeof *g->points, err));
    TRY(take((void **)&g->sets, n * sizeof *g->sets, err));
    TRY(take((void **)&g->refined, n * sizeof *g->refined, err));
    TRY(take((void **)&g->candidates, IMAGE_MASKS * n * sizeof *g->candidates, err));
    TRY(take((void **)&g->planes, IMAGE_MASKS * n * sizeof *g->planes, err));
    TRY(take((void **)&g->picks, IMAGE_MASKS * n * sizeof *g->picks, err));
    if (finished_area(g)) {
        TRY(take((void **)&g->pixels, n_px, err));
        TRY(take((void **)&g->cleaned, packed_mask_bytes(o->width_px, o->height_px), err));
        TRY(take(&g->regions, mask_regions_bytes(o->height_px, o->width_px), err));
    }
    return SAM_OK;
}

sam_status sam_amg_open(sam_model *m, const sam_amg_options *opt, sam_amg **out, sam_error *err)
{
    sam_amg_options o;
    if (!out)
        return fail(err, SAM_E_ARG, "sam_amg_open: nowhere to put the generator");
    *out = NULL;
    if (!m || !opt)
        return fail(err, SAM_E_ARG, "sam_amg_open: no %s", m ? "options; the image size is required" : "model");
    TRY(fill_options(m, opt, &o, err));
    for (;; o.points_per_batch /= 2) {
        sam_amg *g = calloc(1, sizeof *g);
        if (!g)
            return fail(err, SAM_E_MEMORY, "no memory for a mask generator");
        g->o = o;
        sam_status status = open_generator(g, m, err);
        if (status == SAM_OK) {
            *out = g;
            return SAM_OK;
        }
        sam_amg_close(g);
        if (status != SAM_E_MEMORY || o.points_per_batch == 1)
            return status;
    }
}

static void forget_found(sam_amg *g)
{
    for (int i = 0; i < g->n_found; i++)
        free(g->found[i].runs.runs);
    g->n_found = 0;
}

void sam_amg_close(sam_amg *g)
{
    if (!g)
        return;
    forget_found(g);
    for (int k = 1; k < g->n_sources; k++)
        session_close_source(g->s, &g->sources[k]);
    if (g->n_sources)
        session_use_source(g->s, &g->sources[0]);
    sam_session_close(g->s);
    free(g->crops);
    free(g->sources);
    free(g->source_of);
    free(g->points);
    free(g->sets);
    free(g->refined);
    free(g->candidates);
    free((void *)g->planes);
    free(g->picks);
    free(g->pixels);
    free(g->cleaned);
    free(g->regions);
    free(g->found);
    free(g->result);
    free(g);
}

/* ---- a batch ------------------------------------------------------------------------------------------------------ */

/* A mask at the edge of a crop is cut off there, unless the image ends there, too: is_box_near_crop_edge. */
static int near_crop_edge(const sam_amg *g, const amg_crop *c, const int32_t box[4])
{
    enum { NEAR_PX = 20 };
    const int crop[4] = {c->x0, c->y0, c->x1, c->y1}, image[4] = {0, 0, g->o.width_px, g->o.height_px};
    for (int i = 0; i < 4; i++)
        if (abs(box[i] - crop[i]) <= NEAR_PX && abs(box[i] - image[i]) > NEAR_PX)
            return 1;
    return 0;
}

/* batched_mask_to_box, in the image: of an empty mask the crop's corner. */
static void box_in_image(const packed_mask *m, const amg_crop *c, int32_t box[4])
{
    for (int i = 0; i < 4; i++)
        box[i] = (m->area ? m->box[i] : 0) + (i % 2 ? c->y0 : c->x0);
}

static sam_status add_found(sam_amg *g, const found_mask *f, sam_error *err)
{
    if (g->n_found == g->capacity) {
        int capacity = g->capacity ? 2 * g->capacity : 256;
        found_mask *found = realloc(g->found, (size_t)capacity * sizeof *found);
        if (!found)
            return fail(err, SAM_E_MEMORY, "no memory for more than %d masks", g->n_found);
        g->found = found;
        g->capacity = capacity;
    }
    g->found[g->n_found++] = *f;
    return SAM_OK;
}

static sam_status keep_mask(sam_amg *g, int crop, const amg_candidate *a, const packed_mask *m, sam_error *err)
{
    const amg_crop *c = &g->crops[crop];
    found_mask f = {.crop = crop, .iou = a->iou, .stability = a->stability};
    f.x = a->x + (float)c->x0;
    f.y = a->y + (float)c->y0;
    f.area = m->area;
    box_in_image(m, c, f.box);
    TRY(mask_runs_of(m, c->x1 - c->x0, c->x0, c->y0, g->o.width_px, g->o.height_px, &f.runs, err));
    sam_status status = add_found(g, &f, err);
    if (status != SAM_OK)
        free(f.runs.runs);
    return status;
}

/* Those that are stable and whole: g->picks. */
static int pick(sam_amg *g, int crop, int n)
{
    const sam_session *s = g->s;
    float thresh = (float)g->o.stability_score_thresh;
    int32_t box[4];
    int n_picks = 0;
    for (int i = 0; i < n; i++) {
        const packed_mask *m = s->image_masks[i];
        float stability = (float)m->above_high / (float)m->above_low; /* 0 / 0 reaches no threshold */
        g->candidates[i].stability = stability;
        box_in_image(m, &g->crops[crop], box);
        if ((thresh <= 0 || stability >= thresh) && !near_crop_edge(g, &g->crops[crop], box))
            g->picks[n_picks++] = i;
    }
    return n_picks;
}

/* The decoder has run for n sets, whose scores are here: what is good enough is enlarged, and kept if it is good then. */
static sam_status keep_good(sam_amg *g, int crop, const sam_prompt_set *sets, int n, sam_error *err)
{
    sam_session *s = g->s;
    double t = g->o.mask_threshold, offset = g->o.stability_score_offset;
    const mask_levels levels = {(float)(t - offset), (float)t, (float)(t + offset)};
    float thresh = (float)g->o.pred_iou_thresh;
    int count = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n_masks_of(&sets[i]); k++) {
            float iou = predicted_iou(s, i, &sets[i], k);
            TRY(check_values(s, "the predicted qualities are", &iou, 1, err));
            if (thresh > 0 && !(iou > thresh))
                continue;
            g->candidates[count] = (amg_candidate){sets[i].points->x_px, sets[i].points->y_px, iou, 0};
            g->planes[count++] = first_logits(s, i, &sets[i]) + (size_t)k * low_res_count(s);
        }
    if (!count)
        return SAM_OK;
    TRY(mark(s, s->stream, MARK_SHOW, err));
    TRY(device_status(s, "masks", s->b->api->screen(s->pictures, s->stream, g->planes, count, &levels, s->image_masks),
                      err));
    TRY(mark(s, s->stream, MARK_SHOWN, err));
    TRY(wait_for_all(s, "masks", err));
    int n_picks = pick(g, crop, count);
    if (n_picks) {
        TRY(device_status(s, "masks", s->b->api->bring(s->pictures, s->stream, g->picks, n_picks, s->image_masks),
                          err));
        TRY(wait_for_all(s, "masks", err));
    }
    for (int i = 0; i < n_picks; i++)
        TRY(keep_mask(g, crop, &g->candidates[g->picks[i]], s->image_masks[g->picks[i]], err));
    return SAM_OK;
}

static sam_status decode_and_keep(sam_amg *g, int crop, const sam_prompt_set *sets, int n, sam_error *err)
{
    TRY(decode_sets(g->s, sets, n, err));
    TRY(read_ious(g->s, n, err));
    TRY(wait_for_all(g->s, "masks", err));
    return keep_good(g, crop, sets, n, err);
}

/* refine_with_m2m: every mask of the n sets is a prompt beside its point; its one answer takes its place. */
static sam_status refine_and_keep(sam_amg *g, int crop, int n, sam_error *err)
{
    sam_session *s = g->s;
    int per_set = n_masks_of(&g->sets[0]), batch = g->o.points_per_batch;
    TRY(decode_sets(s, g->sets, n, err));
    TRY(read_sets(s, g->sets, n, err));
    for (int first = 0; first < n * per_set; first += batch) {
        int count = n * per_set - first < batch ? n * per_set - first : batch;
        for (int i = 0; i < count; i++) {
            int set = (first + i) / per_set, k = (first + i) % per_set;
            size_t plane = (size_t)(IMAGE_MASKS * set + k);
            g->refined[i] = (sam_prompt_set){.points = &g->points[set],
                                             .n_points = 1,
                                             .logits = s->plane + plane * low_res_count(s),
                                             .single_mask = 1};
        }
        TRY(decode_and_keep(g, crop, g->refined, count, err));
    }
    return SAM_OK;
}

/* Points first .. first + n - 1 of a crop's grid. */
static sam_status run_batch(sam_amg *g, int crop, int side, int first, int n, sam_error *err)
{
    const amg_crop *c = &g->crops[crop];
    for (int i = 0; i < n; i++) {
        g->points[i] = (sam_point){.x_px = (float)(amg_grid(side, (first + i) % side) * (c->x1 - c->x0)),
                                   .y_px = (float)(amg_grid(side, (first + i) / side) * (c->y1 - c->y0)),
                                   .label = 1};
        g->sets[i] = (sam_prompt_set){.points = &g->points[i], .n_points = 1, .single_mask = g->o.single_mask};
    }
    return g->o.use_m2m ? refine_and_keep(g, crop, n, err) : decode_and_keep(g, crop, g->sets, n, err);
}

/* ---- an image ----------------------------------------------------------------------------------------------------- */

/* Of g->found from `first` on, those that NMS by score_of keeps, in its order. */
static sam_status suppress(sam_amg *g, int first, float (*score_of)(const sam_amg *, const found_mask *),
                           double threshold, sam_error *err)
{
    int n = g->n_found - first, n_kept = 0;
    nms_box *boxes = malloc(((size_t)n + 1) * sizeof *boxes);
    int *kept = malloc(((size_t)n + 1) * sizeof *kept);
    found_mask *found = malloc(((size_t)n + 1) * sizeof *found);
    sam_status status = boxes && kept && found ? SAM_OK : fail(err, SAM_E_MEMORY, "no memory to compare %d masks", n);
    for (int i = 0; i < n && status == SAM_OK; i++) {
        found[i] = g->found[first + i];
        const int32_t *b = found[i].box;
        boxes[i] = (nms_box){(float)b[0], (float)b[1], (float)b[2], (float)b[3], score_of(g, &found[i])};
    }
    if (status == SAM_OK)
        status = mask_nms(boxes, n, threshold, kept, &n_kept, err);
    if (status == SAM_OK) {
        for (int i = 0; i < n_kept; i++) {
            g->found[first + i] = found[kept[i]];
            found[kept[i]].runs.runs = NULL;
        }
        for (int i = 0; i < n; i++)
            free(found[i].runs.runs);
        g->n_found = first + n_kept;
    }
    free(boxes);
    free(kept);
    free(found);
    return status;
}

static float quality(const sam_amg *g, const found_mask *f)
{
    (void)g;
    return f->iou;
}

static float small_crop(const sam_amg *g, const found_mask *f)
{
    const amg_crop *c = &g->crops[f->crop];
    return 1 / (float)((int64_t)(c->x1 - c->x0) * (c->y1 - c->y0));
}

static float unchanged(const sam_amg *g, const found_mask *f)
{
    (void)g;
    return !f->changed;
}

static sam_status run_crop(sam_amg *g, int crop, const sam_frame *image, int *n_done, sam_error *err)
{
    const amg_crop *c = &g->crops[crop];
    int side = amg_points_of_layer(g->o.points_per_side, g->o.crop_n_points_downscale_factor, c->layer);
    int first_found = g->n_found, n = side * side;
    const sam_frame cut = {.rgb = image->rgb + (size_t)c->y0 * image->row_bytes + 3 * (size_t)c->x0,
                           .row_bytes = image->row_bytes};
    session_use_source(g->s, &g->sources[g->source_of[crop]]);
    TRY(sam_push_frame(g->s, &cut, err));
    for (int first = 0; first < n; first += g->o.points_per_batch) {
        int count = n - first < g->o.points_per_batch ? n - first : g->o.points_per_batch;
        TRY(run_batch(g, crop, side, first, count, err));
        *n_done += count;
        if (g->o.progress && g->o.progress(g->o.user, *n_done, g->n_points))
            return fail(err, SAM_E_STATE, "stopped after %d of %d points", *n_done, g->n_points);
    }
    return suppress(g, first_found, quality, g->o.box_nms_thresh, err);
}

/* postprocess_small_regions: masks that were cleaned give way to those that were not. */
static sam_status clean_finished(sam_amg *g, sam_error *err)
{
    int w = g->o.width_px, h = g->o.height_px;
    double thresh = fmax(g->o.box_nms_thresh, g->o.crop_nms_thresh);
    const amg_crop *image = &g->crops[0];
    for (int i = 0; i < g->n_found; i++) {
        found_mask *f = &g->found[i];
        mask_runs_paint(f->runs.runs, f->runs.n, w, h, g->pixels, (size_t)w);
        f->changed = mask_regions_clean(g->pixels, h, w, finished_area(g), g->regions);
        if (!f->changed)
            continue;
        for (size_t y = 0; y < (size_t)h; y++)
            mask_pack(g->pixels + y * (size_t)w, (size_t)w, 0, mask_rows(g->cleaned) + y * mask_row_words(w));
        packed_mask_measure(g->cleaned, w, h);
        free(f->runs.runs);
        f->runs.runs = NULL;
        TRY(mask_runs_of(g->cleaned, w, 0, 0, w, h, &f->runs, err));
        box_in_image(g->cleaned, image, f->box);
        f->area = g->cleaned->area;
    }
    return suppress(g, 0, unchanged, thresh, err);
}

static sam_rect rect_of(int x0, int y0, int x1, int y1)
{
    return (sam_rect){x0, y0, x1 - x0, y1 - y0};
}

static sam_status make_result(sam_amg *g, sam_amg_result *out, sam_error *err)
{
    sam_amg_mask *result = realloc(g->result, ((size_t)g->n_found + 1) * sizeof *result);
    if (!result)
        return fail(err, SAM_E_MEMORY, "no memory for %d masks", g->n_found);
    g->result = result;
    for (int i = 0; i < g->n_found; i++) {
        const found_mask *f = &g->found[i];
        const amg_crop *c = &g->crops[f->crop];
        result[i] = (sam_amg_mask){.runs = f->runs.runs,
                                   .n_runs = f->runs.n,
                                   .area_px = f->area,
                                   .bbox = rect_of(f->box[0], f->box[1], f->box[2], f->box[3]),
                                   .crop_box = rect_of(c->x0, c->y0, c->x1, c->y1),
                                   .predicted_iou = f->iou,
                                   .stability_score = f->stability,
                                   .x_px = f->x,
                                   .y_px = f->y};
    }
    *out = (sam_amg_result){result, g->n_found, g->o.width_px, g->o.height_px};
    return SAM_OK;
}

static sam_status check_image(const sam_amg *g, const sam_frame *image, sam_error *err)
{
    int w = g->o.width_px, h = g->o.height_px;
    if (!image || image->format != SAM_RGB24 || !image->rgb || image->row_bytes < 3 * (size_t)w)
        return fail(err, SAM_E_ARG, "sam_amg_generate: expected %d x %d RGB pixels, rows of at least %zu bytes", w, h,
                    3 * (size_t)w);
    return SAM_OK;
}

sam_status sam_amg_generate(sam_amg *g, const sam_frame *image, sam_amg_result *out, sam_error *err)
{
    int n_done = 0;
    if (!g || !out)
        return fail(err, SAM_E_ARG, "sam_amg_generate: no %s", g ? "place for the result" : "generator");
    TRY(check_session(g->s, SAM_IMAGE, "sam_amg_generate", err));
    TRY(check_image(g, image, err));
    forget_found(g);
    for (int crop = 0; crop < g->n_crops; crop++)
        TRY(run_crop(g, crop, image, &n_done, err));
    if (g->n_crops > 1)
        TRY(suppress(g, 0, small_crop, g->o.crop_nms_thresh, err));
    if (finished_area(g))
        TRY(clean_finished(g, err));
    return make_result(g, out, err);
}

int sam_amg_points(const sam_amg *g)
{
    return g ? g->n_points : 0;
}

sam_status sam_amg_stats(const sam_amg *g, sam_stats *out, sam_error *err)
{
    if (!g || !out)
        return fail(err, SAM_E_ARG, "sam_amg_stats: no %s", g ? "place for the result" : "generator");
    TRY(sam_get_stats(g->s, out, err));
    out->state_bytes += g->more_bytes;
    return SAM_OK;
}

void sam_runs_bytes(const uint32_t *runs, size_t n_runs, int width_px, int height_px, uint8_t *to, size_t row_bytes)
{
    if (runs && to)
        mask_runs_paint(runs, n_runs, width_px, height_px, to, row_bytes);
}
