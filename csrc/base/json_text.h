/* json_text.h: writes JSON strings and numbers, and looks over JSON text without building anything.
 * RFC 8259. */
#ifndef PT_JSON_TEXT_H
#define PT_JSON_TEXT_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* True when the bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most
 * U+10FFFF). NUL is allowed. */
bool pt_utf8_valid(const char *bytes, size_t length);

/* Appends the bytes as a JSON string with its quotes; only '"', '\\' and controls are escaped.
   Returns false, with nothing appended, for invalid UTF-8. A failed allocation is remembered by the
   buffer. */
bool pt_json_add_string(pt_buffer *out, const char *bytes, size_t length);
/* Reads the escape whose backslash stands just before `bytes`: what it stands for goes to `out`, 1
   to 4 bytes of UTF-8 or none, and their number to `count`. Returns how many bytes the escape takes
   behind its backslash, 0 when it is none. Between the halves of a surrogate pair any number of
   backslashes may stand: a text that was written as JSON twice has more of them. */
size_t pt_json_read_escape(const char *bytes, size_t length, char out[4], size_t *count);
void pt_json_add_integer(pt_buffer *out, long long value);
/* The fewest digits that, correctly rounded, read back as the same double (17 at the most); an
   integral value below 2^63 in magnitude is written without point or exponent, negative zero as -0.
   Independent of the locale. Returns false, with nothing appended, for NaN and infinities. */
bool pt_json_add_number(pt_buffer *out, double value);

typedef enum {
  PT_JSON_WHOLE,   /* one JSON value and nothing but white space around it */
  PT_JSON_CUT,     /* a beginning of one: the text ends early */
  PT_JSON_INVALID, /* no continuation makes it JSON */
  PT_JSON_TOO_DEEP /* nested deeper than the limit */
} pt_json_shape;

/* The deepest nesting pt_json_look follows, whatever the limit it is given. */
#define PT_JSON_DEPTH 4096

/* Looks over a text without recursion, allocation or building values; `max_depth` counts open
   arrays and objects. An empty or blank text is PT_JSON_CUT. Grammar only: bytes of 128 and above
   pass in strings (see pt_utf8_valid), lone surrogates pass as \u escapes, a byte order mark is
   invalid (RFC 8259 section 8.1), and a number at the very end is whole though digits may be
   missing. */
pt_json_shape pt_json_look(const char *bytes, size_t length, size_t max_depth);

#endif
