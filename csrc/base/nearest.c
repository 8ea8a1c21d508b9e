/* nearest.c: see nearest.h. */
#include "base/nearest.h"

#include "base/ascii.h"

#include <string.h>

/* Longer names have no nearest one; the catalogue's longest has 40 bytes. */
enum { LONGEST_NAME = 64 };

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Optimal string alignment distance (Damerau-Levenshtein without overlapping edits) of two names of
   at most LONGEST_NAME bytes. Keeps the last three rows of the table, since a transposition looks
   two rows back. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length) {
  unsigned rows[3][LONGEST_NAME + 1];
  for (size_t j = 0; j <= b_length; j++)
    rows[0][j] = (unsigned)j;
  for (size_t i = 1; i <= a_length; i++) {
    unsigned *row = rows[i % 3];
    const unsigned *above = rows[(i + 2) % 3];
    const unsigned *two_above = rows[(i + 1) % 3];
    row[0] = (unsigned)i;
    for (size_t j = 1; j <= b_length; j++) {
      char x = pt_lower(a[i - 1]);
      char y = pt_lower(b[j - 1]);
      unsigned best = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + (x == y ? 0U : 1U));
      if (i > 1 && j > 1 && x == pt_lower(b[j - 2]) && pt_lower(a[i - 2]) == y)
        best = least(best, two_above[j - 2] + 1);
      row[j] = best;
    }
  }
  return rows[a_length % 3][b_length];
}

pt_nearest pt_nearest_begin(const char *name, size_t length) {
  size_t allowed = length / 3;
  if (allowed < 1)
    allowed = 1;
  if (allowed > 3)
    allowed = 3;
  if (length < 2 || length > LONGEST_NAME)
    allowed = 0;
  unsigned limit = allowed > 0 ? (unsigned)allowed + 1 : 0;
  return (pt_nearest){.name = name, .length = length, .limit = limit};
}

void pt_nearest_consider(pt_nearest *search, const char *candidate) {
  size_t length = strlen(candidate);
  size_t apart = length > search->length ? length - search->length : search->length - length;
  if (apart >= search->limit || length > LONGEST_NAME)
    return;
  unsigned found = distance(search->name, search->length, candidate, length);
  if (found >= search->limit)
    return;
  search->limit = found;
  search->best = candidate;
}
