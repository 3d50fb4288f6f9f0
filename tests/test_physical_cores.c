/* Processors that share a core count once. */
#define _GNU_SOURCE
#include "physical_cores.h"
#include "temp_tree.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* What the kernel would say of a machine whose processors are `share` to a core, and of this process' share of them. */
static void cores_of(int share)
{
    cpu_set_t allowed;
    temp_tree tree;
    int expected = 0, last = -1, n = 0;
    tree_open(&tree);
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        char path[128], text[32];
        int first = cpu / share * share;
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        snprintf(path, sizeof path, "devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        snprintf(text, sizeof text, "%d-%d\n", first, first + share - 1);
        tree_text(&tree, path, text);
        expected += first != last;
        last = first;
        n++;
    }
    int found = physical_cores(tree.root);
    printf("%d processors, %d to a core: %d cores\n", n, share, found);
    assert_int_equal(found, expected);
    tree_close(&tree);
}

static void siblings_count_once(void **state)
{
    (void)state;
    for (int share = 1; share <= 4; share *= 2)
        cores_of(share);
}

static void every_processor_counts_where_nothing_is_said(void **state)
{
    (void)state;
    cpu_set_t allowed;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    assert_int_equal(physical_cores("/nowhere/at/all"), CPU_COUNT(&allowed));
    int here = physical_cores("/sys");
    assert_true(here >= 1 && here <= CPU_COUNT(&allowed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(siblings_count_once),
                                       cmocka_unit_test(every_processor_counts_where_nothing_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
