#include "model.h"

#include "fuse.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_POINTS   16
#define DEFAULT_MAX_PROMPTED 4

static sam_status fill_options(sam_model *m, const sam_model_options *opt, sam_error *err)
{
    sam_model_options *o = &m->options;
    *o = opt ? *opt : (sam_model_options){0};
    o->backend = o->backend ? o->backend : SAM_CPU;
    o->compute = o->compute ? o->compute : SAM_F32;
    o->image_px = o->image_px ? o->image_px : m->config.image_size;
    o->max_points = o->max_points ? o->max_points : DEFAULT_MAX_POINTS;
    o->max_prompted_frames = o->max_prompted_frames ? o->max_prompted_frames : DEFAULT_MAX_PROMPTED;
    o->n_threads = o->n_threads ? o->n_threads : omp_get_num_procs();
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

static sam_status check_grid(const sam_model *m, sam_error *err)
{
    int grid = 1;
    while (grid * grid < m->config.latents_2d)
        grid++;
    if (m->config.latents_2d && (grid * grid != m->config.latents_2d || m->size.side % grid))
        return fail(err, SAM_E_ARG, "image size %d: %s needs a multiple of %d", m->options.image_px, m->config.name,
                    16 * grid);
    return SAM_OK;
}

static sam_status build_graphs(sam_model *m, sam_error *err)
{
    for (int id = 0; id < GRAPH_COUNT; id++) {
        builder b = build_begin(&m->graphs[id].g, graph_names[id], &m->w, &m->s, m->act, m->matrix);
        b.device = !m->b->api->host_memory;
        build_graph(&b, (graph_id)id, &m->config, &m->size);
        if (b.err.status == SAM_OK && !m->options.no_fusion)
            fuse(&b);
        TRY(build_end(&b, err));
    }
    ignore_unused(&m->w);
    return weights_check(&m->w, err);
}

static sam_status read_no_obj_ptr(sam_model *m, sam_error *err)
{
    int index;
    m->no_obj_ptr = malloc((size_t)m->config.d_model * sizeof *m->no_obj_ptr);
    if (!m->no_obj_ptr)
        return fail(err, SAM_E_MEMORY, "%s: no memory", m->path);
    TRY(weights_request(&m->w, "no_obj_ptr", 1, 0, 1, m->config.d_model, DT_F32, &index, err));
    return weights_read_f32(&m->w, index, m->no_obj_ptr, err);
}

static sam_status open_model(sam_model *m, const backend_api *api, const sam_model_options *opt, sam_error *err)
{
    TRY(st_open(m->path, &m->file, err));
    TRY(config_read(&m->file, m->path, &m->config, err));
    TRY(fill_options(m, opt, err));
    TRY(api ? api->open(&m->options, &m->b, err) : backend_open(&m->options, &m->b, err));
    TRY(choose_types(m, err));
    m->size = size_of_model(&m->config, m->options.image_px, m->options.max_points, m->options.max_prompted_frames);
    TRY(check_grid(m, err));
    TRY(weights_open(&m->w, &m->file, m->path, err));
    TRY(build_graphs(m, err));
    TRY(read_no_obj_ptr(m, err));
    for (int id = 0; id < GRAPH_COUNT; id++)
        TRY(compiled_pack(&m->graphs[id], &m->w, m->b, &m->weight_bytes, err));
    st_release_pages(&m->file);
    return SAM_OK;
}

sam_status model_open_on(const backend_api *api, const char *path, const sam_model_options *opt, sam_model **out,
                         sam_error *err)
{
    *out = NULL;
    sam_model *m = calloc(1, sizeof *m);
    if (!m || !(m->path = malloc(strlen(path) + 1))) {
        free(m);
        return fail(err, SAM_E_MEMORY, "%s: no memory", path);
    }
    memcpy(m->path, path, strlen(path) + 1);
    sam_status status = open_model(m, api, opt, err);
    if (status != SAM_OK) {
        sam_model_close(m);
        return status;
    }
    *out = m;
    return SAM_OK;
}

sam_status sam_model_open(const char *path, const sam_model_options *opt, sam_model **out, sam_error *err)
{
    return model_open_on(NULL, path, opt, out, err);
}

void sam_model_close(sam_model *m)
{
    if (!m)
        return;
    for (int id = 0; id < GRAPH_COUNT; id++)
        compiled_free(&m->graphs[id]);
    weights_close(&m->w);
    st_close(&m->file);
    if (m->b)
        m->b->api->close(m->b);
    free(m->no_obj_ptr);
    free(m->path);
    free(m);
}

const char *sam_model_name(const sam_model *m)
{
    return m->config.name;
}

const char *sam_model_libraries(sam_model *m)
{
    return device_libraries_text(m->b->libraries);
}

int sam_model_image_px(const sam_model *m)
{
    return m->options.image_px;
}
