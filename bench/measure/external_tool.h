/* external_tool.h - `--external`: the same command again under NVIDIA's profilers, where they are installed. */
#ifndef EXTERNAL_TOOL_H
#define EXTERNAL_TOOL_H

#include "error.h"

/* Runs this program with argv (the verb first), less every flag that begins with --external, under `tool` ("auto": nsys,
 * then ncu). NSYS_CMD and NCU_CMD name other programs. Reports go to out_dir. *code is its exit status. SAM_E_IO explains
 * what to install if there is none. */
sam_status external_run(const char *tool, const char *out_dir, int argc, char **argv, int *code, sam_error *err);

#endif
