/* environment.h: variables of the environment. */
#ifndef PT_ENVIRONMENT_H
#define PT_ENVIRONMENT_H

#include <stdlib.h>

/* The variable's text, or NULL where it is not set. A program that runs with more rights than its
   caller has (set-user-ID) takes nothing from the caller's environment, where the system can tell:
   https://man7.org/linux/man-pages/man3/secure_getenv.3.html */
static inline const char *pt_environment(const char *name) {
#if defined(__linux__)
  return secure_getenv(name);
#else
  return getenv(name);
#endif
}

#endif
