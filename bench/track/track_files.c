#include "track_files.h"

#include "csv.h"
#include "folders.h"
#include "image_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sam_status check_writable(const char *folder, sam_error *err)
{
    if (access(folder, W_OK | X_OK))
        return fail(err, SAM_E_IO, "%s: cannot write into this folder: %s", folder, strerror(errno));
    return SAM_OK;
}

enum { MAX_LABEL = 255 };

/* A picture holds objects 1 to 255; 0 is its background. */
static sam_status check_labels(const prompt_file *prompts, sam_error *err)
{
    for (int i = 0; i < prompts->n_objects; i++)
        if (prompts->objects[i].id < 1 || prompts->objects[i].id > MAX_LABEL)
            return fail(err, SAM_E_ARG,
                        "--labels and --pipe: object %d; a picture of all objects holds numbers from 1 to %d",
                        (int)prompts->objects[i].id, MAX_LABEL);
    return SAM_OK;
}

static sam_status put_path(char path[TRACK_PATH_BYTES], int n, sam_error *err)
{
    return n > 0 && n < TRACK_PATH_BYTES ? SAM_OK : fail(err, SAM_E_ARG, "%.200s...: the path is too long", path);
}

/* What is written beside masks, figures and overlay. */
static sam_status open_forms(track_files *f, sam_error *err)
{
    char path[TRACK_PATH_BYTES];
    if (f->labels) {
        TRY(put_path(path, snprintf(path, sizeof path, "%s/labels", f->folder), err));
        TRY(folders_make(path, err));
        TRY(check_writable(path, err));
    }
    if (f->rle)
        TRY(coco_open(&f->coco, err));
    if (!f->mot)
        return SAM_OK;
    TRY(put_path(f->boxes_path, snprintf(f->boxes_path, sizeof f->boxes_path, "%s/mot.txt", f->folder), err));
    return text_open(&f->boxes, f->boxes_path, err);
}

/* One picture of all objects. */
static sam_status open_picture(track_files *f, double fps, sam_error *err)
{
    if (!f->labels && !f->pipe)
        return SAM_OK;
    TRY(check_labels(f->prompts, err));
    f->picture = malloc((size_t)f->width * (size_t)f->height);
    if (!f->picture)
        return fail(err, SAM_E_MEMORY, "no memory for a picture of %d x %d", f->width, f->height);
    return f->pipe ? mask_stream_begin(&f->stream, stdout, f->pipe, f->width, f->height, fps, err) : SAM_OK;
}

sam_status files_open(track_files *f, const prompt_file *prompts, int width, int height, double fps, sam_error *err)
{
    char path[TRACK_PATH_BYTES];
    f->prompts = prompts;
    f->width = width;
    f->height = height;
    if (f->dump_path)
        TRY(folders_make_for(f->dump_path, err));
    if (!f->folder && !f->dump_path && !f->pipe)
        return SAM_OK;
    TRY(open_picture(f, fps, err));
    f->masks = malloc((size_t)prompts->n_objects * (size_t)width * (size_t)height);
    if (!f->masks)
        return fail(err, SAM_E_MEMORY, "no memory for %d masks of %d x %d", prompts->n_objects, width, height);
    if (!f->folder)
        return SAM_OK;
    TRY(folder_lock_take(&f->lock, f->folder, err));
    TRY(check_writable(f->folder, err));
    for (int i = 0; i < prompts->n_objects; i++) {
        int n = snprintf(path, sizeof path, "%s/masks/%03d", f->folder, (int)prompts->objects[i].id);
        TRY(put_path(path, n, err));
        TRY(folders_make(path, err));
        TRY(check_writable(path, err));
    }
    TRY(put_path(f->figures_path, snprintf(f->figures_path, sizeof f->figures_path, "%s/objects.csv", f->folder), err));
    TRY(text_open(&f->figures, f->figures_path, err));
    fprintf(f->figures.to, "frame,name,object,score,iou,area_px,x0,y0,x1,y1\n");
    TRY(put_path(f->times_path, snprintf(f->times_path, sizeof f->times_path, "%s/frames.csv", f->folder), err));
    TRY(text_open(&f->times, f->times_path, err));
    fprintf(f->times.to,
            "frame,name,ms,encode_ms,memory_attention_ms,mask_decoder_ms,memory_encoder_ms,post_ms,wait_ms\n");
    TRY(open_forms(f, err));
    if (!f->draw)
        return SAM_OK;
    f->pixels = malloc(3 * (size_t)width * (size_t)height);
    f->objects = calloc((size_t)prompts->n_objects, sizeof *f->objects);
    if (!f->pixels || !f->objects)
        return fail(err, SAM_E_MEMORY, "no memory for an overlay of %d x %d", width, height);
    TRY(put_path(path, snprintf(path, sizeof path, "%s/overlay.mp4", f->folder), err));
    /* Streams of photos and of unusual clocks are shown at the default speed. */
    overlay_options opt = {.width = width, .height = height, .fps = fps >= 0.1 && fps <= 1000 ? fps : 0};
    return overlay_open(path, &opt, &f->video, err);
}

