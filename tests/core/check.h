/* The smallest test harness: a test is a function, a check is a claim. Every
   program ends with `return report("name");`, which prints how many tests passed
   and fails if one did not. */

#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

#define CHECK(claim) check_that((claim), #claim, __FILE__, __LINE__)
#define CHECK_TEXT(found, expected) check_text((found), (expected), __FILE__, __LINE__)
#define RUN(test) run_test((test), #test)

void run_test(void (*test)(void), const char *name);
bool check_that(bool holds, const char *claim, const char *file, int line);
bool check_text(const char *found, const char *expected, const char *file, int line);
int report(const char *program);

#endif
