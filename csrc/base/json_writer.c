/* json_writer.c: see json_writer.h. */
#include "base/json_writer.h"

#include "base/ascii.h"
#include "base/json_reader.h"
#include "base/unicode.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool needs_escape(char c) { return (unsigned char)c < 0x20 || c == '"' || c == '\\'; }

/* The letter of a two-character escape, or NUL. */
static char escape_letter(char c) {
  switch (c) {
  case '"':
  case '\\': return c;
  case '\b': return 'b';
  case '\f': return 'f';
  case '\n': return 'n';
  case '\r': return 'r';
  case '\t': return 't';
  default: return '\0';
  }
}

static void add_escape(pt_buffer *out, char c) {
  static const char digits[] = "0123456789abcdef";
  char letter = escape_letter(c);
  if (letter != '\0') {
    char text[2] = {'\\', letter};
    pt_buffer_add(out, text, sizeof text);
  } else {
    char text[6] = {
        '\\', 'u', '0', '0', digits[(unsigned char)c >> 4], digits[(unsigned char)c & 0x0f]};
    pt_buffer_add(out, text, sizeof text);
  }
}

bool pt_json_add_string(pt_buffer *out, const char *bytes, size_t length) {
  if (!pt_unicode_valid(bytes, length))
    return false;
  pt_buffer_add_char(out, '"');
  size_t start = 0;
  for (size_t i = 0; i < length; i++)
    if (needs_escape(bytes[i])) {
      pt_buffer_add(out, bytes + start, i - start);
      add_escape(out, bytes[i]);
      start = i + 1;
    }
  pt_buffer_add(out, bytes + start, length - start);
  pt_buffer_add_char(out, '"');
  return true;
}

void pt_json_add_integer(pt_buffer *out, long long value) {
  char text[24]; /* a sign and 19 digits */
  char *at = text + sizeof text;
  unsigned long long left = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
  do {
    *--at = (char)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (value < 0)
    *--at = '-';
  pt_buffer_add(out, at, (size_t)(text + sizeof text - at));
}

/* Bit for bit, so that the two zeros differ. */
static bool same_double(double a, double b) {
  uint64_t a_bits;
  uint64_t b_bits;
  memcpy(&a_bits, &a, sizeof a_bits);
  memcpy(&b_bits, &b, sizeof b_bits);
  return a_bits == b_bits;
}

/* Makes the decimal point of what printf wrote, one byte or several of whatever locale, a '.'. */
static void drop_locale(char *text) {
  char *out = text;
  for (bool point = false; *text != '\0'; text++) {
    bool part = pt_is_digit(*text) || *text == '-' || *text == '+' || *text == 'e';
    if (part)
      *out++ = *text;
    else if (!point)
      *out++ = '.';
    point = !part;
  }
  *out = '\0';
}

bool pt_json_add_number(pt_buffer *out, double value) {
  if (!isfinite(value))
    return false;
  if (fabs(value) < 9223372036854775808.0 && same_double(value, (double)(long long)value)) {
    pt_json_add_integer(out, (long long)value);
    return true;
  }
  if (same_double(value, -0.0)) {
    pt_buffer_add_text(out, "-0");
    return true;
  }
  /* Every text of up to 15 digits survives the way through a normal double, so no shorter one need
     be tried; below DBL_MIN fewer digits tell the values apart. */
  char text[64];
  for (int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
    (void)snprintf(text, sizeof text, "%.*g", digits, value);
    drop_locale(text);
    if (same_double(pt_json_double(text), value))
      break;
  }
  pt_buffer_add_text(out, text);
  return true;
}
