#include "board_power.h"

#include "sysfs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_CHANNELS = 3 };

/* What has been read so far. */
typedef struct board {
    double all, sum; /* NaN: no such rail yet */
    int n, n_unnamed;
} board;

static int is_all(const char *label)
{
    return !strcmp(label, "VDD_IN") || !strcmp(label, "POM_5V_IN");
}

/* A channel that is not connected is "NC". */
static void add_rail(board *b, const char *label, double watt)
{
    if (isnan(watt) || !strcmp(label, "NC"))
        return;
    if (is_all(label))
        b->all = watt;
    b->n++;
    b->n_unnamed += !*label;
    b->sum = isnan(b->sum) ? watt : b->sum + watt;
}

/* The first line of a file, "" if there is none. */
static const char *read_label(const char *root, const char *path, char *text, size_t n_text)
{
    if (!sysfs_text(root, path, text, n_text))
        return "";
    text[strcspn(text, "\n")] = 0;
    return text;
}

/* in<i>_input is in mV, curr<i>_input in mA. Inputs from the fourth on are shunts and their sum. */
static void read_hwmon(const char *root, const char *folder, board *b)
{
    char path[512], label[64];
    for (int i = 1; i <= N_CHANNELS; i++) {
        snprintf(path, sizeof path, "%s/in%d_input", folder, i);
        double mv = sysfs_number(root, path);
        snprintf(path, sizeof path, "%s/curr%d_input", folder, i);
        double ma = sysfs_number(root, path);
        snprintf(path, sizeof path, "%s/in%d_label", folder, i);
        add_rail(b, read_label(root, path, label, sizeof label), mv * ma / 1e6);
    }
}

/* The driver of JetPack 4, ina3221x: in_power<i>_input is in mW. */
static void read_iio(const char *root, const char *folder, board *b)
{
    char path[512], label[64];
    for (int i = 0; i < N_CHANNELS; i++) {
        snprintf(path, sizeof path, "%s/in_power%d_input", folder, i);
        double mw = sysfs_number(root, path);
        snprintf(path, sizeof path, "%s/rail_name_%d", folder, i);
        add_rail(b, read_label(root, path, label, sizeof label), mw / 1e3);
    }
}

static void read_monitors(const char *root, const char *parent,
                          void (*read)(const char *root, const char *folder, board *b), board *b)
{
    char folder[400], path[420], name[64];
    DIR *dir = sysfs_folder(root, parent);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(folder, sizeof folder, "%s/%s", parent, e->d_name);
        snprintf(path, sizeof path, "%s/name", folder);
        if (!strncmp(read_label(root, path, name, sizeof name), "ina3221", 7))
            read(root, folder, b);
    }
    if (dir)
        closedir(dir);
}

double board_power_w(const char *root)
{
    board b = {.all = NAN, .sum = NAN};
    read_monitors(root, "/sys/class/hwmon", read_hwmon, &b);
    if (!b.n)
        read_monitors(root, "/sys/bus/iio/devices", read_iio, &b);
    if (!isnan(b.all))
        return b.all;
    return b.n_unnamed && b.n > 1 ? NAN : b.sum;
}
