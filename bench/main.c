/* main.c - sambench: finds the verb and calls it. */
#include "lost_file.h"
#include "stream_end.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_usage(FILE *to)
{
    fprintf(to,
            "sambench %s: promptable video segmentation (SAM 2, SAM 2.1, EdgeTAM) and its benchmark\n\n"
            "usage: sambench VERB [--flag value ...]\n\n",
            SAM_VERSION);
    for (int i = 0; i < n_verbs; i++)
        fprintf(to, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(to,
            "\n`sambench VERB --help` lists a verb's flags and shows examples. Exit status: 0 done, 1 failed, 2 wrong "
            "usage, 130 interrupted.\n");
}

/* GNU OpenMP's threads spin for milliseconds at every barrier; where other programs run, that costs more time than the
 * work (4 to 10 times here on two busy cores). They shall spin briefly, then sleep. The runtime reads this before
 * main() only, so the program starts itself once more, unless the user has chosen. */
static void limit_spinning(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") || setenv("GOMP_SPINCOUNT", "10000", 1))
        return;
    execv("/proc/self/exe", argv); /* returns only where it cannot; then threads spin */
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_usage(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("sambench %s\n", SAM_VERSION);
        return 0;
    }
    const verb *v = verb_find(argv[1]);
    if (v)
        return v->main(argc - 1, argv + 1);
    const char *nearest = verb_nearest(argv[1]);
    fprintf(stderr, "sambench: there is no verb '%.64s'%s%s%s; `sambench --help` lists them\n", argv[1],
            nearest ? "; the nearest is '" : "", nearest ? nearest : "", nearest ? "'" : "");
    return 2;
}

int main(int argc, char **argv)
{
    sam_error err;
    limit_spinning(argv);
    lost_file_watch();
    int code = run(argc, argv);
    if (stream_end(stdout, "standard output", &err) == SAM_OK)
        return code;
    fprintf(stderr, "sambench: %s\n", err.text);
    return code ? code : 1;
}
