/* operations.c: look-ups in the generated table of operations. */
#include "api/operations.h"

#include "base/ascii.h"
#include "base/nearest.h"

#include <string.h>

/* As strcmp does it, for a name that may hold NUL. */
static int compare(const char *name, size_t length, const char *known) {
  size_t known_length = strlen(known);
  int order = memcmp(name, known, length < known_length ? length : known_length);
  return order != 0 ? order : (length > known_length) - (length < known_length);
}

const pt_operation *pt_operation_find(const char *name, size_t length) {
  size_t low = 0;
  size_t high = pt_operation_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = compare(name, length, pt_operations[middle].name);
    if (order == 0)
      return &pt_operations[middle];
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return NULL;
}

static const pt_field *find_field(const pt_field *fields, size_t count, const char *name,
                                  size_t length) {
  for (size_t i = 0; i < count; i++)
    if (pt_text_equal(name, length, fields[i].name))
      return &fields[i];
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

const char *pt_operation_nearest(const char *name, size_t length) {
  pt_nearest search = pt_nearest_begin(name, length);
  for (size_t i = 0; i < pt_operation_count; i++)
    pt_nearest_consider(&search, pt_operations[i].name);
  return search.best;
}

const char *pt_field_nearest(const pt_field *fields, size_t count, const char *name,
                             size_t length) {
  pt_nearest search = pt_nearest_begin(name, length);
  for (size_t i = 0; i < count; i++)
    pt_nearest_consider(&search, fields[i].name);
  return search.best;
}

/* How many literal segments fit; 0 when the path does not fit the pattern. */
static size_t count_fitting(const char *pattern, const char *path, size_t length) {
  size_t literals = 0;
  const char *end = path + length;
  while (*pattern == '/' && path < end && *path == '/') {
    pattern++;
    path++;
    size_t wanted = strcspn(pattern, "/");
    const char *slash = memchr(path, '/', (size_t)(end - path));
    size_t given = (size_t)((slash != NULL ? slash : end) - path);
    if (pattern[0] != '{') {
      if (wanted != given || memcmp(pattern, path, given) != 0)
        return 0;
      literals++;
    } else if (given == 0) {
      return 0;
    }
    pattern += wanted;
    path += given;
  }
  return *pattern == '\0' && path == end ? literals : 0;
}

const pt_operation *pt_operation_match(pt_method method, const char *path, size_t length) {
  const pt_operation *best = NULL;
  size_t most = 0;
  for (const pt_operation *op = pt_operations; op < pt_operations + pt_operation_count; op++) {
    size_t literals = op->method == method ? count_fitting(op->path, path, length) : 0;
    if (literals > most) {
      most = literals;
      best = op;
    }
  }
  return best;
}
