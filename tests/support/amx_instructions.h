/* amx_instructions.h - executes the instructions of AMX on a processor that lacks them: a handler of SIGILL decodes the
 * one that trapped, does it on the thread's eight tiles with the C twin of kernels/cpu_amx.h, and steps over it. So tests
 * run the very code that the compiler made for the hardware: its operands, encodings and order.
 *
 * Known: LDTILECFG (of the one configuration that amx_begin makes, which is checked), TILERELEASE, TILEZERO, TILELOADD,
 * TILESTORED, TDPBF16PS. Any other instruction, and a tile used without a configuration, ends the program with a
 * message: a signal handler cannot fail a test. */
#ifndef AMX_INSTRUCTIONS_H
#define AMX_INSTRUCTIONS_H

/* Installs the handler; the same numbers count from then on, over all threads. Returns 0, or -1. */
int amx_instructions_begin(void);
void amx_instructions_end(void);

typedef struct amx_counts {
    long begins, ends, zeros, loads, stores, dots;
} amx_counts;
amx_counts amx_instructions_counts(void);

#endif
