#include "model.h"

#include "address_space.h"
#include "finite.h"
#include "fuse.h"
#include "physical_cores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_POINTS   16
#define DEFAULT_MAX_PROMPTED 4

static sam_status fill_options(sam_model *m, const sam_model_options *opt, int image_px, sam_error *err)
{
    sam_model_options *o = &m->options;
    *o = opt ? *opt : (sam_model_options){0};
    o->backend = o->backend ? o->backend : SAM_CPU;
    o->compute = o->compute ? o->compute : SAM_F32;
    o->image_px = o->image_px ? o->image_px : image_px;
    o->max_points = o->max_points ? o->max_points : DEFAULT_MAX_POINTS;
    o->max_prompted_frames = o->max_prompted_frames ? o->max_prompted_frames : DEFAULT_MAX_PROMPTED;
    o->n_threads = o->n_threads ? o->n_threads : physical_cores("/sys");
    if (o->image_px < 64 || o->image_px > 4096 || o->image_px % 32)
        return fail(err, SAM_E_ARG, "image size %d: expected a multiple of 32 from 64 to 4096", o->image_px);
    if (o->max_points < 1 || o->max_points > 1000 || o->max_prompted_frames < 1 || o->max_prompted_frames > 1000)
        return fail(err, SAM_E_ARG, "max_points %d, max_prompted_frames %d: expected 1 to 1000", o->max_points,
                    o->max_prompted_frames);
    if (o->n_threads < 1 || o->n_threads > 1024)
        return fail(err, SAM_E_ARG, "%d threads: expected 1 to 1024", o->n_threads);
    return SAM_OK;
}

/* fp16 on a CPU: weights are rounded to half precision, arithmetic is f32, because half-precision products are slow or
 * absent there. A device computes in half precision with f32 sums. */
static sam_status choose_types(sam_model *m, sam_error *err)
{
    switch (m->options.compute) {
    case SAM_F32:
        m->act = m->matrix = DT_F32;
        return SAM_OK;
    case SAM_F16:
        m->act = m->options.backend == SAM_CPU ? DT_F32 : DT_F16;
        m->matrix = DT_F16;
        return SAM_OK;
    case SAM_BF16:
        m->act = m->matrix = DT_BF16;
        return SAM_OK;
    default:
        return fail(err, SAM_E_ARG, "compute type %d: expected SAM_F32, SAM_F16 or SAM_BF16", (int)m->options.compute);
    }
}

static sam_status build_graphs(sam_model *m, sam_error *err)
{
    for (int id = 0; id < m->p->n_graphs; id++) {
        if (!predictor_runs(m->p, SAM_VIDEO, 1, id) && !predictor_runs(m->p, SAM_IMAGE, 0, id))
            continue;
        builder b = build_begin(&m->graphs[id].g, m->p->graph_names[id], &m->w, &m->s, m->act, m->matrix);
        b.device = !m->b->api->host_memory;
        m->p->build(&b, id, m->config, &m->size);
        if (b.err.status == SAM_OK && !m->options.no_fusion)
            fuse(&b);
        TRY(build_end(&b, err));
    }
    for (int i = 0; m->p->unused && m->p->unused[i]; i++)
        weights_ignore(&m->w, m->p->unused[i]);
    return SAM_OK;
}

static sam_status read_absent_pointer(sam_model *m, sam_error *err)
{
    int index;
    if (!m->p->absent_pointer)
        return SAM_OK;
    m->absent_pointer = malloc((size_t)m->size.pointer_width * sizeof *m->absent_pointer);
    if (!m->absent_pointer)
        return fail(err, SAM_E_MEMORY, "%s: no memory", m->path);
    TRY(weights_request(&m->w, m->p->absent_pointer, 1, 0, 1, m->size.pointer_width, DT_F32, &index, err));
    return weights_read_f32(&m->w, index, m->absent_pointer, err);
}

