#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A signal handler has no argument to find its state by; this is one of the two globals of the program (the other is
 * the counter of alloc_count.c). */
static volatile sig_atomic_t requested;

static void remember(int signal_number)
{
    (void)signal_number;
    requested = 1;
}

void interrupt_catch(void)
{
    struct sigaction a = {.sa_handler = remember, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

int interrupt_requested(void)
{
    return requested != 0;
}
