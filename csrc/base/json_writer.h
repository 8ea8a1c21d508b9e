/* json_writer.h: writes JSON strings and numbers (RFC 8259). Independent of the locale. */
#ifndef PT_JSON_WRITER_H
#define PT_JSON_WRITER_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends the bytes as a JSON string with its quotes; only '"', '\\' and controls are escaped.
   Returns false, with nothing appended, for invalid UTF-8. A failed allocation is remembered by the
   buffer. */
bool pt_json_add_string(pt_buffer *out, const char *bytes, size_t length);
void pt_json_add_integer(pt_buffer *out, long long value);
/* The fewest digits that, correctly rounded, read back as the same double (17 at the most); an
   integral value below 2^63 in magnitude is written without point or exponent, negative zero as -0.
   Returns false, with nothing appended, for NaN and infinities. */
bool pt_json_add_number(pt_buffer *out, double value);

#endif
