/* runtime.cpp - what nvcc's host code, and the project's launchers, call of the CUDA runtime. Launches run at once. Kernels
 * come from the PTX in the program's own fat binaries (nvcc -gencode arch=compute_80,code=compute_80 --no-compress).
 *
 * Environment: PTX_VERBOSE=1 names every launch; PTX_MULTIPROCESSORS=N of the device (4); PTX_COVERAGE=FILE is written with
 * what was executed; PTX_MMA=f32 adds as C does and not as tensor cores do; PTX_APPROX=N: approximations up to N ulp off;
 * PTX_RACES=0 does not look for races. A program with a race in shared memory ends with status 70. */
#include "ptx.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

struct dim3 {
    unsigned x, y, z;
};
typedef int cudaError_t;
enum { SUCCESS = 0, INVALID = 1, FAILED = 719 };

static std::map<const void *, Kernel *> &stubs()
{
    static auto *map = new std::map<const void *, Kernel *>;
    return *map;
}
static std::vector<Module *> &modules()
{
    static auto *list = new std::vector<Module *>;
    return *list;
}
static std::string last_text = "no error";
static cudaError_t last = SUCCESS;
static struct {
    dim3 grid, block;
    size_t shared;
    void *stream;
} pushed;

static void die(const char *what)
{
    fprintf(stderr, "ptx: %s\n", what);
    abort();
}

/* Fat binary: a header of 16 bytes (magic, version, header bytes, u64 size), then entries: u16 kind (1 PTX), u16, u32 header
 * bytes, u64 bytes, ... */
static std::string ptx_of(const unsigned char *fat)
{
    u32 magic;
    memcpy(&magic, fat, 4);
    if (magic != 0xBA55ED50u)
        die("this is no fat binary");
    u16 header;
    u64 size;
    memcpy(&header, fat + 6, 2);
    memcpy(&size, fat + 8, 8);
    std::string found;
    for (const unsigned char *e = fat + header, *end = e + size; e < end;) {
        u16 kind;
        u32 entry_header;
        u64 bytes;
        memcpy(&kind, e, 2);
        memcpy(&entry_header, e + 4, 4);
        memcpy(&bytes, e + 8, 8);
        if (kind == 1) {
            std::string text((const char *)e + entry_header, (size_t)bytes);
            text.resize(strnlen(text.c_str(), text.size()));
            if (text.find(".version") == std::string::npos)
                die("the PTX is compressed: build with nvcc --no-compress");
            if (found.empty())
                found = text;
        }
        e += entry_header + bytes;
    }
    if (found.empty())
        die("no PTX in the fat binary: build with -gencode arch=compute_80,code=compute_80");
    return found;
}

static int number_of(const char *variable, int otherwise)
{
    const char *text = getenv(variable);
    return text ? atoi(text) : otherwise;
}

static void at_end(void)
{
    write_coverage(modules());
    if (n_shared_races) {
        fprintf(stderr, "ptx: %d races in shared memory\n", n_shared_races);
        fflush(nullptr);
        _Exit(70);
    }
}

