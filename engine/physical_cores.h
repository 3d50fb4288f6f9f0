/* physical_cores.h - how many cores this process may run on. Two threads on one core share its multipliers, so products gain
 * nothing from the second. */
#ifndef PHYSICAL_CORES_H
#define PHYSICAL_CORES_H

/* `sys`: where the kernel says which processors are one core, "/sys". Where it does not, every processor counts. At least 1. */
int physical_cores(const char *sys);

#endif
