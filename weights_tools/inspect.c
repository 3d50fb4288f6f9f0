#include "inspect.h"

#include <stdlib.h>

#include "recognise.h"
#include "source.h"

static void print_converted(const source *s, FILE *to)
{
    fprintf(to, "kind: converted safetensors\n");
    for (size_t i = 0; i < s->file.n_meta; i++)
        fprintf(to, "%s: %s\n", s->file.meta[i].key, s->file.meta[i].value);
}

static void print_recognised(const source *s, FILE *to)
{
    recognised r;
    sam_error why;
    tensor_set official;
    fprintf(to, "kind: %s\n", s->is_safetensors ? "safetensors" : "torch.save");
    if (s->tensors.part[0])
        fprintf(to, "taken from: %s\n", s->tensors.part);
    if (s->tensors.prefix[0])
        fprintf(to, "prefix taken off: %s\n", s->tensors.prefix);
    if (recognise(s->path, &s->tensors, NULL, &r, &why) != SAM_OK) {
        fprintf(to, "family: unknown (%s)\n", why.text);
        return;
    }
    char *config = known_model_json(r.config);
    fprintf(to, "family: %s\nname: %s\nnaming: %s\nconfig: %s\n", r.config->family, r.config->name,
            r.naming == NAMING_META ? "official" : "Hugging Face", config ? config : "");
    free(config);
    if (assemble(s->path, &s->tensors, &r, &official, &why) != SAM_OK)
        fprintf(to, "incomplete: %s\n", why.text);
    else
        tensor_set_free(&official);
}

sam_status inspect_file(const char *path, FILE *to, sam_error *err)
{
    source s;
    char shape[SHAPE_TEXT];
    int64_t n_elements = 0;
    size_t n_bytes = 0;
    TRY(source_open(path, &s, err));
    if (s.is_converted)
        print_converted(&s, to);
    else
        print_recognised(&s, to);
    for (size_t i = 0; i < s.tensors.n_tensors; i++) {
        n_elements += st_count(&s.tensors.tensors[i]);
        n_bytes += s.tensors.tensors[i].n_bytes;
    }
    fprintf(to, "tensors: %zu, %lld elements, %zu bytes\n", s.tensors.n_tensors, (long long)n_elements, n_bytes);
    for (size_t i = 0; i < s.tensors.n_tensors; i++) {
        const st_tensor *t = &s.tensors.tensors[i];
        fprintf(to, "  %-4s %-20s %s\n", st_dtype_name(t->dtype), shape_text(t, shape), t->name);
    }
    source_close(&s);
    return SAM_OK;
}
