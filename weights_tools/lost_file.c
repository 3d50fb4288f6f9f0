#include "lost_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* In a signal handler: system calls only. */

static void say(const char *text, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, text, n);
        if (done <= 0)
            return;
        text += done;
        n -= (size_t)done;
    }
}

/* A line of /proc/self/maps is "from-to mode offset device inode    path". Returns 1 if the address lies in it. */
static int covers(const char *line, uintptr_t address)
{
    uintptr_t bound[2] = {0, 0};
    for (int i = 0; i < 2; i++, line++)
        for (; *line && *line != '-' && *line != ' '; line++)
            bound[i] = bound[i] * 16 + (uintptr_t)(*line <= '9' ? *line - '0' : *line - 'a' + 10);
    return address >= bound[0] && address < bound[1];
}

static void say_file(uintptr_t address)
{
    char line[4400];
    size_t n = 0;
    char c;
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (maps >= 0 && read(maps, &c, 1) == 1) {
        if (c != '\n' && n + 1 < sizeof line) {
            line[n++] = c;
            continue;
        }
        line[n] = 0;
        const char *path = strchr(line, '/');
        if (path && covers(line, address)) {
            say(path, strlen(path));
            break;
        }
        n = 0;
    }
    if (maps >= 0)
        close(maps);
}

static void lost(int signal_number, siginfo_t *what, void *context)
{
    static const char before[] = "error: a file became shorter, or its disk failed, while it was read: ";
    static const char after[] = "\nWhat is written so far is whole; restore the file and run again.\n";
    (void)signal_number;
    (void)context;
    say(before, sizeof before - 1);
    say_file((uintptr_t)what->si_addr);
    say(after, sizeof after - 1);
    _exit(1);
}

void lost_file_watch(void)
{
    struct sigaction action = {.sa_sigaction = lost, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
