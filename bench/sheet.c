/* sheet.c - the verb `sheet`: one picture of predicted masks and annotations, a row for each object and folder of masks. */
#include "contact_sheet.h"
#include "dataset.h"
#include "folders.h"
#include "frames.h"
#include "input_flags.h"
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const verb verb_sheet;

enum { LABEL_BYTES = 96 };

typedef struct options {
    const char *split_dir, *split_name, *masks, *out;
    int columns, tile_px, limit_videos, limit_objects, whole_frames;
} options;

typedef struct job {
    const options *options;
    dataset set;
    listing folders; /* of masks */
    sheet *sheet;
    int n_columns;
    /* The object at hand. */
    int video, object;
    frame_source *frames;
    image mask, truth;
    metric_scratch scratch;
} job;

/* ---- a tile ---- */

/* Masks as `run --save_masks` writes them. */
static sam_status read_mask(job *j, const char *folder, const char *file, const frame *f, sam_error *err)
{
    const dataset_video *v = &j->set.videos[j->video];
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s/%s/%.*s.png", folder, v->name, v->objects[j->object].name,
                     (int)stem_length(file), file);
    if (n >= (int)sizeof path)
        return fail(err, SAM_E_ARG, "%.200s...: the mask's path is too long", path);
    if (!path_is_file(path))
        return fail(err, SAM_E_IO, "%s: no such file; masks are those of `sambench run --save_masks`", path);
    TRY(image_read_mask(path, MASK_OBJECT, &j->mask, err));
    if (j->mask.width == f->width && j->mask.height == f->height)
        return SAM_OK;
    return fail(err, SAM_E_FORMAT, "%s: is %d x %d, the frame is %d x %d", path, j->mask.width, j->mask.height,
                f->width, f->height);
}

/* "frame 12 J 0.93" */
static sam_status label(job *j, const frame *f, char text[LABEL_BYTES], sam_error *err)
{
    const mask_view truth = {.px = j->truth.data, .row_bytes = (size_t)f->width};
    const mask_view mask = {.px = j->mask.data, .row_bytes = (size_t)f->width};
    frame_score score;
    TRY(metric_frame(METRIC_SAV, &truth, &mask, f->width, f->height, &j->scratch, &score, err));
    snprintf(text, LABEL_BYTES, "frame %lld J %.2f", (long long)f->index, score.j);
    return SAM_OK;
}

/* Which model and object a row shows. */
static void title(const job *j, const char *folder, char text[LABEL_BYTES])
{
    const dataset_video *v = &j->set.videos[j->video];
    snprintf(text, LABEL_BYTES, "%.40s %.30s/%.10s", path_name(folder), v->name, v->objects[j->object].name);
}

static sam_status add_tile(job *j, const char *folder, int column, int annotation, sam_error *err)
{
    const dataset_object *o = &j->set.videos[j->video].objects[j->object];
    const frame *f;
    char text[LABEL_BYTES], head[LABEL_BYTES];
    TRY(frames_read(j->frames, o->annotated[annotation], &f, err));
    TRY(dataset_read_mask(&j->set, j->video, j->object, o->annotated[annotation], f->width, f->height, &j->truth, err));
    TRY(read_mask(j, folder, o->files.names[annotation], f, err));
    TRY(label(j, f, text, err));
    title(j, folder, head);
    const sheet_tile tile = {.rgb = f->rgb,
                             .width = f->width,
                             .height = f->height,
                             .mask = j->mask.data,
                             .truth = j->truth.data,
                             .label = text,
                             .title = column ? NULL : head,
                             .zooms = !j->options->whole_frames};
    return sheet_add(j->sheet, &tile, err);
}

/* ---- rows ---- */

/* Annotated frames from the first to the last, evenly spaced, none twice. */
static sam_status add_row(job *j, const char *folder, sam_error *err)
{
    int n = j->set.videos[j->video].objects[j->object].n_annotated, n_columns = n < j->n_columns ? n : j->n_columns;
    for (int c = 0; c < n_columns; c++)
        TRY(add_tile(j, folder, c, n_columns > 1 ? c * (n - 1) / (n_columns - 1) : 0, err));
    sheet_new_row(j->sheet);
    return SAM_OK;
}

static sam_status add_video(job *j, int video, sam_error *err)
{
    const dataset_video *v = &j->set.videos[video];
    sam_status status = SAM_OK;
    j->video = video;
    TRY(frames_open(v->video_file ? v->video_file : v->frames_dir, NULL, &j->frames, err));
    for (j->object = 0; status == SAM_OK && j->object < v->n_objects; j->object++)
        for (int i = 0; status == SAM_OK && i < j->folders.n; i++)
            status = add_row(j, j->folders.names[i], err);
    frames_close(j->frames);
    return status;
}

