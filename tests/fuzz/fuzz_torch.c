/* A whole torch.save file of either format, up to the question which model it is. */
#include "fuzz_file.h"
#include "recognise.h"
#include "torch_file.h"
#include "wrapped_names.h"

static unsigned sum;

/* Reads all that a tensor points to, so that a wrong address is seen. */
static void touch(const tensor_set *s)
{
    for (size_t i = 0; i < s->n_tensors; i++)
        for (size_t k = 0; k < s->tensors[i].n_bytes; k++)
            sum += ((const uint8_t *)s->tensors[i].data)[k];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    tensor_set s = {0};
    sam_status status = torch_recognise_old(bytes, n_bytes) ? torch_read_old("fuzz", bytes, n_bytes, &s, NULL)
                                                            : torch_read("fuzz", bytes, n_bytes, &s, NULL);
    if (status == SAM_OK && names_unwrap("fuzz", &s, NULL) == SAM_OK && tensor_set_index(&s, "fuzz", NULL) == SAM_OK)
        touch(&s);
    tensor_set_free(&s);
    return 0;
}
