/* headers.h: what may be in a header we send, and the headers of a reply. RFC 9110 section 5. */
#ifndef PT_HEADERS_H
#define PT_HEADERS_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

enum { PT_MAX_HEADER_VALUE = 8192 };

/* A token of RFC 9110 (header name); not empty, at most 256 bytes. */
bool pt_header_name_valid(const char *name, size_t length);
/* Printable ASCII, space and tab only (no CR, LF, NUL, 8-bit); at most PT_MAX_HEADER_VALUE bytes;
   may be empty, but not white space alone, which would not be sent. */
bool pt_header_value_valid(const char *value, size_t length);
/* True for a header the library sets itself or whose sending would change the message's framing:
   Host, Content-Length, Transfer-Encoding, Connection, Authorization, Proxy-Authorization,
   Content-Type, Accept-Encoding, Expect, TE, Trailer, Upgrade, Keep-Alive, Proxy-Connection,
   Cookie, Idempotency-Key, X-Polytomic-Version, User-Agent, Accept. Compared without case. */
bool pt_header_reserved(const char *name, size_t length);

/* One header of a reply, as a view into the raw lines; `next` is where to go on (0 at the first
   call). Lines are `Name: value CRLF` as libcurl hands them to its header callback, the status line
   among them. Skips lines that are not headers (no colon, empty name), joins nothing, trims the
   value, continues a folded value (obs-fold: the line end and following white space count as part
   of the value view). */
typedef struct {
  const char *name;
  size_t name_length;
  const char *value;
  size_t value_length;
} pt_header;
bool pt_headers_next(const pt_buffer *lines, size_t *next, pt_header *header);
/* First header of that name (compared without case), or false. */
bool pt_headers_find(const pt_buffer *lines, const char *name, pt_header *header);
/* False when Content-Length is not a number, or two of them differ; a list of equal ones is allowed
 * (RFC 9112 section 6.3). True when there is none. */
bool pt_headers_lengths_agree(const pt_buffer *lines);

#endif
