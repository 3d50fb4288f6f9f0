/* replay FOLDER MUTATIONS: a fuzz target without libFuzzer. It runs every file of the corpus, then that many changed copies of
 * them: the same ones in every run. Prints how many; the sanitizers speak of what is wrong, and the input is then left in
 * replay-<target> of the working folder. */
#include "fuzz_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SEEDS = 256, MAX_BYTES = 1 << 16 };

typedef struct seed {
    char *name;
    uint8_t *bytes;
    size_t n;
} seed;

static seed seeds[MAX_SEEDS];
static int n_seeds;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "replay: %s\n", what);
    exit(1);
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const seed *)x)->name, ((const seed *)y)->name);
}

static void read_seed(const char *folder, const char *name)
{
    char path[1024];
    seed *s = &seeds[n_seeds];
    must(n_seeds++ < MAX_SEEDS, "too many seeds");
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    must(file != NULL, path);
    s->name = strdup(name);
    s->bytes = malloc(MAX_BYTES);
    must(s->name && s->bytes, "no memory");
    s->n = fread(s->bytes, 1, MAX_BYTES, file);
    must(feof(file), path);
    fclose(file);
}

static void read_seeds(const char *folder)
{
    DIR *d = opendir(folder);
    must(d != NULL, folder);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            read_seed(folder, e->d_name);
    closedir(d);
    must(n_seeds > 0, "no seeds");
    qsort(seeds, (size_t)n_seeds, sizeof *seeds, by_name);
}

static uint64_t state = 1;

static size_t below(size_t n) /* xorshift64 */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (size_t)(state % n) : 0;
}

/* What lengths, counts and brackets are broken by. */
static uint8_t odd_byte(void)
{
    static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '.', 'e', '"', ',', '\n', '{', '}', '[', ']'};
    return below(2) ? odd[below(sizeof odd)] : (uint8_t)below(256);
}

/* A piece of some seed, over or between what is there. */
static size_t splice(uint8_t *b, size_t n)
{
    const seed *from = &seeds[below((size_t)n_seeds)];
    size_t at = below(n + 1), start = below(from->n), length = below(from->n - start + 1);
    size_t moved = below(2) ? n - at : 0;
    if (at + length + moved > MAX_BYTES)
        return n;
    memmove(b + at + length, b + at, moved);
    memcpy(b + at, from->bytes + start, length);
    return at + length + moved > n ? at + length + moved : n;
}

static size_t change(uint8_t *b, size_t n)
{
    size_t at = below(n), length;
    switch (below(6)) {
    case 0:
        return at; /* cut */
    case 1:
        length = below(n - at + 1);
        memmove(b + at, b + at + length, n - at - length);
        return n - length;
    case 2:
        return splice(b, n);
    case 3:
        if (n)
            b[at] ^= (uint8_t)(1 << below(8));
        return n;
    default:
        if (n)
            b[at] = odd_byte();
        return n;
    }
}

/* Each run has its own allocation, so that a read past the end is seen. */
static void run(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    must(copy != NULL, "no memory");
    memcpy(copy, bytes, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void keep(const char *target, const uint8_t *bytes, size_t n)
{
    char path[256];
    const char *slash = strrchr(target, '/');
    snprintf(path, sizeof path, "replay-%s", slash ? slash + 1 : target);
    FILE *file = n ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(bytes, 1, n, file);
        fclose(file);
    } else {
        remove(path);
    }
}

int main(int argc, char **argv)
{
    static uint8_t bytes[MAX_BYTES];
    must(argc == 3, "usage: FUZZ_TARGET FOLDER MUTATIONS");
    read_seeds(argv[1]);
    long n = atol(argv[2]);
    for (int i = 0; i < n_seeds; i++) {
        fprintf(stderr, "%s\n", seeds[i].name);
        run(seeds[i].bytes, seeds[i].n);
    }
    for (long i = 0; i < n; i++) {
        const seed *from = &seeds[below((size_t)n_seeds)];
        size_t length = from->n;
        memcpy(bytes, from->bytes, length);
        for (size_t k = 1 + below(4); k > 0; k--)
            length = change(bytes, length);
        keep(argv[0], bytes, length);
        run(bytes, length);
    }
    keep(argv[0], NULL, 0);
    printf("%d seeds and %ld changes of them\n", n_seeds, n);
    for (int i = 0; i < n_seeds; i++) {
        free(seeds[i].name);
        free(seeds[i].bytes);
    }
    return 0;
}
