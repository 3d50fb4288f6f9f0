/* board_power.h - what a Jetson takes, from its INA3221 monitors. Boards differ in what their rails are, which their labels say:
 *
 *   Nano                      POM_5V_IN is all; POM_5V_GPU, POM_5V_CPU are parts of it
 *   TX1, TX2                  VDD_IN is all; VDD_SYS_GPU, VDD_SYS_CPU, VDD_SYS_SOC, VDD_SYS_DDR, VDD_4V0_WIFI are parts
 *   Xavier NX, Orin NX, Nano  VDD_IN is all; VDD_CPU_GPU_CV, VDD_SOC are parts
 *   AGX Xavier                no rail is all: GPU, CPU, SOC, CV, VDDRQ and SYS5V (everything else) are added up
 *   AGX Orin                  no rail is all: VDD_GPU_SOC, VDD_CPU_CV, VIN_SYS_5V0, VDDQ_VDD2_1V8AO are added up
 *
 * Sources: Jetson Linux Developer Guide r32.7 and r35.6 ("Power monitors" of each platform); NVIDIA's forum, topics 75574 (AGX
 * Xavier) and 200883 (VDD_IN is the module's total); jetson_stats, jtop/core/power.py, total_power, which has the same rule. */
#ifndef BOARD_POWER_H
#define BOARD_POWER_H

/* W: the rail that is all, or the sum of the rails of a board that has none. NaN without monitors, and where several rails have
 * no labels: which of them is all cannot be known then. Read from root/sys/class/hwmon (JetPack 5 and later) and, where there
 * are none, root/sys/bus/iio/devices (JetPack 4). */
double board_power_w(const char *root);

#endif
