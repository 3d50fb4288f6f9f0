/* doctor.c - the verb `doctor`: what this machine offers and which code would run on it. */
#include "backend.h"
#include "convert.h"
#include "cpu_select.h"
#include "cublaslt.h"
#include "cudnn_conv.h"
#include "flags.h"
#include "image_decoders.h"
#include "op.h"
#include "open_model.h"
#include "overlay.h"

#include <stdio.h> /* before jpeglib.h, which needs FILE */

#include <dnnl.h>
#include <errno.h>
#include <jansson.h>
#include <jpeglib.h>
#include <omp.h>
#include <spng.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

/* The value behind "key   : value" of the first such line of a file of /proc. Returns text, "" if there is none. */
static const char *proc_value(const char *path, const char *key, char *text, size_t n_text)
{
    char line[1024];
    FILE *f = fopen(path, "r");
    text[0] = 0;
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) || !colon)
            continue;
        char *value = colon + 1 + strspn(colon + 1, " \t");
        value[strcspn(value, "\n")] = 0;
        snprintf(text, n_text, "%s", value);
        break;
    }
    if (f)
        fclose(f);
    return text;
}

/* Distinct (package, core) pairs of /proc/cpuinfo; 0: not said there. */
static int physical_cores(void)
{
    enum { MAX_CORES = 4096 };
    static const char path[] = "/proc/cpuinfo";
    char line[1024];
    int package = 0, core, n = 0, *seen = malloc(MAX_CORES * sizeof *seen);
    FILE *f = fopen(path, "r");
    while (f && seen && fgets(line, sizeof line, f)) {
        sscanf(line, "physical id : %d", &package);
        if (sscanf(line, "core id : %d", &core) != 1)
            continue;
        int key = package * 65536 + core, at = 0;
        while (at < n && seen[at] != key)
            at++;
        if (at == n && n < MAX_CORES)
            seen[n++] = key;
    }
    if (f)
        fclose(f);
    free(seen);
    return n;
}

static void print_cpu(void)
{
    char model[256], features[256];
    int physical = physical_cores(), logical = (int)sysconf(_SC_NPROCESSORS_ONLN);
    proc_value("/proc/cpuinfo", "model name", model, sizeof model);
    printf("CPU            %s\n", *model ? model : "(not named by /proc/cpuinfo)");
    printf("cores          %d processors online, %d usable here", logical, omp_get_num_procs());
    if (physical)
        printf(", %d physical", physical);
    printf("\ninstructions   %s\n", cpu_features(features, sizeof features));
    unsigned long long memory = 0, available = 0;
    char text[64];
    sscanf(proc_value("/proc/meminfo", "MemTotal", text, sizeof text), "%llu", &memory);
    sscanf(proc_value("/proc/meminfo", "MemAvailable", text, sizeof text), "%llu", &available);
    printf("memory         %.1f GiB, %.1f GiB available\n", (double)memory / 0x1p20, (double)available / 0x1p20);
}

/* Which copy of the CPU operators a session would get, and what it does with bf16. */
static void print_backend(void)
{
    cpu_facts here = cpu_facts_here();
    const char *chosen = cpu_variant_best(&here), *name;
    printf("CPU backend    %s: the best of those that this build has and this machine can run\n",
           chosen ? chosen : "none");
    for (int i = 0; (name = cpu_variant_name(i)); i++) {
        const char *lacks = cpu_variant_lacks(&here, name), *passed_over = cpu_variant_passed_over(&here, name);
        printf("               %-11s", name);
        if (lacks)
            printf("no: %s\n", lacks);
        else if (chosen && !strcmp(name, chosen))
            printf("used\n");
        else
            printf("can run here (--cpu_variant)%s%s\n", passed_over ? "; " : "", passed_over ? passed_over : "");
    }
    printf("bf16           %s\n", cpu_bf16_note(&here));
    printf(
        "fp16           weights are rounded to half precision, arithmetic is fp32 (a CPU's half precision is slow)\n");
}

