/* amg.c - the verb `amg`: every object in an image by the automatic mask generator of engine/sam.h. A generator is for one size of
 * image; it is kept while images have that size. */
#include "amg_results.h"
#include "image_format.h"
#include "image_inputs.h"
#include "interrupt.h"
#include "open_model.h"
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NaN: not given. */
typedef struct thresholds {
    double pred_iou, stability, offset, mask, box_nms, crop_nms, overlap;
} thresholds;

typedef struct amg_options {
    model_choice model;
    const char *input, *out, *json;
    thresholds t;
    sam_amg_options generator; /* but for sizes and thresholds */
    int multimask, quiet;
} amg_options;

typedef struct amg_run {
    const amg_options *o;
    image_inputs inputs;
    sam_model *model;
    sam_amg *generator;
    int width, height; /* that it is open for */
    progress bar;
} amg_run;

/* As sam_amg_options has it: 0 is the default, -1 is 0. */
static double option_of(double given)
{
    return isnan(given) ? 0 : given <= 0 ? -1 : given;
}

static int on_batch(void *user, int n_done, int n_points)
{
    amg_run *r = user;
    (void)n_points;
    progress_update(&r->bar, n_done);
    return interrupt_requested();
}

static sam_status generator_for(amg_run *r, int width, int height, sam_error *err)
{
    const thresholds *t = &r->o->t;
    sam_amg_options opt = r->o->generator;
    if (r->generator && r->width == width && r->height == height)
        return SAM_OK;
    sam_amg_close(r->generator);
    r->generator = NULL;
    opt.width_px = r->width = width;
    opt.height_px = r->height = height;
    opt.pred_iou_thresh = option_of(t->pred_iou);
    opt.stability_score_thresh = option_of(t->stability);
    opt.stability_score_offset = isnan(t->offset) ? 0 : t->offset;
    opt.mask_threshold = isnan(t->mask) ? 0 : t->mask;
    opt.box_nms_thresh = option_of(t->box_nms);
    opt.crop_nms_thresh = option_of(t->crop_nms);
    opt.crop_overlap_ratio = option_of(t->overlap);
    opt.single_mask = !r->o->multimask;
    opt.mem_limit = r->o->model.mem_limit;
    opt.progress = on_batch;
    opt.user = r;
    return sam_amg_open(r->model, &opt, &r->generator, err);
}

static sam_status write_results(amg_run *r, const char *path, image *im, const sam_amg_result *found, sam_error *err)
{
    char *folder = NULL;
    int n_left_out = 0;
    if (r->o->json)
        TRY(image_inputs_add(&r->inputs, amg_results_json(path, found), err));
    if (!r->o->out)
        return SAM_OK;
    TRY(image_inputs_folder(&r->inputs, path, &folder, err));
    sam_status status = amg_results_pictures(folder, im, found, &n_left_out, err);
    if (status == SAM_OK && n_left_out)
        fprintf(stderr, "sambench amg: %s/masks.png counts to 255; the last %d of %d masks are not in it\n", folder,
                n_left_out, found->n_masks);
    free(folder);
    return status;
}

