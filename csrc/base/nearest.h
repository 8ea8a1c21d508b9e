/* nearest.h: the known name closest to a mistaken one. */
#ifndef PT_NEAREST_H
#define PT_NEAREST_H

#include <stddef.h>

/* A search: what is looked for, and the best so far. */
typedef struct {
  const char *name;
  size_t length;
  unsigned limit;   /* a candidate must be strictly closer than this */
  const char *best; /* NULL while none is close */
} pt_nearest;

/* At most a third of the name's length in insertions, deletions, substitutions and transpositions
   of neighbours (each counts 1; ASCII case counts nothing), at least 1 and at most 3. */
pt_nearest pt_nearest_begin(const char *name, size_t length);
/* The first of equally close candidates wins. */
void pt_nearest_consider(pt_nearest *search, const char *candidate);

#endif
