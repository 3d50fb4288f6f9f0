/* samconvert - weights files for sambench. Exit status: 0 done, 1 failed, 2 wrong arguments. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "convert.h"
#include "digest.h"
#include "inspect.h"
#include "known_models.h"
#include "lost_file.h"
#include "stream_end.h"

static const char help[] =
    "samconvert makes the weights files that sambench opens from those that are published.\n"
    "\n"
    "  samconvert convert IN OUT [--model NAME]\n"
    "      IN: .pt, .pth (torch.save) or .safetensors; official, Ultralytics or Hugging Face naming; F32, F16, BF16\n"
    "  samconvert inspect FILE\n"
    "      family, size, configuration and tensors of any file that can be converted, or was\n"
    "  samconvert random --model NAME [--seed N] [--variant stable|unstable] [--half]\n"
    "                    [--format converted|meta] [--digest] [OUT]\n"
    "      deterministic random weights; meta: as the official checkpoint has them, for the official code;\n"
    "      --digest prints the SHA-256 over the official tensors (OUT may then be left out); default seed 101\n"
    "  samconvert --version | --help\n"
    "\n";

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void print_help(void)
{
    fputs(help, stdout);
    printf("NAME:");
    for (size_t i = 0; i < n_known_models; i++)
        printf("%s %s", i ? "," : "", known_models[i].name);
    printf("; short: sam2.1_t, sam2_b+, sam_b\n");
}

static int usage(const char *what, const char *word)
{
    fprintf(stderr, "samconvert: %s%s\n`samconvert --help` lists the commands\n", what, word);
    return EXIT_USAGE;
}

static int done(sam_status status, const sam_error *err)
{
    if (status == SAM_OK)
        return EXIT_DONE;
    fprintf(stderr, "samconvert: %s\n", err->text);
    return status == SAM_E_ARG ? EXIT_USAGE : EXIT_FAILED;
}

typedef struct arguments {
    const char *files[2];
    int n_files;
    const char *model, *seed, *variant, *format;
    int half, digest;
} arguments;

/* Returns 0, or the exit status. */
static int parse(int argc, char **argv, arguments *a)
{
    const struct {
        const char *name;
        const char **value;
        int *flag;
    } options[] = {{"--model", &a->model, NULL},   {"--seed", &a->seed, NULL}, {"--variant", &a->variant, NULL},
                   {"--format", &a->format, NULL}, {"--half", NULL, &a->half}, {"--digest", NULL, &a->digest}};
    const size_t n_options = sizeof options / sizeof options[0];
    for (int i = 0; i < argc; i++) {
        size_t o = 0;
        if (strncmp(argv[i], "--", 2) != 0) {
            if (a->n_files == 2)
                return usage("too many files: ", argv[i]);
            a->files[a->n_files++] = argv[i];
            continue;
        }
        while (o < n_options && strcmp(argv[i], options[o].name) != 0)
            o++;
        if (o == n_options)
            return usage("unknown option ", argv[i]);
        if (options[o].flag)
            *options[o].flag = 1;
        else if (++i == argc)
            return usage("a value is missing after ", argv[i - 1]);
        else
            *options[o].value = argv[i];
    }
    return 0;
}

/* What another program's file would be, by the end of its name; NULL: none that is known. */
static const char *other_format(const char *path)
{
    static const char *const ends[][2] = {
        {".onnx", "ONNX"},         {".engine", "TensorRT"},  {".plan", "TensorRT"},       {".trt", "TensorRT"},
        {".pt", "PyTorch"},        {".pth", "PyTorch"},      {".torchscript", "PyTorch"}, {".gguf", "GGML"},
        {".mlpackage", "Core ML"}, {".tflite", "TensorFlow"}};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n_end = strlen(ends[i][0]);
        if (n > n_end && !strcasecmp(path + n - n_end, ends[i][0]))
            return ends[i][1];
    }
    return NULL;
}

static int run_convert(const arguments *a)
{
    sam_error err;
    if (a->n_files != 2)
        return usage("convert needs IN and OUT", "");
    if (a->seed || a->variant || a->format || a->half || a->digest)
        return usage("convert takes no option but --model", "");
    const char *other = other_format(a->files[1]);
    if (other) {
        fprintf(stderr,
                "samconvert: %s: writes .safetensors only, for sambench, which runs it without %s; name the result "
                "OUT.safetensors\n",
                a->files[1], other);
        return EXIT_USAGE;
    }
    return done(convert_file(a->files[0], a->files[1], a->model, &err), &err);
}

static int run_inspect(const arguments *a)
{
    sam_error err;
    if (a->n_files != 1)
        return usage("inspect needs one FILE", "");
    if (a->model || a->seed || a->variant || a->format || a->half || a->digest)
        return usage("inspect takes no options", "");
    return done(inspect_file(a->files[0], stdout, &err), &err);
}

static int parse_random(const arguments *a, random_options *opt)
{
    *opt = (random_options){.model = a->model, .seed = 101, .half = a->half};
    if (a->seed) {
        char *end;
        errno = 0;
        opt->seed = strtoull(a->seed, &end, 0);
        if (errno || *end || end == a->seed || a->seed[0] == '-')
            return usage("--seed is not a number: ", a->seed);
    }
    if (a->variant && strcmp(a->variant, "unstable") == 0)
        opt->variant = HASH_UNSTABLE;
    else if (a->variant && strcmp(a->variant, "stable") != 0)
        return usage("--variant is stable or unstable, not ", a->variant);
    if (a->format && strcmp(a->format, "meta") == 0)
        opt->official = 1;
    else if (a->format && strcmp(a->format, "converted") != 0)
        return usage("--format is converted or meta, not ", a->format);
    return 0;
}

static int run_random(const arguments *a)
{
    sam_error err;
    random_options opt;
    char digest[DIGEST_TEXT];
    if (!a->model)
        return usage("random needs --model", "");
    if (a->n_files > 1 || (a->n_files == 0 && !a->digest))
        return usage("random needs one OUT", "");
    int wrong = parse_random(a, &opt);
    if (wrong)
        return wrong;
    sam_status status = convert_random(&opt, a->files[0], digest, &err);
    if (status == SAM_OK && a->digest)
        printf("%s\n", digest);
    return done(status, &err);
}

static int run(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const arguments *a);
    } commands[] = {{"convert", run_convert}, {"inspect", run_inspect}, {"random", run_random}};
    arguments a = {0};
    lost_file_watch();
    if (argc < 2)
        return usage("a command is missing", "");
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return EXIT_DONE;
        }
    if (strcmp(argv[1], "--version") == 0) {
        printf("samconvert %s\n", SAM_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            int wrong = parse(argc - 2, argv + 2, &a);
            return wrong ? wrong : commands[i].run(&a);
        }
    return usage("unknown command ", argv[1]);
}

int main(int argc, char **argv)
{
    sam_error err;
    int code = run(argc, argv);
    if (stream_end(stdout, "standard output", &err) == SAM_OK)
        return code;
    fprintf(stderr, "samconvert: %s\n", err.text);
    return code ? code : EXIT_FAILED;
}