static void print_cuda(void)
{
    char driver[256];
    proc_value("/proc/driver/nvidia/version", "NVRM version", driver, sizeof driver);
    sam_error err;
    backend *b;
    if (!backend_cuda())
        printf("CUDA           not in this build; `--device cuda` is refused\n");
    else if (backend_open(&(sam_model_options){.backend = SAM_CUDA}, &b, &err) != SAM_OK)
        printf("CUDA           %s\n", err.text);
    else {
        printf("CUDA           %s: --device auto takes it\n", b->api->device(b));
        b->api->close(b);
    }
    printf("NVIDIA driver  %s\n", *driver                                ? driver
                                  : access("/dev/nvhost-gpu", F_OK) == 0 ? "Jetson (/dev/nvhost-gpu)"
                                                                         : "none loaded on this machine");
}

/* What the CUDA backend loads when a model is opened. */
static void print_cuda_libraries(void)
{
    char why[256], path[4096];
    if (!backend_cuda())
        return;
    cublaslt *lt = cublaslt_open(NULL, why, sizeof why);
    if (lt)
        printf("cuBLASLt       %s: large products (--disable_cublas)\n", cublaslt_version(lt));
    else
        printf("cuBLASLt       none: %s; our own kernels are used\n", why);
    cublaslt_close(lt);
    cudnn *dnn = cudnn_open(NULL, why, sizeof why);
    if (dnn)
        printf("cuDNN          %s: convolutions that tuning finds faster (--disable_cudnn)\n", cudnn_version(dnn));
    else
        printf("cuDNN          none: %s; our own kernels are used\n", why);
    cudnn_close(dnn);
    model_tuning_cache(&(model_choice){0}, path, sizeof path);
    printf("tuning cache   %s (%s)\n", *path ? path : "none", access(path, F_OK) ? "made by --tune" : "there is one");
}

static void print_libraries(void)
{
    const dnnl_version_t *dnnl = dnnl_version();
    printf("oneDNN         %d.%d.%d\n", dnnl->major, dnnl->minor, dnnl->patch);
    video_print_versions();
#ifdef LIBJPEG_TURBO_VERSION
    printf("libjpeg        turbo " TEXT(LIBJPEG_TURBO_VERSION) "\n");
#else
    printf(
        "libjpeg        " TEXT(JPEG_LIB_VERSION) ", not libjpeg-turbo: pixels may differ by 1 from the references\n");
#endif
    printf("libspng        %s\njansson        %s\n", spng_version_string(), JANSSON_VERSION);
    printf("stb_image      %s\n",
           stb_is_here() ? "BMP, TGA, GIF" : "not in this build: no BMP, TGA, GIF (Debian: libstb-dev)");
    int webp = webp_version();
    if (webp)
        printf("libwebp        %d.%d.%d\n", webp >> 16, webp >> 8 & 255, webp & 255);
    else
        printf("libwebp        not in this build: no WebP (Debian: libwebp-dev)\n");
}

static void print_cache(void)
{
    char folder[1024];
    sam_error err;
    if (convert_cache_dir(getenv("XDG_CACHE_HOME"), getenv("HOME"), folder, sizeof folder, &err) != SAM_OK)
        printf("cache          %s\n", err.text);
    else
        printf("cache          %s (%s)\n", folder,
               access(folder, W_OK) == 0 ? "writable"
               : errno == ENOENT         ? "made when needed"
                                         : strerror(errno));
}

extern const verb verb_doctor;

static int doctor_main(int argc, char **argv)
{
    int help;
    sam_error err;
    if (flags_parse(&verb_doctor, NULL, 0, argc, argv, &help, &err) != SAM_OK) {
        fprintf(stderr, "sambench doctor: %s\n", err.text);
        return 2;
    }
    if (help)
        return 0;
    printf("sambench       %s\n", SAM_VERSION);
    print_cpu();
    print_backend();
    print_cuda();
    print_cuda_libraries();
    print_libraries();
    print_cache();
    return 0;
}

const verb verb_doctor = {
    .name = "doctor",
    .summary = "say what this machine offers and which code would run on it",
    .examples = "  sambench doctor\n",
    .main = doctor_main,
};
