/* ascii.h: kinds of ASCII bytes, as protocols mean them: <ctype.h> follows the locale. */
#ifndef PT_ASCII_H
#define PT_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool pt_is_digit(char c) { return c >= '0' && c <= '9'; }

static inline bool pt_is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* Value of a hexadecimal digit, or -1. */
static inline int pt_hexadecimal_value(char c) {
  if (pt_is_digit(c))
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static inline bool pt_is_hexadecimal(char c) { return pt_hexadecimal_value(c) >= 0; }

/* White space around a header's value, line ends included (RFC 9112 section 5). */
static inline bool pt_is_header_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The lower-case form of a letter; any other byte as it is. */
static inline char pt_lower(char c) {
  if (c >= 'A' && c <= 'Z')
    c = (char)(c | 0x20);
  return c;
}

/* Whether `a` (`length` bytes, NUL among them perhaps) is the text `b`. */
static inline bool pt_text_equal(const char *a, size_t length, const char *b) {
  return strlen(b) == length && memcmp(a, b, length) == 0;
}

/* Whether `a` (`length` bytes) is the text `b`, without regard to case. */
static inline bool pt_ascii_equal(const char *a, size_t length, const char *b) {
  for (size_t i = 0; i < length; i++)
    if (b[i] == '\0' || pt_lower(a[i]) != pt_lower(b[i]))
      return false;
  return b[length] == '\0';
}

/* Whether both are the same `length` bytes, without regard to case. */
static inline bool pt_ascii_same(const char *a, const char *b, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (pt_lower(a[i]) != pt_lower(b[i]))
      return false;
  return true;
}

/* Whether a text begins with `prefix`, without regard to case. */
static inline bool pt_ascii_begins(const char *text, const char *prefix) {
  for (; *prefix != '\0'; text++, prefix++)
    if (pt_lower(*text) != pt_lower(*prefix))
      return false;
  return true;
}

#endif
