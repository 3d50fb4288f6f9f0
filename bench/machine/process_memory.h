/* process_memory.h - the most memory this process has held resident, from Linux's accounts. */
#ifndef PROCESS_MEMORY_H
#define PROCESS_MEMORY_H

#include <stddef.h>

/* Starts a new peak from what is resident now. Where the system refuses (no /proc/self/clear_refs) the peak stays that of
 * the whole process, and 0 is returned. */
int process_peak_restart(void);
size_t process_peak_bytes(void); /* 0: not known */

#endif
