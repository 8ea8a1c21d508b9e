/* json_text.c: see json_text.h. */
#include "base/json_text.h"

#include "base/ascii.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- UTF-8 ---- */

/* Length of the run of ASCII bytes at the start, eight at a time. */
static size_t ascii_run(const unsigned char *bytes, size_t length) {
  size_t i = 0;
  for (uint64_t word; length - i >= sizeof word; i += sizeof word) {
    memcpy(&word, bytes + i, sizeof word);
    if ((word & UINT64_C(0x8080808080808080)) != 0)
      break;
  }
  while (i < length && bytes[i] < 0x80)
    i++;
  return i;
}

/* Length of the valid sequence of two to four bytes at the start, or 0 (RFC 3629 section 4). */
static size_t sequence_length(const unsigned char *bytes, size_t length) {
  unsigned char first = bytes[0];
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  size_t wanted;
  if (first >= 0xc2 && first <= 0xdf)
    wanted = 2;
  else if (first >= 0xe0 && first <= 0xef)
    wanted = 3;
  else if (first >= 0xf0 && first <= 0xf4)
    wanted = 4;
  else
    return 0;
  if (first == 0xe0)
    low = 0xa0; /* shorter forms exist below */
  else if (first == 0xed)
    high = 0x9f; /* surrogates above */
  else if (first == 0xf0)
    low = 0x90;
  else if (first == 0xf4)
    high = 0x8f; /* past U+10FFFF above */
  if (length < wanted || bytes[1] < low || bytes[1] > high)
    return 0;
  for (size_t i = 2; i < wanted; i++)
    if (bytes[i] < 0x80 || bytes[i] > 0xbf)
      return 0;
  return wanted;
}

bool pt_utf8_valid(const char *bytes, size_t length) {
  const unsigned char *at = (const unsigned char *)bytes;
  size_t left = length;
  for (;;) {
    size_t run = ascii_run(at, left);
    if (run == left)
      return true;
    size_t sequence = sequence_length(at + run, left - run);
    if (sequence == 0)
      return false;
    at += run + sequence;
    left -= run + sequence;
  }
}

/* ---- writing ---- */

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

