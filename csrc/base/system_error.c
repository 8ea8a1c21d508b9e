/* system_error.c: see system_error.h. */
#include "base/system_error.h"

#include <string.h>

const char *pt_system_error(int problem, char buffer[PT_SYSTEM_ERROR_SIZE]) {
  buffer[0] = '\0';
#ifdef __GLIBC__ /* _GNU_SOURCE chooses a strerror_r of its own there */
  return strerror_r(problem, buffer, PT_SYSTEM_ERROR_SIZE);
#else
  (void)strerror_r(problem, buffer, PT_SYSTEM_ERROR_SIZE);
  return buffer;
#endif
}
