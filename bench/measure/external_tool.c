#include "external_tool.h"

#include "child.h"
#include "listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WORDS = 256 };

/* `command` as a path, searched in PATH unless it has a slash. 0: not there. */
static int find_program(const char *command, char *path, size_t n_path)
{
    if (strchr(command, '/'))
        return snprintf(path, n_path, "%s", command) < (int)n_path && access(path, X_OK) == 0;
    const char *at = getenv("PATH");
    while (at && *at) {
        size_t n = strcspn(at, ":");
        if (snprintf(path, n_path, "%.*s/%s", (int)n, at, command) < (int)n_path && path_is_file(path) &&
            access(path, X_OK) == 0)
            return 1;
        at += n + (at[n] == ':');
    }
    return 0;
}

static int find_tool(const char *tool, int *is_nsys, char *path, size_t n_path)
{
    const char *nsys = getenv("NSYS_CMD"), *ncu = getenv("NCU_CMD");
    int any = !strcmp(tool, "auto");
    *is_nsys = 1;
    if ((any || !strcmp(tool, "nsys")) && find_program(nsys && *nsys ? nsys : "nsys", path, n_path))
        return 1;
    *is_nsys = 0;
    return (any || !strcmp(tool, "ncu")) && find_program(ncu && *ncu ? ncu : "ncu", path, n_path);
}

sam_status external_run(const char *tool, const char *out_dir, int argc, char **argv, int *code, sam_error *err)
{
    char program[4096], report[4096], self[4096];
    const char *words[MAX_WORDS + 1] = {0};
    int is_nsys, n = 0;
    if (!find_tool(tool, &is_nsys, program, sizeof program))
        return fail(
            err, SAM_E_IO,
            "--external: no profiler is here: looked for %s in NSYS_CMD, NCU_CMD and PATH. Nsight Systems (nsys) and "
            "Nsight Compute (ncu) come with the CUDA toolkit, on Jetson with the packages nsight-systems and "
            "nsight-compute; without them leave out --external: the built-in profile needs no tool",
            strcmp(tool, "auto") ? tool : "nsys and ncu");
    TRY(child_self(self, sizeof self, err));
    if (snprintf(report, sizeof report, "%s/%s", out_dir, is_nsys ? "nsys_report" : "ncu_report") >= (int)sizeof report)
        return fail(err, SAM_E_ARG, "--out_dir: the path is too long");
    words[n++] = program;
    if (is_nsys) {
        words[n++] = "profile";
        words[n++] = "--trace=cuda,nvtx,osrt";
        words[n++] = "--force-overwrite=true";
        words[n++] = "--output";
    } else {
        words[n++] = "--nvtx";
        words[n++] = "--force-overwrite";
        words[n++] = "--export";
    }
    words[n++] = report;
    words[n++] = self;
    for (int i = 0; i < argc && n < MAX_WORDS; i++) {
        int dashes = !strncmp(argv[i], "--external", 10);
        if (dashes && !strchr(argv[i], '=') && strlen(argv[i]) > 10 && i + 1 < argc)
            i++; /* --external_tool NAME */
        if (!dashes)
            words[n++] = argv[i];
    }
    child_end end;
    TRY(child_run(words, &end, err));
    *code = end.signal ? 128 + end.signal : end.code;
    return SAM_OK;
}
