/* headers.c: see headers.h. */
#include "http/headers.h"

#include "base/ascii.h"

#include <string.h>

#define MAX_NAME 256 /* bytes */

/* tchar of RFC 9110 section 5.6.2. */
static bool is_token_char(char c) {
  return pt_is_letter(c) || pt_is_digit(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (!is_token_char(bytes[i]))
      return false;
  return length > 0;
}

bool pt_header_name_valid(const char *name, size_t length) {
  return length <= MAX_NAME && is_token(name, length);
}

bool pt_header_value_valid(const char *value, size_t length) {
  size_t white = 0;
  if (length > PT_MAX_HEADER_VALUE)
    return false;
  for (size_t i = 0; i < length; i++) {
    if (value[i] != '\t' && (value[i] < ' ' || value[i] > '~'))
      return false;
    white += value[i] == '\t' || value[i] == ' ';
  }
  return length == 0 || white < length;
}

bool pt_header_reserved(const char *name, size_t length) {
  static const char *const reserved[] = {
      "accept",
      "accept-encoding",
      "authorization",
      "connection",
      "content-length",
      "content-type",
      "cookie",
      "expect",
      "host",
      "idempotency-key",
      "keep-alive",
      "proxy-connection",
      "te",
      "trailer",
      "proxy-authorization",
      "transfer-encoding",
      "upgrade",
      "user-agent",
      "x-polytomic-version",
  };
  for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
    if (pt_ascii_equal(name, length, reserved[i]))
      return true;
  return false;
}

/* Offset just past the line that starts at `start`. */
static size_t line_end(const pt_buffer *lines, size_t start) {
  const char *end = memchr(lines->bytes + start, '\n', lines->length - start);
  return end == NULL ? lines->length : (size_t)(end - lines->bytes) + 1;
}

static bool is_continuation(const pt_buffer *lines, size_t start) {
  return start < lines->length && (lines->bytes[start] == ' ' || lines->bytes[start] == '\t');
}

/* The same, and past the lines that continue it. */
static size_t header_end(const pt_buffer *lines, size_t start) {
  size_t end = line_end(lines, start);
  while (is_continuation(lines, end))
    end = line_end(lines, end);
  return end;
}

/* Reads the line, folded lines included, in [start, end). False when it is not a header. */
static bool read_line(const pt_buffer *lines, size_t start, size_t end, pt_header *header) {
  const char *line = lines->bytes + start;
  const char *colon = memchr(line, ':', end - start);
  if (colon == NULL || !is_token(line, (size_t)(colon - line)))
    return false;
  const char *value = colon + 1;
  const char *value_end = lines->bytes + end;
  while (value < value_end && pt_is_header_space(*value))
    value++;
  while (value_end > value && pt_is_header_space(value_end[-1]))
    value_end--;
  header->name = line;
  header->name_length = (size_t)(colon - line);
  header->value = value;
  header->value_length = (size_t)(value_end - value);
  return true;
}

bool pt_headers_next(const pt_buffer *lines, size_t *next, pt_header *header) {
  while (*next < lines->length) {
    size_t start = *next;
    size_t end = header_end(lines, start);
    *next = end;
    if (read_line(lines, start, end, header))
      return true;
  }
  return false;
}

bool pt_headers_find(const pt_buffer *lines, const char *name, pt_header *header) {
  size_t length = strlen(name);
  for (size_t start = 0, end; start < lines->length; start = end) {
    const char *line = lines->bytes + start;
    end = header_end(lines, start);
    if (end - start > length && line[length] == ':' && pt_ascii_equal(line, length, name) &&
        read_line(lines, start, end, header))
      return true;
  }
  return false;
}

enum { LENGTH_DIGITS = 18 }; /* fit a long long */

static size_t skip_space(const pt_header *header, size_t i) {
  while (i < header->value_length && pt_is_header_space(header->value[i]))
    i++;
  return i;
}

/* Reads the number at `*i` and goes past the comma after it; -1 when there is none. */
static long long next_length(const pt_header *header, size_t *i) {
  long long length = 0;
  size_t first = skip_space(header, *i), last = first;
  while (last < header->value_length && last - first < LENGTH_DIGITS &&
         pt_is_digit(header->value[last]))
    length = length * 10 + (header->value[last++] - '0');
  size_t end = skip_space(header, last);
  if (last == first || (end < header->value_length && header->value[end] != ','))
    return -1;
  *i = end + 1;
  return length;
}

bool pt_headers_lengths_agree(const pt_buffer *lines) {
  long long known = -1;
  size_t next = 0;
  pt_header header;
  while (pt_headers_next(lines, &next, &header)) {
    if (!pt_ascii_equal(header.name, header.name_length, "content-length"))
      continue;
    for (size_t i = 0; i <= header.value_length;) {
      long long length = next_length(&header, &i);
      if (length < 0 || (known >= 0 && length != known))
        return false;
      known = length;
    }
  }
  return true;
}
