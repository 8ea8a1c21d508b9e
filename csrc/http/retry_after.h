/* retry_after.h: the Retry-After header (RFC 9110 section 10.2.3): seconds, or an HTTP-date in any
 * of the three forms of section 5.6.7. */
#ifndef PT_RETRY_AFTER_H
#define PT_RETRY_AFTER_H

#include <stddef.h>

/* Seconds to wait from now, finite and not negative, or -1 when the value is malformed (empty,
   junk, "5, 10", negative, infinite, an impossible date). A number too large for a double to hold
   exactly is the largest it can, 2^53. Fractions ("1.5") are taken: some gateways send them. A date
   in the past is 0. `now` is the wall clock in seconds since the epoch: a date can only be compared
   with it. RFC 850 two-digit years: section 5.6.7 (more than 50 years ahead means the past
   century). */
double pt_retry_after_parse(const char *value, size_t length, double now);

#endif