/* The code unit of a "u" and four hexadecimal digits, or -1. */
static long code_unit(const char *bytes, size_t length) {
  long unit = 0;
  if (length < 5 || bytes[0] != 'u')
    return -1;
  for (size_t i = 1; i < 5; i++) {
    int digit = pt_hexadecimal_value(bytes[i]);
    if (digit < 0)
      return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/* RFC 3629 section 3. */
static size_t write_utf8(char out[4], unsigned long point) {
  if (point < 0x80) {
    out[0] = (char)point;
    return 1;
  }
  size_t count = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  for (size_t i = count - 1; i > 0; i--, point >>= 6)
    out[i] = (char)(0x80 | (point & 0x3f));
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  out[0] = (char)(lead[count] | point);
  return count;
}

size_t pt_json_read_escape(const char *bytes, size_t length, char out[4], size_t *count) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  *count = 0;
  const char *letter = length > 0 && bytes[0] != '\0' ? strchr(letters, bytes[0]) : NULL;
  if (letter != NULL) {
    out[0] = meanings[letter - letters];
    *count = 1;
    return 1;
  }
  long unit = code_unit(bytes, length);
  if (unit < 0)
    return 0;
  if (unit < 0xd800 || unit > 0xdfff) {
    *count = write_utf8(out, (unsigned long)unit);
    return 5;
  }
  size_t next = 5;
  while (next < length && bytes[next] == '\\')
    next++;
  long low = next > 5 && unit < 0xdc00 ? code_unit(bytes + next, length - next) : -1;
  if (low < 0xdc00 || low > 0xdfff)
    return 5; /* half a pair stands for nothing */
  *count = write_utf8(out, 0x10000 + (((unsigned long)unit - 0xd800) << 10) +
                               ((unsigned long)low - 0xdc00));
  return next + 5;
}

bool pt_json_add_string(pt_buffer *out, const char *bytes, size_t length) {
  if (!pt_utf8_valid(bytes, length))
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

/* Appends what printf wrote, with the decimal point of whatever locale (it may be several bytes) as
 * '.'. */
static void add_printed(pt_buffer *out, const char *text) {
  for (bool point = false; *text != '\0'; text++) {
    bool part = (*text >= '0' && *text <= '9') || *text == '-' || *text == '+' || *text == 'e';
    if (part)
      pt_buffer_add_char(out, *text);
    else if (!point)
      pt_buffer_add_char(out, '.');
    point = !part;
  }
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
     be tried; below DBL_MIN fewer digits tell the values apart. printf and strtod follow the same
     locale. */
  char text[64];
  for (int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
    (void)snprintf(text, sizeof text, "%.*g", digits, value);
    if (same_double(strtod(text, NULL), value))
      break;
  }
  add_printed(out, text);
  return true;
}

/* ---- looking ---- */

typedef struct {
  const char *at;
  const char *end;
  size_t depth;
  size_t max_depth;
  unsigned char objects[PT_JSON_DEPTH / 8]; /* a bit per open container: set for an object */
} looker;

static bool in_object(const looker *in) {
  size_t level = in->depth - 1;
  return (in->objects[level / 8] >> (level % 8) & 1) != 0;
}

static pt_json_shape open_container(looker *in, bool object) {
  if (in->depth == in->max_depth)
    return PT_JSON_TOO_DEEP;
  unsigned char bit = (unsigned char)(1 << (in->depth % 8));
  unsigned char *byte = &in->objects[in->depth / 8];
  *byte = (unsigned char)(object ? *byte | bit : *byte & ~bit);
  in->depth++;
  in->at++;
  return PT_JSON_WHOLE;
}

/* False at the end of the text. */
static bool skip_white(looker *in) {
  while (in->at < in->end &&
         (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
    in->at++;
  return in->at < in->end;
}

static pt_json_shape look_at_word(looker *in, const char *word) {
  for (; *word != '\0'; word++, in->at++) {
    if (in->at == in->end)
      return PT_JSON_CUT;
    if (*in->at != *word)
      return PT_JSON_INVALID;
  }
  return PT_JSON_WHOLE;
}

/* At the byte after a backslash. */
static pt_json_shape look_at_escape(looker *in) {
  if (in->at == in->end)
    return PT_JSON_CUT;
  char c = *in->at++;
  if (c != 'u')
    return c != '\0' && strchr("\"\\/bfnrt", c) != NULL ? PT_JSON_WHOLE : PT_JSON_INVALID;
  for (int i = 0; i < 4; i++, in->at++) {
    if (in->at == in->end)
      return PT_JSON_CUT;
    if (!pt_is_hexadecimal(*in->at))
      return PT_JSON_INVALID;
  }
  return PT_JSON_WHOLE;
}

/* At the opening quote. */
static pt_json_shape look_at_string(looker *in) {
  in->at++;
  while (in->at < in->end) {
    char c = *in->at++;
    if (c == '"')
      return PT_JSON_WHOLE;
    if ((unsigned char)c < 0x20)
      return PT_JSON_INVALID;
    if (c == '\\') {
      pt_json_shape shape = look_at_escape(in);
      if (shape != PT_JSON_WHOLE)
        return shape;
    }
  }
  return PT_JSON_CUT;
}

/* One digit or more. */
static pt_json_shape look_at_digits(looker *in) {
  if (in->at == in->end)
    return PT_JSON_CUT;
  if (!pt_is_digit(*in->at))
    return PT_JSON_INVALID;
  while (in->at < in->end && pt_is_digit(*in->at))
    in->at++;
  return PT_JSON_WHOLE;
}

/* At a digit or a minus sign. A number at the end of the text counts as whole. */
static pt_json_shape look_at_number(looker *in) {
  if (*in->at == '-')
    in->at++;
  bool zero = in->at < in->end && *in->at == '0';
  if (zero)
    in->at++;
  pt_json_shape shape = zero ? PT_JSON_WHOLE : look_at_digits(in);
  if (shape == PT_JSON_WHOLE && in->at < in->end && *in->at == '.') {
    in->at++;
    shape = look_at_digits(in);
  }
  if (shape == PT_JSON_WHOLE && in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
    in->at++;
    if (in->at < in->end && (*in->at == '+' || *in->at == '-'))
      in->at++;
    shape = look_at_digits(in);
  }
  return shape;
}

static pt_json_shape look_at_scalar(looker *in) {
  switch (*in->at) {
  case '"': return look_at_string(in);
  case 't': return look_at_word(in, "true");
  case 'f': return look_at_word(in, "false");
  case 'n': return look_at_word(in, "null");
  default: return *in->at == '-' || pt_is_digit(*in->at) ? look_at_number(in) : PT_JSON_INVALID;
  }
}

/* At the name of a member; goes past its colon. */
static pt_json_shape look_at_name(looker *in) {
  if (!skip_white(in))
    return PT_JSON_CUT;
  if (*in->at != '"')
    return PT_JSON_INVALID;
  pt_json_shape shape = look_at_string(in);
  if (shape != PT_JSON_WHOLE)
    return shape;
  if (!skip_white(in))
    return PT_JSON_CUT;
  return *in->at++ == ':' ? PT_JSON_WHOLE : PT_JSON_INVALID;
}

/* Where a value begins: goes past it, or into it when it is a container that holds something. */
static pt_json_shape look_at_value(looker *in, bool *complete) {
  *complete = true;
  if (!skip_white(in))
    return PT_JSON_CUT;
  bool object = *in->at == '{';
  if (!object && *in->at != '[')
    return look_at_scalar(in);
  pt_json_shape shape = open_container(in, object);
  if (shape != PT_JSON_WHOLE)
    return shape;
  if (!skip_white(in))
    return PT_JSON_CUT;
  if (*in->at == (object ? '}' : ']')) {
    in->depth--;
    in->at++;
    return PT_JSON_WHOLE;
  }
  *complete = false;
  return object ? look_at_name(in) : PT_JSON_WHOLE;
}

/* Behind a value: closes the containers that end here; `more` when another value follows. */
static pt_json_shape look_behind_value(looker *in, bool *more) {
  *more = false;
  while (in->depth > 0) {
    if (!skip_white(in))
      return PT_JSON_CUT;
    bool object = in_object(in);
    char c = *in->at++;
    if (c == ',') {
      *more = true;
      return object ? look_at_name(in) : PT_JSON_WHOLE;
    }
    if (c != (object ? '}' : ']'))
      return PT_JSON_INVALID;
    in->depth--;
  }
  return skip_white(in) ? PT_JSON_INVALID : PT_JSON_WHOLE;
}

pt_json_shape pt_json_look(const char *bytes, size_t length, size_t max_depth) {
  if (length == 0)
    return PT_JSON_CUT;
  looker in = {.at = bytes,
               .end = bytes + length,
               .max_depth = max_depth < PT_JSON_DEPTH ? max_depth : PT_JSON_DEPTH};
  for (bool more = true; more;) {
    bool complete;
    pt_json_shape shape = look_at_value(&in, &complete);
    if (shape == PT_JSON_WHOLE && complete)
      shape = look_behind_value(&in, &more);
    if (shape != PT_JSON_WHOLE)
      return shape;
  }
  return PT_JSON_WHOLE;
}
