/* interrupt.h - Ctrl-C and SIGTERM end a run between two frames, so that what has been computed is still written. */
#ifndef INTERRUPT_H
#define INTERRUPT_H

/* From now on the first SIGINT or SIGTERM is only remembered; the second one kills as usual.
 * For verbs that ask interrupt_requested between frames. */
void interrupt_catch(void);
int interrupt_requested(void);

#endif
