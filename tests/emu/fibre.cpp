/* fibre.cpp - switching stacks: a dozen instructions on x86-64, ucontext elsewhere. */
#include "fibre.h"

#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

#if !defined(__x86_64__) && !defined(EMU_UCONTEXT)
#define EMU_UCONTEXT 1
#endif
#ifdef EMU_UCONTEXT
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
static void leaving(fibre *from, fibre *to)
{
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->n_bytes);
}
static void arrived(fibre *now, fibre *before)
{
    const void *bottom = nullptr;
    size_t n_bytes = 0;
    __sanitizer_finish_switch_fiber(now ? now->fake_stack : nullptr, &bottom, &n_bytes);
    if (before && !before->stack) {
        before->stack = (char *)const_cast<void *>(bottom);
        before->n_bytes = n_bytes;
    }
}
static void forget(fibre *f)
{
    __asan_unpoison_memory_region(f->stack, f->n_bytes);
}
#else
static void leaving(fibre *, fibre *)
{
}
static void arrived(fibre *, fibre *)
{
}
static void forget(fibre *)
{
}
#endif

/* Kernels keep their tiles in arrays, which sanitizers pad; only touched pages cost memory. */
static const size_t STACK_BYTES = 256 * 1024;

#ifndef EMU_UCONTEXT
extern "C" void emu_switch_stack(void **save, void *load);
asm(".text\n"
    ".p2align 4\n"
    ".globl emu_switch_stack\n"
    ".type emu_switch_stack, @function\n"
    "emu_switch_stack:\n"
    "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
    "    mov %rsp, (%rdi)\n"
    "    mov %rsi, %rsp\n"
    "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
    "    ret\n"
    ".size emu_switch_stack, .-emu_switch_stack\n");
#endif

void fibre_restart(fibre *f, void (*entry)(void))
{
    forget(f);
    f->fake_stack = nullptr;
#ifdef EMU_UCONTEXT
    if (!f->context)
        f->context = calloc(1, sizeof(ucontext_t));
    ucontext_t *u = (ucontext_t *)f->context;
    getcontext(u);
    u->uc_stack.ss_sp = f->stack;
    u->uc_stack.ss_size = f->n_bytes;
    makecontext(u, entry, 0);
#else
    /* What emu_switch_stack pops: six registers, then its return address; entry sees an aligned stack. */
    uintptr_t *sp = (uintptr_t *)(f->stack + f->n_bytes) - 2;
    *--sp = 0;
    *--sp = (uintptr_t)entry;
    for (int i = 0; i < 6; i++)
        *--sp = 0;
    f->context = sp;
#endif
}

fibre *fibre_new(void (*entry)(void))
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory =
        mmap(nullptr, STACK_BYTES + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE))
        return nullptr;
    fibre *f = (fibre *)calloc(1, sizeof *f);
    if (!f)
        return nullptr;
    f->stack = (char *)memory + page;
    f->n_bytes = STACK_BYTES;
    fibre_restart(f, entry);
    return f;
}

void fibre_switch(fibre *from, fibre *to)
{
    leaving(from, to);
#ifdef EMU_UCONTEXT
    if (!from->context)
        from->context = calloc(1, sizeof(ucontext_t));
    swapcontext((ucontext_t *)from->context, (ucontext_t *)to->context);
#else
    emu_switch_stack(&from->context, to->context);
#endif
    arrived(from, nullptr);
}

void fibre_begin(fibre *program)
{
    arrived(nullptr, program);
}