/* Who the file's model is, and its numbers. */
static sam_status read_config(sam_model *m, const model_family *rows, int *image_px, config_reader *r)
{
    const model_family *family;
    sam_error *err = r->err;
    TRY(config_open(r, &m->file, m->path, err));
    TRY(family_find(rows, r->family, m->path, &family, err));
    m->p = family->p;
    m->title = family->title;
    snprintf(m->name, sizeof m->name, "%s", r->name);
    m->config = calloc(1, m->p->config_bytes + 1);
    if (!m->config)
        return fail(err, SAM_E_MEMORY, "%s: no memory", m->path);
    *image_px = config_int(r, "image_size", 64, 4096, -1);
    m->p->read_config(r, m->config);
    return r->status;
}

static sam_status open_model(sam_model *m, const model_family *rows, const backend_api *api,
                             const sam_model_options *opt, sam_error *err)
{
    config_reader r;
    int image_px = 0;
    TRY(st_open(m->path, &m->file, err));
    r.err = err;
    sam_status status = read_config(m, rows, &image_px, &r);
    config_close(&r);
    TRY(status);
    TRY(fill_options(m, opt, image_px, err));
    TRY(api ? api->open(&m->options, &m->b, err) : backend_open(&m->options, &m->b, err));
    if (m->b->api->host_memory)
        TRY(address_space_check(m->file.map_bytes, m->options.n_threads, "the model",
                                err)); /* packed weights, beside the mapped file */
    TRY(choose_types(m, err));
    TRY(m->p->size(m->config,
                   &(size_request){m->name, m->options.image_px, m->options.max_points, m->options.max_prompted_frames},
                   &m->size, err));
    TRY(weights_open(&m->w, &m->file, m->path, err));
    TRY(build_graphs(m, err));
    TRY(read_absent_pointer(m, err));
    TRY(weights_check(&m->w, err));
    TRY(tensors_check_finite(m->path, m->file.tensors, m->file.n_tensors, err));
    for (int id = 0; id < m->p->n_graphs; id++)
        if (m->graphs[id].g.name)
            TRY(compiled_pack(&m->graphs[id], &m->w, m->b, &m->room, err));
    st_release_pages(&m->file);
    return SAM_OK;
}

sam_status model_open_of(const model_family *rows, const backend_api *api, const char *path,
                         const sam_model_options *opt, sam_model **out, sam_error *err)
{
    if (!out)
        return fail(err, SAM_E_ARG, "sam_model_open: nowhere to put the model");
    *out = NULL;
    if (!path)
        return fail(err, SAM_E_ARG, "sam_model_open: no path");
    sam_model *m = calloc(1, sizeof *m);
    if (!m || !(m->path = malloc(strlen(path) + 1))) {
        free(m);
        return fail(err, SAM_E_MEMORY, "%s: no memory", path);
    }
    memcpy(m->path, path, strlen(path) + 1);
    sam_status status = open_model(m, rows, api, opt, err);
    if (status != SAM_OK) {
        sam_model_close(m);
        return status;
    }
    *out = m;
    return SAM_OK;
}

sam_status model_open_on(const backend_api *api, const char *path, const sam_model_options *opt, sam_model **out,
                         sam_error *err)
{
    return model_open_of(families, api, path, opt, out, err);
}

sam_status sam_model_open(const char *path, const sam_model_options *opt, sam_model **out, sam_error *err)
{
    return model_open_of(families, NULL, path, opt, out, err);
}

void sam_model_close(sam_model *m)
{
    if (!m)
        return;
    for (int id = 0; id < MAX_GRAPHS; id++)
        compiled_free(&m->graphs[id]);
    weights_close(&m->w);
    st_close(&m->file);
    if (m->b)
        m->b->api->close(m->b);
    free(m->absent_pointer);
    free(m->config);
    free(m->path);
    free(m);
}

const char *sam_model_name(const sam_model *m)
{
    return m ? m->name : "";
}

const char *sam_model_libraries(sam_model *m)
{
    return m ? device_libraries_text(m->b->libraries) : "";
}

int sam_model_takes(const sam_model *m, sam_mode mode)
{
    return m && (mode == SAM_VIDEO || mode == SAM_IMAGE) && (m->p->modes >> mode & 1);
}

int sam_model_image_px(const sam_model *m)
{
    return m ? m->options.image_px : 0;
}
