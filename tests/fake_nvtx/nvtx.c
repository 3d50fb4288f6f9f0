/* A profiler as far as NVTX is concerned: writes the names of ranges to FAKE_NVTX_LOG, a line each, and "." where one
 * ends. */
#include <nvtx3/nvToolsExt.h>

#include <stdio.h>
#include <stdlib.h>

static FILE *to;

static int push(const char *name)
{
    fprintf(to, "%s\n", name);
    return 0;
}

static int pop(void)
{
    fprintf(to, ".\n");
    return 0;
}

int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table);
__attribute__((visibility("default"))) int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table)
{
    const NvtxExportTableCallbacks *callbacks = get_table(NVTX_ETID_CALLBACKS);
    NvtxFunctionTable table = NULL;
    unsigned size = 0;
    const char *path = getenv("FAKE_NVTX_LOG");
    to = path ? fopen(path, "w") : NULL;
    if (!to || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size) ||
        size <= NVTX_CBID_CORE_RangePop)
        return 0;
    *table[NVTX_CBID_CORE_RangePushA] = (NvtxFunctionPointer)push;
    *table[NVTX_CBID_CORE_RangePop] = (NvtxFunctionPointer)pop;
    return 1;
}
