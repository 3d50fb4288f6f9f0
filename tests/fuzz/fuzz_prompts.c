/* A file of prompts. */
#include "fuzz_file.h"
#include "prompts.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    prompt_file p = {0};
    prompts_read(fuzz_file("prompts.json", bytes, n_bytes), &p, NULL);
    prompts_free(&p);
    return 0;
}
