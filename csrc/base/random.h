/* random.h: the system's randomness, for idempotency keys and jitter. Never seeded by us:
 * safe after fork. */
#ifndef PT_RANDOM_H
#define PT_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

#define PT_UUID_LENGTH 36

/* A UUID version 4 (RFC 9562 section 5.4), NUL-terminated. */
bool pt_random_uuid(char uuid[PT_UUID_LENGTH + 1]);
/* Uniform in [0, 1); 0.5 when there is no randomness (jitter may be predictable, keys may not). */
double pt_random_unit(void);
/* 8-4-4-4-12 hexadecimal digits in either case. */
bool pt_uuid_valid(const char *text, size_t length);

#endif