static sam_status dump_mask(track_files *f, const frame *at, int id, const sam_mask *m, const uint8_t *bytes,
                            sam_error *err)
{
    char name[96];
    const int64_t low_res[2] = {m->logits_px, m->logits_px}, one[1] = {1}, pointer[1] = {m->n_pointer};
    int n = snprintf(name, sizeof name, "frame_%05lld/obj_%d/", (long long)at->index, id);
    snprintf(name + n, sizeof name - (size_t)n, "low_res_logits");
    TRY(dump_f32(&f->tensors, name, m->logits, 2, low_res, err));
    snprintf(name + n, sizeof name - (size_t)n, "object_score");
    TRY(dump_f32(&f->tensors, name, &m->presence, 1, one, err));
    snprintf(name + n, sizeof name - (size_t)n, "object_pointer");
    TRY(dump_f32(&f->tensors, name, m->pointer, 1, pointer, err));
    snprintf(name + n, sizeof name - (size_t)n, "mask");
    return dump_u8(&f->tensors, name, bytes, (size_t)f->width, f->height, f->width, err);
}

/* What the overlay shows of object i: its mask and the prompts of this frame. */
static overlay_object shown(const track_files *f, int i, const uint8_t *mask, int64_t frame_index)
{
    const prompt_object *o = &f->prompts->objects[i];
    overlay_object show = {.id = (int)o->id, .mask = mask, .mask_row_bytes = (size_t)f->width};
    for (int k = 0; k < o->n_prompts; k++) {
        const prompt *p = &o->prompts[k];
        if (p->frame != frame_index)
            continue;
        if (p->n_points) {
            show.points = p->points;
            show.n_points = p->n_points;
        }
        if (p->has_box)
            show.box = &p->box;
    }
    return show;
}

/* A line of OUT/objects.csv; the box of an empty mask is left empty. */
static void add_figures(FILE *to, const frame *at, int id, const sam_mask *m)
{
    fprintf(to, "%lld,", (long long)at->index);
    csv_put_field(to, at->name);
    fprintf(to, ",%d,%.4f,%.4f,%d", id, (double)m->presence, (double)m->iou, (int)m->area_px);
    if (m->area_px)
        fprintf(to, ",%.0f,%.0f,%.0f,%.0f\n", (double)m->box.x0_px, (double)m->box.y0_px, (double)m->box.x1_px,
                (double)m->box.y1_px);
    else
        fprintf(to, ",,,,\n");
}

/* MOTChallenge: frame and position count from 1; no line where the object is not there. */
static void add_box(FILE *to, const frame *at, int id, const sam_mask *m)
{
    double x = (double)m->box.x0_px, y = (double)m->box.y0_px;
    if (m->area_px)
        fprintf(to, "%lld,%d,%.0f,%.0f,%.0f,%.0f,%.4f,-1,-1,-1\n", (long long)at->index + 1, id, x + 1, y + 1,
                (double)m->box.x1_px - x + 1, (double)m->box.y1_px - y + 1, (double)m->iou);
}

/* An object into the forms that hold all of a frame. */
static void add_forms(track_files *f, const frame *at, int id, const sam_mask *m, const uint8_t *bytes)
{
    if (f->mot)
        add_box(f->boxes.to, at, id, m);
    if (f->rle)
        coco_add_mask(&f->coco, at->index, id, bytes, f->width, f->height, &m->box, m->area_px, (double)m->iou);
}

/* Where objects overlap the lowest number stays, as in index_mask.h. */
static void add_to_picture(track_files *f, int id, const uint8_t *bytes)
{
    size_t n = (size_t)f->width * (size_t)f->height;
    for (size_t i = 0; i < n; i++)
        if (bytes[i] && (!f->picture[i] || f->picture[i] > id))
            f->picture[i] = (uint8_t)id;
}