static sam_status draw(job *j, sam_error *err)
{
    const options *o = j->options;
    int n_rows = 0, longest = 1;
    for (int video = 0; video < j->set.n_videos; video++) {
        const dataset_video *v = &j->set.videos[video];
        TRY(dataset_find_objects(&j->set, video, err));
        n_rows += v->n_objects * j->folders.n;
        for (int i = 0; i < v->n_objects; i++)
            longest = v->objects[i].n_annotated > longest ? v->objects[i].n_annotated : longest;
    }
    j->n_columns = o->columns < longest ? o->columns : longest;
    TRY(sheet_open(n_rows * j->n_columns, j->n_columns, o->tile_px, &j->sheet, err));
    for (int video = 0; video < j->set.n_videos; video++)
        TRY(add_video(j, video, err));
    TRY(folders_make_for(o->out, err));
    return sheet_write(j->sheet, o->out, err);
}

static sam_status find_folders(job *j, sam_error *err)
{
    for (const char *at = j->options->masks; *at;) {
        at += strspn(at, ",");
        size_t n = strcspn(at, ",");
        if (!n)
            break;
        size_t n_name = n;
        while (n_name > 1 && at[n_name - 1] == '/')
            n_name--;
        TRY(listing_add(&j->folders, at, n_name, err));
        TRY(path_expect_folder("--masks ", j->folders.names[j->folders.n - 1], err));
        at += n;
    }
    return j->folders.n ? SAM_OK : fail(err, SAM_E_ARG, "--masks: names no folder");
}

static sam_status make(const options *o, sam_error *err)
{
    job j = {.options = o};
    const dataset_options which = {
        .split_name = o->split_name, .limit_videos = o->limit_videos, .limit_objects = o->limit_objects};
    sam_status status = find_folders(&j, err);
    if (status == SAM_OK)
        status = dataset_open(&j.set, o->split_dir, &which, err);
    if (status == SAM_OK)
        status = draw(&j, err);
    sheet_close(j.sheet);
    dataset_close(&j.set);
    listing_free(&j.folders);
    image_free(&j.mask);
    image_free(&j.truth);
    metric_scratch_free(&j.scratch);
    return status;
}

/* ---- the verb ---- */

static int describe(flag *to, options *o)
{
    const flag table[] = {
        {.name = "split_dir",
         .kind = FLAG_STRING,
         .value = &o->split_dir,
         .meta = "DIR",
         .required = 1,
         .help = "Videos with annotations, as for `run`."},
        {.name = "split_name",
         .kind = FLAG_STRING,
         .value = &o->split_name,
         .meta = "NAME",
         .help = "NAME.txt lists the videos (default sav_val)."},
        {.name = "masks",
         .kind = FLAG_STRING,
         .choices = "list",
         .value = &o->masks,
         .meta = "DIRS",
         .required = 1,
         .help =
             "Folders of predicted masks, OUT_DIR/masks/MODEL of `run --save_masks`; a row for each object in each."},
        {.name = "out",
         .kind = FLAG_STRING,
         .value = &o->out,
         .meta = "FILE",
         .help = "The picture, .png or .jpg (default sheet.png)."},
        {.name = "columns",
         .kind = FLAG_INT,
         .value = &o->columns,
         .meta = "N",
         .min = 1,
         .max = 64,
         .help = "Annotated frames of each object, from its first to its last, evenly spaced (default 6)."},
        {.name = "tile",
         .kind = FLAG_INT,
         .value = &o->tile_px,
         .meta = "PX",
         .min = 8,
         .max = 4096,
         .help = "Width of a frame in the picture (default 256)."},
        {.name = "whole_frames",
         .kind = FLAG_SWITCH,
         .value = &o->whole_frames,
         .help = "Show whole frames (default: the object and as much again around it)."},
        limit_videos_flag(&o->limit_videos, NULL),
        limit_objects_flag(&o->limit_objects, NULL),
    };
    memcpy(to, table, sizeof table);
    return sizeof table / sizeof *table;
}

static int sheet_main(int argc, char **argv)
{
    enum { N_FLAGS = 9 };
    options o = {.split_name = "sav_val", .out = "sheet.png", .columns = 6, .tile_px = 256};
    flag flags[N_FLAGS];
    int n_flags = describe(flags, &o), help = 0;
    sam_error err;
    sam_status status = flags_parse(&verb_sheet, flags, n_flags, argc, argv, &help, &err);
    int is_usage = status != SAM_OK;
    if (status == SAM_OK && !help)
        status = make(&o, &err);
    if (status == SAM_OK && !help)
        printf("contact sheet: %s (result orange, annotation white)\n", o.out);
    if (status != SAM_OK)
        fprintf(stderr, "sambench sheet: %s\n", err.text);
    flags_free(flags, n_flags);
    return status == SAM_OK ? 0 : is_usage || status == SAM_E_ARG ? 2 : 1;
}

const verb verb_sheet = {
    .name = "sheet",
    .summary = "one picture of predicted masks and annotations over the frames of a data set",
    .examples =
        "  sambench run --split_dir sav_val --models edgetam_points --save_masks --out_dir out\n"
        "  sambench sheet --split_dir sav_val --masks out/masks/edgetam_points --limit_videos 8 --out sheet.jpg\n",
    .main = sheet_main,
};
