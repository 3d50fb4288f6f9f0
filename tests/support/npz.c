/* Format: numpy/lib/format.py: magic, version, header length, a Python dict as text, the elements. */
#include "npz.h"

#include "zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct npz {
    uint8_t *bytes;
    zip_archive zip;
    void *owned[200];
    int n_owned;
};

sam_status npz_open(const char *path, npz **out, sam_error *err)
{
    npz *z = calloc(1, sizeof *z);
    FILE *f = fopen(path, "rb");
    long n = f && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    sam_status status = SAM_E_IO;
    *out = NULL;
    if (z && n > 0 && (z->bytes = malloc((size_t)n)) && fseek(f, 0, SEEK_SET) == 0 &&
        fread(z->bytes, 1, (size_t)n, f) == (size_t)n)
        status = zip_open(path, z->bytes, (size_t)n, &z->zip, err);
    else
        fail(err, SAM_E_IO, "%s: cannot be read", path);
    if (f)
        fclose(f);
    if (status == SAM_OK) {
        *out = z;
    } else if (z) {
        free(z->bytes);
        free(z);
    }
    return status;
}

void npz_close(npz *z)
{
    if (!z)
        return;
    for (int i = 0; i < z->n_owned; i++)
        free(z->owned[i]);
    zip_close(&z->zip);
    free(z->bytes);
    free(z);
}

/* "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 1), }" */
static int parse_header(const char *text, npy *a)
{
    const char *descr = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
    if (!descr || !shape || !strstr(text, "'fortran_order': False"))
        return 0;
    descr += strlen("'descr': '");
    a->kind = descr[1];
    a->item_bytes = descr[2] - '0';
    a->count = 1;
    for (shape += strlen("'shape': ("); *shape != ')' && a->n_dims < 6;) {
        char *end;
        a->shape[a->n_dims] = strtoul(shape, &end, 10);
        if (end == shape)
            return 0;
        a->count *= a->shape[a->n_dims++];
        for (shape = end; *shape == ',' || *shape == ' ';)
            shape++;
    }
    return (*descr == '<' || *descr == '|') && strchr("fiu", a->kind) && a->item_bytes >= 1 && a->item_bytes <= 8;
}

int npz_find(npz *z, const char *name, npy *out)
{
    char file[100], header[1000];
    const uint8_t *data;
    void *owned = NULL;
    snprintf(file, sizeof file, "%.90s.npy", name);
    const zip_entry *e = zip_find(&z->zip, file);
    if (!e || z->n_owned == 200 || zip_read(&z->zip, e, e->n_bytes, &data, &owned, NULL) != SAM_OK)
        return 0;
    if (owned)
        z->owned[z->n_owned++] = owned;
    size_t n_header = e->n_bytes > 10 ? (size_t)data[8] + 256u * data[9] : 0;
    if (!n_header || n_header >= sizeof header || 10 + n_header > e->n_bytes || memcmp(data, "\x93NUMPY\x01", 7) != 0)
        return 0;
    memcpy(header, data + 10, n_header);
    header[n_header] = 0;
    *out = (npy){.data = data + 10 + n_header};
    return parse_header(header, out) && out->count * (size_t)out->item_bytes <= e->n_bytes - 10 - n_header;
}
