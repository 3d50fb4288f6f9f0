/* fault_shim.c - preloaded into a program, makes one call of the C library fail: LD_PRELOAD=fault_shim.so FAULT=malloc:17 COMMAND.
 *
 *   FAULT=kind:n        the n-th call of that kind fails, counted from 1
 *   FAULT=kind:n+       that one and all after it
 *   FAULT_COUNT=FILE    no fault: at the end the process appends "kind count" for each kind to FILE
 *
 * Kinds: malloc (also calloc, memalign: ENOMEM), realloc (of a block that
 * is there: ENOMEM), open (fopen; EMFILE), read (EIO), write (ENOSPC), short (a write
 * of half the bytes), intr (read or write: EINTR), rename (EXDEV), fsync (EIO), mmap (of files; ENOMEM).
 * Counting starts with main: the CUDA runtime, which registers its kernels before, does not survive a refusal. What stdio
 * reads and writes by itself (fread, fprintf) does not come through read and write; the open before it does. A call from
 * oneDNN is granted, and the next one fails. sambench defines malloc itself, in terms of __libc_malloc: that is where it
 * fails.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { MALLOC, REALLOC, OPEN, READ, WRITE, SHORT, INTR, RENAME, FSYNC, MMAP, KINDS };
static const char *const names[KINDS] = {"malloc", "realloc", "open",   "read",  "write",
                                         "short",  "intr",    "rename", "fsync", "mmap"};

static atomic_long counts[KINDS];
static int ready, and_after;
static enum kind chosen = KINDS;
static long chosen_n;
static char count_file[512];

__attribute__((constructor)) static void begin(void)
{
    const char *fault = getenv("FAULT"), *file = getenv("FAULT_COUNT");
    const char *colon = fault ? strchr(fault, ':') : NULL;
    for (int k = 0; colon && k < KINDS; k++)
        if (strlen(names[k]) == (size_t)(colon - fault) && !strncmp(fault, names[k], (size_t)(colon - fault)))
            chosen = (enum kind)k;
    if (colon) {
        chosen_n = atol(colon + 1);
        and_after = strchr(colon, '+') != NULL;
    }
    if (file && strlen(file) < sizeof count_file)
        strcpy(count_file, file);
}

static int (*program)(int, char **, char **);

static int counted_program(int argc, char **argv, char **env)
{
    ready = 1;
    return program(argc, argv, env);
}
/* What the program's first instruction calls; the C library calls main. */
int __libc_start_main(int (*of)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*at_end)(void), void *stack)
{
    __typeof__(&__libc_start_main) real = (__typeof__(&__libc_start_main))dlsym(RTLD_NEXT, "__libc_start_main");
    program = of;
    return real(counted_program, argc, argv, init, fini, at_end, stack);
}

__attribute__((destructor)) static void end(void)
{
    ready = 0;
    FILE *to = count_file[0] ? fopen(count_file, "a") : NULL;
    for (int k = 0; to && k < KINDS; k++)
        fprintf(to, "%s %ld\n", names[k], (long)counts[k]);
    if (to)
        fclose(to);
}

/* oneDNN does not survive a refusal (it writes through NULL, or throws where nobody catches): what it asks for is granted,
 * and the next call fails in its place. */
static int is_for_onednn(void)
{
    void *frames[24];
    Dl_info of;
    ready = 0; /* backtrace may take memory */
    int n = backtrace(frames, 24), found = 0;
    for (int i = 0; i < n && !found; i++)
        found = dladdr(frames[i], &of) && of.dli_fname && strstr(of.dli_fname, "libdnnl");
    ready = 1;
    return found;
}

static int fails(enum kind k)
{
    if (!ready)
        return 0;
    long n = atomic_fetch_add(&counts[k], 1) + 1;
    if (k != chosen || !(n == chosen_n || (and_after && n > chosen_n)))
        return 0;
    if ((k == MALLOC || k == REALLOC) && is_for_onednn()) {
        chosen_n += !and_after;
        return 0;
    }
    return 1;
}

static int refuse(enum kind k, int why)
{
    if (!fails(k))
        return 0;
    errno = why;
    return 1;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *__libc_malloc(size_t n)
{
    static __typeof__(&__libc_malloc) real;
    if (!real)
        real = (__typeof__(real))dlsym(RTLD_NEXT, "__libc_malloc");
    return refuse(MALLOC, ENOMEM) ? NULL : real(n);
}

void *__libc_calloc(size_t n, size_t each)
{
    static __typeof__(&__libc_calloc) real;
    if (!real)
        real = (__typeof__(real))dlsym(RTLD_NEXT, "__libc_calloc");
    return refuse(MALLOC, ENOMEM) ? NULL : real(n, each);
}

void *__libc_realloc(void *p, size_t n)
{
    static __typeof__(&__libc_realloc) real;
    if (!real)
        real = (__typeof__(real))dlsym(RTLD_NEXT, "__libc_realloc");
    return refuse(p ? REALLOC : MALLOC, ENOMEM) ? NULL : real(p, n);
}

void *__libc_memalign(size_t align, size_t n)
{
    static __typeof__(&__libc_memalign) real;
    if (!real)
        real = (__typeof__(real))dlsym(RTLD_NEXT, "__libc_memalign");
    return refuse(MALLOC, ENOMEM) ? NULL : real(align, n);
}

void *malloc(size_t n)
{
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t each)
{
    return __libc_calloc(n, each);
}

void *realloc(void *p, size_t n)
{
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return __libc_memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
    void *p = __libc_memalign(align, n);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    REAL(open);
    return refuse(OPEN, EMFILE) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    REAL(open64);
    return refuse(OPEN, EMFILE) ? -1 : real(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    REAL(fopen);
    return refuse(OPEN, EMFILE) ? NULL : real(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    REAL(fopen64);
    return refuse(OPEN, EMFILE) ? NULL : real(path, mode);
}

ssize_t read(int fd, void *to, size_t n)
{
    REAL(read);
    return refuse(READ, EIO) || refuse(INTR, EINTR) ? -1 : real(fd, to, n);
}

ssize_t write(int fd, const void *from, size_t n)
{
    REAL(write);
    if (fd > 2 && (refuse(WRITE, ENOSPC) || refuse(INTR, EINTR)))
        return -1;
    return real(fd, from, fd > 2 && n > 1 && fails(SHORT) ? n / 2 : n);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    return refuse(RENAME, EXDEV) ? -1 : real(from, to);
}

int fsync(int fd)
{
    REAL(fsync);
    return refuse(FSYNC, EIO) ? -1 : real(fd);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap);
    return fd >= 0 && refuse(MMAP, ENOMEM) ? MAP_FAILED : real(at, n, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap64);
    return fd >= 0 && refuse(MMAP, ENOMEM) ? MAP_FAILED : real(at, n, protection, flags, fd, offset);
}
