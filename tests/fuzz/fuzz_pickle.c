/* The pickle machine, and the search for a dict of tensors in what it made. */
#include "fuzz_file.h"
#include "state_dict.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    pickle p;
    const pickle_value *dict;
    char part[STATE_DICT_PART];
    if (pickle_open("fuzz", bytes, n_bytes, &p, NULL) != SAM_OK)
        return 0;
    state_dict_find("fuzz", p.root, &dict, part, NULL);
    pickle_close(&p);
    return 0;
}
