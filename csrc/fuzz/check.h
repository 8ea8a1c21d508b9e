/* check.h: assertions of the fuzz targets, kept whatever NDEBUG says. */
#ifndef PT_FUZZ_CHECK_H
#define PT_FUZZ_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The entry of libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : fail(#condition, __FILE__, __LINE__))

static inline _Noreturn void fail(const char *condition, const char *file, int line) {
  (void)fprintf(stderr, "%s:%d: %s does not hold\n", file, line, condition);
  abort();
}

#endif
