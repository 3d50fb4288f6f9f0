#include "source.h"

#include "mapped_file.h"
#include "torch_file.h"
#include "wrapped_names.h"
#include "zip.h"

static sam_status read_safetensors(source *s, sam_error *err)
{
    TRY(st_open(s->path, &s->file, err));
    s->is_safetensors = 1;
    s->is_converted = st_meta_get(&s->file, "format_version") && st_meta_get(&s->file, "family");
    for (size_t i = 0; i < s->file.n_tensors; i++) {
        const st_tensor *t = &s->file.tensors[i];
        tensor_set_add(&s->tensors, t->name, t->dtype, t->n_dims, t->shape, t->data);
    }
    return SAM_OK;
}

static sam_status read_any(source *s, sam_error *err)
{
    const uint8_t pickle_start = 0x80;
    if (zip_recognise(s->bytes, s->n_bytes))
        TRY(torch_read(s->path, s->bytes, s->n_bytes, &s->tensors, err));
    else if (torch_recognise_old(s->bytes, s->n_bytes))
        TRY(torch_read_old(s->path, s->bytes, s->n_bytes, &s->tensors, err));
    else if (s->n_bytes > 8 && s->bytes[0] == pickle_start && s->bytes[7] != 0)
        return fail(
            err, SAM_E_FORMAT,
            "%s: a pickle, but not of torch.save; save the weights so: torch.save({'model': model.state_dict()}, "
            "path)",
            s->path);
    else
        TRY(read_safetensors(s, err));
    if (!s->is_converted)
        TRY(names_unwrap(s->path, &s->tensors, err));
    TRY(tensor_set_index(&s->tensors, s->path, err));
    return s->tensors.n_tensors ? SAM_OK : fail(err, SAM_E_FORMAT, "%s: there are no tensors in it", s->path);
}

sam_status source_open(const char *path, source *out, sam_error *err)
{
    *out = (source){.path = path};
    void *bytes = NULL;
    sam_status status = file_map(path, &bytes, &out->n_bytes, err);
    out->bytes = bytes;
    if (status == SAM_OK)
        status = read_any(out, err);
    if (status != SAM_OK)
        source_close(out);
    return status;
}

void source_close(source *s)
{
    tensor_set_free(&s->tensors);
    st_close(&s->file);
    file_unmap((void *)(uintptr_t)s->bytes, s->n_bytes);
    *s = (source){0};
}