static sam_status add_object(track_files *f, const frame *at, int id, const sam_mask *m, uint8_t *bytes, sam_error *err)
{
    char path[TRACK_PATH_BYTES];
    sam_mask_bytes(m, bytes, (size_t)f->width);
    if (f->folder) {
        TRY(put_path(path, snprintf(path, sizeof path, "%s/masks/%03d/%s.png", f->folder, id, at->name), err));
        TRY(image_write_mask(path, bytes, (size_t)f->width, f->width, f->height, 0, err));
        add_figures(f->figures.to, at, id, m);
        add_forms(f, at, id, m, bytes);
    }
    if (f->picture)
        add_to_picture(f, id, bytes);
    return f->dump_path ? dump_mask(f, at, id, m, bytes, err) : SAM_OK;
}

sam_status files_add(track_files *f, const clip *c, const frame *at, sam_error *err)
{
    int n_shown = 0;
    char path[TRACK_PATH_BYTES];
    if (!f->masks)
        return SAM_OK;
    if (f->picture)
        memset(f->picture, 0, (size_t)f->width * (size_t)f->height);
    if (f->coco.images)
        coco_add_frame(&f->coco, at->index, at->name, f->width, f->height);
    for (int i = 0; i < f->prompts->n_objects; i++) {
        int id = (int)f->prompts->objects[i].id;
        uint8_t *bytes = f->masks + (size_t)i * (size_t)f->width * (size_t)f->height;
        sam_mask m;
        if (!c->started[i])
            continue;
        TRY(sam_get_mask(c->session, id, &m, err));
        TRY(add_object(f, at, id, &m, bytes, err));
        if (f->video)
            f->objects[n_shown++] = shown(f, i, bytes, at->index);
    }
    if (f->pipe)
        TRY(mask_stream_put(&f->stream, f->picture, err));
    if (f->labels) {
        TRY(put_path(path, snprintf(path, sizeof path, "%s/labels/%s.png", f->folder, at->name), err));
        TRY(image_write_mask(path, f->picture, (size_t)f->width, f->width, f->height, 1, err));
    }
    if (!f->video)
        return SAM_OK;
    size_t row = 3 * (size_t)f->width;
    memcpy(f->pixels, at->rgb, row * (size_t)f->height);
    char label[120];
    snprintf(label, sizeof label, "%.80s frame %lld", f->model ? f->model : "", (long long)at->index);
    overlay_draw(&(canvas){f->pixels, f->width, f->height, row}, f->objects, n_shown, label);
    return overlay_write(f->video, f->pixels, row, err);
}

void files_add_times(track_files *f, const clip_result *at)
{
    static const sam_stage stages[] = {SAM_ENCODE, SAM_MEMORY_ATTENTION, SAM_MASK_DECODER, SAM_MEMORY_ENCODER,
                                       SAM_POST};
    if (!f->times.to)
        return;
    fprintf(f->times.to, "%lld,", (long long)at->frame->index);
    csv_put_field(f->times.to, at->frame->name);
    fprintf(f->times.to, ",%.3f", at->ms);
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        fprintf(f->times.to, ",%.3f", at->stats.stage_ms[stages[i]]);
    fprintf(f->times.to, ",%.3f\n", at->stats.wait_ms);
}

sam_status files_finish(track_files *f, int n_frames, sam_error *err)
{
    overlay *video = f->video;
    if (!n_frames)
        return SAM_OK;
    f->video = NULL;
    sam_status status = video ? overlay_close(video, err) : SAM_OK;
    if (status == SAM_OK && f->figures.to)
        status = text_close(&f->figures, err);
    if (status == SAM_OK && f->times.to)
        status = text_close(&f->times, err);
    if (status == SAM_OK && f->boxes.to)
        status = text_close(&f->boxes, err);
    if (status == SAM_OK && f->coco.images) {
        char path[TRACK_PATH_BYTES];
        status = put_path(path, snprintf(path, sizeof path, "%s/masks.json", f->folder), err);
        if (status == SAM_OK)
            status = coco_write(&f->coco, path, err);
    }
    if (status == SAM_OK && f->dump_path)
        status = dump_write(&f->tensors, f->dump_path, err);
    return status;
}

void files_close(track_files *f)
{
    overlay_abandon(f->video);
    text_abandon(&f->figures);
    text_abandon(&f->times);
    text_abandon(&f->boxes);
    coco_abandon(&f->coco);
    free(f->picture);
    free(f->masks);
    free(f->pixels);
    free(f->objects);
    dump_free(&f->tensors);
    folder_lock_free(&f->lock);
}
