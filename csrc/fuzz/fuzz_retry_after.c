/* fuzz_retry_after.c: Retry-After values. A wait is finite and not negative, or -1, does not depend
 * on white space around the value, and follows the clock. */
#include "base/buffer.h"
#include "http/retry_after.h"
#include "check.h"

#include <math.h>
#include <string.h>

#define NOW 1445412480.0
#define YEAR 31556952.0 /* seconds */

static void check_wait(double wait) { CHECK(isfinite(wait) && (wait >= 0 || wait == -1)); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *value = (const char *)data;
  double wait = pt_retry_after_parse(value, size, NOW);
  check_wait(wait);
  CHECK(wait == pt_retry_after_parse(value, size, NOW));
  check_wait(pt_retry_after_parse(value, size, 0));
  check_wait(pt_retry_after_parse(value, size, 8000 * YEAR));
  /* A clock a second on: the same wait for seconds, a second less for a date. */
  double later = pt_retry_after_parse(value, size, NOW + 1);
  CHECK(later == wait || later == wait - 1);
  pt_buffer padded = {0};
  pt_buffer_add_text(&padded, " \t");
  pt_buffer_add(&padded, value, size);
  pt_buffer_add_text(&padded, "\r\n");
  CHECK(pt_retry_after_parse(padded.bytes, padded.length, NOW) == wait);
  pt_buffer_free(&padded);
  return 0;
}