/* By the first bytes of mp4 and mov, mkv and webm, avi. */
static int is_video(const char *path)
{
    unsigned char b[12] = {0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    size_t n = fread(b, 1, sizeof b, f);
    fclose(f);
    return n == sizeof b && (!memcmp(b + 4, "ftyp", 4) || !memcmp(b, "\x1a\x45\xdf\xa3", 4) ||
                             (!memcmp(b, "RIFF", 4) && !memcmp(b + 8, "AVI ", 4)));
}

static sam_status run_one(amg_run *r, const char *path, image *im, sam_error *err)
{
    sam_amg_result found;
    sam_stats stats;
    sam_error why;
    if (is_video(path))
        return fail(err, SAM_E_FORMAT, "%s: a video; amg reads images, `sambench track` reads videos", path);
    TRY(image_read_rgb(path, im, err));
    TRY(generator_for(r, im->width, im->height, err));
    progress_begin(&r->bar, stderr, r->o->quiet, path_name(path), sam_amg_points(r->generator));
    double started_s = r->bar.begin_s;
    sam_status status =
        sam_amg_generate(r->generator, &(sam_frame){.rgb = im->data, .row_bytes = 3 * (size_t)im->width}, &found, &why);
    double took_s = r->bar.clock_s() - started_s;
    progress_end(&r->bar);
    if (status != SAM_OK)
        return fail(err, status, "%s: %.480s", path, why.text);
    TRY(sam_amg_stats(r->generator, &stats, err));
    if (!r->o->quiet)
        printf("%s, %d x %d: %d masks of %d points, %.2f s (%s, %s, %d px, %s: %s)\n", path, im->width, im->height,
               found.n_masks, sam_amg_points(r->generator), took_s, sam_model_name(r->model),
               model_precision(&r->o->model), sam_model_image_px(r->model), stats.backend, stats.device);
    return write_results(r, path, im, &found, err);
}

static sam_status open_run(amg_run *r, sam_error *err)
{
    TRY(image_inputs_open(&r->inputs, r->o->input, r->o->out, r->o->json, err));
    TRY(model_check_device(&r->o->model, err));
    TRY(image_inputs_begin(&r->inputs, err));
    return model_open("amg", &r->o->model, 1, 1, &r->model, err);
}

/* With several images, those that cannot be read are said and left out; *n_failed counts them. */
static sam_status generate(amg_run *r, int *n_failed, sam_error *err)
{
    image im = {0};
    TRY(open_run(r, err));
    sam_status status = SAM_OK;
    for (int i = 0; i < r->inputs.paths.n && status == SAM_OK && !interrupt_requested(); i++) {
        status = run_one(r, r->inputs.paths.names[i], &im, err);
        if (status == SAM_OK || interrupt_requested() || !image_inputs_go_on("amg", &r->inputs, i, err))
            continue;
        ++*n_failed;
        status = SAM_OK;
    }
    image_free(&im);
    if (status == SAM_OK || interrupt_requested()) /* what there is */
        TRY(image_inputs_write(&r->inputs, r->model, model_precision(&r->o->model), err));
    return status;
}

static int run_amg(const amg_options *o)
{
    sam_error err = {0};
    amg_run r = {.o = o};
    int n_failed = 0;
    interrupt_catch();
    sam_status status = generate(&r, &n_failed, &err);
    int complete = image_inputs_end("amg", &r.inputs, status, n_failed, &err);
    sam_amg_close(r.generator);
    sam_model_close(r.model);
    image_inputs_close(&r.inputs);
    return complete && !interrupt_requested() ? 0 : 1;
}

static int file_flags(amg_options *o, flag *to)
{
    const flag flags[] = {
        {.name = "input",
         .kind = FLAG_STRING,
         .value = &o->input,
         .choices = "list",
         .meta = "PATH[,PATH...]",
         .required = 1,
         .help = "Images (" IMAGE_FORMATS_SAY "), and folders of them."},
        {.name = "out",
         .kind = FLAG_STRING,
         .value = &o->out,
         .meta = "DIR",
         .help = "Where masks.png and overlay.png go, of several images DIR/NAME (default: nowhere)."},
        {.name = "json",
         .kind = FLAG_STRING,
         .value = &o->json,
         .meta = "FILE",
         .help = "Masks as COCO run lengths with boxes, qualities and points; - is standard output."},
        {.name = "quiet", .kind = FLAG_SWITCH, .value = &o->quiet, .help = "Print nothing but errors."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

static int threshold_flags(thresholds *t, flag *to)
{
    const flag flags[] = {
        {.name = "pred_iou_thresh",
         .kind = FLAG_DOUBLE,
         .value = &t->pred_iou,
         .meta = "X",
         .help = "Predicted quality must be above X; 0: all pass (default 0.8, SAM v1 0.88)."},
        {.name = "stability_score_thresh",
         .kind = FLAG_DOUBLE,
         .value = &t->stability,
         .meta = "X",
         .help = "Stability must reach X; 0: all pass (default 0.95)."},
        {.name = "stability_score_offset",
         .kind = FLAG_DOUBLE,
         .value = &t->offset,
         .meta = "LOGIT",
         .help = "Stability is the area above threshold + LOGIT by that above threshold - LOGIT (default 1)."},
        {.name = "mask_threshold",
         .kind = FLAG_DOUBLE,
         .value = &t->mask,
         .meta = "LOGIT",
         .help = "Pixels above it are the mask; not SAM v1 (default 0)."},
        {.name = "box_nms_thresh",
         .kind = FLAG_DOUBLE,
         .value = &t->box_nms,
         .meta = "X",
         .help = "Of masks whose boxes overlap by more (IoU) the best stays (default 0.7)."},
        {.name = "crop_nms_thresh",
         .kind = FLAG_DOUBLE,
         .value = &t->crop_nms,
         .meta = "X",
         .help = "The same between crops, where that of the smaller crop stays (default 0.7)."},
        {.name = "crop_overlap_ratio",
         .kind = FLAG_DOUBLE,
         .value = &t->overlap,
         .meta = "X",
         .help = "Of the short side, by which the first layer's crops overlap (default 512/1500)."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

static int generator_flags(amg_options *o, flag *to)
{
    sam_amg_options *g = &o->generator;
    const flag flags[] = {
        {.name = "points_per_side",
         .kind = FLAG_INT,
         .value = &g->points_per_side,
         .meta = "N",
         .min = 1,
         .max = 4096,
         .help = "Of the grid of points (default 32)."},
        {.name = "points_per_batch",
         .kind = FLAG_INT,
         .value = &g->points_per_batch,
         .meta = "N",
         .min = 1,
         .max = 1024,
         .help = "Decoded at once; takes memory, not time (default 64, fewer where memory is short)."},
        {.name = "crop_n_layers",
         .kind = FLAG_INT,
         .value = &g->crop_n_layers,
         .meta = "N",
         .min = 0,
         .max = 6,
         .help = "Also on crops of the image: 4, then 16 more, ... (default 0)."},
        {.name = "crop_n_points_downscale_factor",
         .kind = FLAG_INT,
         .value = &g->crop_n_points_downscale_factor,
         .meta = "N",
         .min = 1,
         .max = 4096,
         .help = "Layer i's grids have N^i times fewer points a side (default 1)."},
        {.name = "min_mask_region_area",
         .kind = FLAG_INT,
         .value = &g->min_mask_region_area,
         .meta = "PX",
         .min = 0,
         .max = 1 << 30,
         .help =
             "Smaller holes and islands are cleaned: SAM v1, of finished masks; others, of low-res logits (default 0)."},
        {.name = "use_m2m",
         .kind = FLAG_SWITCH,
         .value = &g->use_m2m,
         .help = "Refine each mask once, as a prompt to itself; not SAM v1 (default: off)."},
        {.name = "multimask",
         .kind = FLAG_SWITCH,
         .value = &o->multimask,
         .help = "Three masks for each point (default); --no-multimask: one. SAM v1 always makes three."},
    };
    memcpy(to, flags, sizeof flags);
    return (int)(sizeof flags / sizeof *flags);
}

extern const verb verb_amg;

static int amg_main(int argc, char **argv)
{
    amg_options o = {.multimask = 1, .t = {NAN, NAN, NAN, NAN, NAN, NAN, NAN}};
    flag flags[48];
    int n = model_flags(&o.model, flags), help;
    int first_file = n;
    n += file_flags(&o, flags + n);
    flags[first_file].group = "images and output";
    int first_own = n;
    n += generator_flags(&o, flags + n);
    flags[first_own].group = "points, crops and which masks stay";
    n += threshold_flags(&o.t, flags + n);
    sam_error err;
    sam_status status = flags_parse(&verb_amg, flags, n, argc, argv, &help, &err);
    if (status == SAM_OK && help)
        return 0;
    o.quiet |= o.json && !strcmp(o.json, "-"); /* standard output is the file */
    int code = 2;
    if (status == SAM_OK)
        code = run_amg(&o);
    else
        fprintf(stderr, "sambench amg: %s\n", err.text);
    flags_free(flags, n);
    return code;
}

const verb verb_amg = {
    .name = "amg",
    .summary = "find every object in images: the automatic mask generator",
    .examples = "  sambench amg --weights sam2.1_hiera_tiny.pt --input truck.jpg --out out --json masks.json\n"
                "  sambench amg --weights sam2.1_hiera_tiny.pt --input photos --out out --points_per_side 16\n"
                "  sambench amg --weights sam_vit_b_01ec64.pth --input aerial.png --json masks.json --crop_n_layers 1 "
                "--min_mask_region_area 100\n",
    .main = amg_main,
};
