/* unicode.h: UTF-8 (RFC 3629), and what kind of character is in a text, where that matters: what
 * nobody sees, what moves a terminal's cursor, what turns the order of a line around. */
#ifndef PT_UNICODE_H
#define PT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  PT_UNICODE_VISIBLE,
  PT_UNICODE_BLANK,     /* white space of any width */
  PT_UNICODE_CONTROL,   /* C0, DEL, C1, and the separators of lines and paragraphs */
  PT_UNICODE_INVISIBLE, /* of no width, or changing the direction of what follows */
  PT_UNICODE_INVALID    /* not UTF-8; one byte */
} pt_unicode_kind;

/* True when the bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most
 * U+10FFFF). NUL is allowed. */
bool pt_unicode_valid(const char *bytes, size_t length);

/* The kind of the character at `*i`, which is moved past it. `*i` must be less than `length`. */
pt_unicode_kind pt_unicode_next(const char *bytes, size_t length, size_t *i);

/* Writes a character of at most U+10FFFF, a surrogate too; returns how many bytes, 1 to 4. */
size_t pt_unicode_write(char out[4], uint32_t character);

/* The last offset at or before `at` that cuts no character in two; `at` itself at the end of the
   text, and where the bytes are not UTF-8. */
size_t pt_unicode_boundary(const char *bytes, size_t length, size_t at);

/* Makes text fit for one line of a terminal, a log or a message, in place: blanks and controls
   become spaces, what is invisible goes, what is not UTF-8 becomes '?'. Returns the new length,
   which is never larger; a NUL is not added. */
size_t pt_unicode_fit_line(char *bytes, size_t length);

#endif
