/* json_reader.h: reads JSON text (RFC 8259), one value after the other, strictly. Without
 * allocation, recursion or a locale. */
#ifndef PT_JSON_READER_H
#define PT_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The deepest nesting that is followed, whatever limit is given. */
#define PT_JSON_DEPTH 4096

typedef enum {
  /* Why it stops. */
  PT_JSON_WHOLE,    /* the text is one value and nothing but white space around it */
  PT_JSON_CUT,      /* a beginning of one: the text ends early */
  PT_JSON_INVALID,  /* no continuation makes it JSON */
  PT_JSON_TOO_DEEP, /* nested deeper than the limit */
  /* What comes next. */
  PT_JSON_NULL,
  PT_JSON_FALSE,
  PT_JSON_TRUE,
  PT_JSON_INTEGER, /* no point, no exponent, and within 64 bits; -0 is a number */
  PT_JSON_NUMBER,
  PT_JSON_STRING,
  PT_JSON_LIST, /* its elements follow, then PT_JSON_CLOSED */
  PT_JSON_OBJECT,
  PT_JSON_CLOSED /* the end of the innermost open list or object */
} pt_json_token;

/* What is between two quotes, in the text itself. Any byte of 128 and above passes. */
typedef struct {
  const char *bytes;
  size_t length;
  bool escaped; /* see pt_json_unescape */
} pt_json_string;

/* After pt_json_next: the value. Everything else is the reader's own. */
typedef struct {
  pt_json_string name; /* of the member, where the value is one; `bytes` is NULL where not */
  pt_json_string string;
  int64_t integer;
  double number; /* the nearest double; infinite past the largest */
  size_t depth;  /* open lists and objects */
  const char *at;
  const char *bytes;
  const char *end;
  size_t max_depth;
  int state;
  bool in_object;
  pt_json_token stop;
  unsigned char objects[PT_JSON_DEPTH / 8]; /* a bit per open container: set for an object */
} pt_json_reader;

/* Begins with a text, which is kept by the caller; the byte after it must be readable and NUL, or
   one that no value goes on with (a comma, a closing bracket). `max_depth` counts open lists and
   objects. One byte order mark at the beginning is passed over (RFC 8259 section 8.1). */
void pt_json_start(pt_json_reader *in, const char *bytes, size_t length, size_t max_depth);

/* The next value, or why there is none: then the same again however often it is asked. */
pt_json_token pt_json_next(pt_json_reader *in);

/* The byte that the next token begins with; NUL at the end. */
char pt_json_peek(const pt_json_reader *in);

/* Offset of the byte where the reader is: where it stopped, if it has. */
size_t pt_json_offset(const pt_json_reader *in);

/* Writes what a string means to `out`, which has room for its length: never more. Returns the
   number of bytes. Half a surrogate pair becomes U+FFFD, as in browsers. */
size_t pt_json_unescape(const pt_json_string *string, char *out);

/* Reads a whole text: one of the first four tokens. An empty or blank text is cut; a number at the
   very end is whole though digits may be missing. */
pt_json_token pt_json_validate(const char *bytes, size_t length, size_t max_depth);

/* Reads the escape whose backslash is just before `bytes`: what it means goes to `out`, 1 to 4
   bytes of UTF-8 or none, and their number to `count`. Returns how many bytes the escape takes
   after its backslash, 0 when it is not one. For text that may have been written as JSON more than
   once: any number of backslashes may be between the halves of a surrogate pair. */
size_t pt_json_read_escape(const char *bytes, size_t length, char out[4], size_t *count);

/* As strtod, in the "C" locale whatever the process's. */
double pt_json_double(const char *text);

#endif
