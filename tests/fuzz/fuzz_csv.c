/* A table: what was read is read again from what is written of it. */
#include "csv.h"
#include "fuzz_file.h"

#include <stdlib.h>
#include <string.h>

/* Written and read once more, every cell is the same. */
static void write_and_read(csv_table *t)
{
    csv_table again = {0};
    sam_error err;
    if (csv_save(t, &err) != SAM_OK || csv_read(&again, t->path, &err) != SAM_OK || again.n_rows != t->n_rows ||
        again.n_columns != t->n_columns)
        abort();
    for (int r = 0; r < t->n_rows; r++)
        for (int c = 0; c < t->n_columns; c++)
            if (strcmp(csv_cell(t, r, c), csv_cell(&again, r, c)) != 0)
                abort();
    csv_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    csv_table t = {0};
    if (csv_read(&t, fuzz_file("table.csv", bytes, n_bytes), NULL) == SAM_OK && n_bytes % 8 == 0) /* the slow part */
        write_and_read(&t);
    csv_close(&t);
    return 0;
}