extern "C" {

void **__cudaRegisterFatBinary(void *wrapper)
{
    struct {
        int magic, version;
        const unsigned char *data;
    } w;
    memcpy(&w, wrapper, sizeof w);
    Module *m = new Module;
    try {
        module_load(*m, ptx_of(w.data));
    } catch (Error &e) {
        die(e.text.c_str());
    }
    if (modules().empty()) {
        atexit(at_end);
        settings.approx_ulp = (u32)number_of("PTX_APPROX", 0);
        settings.races = number_of("PTX_RACES", 1) != 0;
        const char *sums = getenv("PTX_MMA");
        settings.f32_sums = sums && !strcmp(sums, "f32");
        settings.target = m->target;
    }
    modules().push_back(m);
    return (void **)m;
}
void __cudaRegisterFatBinaryEnd(void **)
{
}
void __cudaUnregisterFatBinary(void **)
{
}
void __cudaRegisterFunction(void **handle, const char *stub, char *, const char *name, int, void *, void *, dim3 *,
                            dim3 *, int *)
{
    Module *m = (Module *)handle;
    auto it = m->kernels.find(name);
    if (it == m->kernels.end())
        die((std::string("the PTX has no kernel ") + name).c_str());
    stubs()[stub] = &it->second;
}
void __cudaRegisterVar(void **, char *, char *, const char *name, int, size_t, int, int)
{
    fprintf(stderr, "ptx: the host cannot write the device variable %s\n", name);
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, void *stream)
{
    pushed = {grid, block, shared, stream};
    return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream)
{
    *grid = pushed.grid;
    *block = pushed.block;
    *shared = pushed.shared;
    *(void **)stream = pushed.stream;
    return SUCCESS;
}
cudaError_t __cudaGetKernel(void **kernel, const void *stub)
{
    auto it = stubs().find(stub);
    if (it == stubs().end())
        return INVALID;
    *kernel = it->second;
    return SUCCESS;
}
cudaError_t __cudaLaunchKernel(void *kernel, dim3 grid, dim3 block, void **args, size_t shared, void *)
{
    Kernel *k = (Kernel *)kernel;
    u32 g[3] = {grid.x, grid.y, grid.z}, b[3] = {block.x, block.y, block.z};
    static const bool verbose = getenv("PTX_VERBOSE") != nullptr;
    unsigned long long before = settings.steps;
    const char *wrong = k ? launch_kernel(*k, g, b, shared, args) : "ptx: no such kernel";
    if (verbose)
        fprintf(stderr, "ptx: %s <<<(%u,%u,%u), (%u,%u,%u), %zu>>> seed %u: %llu instructions of warps\n",
                k ? k->name.c_str() : "?", g[0], g[1], g[2], b[0], b[1], b[2], shared, settings.seed,
                settings.steps - before);
    if (wrong) {
        last = FAILED;
        last_text = wrong;
    }
    return wrong ? FAILED : SUCCESS;
}
cudaError_t cudaLaunchKernel(const void *stub, dim3 grid, dim3 block, void **args, size_t shared, void *stream)
{
    auto it = stubs().find(stub);
    return __cudaLaunchKernel(it == stubs().end() ? nullptr : it->second, grid, block, args, shared, stream);
}
cudaError_t cudaFuncSetAttribute(const void *stub, int attribute, int value)
{
    auto it = stubs().find(stub);
    if (it == stubs().end() || attribute != 8) /* cudaFuncAttributeMaxDynamicSharedMemorySize */
        return INVALID;
    if ((size_t)value + it->second->static_shared > shared_limit())
        return INVALID;
    it->second->max_dynamic_shared = value;
    return SUCCESS;
}
cudaError_t cudaFuncGetAttributes(void *attributes, const void *stub)
{
    auto it = stubs().find(stub);
    if (it == stubs().end())
        return INVALID;
    size_t static_bytes = it->second->static_shared;
    memcpy(attributes, &static_bytes, sizeof static_bytes); /* sharedSizeBytes, the first member */
    return SUCCESS;
}
cudaError_t cudaGetLastError(void)
{
    cudaError_t e = last;
    last = SUCCESS;
    return e;
}
const char *cudaGetErrorString(cudaError_t e)
{
    return e == SUCCESS ? "no error" : e == FAILED ? last_text.c_str() : "ptx: invalid value";
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, int, void *)
{
    memcpy(to, from, n);
    return SUCCESS;
}
cudaError_t cudaMemsetAsync(void *to, int byte, size_t n, void *)
{
    memset(to, byte, n);
    return SUCCESS;
}
cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return SUCCESS;
}
cudaError_t cudaDeviceGetAttribute(int *value, int which, int)
{
    static const int multiprocessors = number_of("PTX_MULTIPROCESSORS", 4);
    *value = which == 97 ? (int)shared_limit() : which == 16 ? multiprocessors : 0; /* 97: shared memory, opt-in */
    return SUCCESS;
}

/* tests/emu/control.h. The launchers of nvcc's code ask described_device.h first, which nobody counts: they always may. */
void emu_seed(unsigned seed)
{
    settings.seed = seed;
}
unsigned long long emu_steps(void)
{
    return settings.steps / 16;
}
unsigned long long emu_questions(void)
{
    static unsigned long long n;
    return ++n;
}
void emu_shared_limit(size_t n_bytes)
{
    settings.shared_limit = n_bytes;
}
}
