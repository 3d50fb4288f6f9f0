/* Lists: of videos in a file, of models and of shards on the command line. The first byte says which. */
#include "fuzz_file.h"
#include "listing.h"
#include "model_list.h"
#include "shard.h"

#include <stdlib.h>
#include <string.h>

static void parse_text(const uint8_t *bytes, size_t n_bytes, int which)
{
    model_list l = {0};
    shard s;
    char *text = malloc(n_bytes + 1);
    if (!text)
        return;
    memcpy(text, bytes, n_bytes);
    text[n_bytes] = 0;
    if (which == 3)
        shard_find(text, &s, NULL);
    else
        model_list_parse(text, (model_list_kind)which, &l, NULL);
    model_list_free(&l);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    listing l = {0};
    if (n_bytes == 0)
        return 0;
    if (bytes[0] % 5 < 4) {
        parse_text(bytes + 1, n_bytes - 1, bytes[0] % 5);
        return 0;
    }
    if (listing_read_lines(fuzz_file("list.txt", bytes + 1, n_bytes - 1), &l, NULL) == SAM_OK) {
        for (int i = 0; i + 1 < l.n; i++) /* an order: both ways the same */
            if ((name_compare(l.names[i], l.names[i + 1]) < 0) != (name_compare(l.names[i + 1], l.names[i]) > 0))
                abort();
    }
    listing_free(&l);
    return 0;
}
