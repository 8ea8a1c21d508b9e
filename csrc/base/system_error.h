/* system_error.h: what an errno means, in words. strerror() may write into memory that all threads
 * share, and each Lua state may run in a thread of its own. */
#ifndef PT_SYSTEM_ERROR_H
#define PT_SYSTEM_ERROR_H

enum { PT_SYSTEM_ERROR_SIZE = 128 };

/* The words for `problem`; in `buffer`, or constant. */
const char *pt_system_error(int problem, char buffer[PT_SYSTEM_ERROR_SIZE]);

#endif
