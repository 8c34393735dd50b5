#include "check.h"

#include <stdio.h>
#include <string.h>

static int passed, failed;
static bool holds_so_far;

void run_test(void (*test)(void), const char *name)
{
    holds_so_far = true;
    test();
    if (holds_so_far)
        passed++;
    else
        failed++;
    if (!holds_so_far)
        printf("FAILED %s\n", name);
}

bool check_that(bool holds, const char *claim, const char *file, int line)
{
    if (!holds)
        printf("%s:%d: not so: %s\n", file, line, claim);
    holds_so_far = holds_so_far && holds;
    return holds;
}

bool check_text(const char *found, const char *expected, const char *file, int line)
{
    bool same = strcmp(found, expected) == 0;
    if (!same)
        printf("%s:%d:\n  expected %s\n  found    %s\n", file, line, expected, found);
    holds_so_far = holds_so_far && same;
    return same;
}

int report(const char *program)
{
    printf("%s: %d passed, %d failed\n", program, passed, failed);
    return failed != 0 || passed == 0;
}
