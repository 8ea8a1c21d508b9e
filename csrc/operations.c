/* operations.c: look-ups in the generated table of operations, and the nearest known name for a mistaken one. */
#include "operations.h"

#include <string.h>

#define PT_LONGEST_NAME 64 /* names longer than this have no nearest one; the catalogue's longest has 40 bytes */

const pt_operation *pt_operation_find(const char *name) {
  size_t low = 0;
  size_t high = pt_operation_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(name, pt_operations[middle].name);
    if (order == 0)
      return &pt_operations[middle];
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return NULL;
}

static const pt_field *find_field(const pt_field *fields, size_t count, const char *name, size_t length) {
  for (size_t i = 0; i < count; i++) {
    if (strlen(fields[i].name) == length && memcmp(fields[i].name, name, length) == 0)
      return &fields[i];
  }
  return NULL;
}

const pt_field *pt_operation_field(const pt_operation *op, const char *name, size_t length) {
  return find_field(op->fields, op->field_count, name, length);
}

const pt_field *pt_type_field(const pt_type *type, const char *name, size_t length) {
  if (type->kind != PT_TYPE_OBJECT)
    return NULL;
  return find_field(type->fields, type->field_count, name, length);
}

const char *pt_method_name(pt_method method) {
  switch (method) {
  case PT_METHOD_GET: return "GET";
  case PT_METHOD_POST: return "POST";
  case PT_METHOD_PUT: return "PUT";
  case PT_METHOD_PATCH: return "PATCH";
  case PT_METHOD_DELETE: return "DELETE";
  }
  return NULL;
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Not tolower: that one depends on the locale. */
static char lower(char c) { return (c >= 'A' && c <= 'Z') ? (char)(c - 'A' + 'a') : c; }

/* Optimal string alignment distance (Damerau-Levenshtein without overlapping edits) of two names of at most PT_LONGEST_NAME bytes.
   Keeps the last three rows of the table, since a transposition looks two rows back. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length) {
  unsigned rows[3][PT_LONGEST_NAME + 1];
  for (size_t j = 0; j <= b_length; j++)
    rows[0][j] = (unsigned)j;
  for (size_t i = 1; i <= a_length; i++) {
    unsigned *row = rows[i % 3];
    const unsigned *above = rows[(i + 2) % 3];
    const unsigned *two_above = rows[(i + 1) % 3];
    row[0] = (unsigned)i;
    for (size_t j = 1; j <= b_length; j++) {
      char x = lower(a[i - 1]);
      char y = lower(b[j - 1]);
      unsigned best = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + (x == y ? 0U : 1U));
      if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
        best = least(best, two_above[j - 2] + 1);
      row[j] = best;
    }
  }
  return rows[a_length % 3][b_length];
}

/* The search for the nearest name: what is looked for, and the best so far. */
typedef struct {
  const char *name;
  size_t length;
  unsigned limit; /* a candidate must be strictly closer than this */
  const char *best;
} nearest_search;

static nearest_search begin_search(const char *name, size_t length) {
  size_t allowed = length / 3;
  if (allowed < 1)
    allowed = 1;
  if (allowed > 3)
    allowed = 3;
  if (length < 2 || length > PT_LONGEST_NAME)
    allowed = 0;
  nearest_search search = {.name = name, .length = length, .limit = allowed > 0 ? (unsigned)allowed + 1 : 0};
  return search;
}

static void consider(nearest_search *search, const char *candidate) {
  size_t length = strlen(candidate);
  size_t apart = length > search->length ? length - search->length : search->length - length;
  if (apart >= search->limit || length > PT_LONGEST_NAME)
    return;
  unsigned found = distance(search->name, search->length, candidate, length);
  if (found >= search->limit)
    return;
  search->limit = found;
  search->best = candidate;
}

const char *pt_operation_nearest(const char *name) {
  nearest_search search = begin_search(name, strlen(name));
  for (size_t i = 0; i < pt_operation_count; i++)
    consider(&search, pt_operations[i].name);
  return search.best;
}

const char *pt_field_nearest(const pt_field *fields, size_t count, const char *name, size_t length) {
  nearest_search search = begin_search(name, length);
  for (size_t i = 0; i < count; i++)
    consider(&search, fields[i].name);
  return search.best;
}

/* How many literal segments fit; 0 when the path does not fit the template. */
static size_t count_fitting(const char *template, const char *path, size_t length) {
  size_t literals = 0;
  const char *end = path + length;
  while (*template == '/' && path < end && *path == '/') {
    template++;
    path++;
    size_t wanted = strcspn(template, "/");
    const char *slash = memchr(path, '/', (size_t)(end - path));
    size_t given = (size_t)((slash != NULL ? slash : end) - path);
    if (template[0] != '{') {
      if (wanted != given || memcmp(template, path, given) != 0)
        return 0;
      literals++;
    } else if (given == 0) {
      return 0;
    }
    template += wanted;
    path += given;
  }
  return *template == '\0' && path == end ? literals : 0;
}

const pt_operation *pt_operation_match(pt_method method, const char *path, size_t length) {
  const pt_operation *best = NULL;
  size_t most = 0;
  for (size_t i = 0; i < pt_operation_count; i++) {
    size_t literals = pt_operations[i].method == method ? count_fitting(pt_operations[i].path, path, length) : 0;
    if (literals > most) {
      most = literals;
      best = &pt_operations[i];
    }
  }
  return best;
}
