/* memory.h: the one allocator of the core, so that a test build can make any allocation fail. */
#ifndef PT_MEMORY_H
#define PT_MEMORY_H

#include <stddef.h>

/* As malloc, calloc (zeroed) and realloc; NULL when memory is exhausted. Free with pt_free. */
void *pt_malloc(size_t size);
void *pt_zalloc(size_t size);
void *pt_realloc(void *block, size_t size);
/* As free; NULL is allowed. */
void pt_free(void *block);
/* A NUL-terminated copy of `length` bytes, or NULL. */
char *pt_copy(const char *bytes, size_t length);

/* Said after the name of a value that there is no memory for. */
#define PT_NO_MEMORY "cannot be kept: not enough memory"

#ifdef PT_TESTING
/* Makes the n-th allocation from now fail (1: the next one), and `every` makes all after it fail
   too. n = 0 turns failing off. Returns how many allocations were asked for since the last call. */
unsigned long pt_memory_fail_at(unsigned long n, int every);
/* How many blocks are allocated and not freed. */
long pt_memory_blocks(void);
#endif

#endif
