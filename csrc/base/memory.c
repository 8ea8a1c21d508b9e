/* memory.c: see memory.h. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#ifdef PT_TESTING
#include <stdatomic.h>

/* libcurl allocates on its resolver's threads too. */
static atomic_long blocks;
static unsigned long asked;
static unsigned long fail_at;
static int fail_every;

unsigned long pt_memory_fail_at(unsigned long n, int every) {
  unsigned long before = asked;
  asked = 0;
  fail_at = n;
  fail_every = every;
  return before;
}

long pt_memory_blocks(void) { return atomic_load(&blocks); }

static int must_fail(void) {
  asked++;
  return fail_at != 0 && (asked == fail_at || (fail_every && asked > fail_at));
}

/* Counts a block that is new. */
static void *counted(int fresh, void *block) {
  if (fresh && block != NULL)
    atomic_fetch_add(&blocks, 1);
  return block;
}
#else
static int must_fail(void) { return 0; }
static void *counted(int fresh, void *block) {
  (void)fresh;
  return block;
}
#endif

void *pt_malloc(size_t size) { return must_fail() ? NULL : counted(1, malloc(size)); }

/* Not calloc: glibc serves that past its fast lists. */
void *pt_zalloc(size_t size) {
  void *block = pt_malloc(size);
  return block == NULL ? NULL : memset(block, 0, size);
}

void *pt_realloc(void *block, size_t size) {
  int fresh = block == NULL;
  return must_fail() ? NULL : counted(fresh, realloc(block, size));
}

void pt_free(void *block) {
#ifdef PT_TESTING
  if (block != NULL)
    atomic_fetch_sub(&blocks, 1);
#endif
  free(block);
}

char *pt_copy(const char *bytes, size_t length) {
  char *copy = pt_malloc(length + 1);
  if (copy == NULL)
    return NULL;
  if (length > 0)
    memcpy(copy, bytes, length);
  copy[length] = '\0';
  return copy;
}
