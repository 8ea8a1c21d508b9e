/* url.h: the base URL of a client, and the paths and queries of its calls. No libcurl: the
 * rules for both, in one place. */
#ifndef PT_URL_H
#define PT_URL_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  /* "https://host[:port]", in lower case, without a port that is the scheme's own; owned */
  char *origin;
  char *prefix;     /* path prefix without a trailing slash, "" when none; owned */
  const char *host; /* inside origin: first byte of the host ("[::1]" with brackets) */
  size_t host_length;
  bool https;
  bool loopback; /* localhost, *.localhost, 127.0.0.0/8, [::1] */
} pt_base_url;

/* Parses `text` (a bare host gets https://, a trailing slash is dropped, a path prefix is kept).
   Returns NULL on success, else a static message saying what is wrong with it, to be put after the
   option's name ("must not contain user-info"); the text itself is never part of the message, since
   it may hold a password. Refuses: empty, controls, spaces, non-ASCII, backslash, other schemes
   than http and https, user-info, query, fragment, port 0 or above 65535 or not a number, an empty
   host, dot segments or empty segments in the prefix, and plain http to another host than loopback
   unless `allow_http`. See RFC 3986. */
const char *pt_base_url_parse(pt_base_url *url, const char *text, size_t length, bool allow_http);
void pt_base_url_free(pt_base_url *url);

/* Appends one path segment, percent-encoded (RFC 3986 unreserved bytes pass). Returns NULL, or a
   static message ("must not be empty", "must not be '.' or '..'", "must not contain control
   characters") for a segment that could change the path; nothing is appended then. Also refused:
   "%2e"/"%2e%2e" in any case, a slash or backslash (plain or as %2f, %5c), '?' and '#', and more
   than 1024 bytes: an identifier holds none of these, and proxies normalise them. */
const char *pt_url_add_segment(pt_buffer *out, const char *bytes, size_t length);

/* Appends the bytes with what is percent-encoded in them decoded. */
void pt_url_add_decoded(pt_buffer *out, const char *bytes, size_t length);

/* Appends `?name=value` or `&name=value` (the first pair when `*pairs` is 0), percent-encoded;
 * counts in `*pairs`. */
void pt_url_add_pair(pt_buffer *out, size_t *pairs, const char *name, size_t name_length,
                     const char *value, size_t value_length);
/* The same with the name `name[key]`, its brackets percent-encoded as by the vendor's clients. */
void pt_url_add_map_pair(pt_buffer *out, size_t *pairs, const char *name, size_t name_length,
                         const char *key, size_t key_length, const char *value,
                         size_t value_length);

/* Appends the absolute URL that `link` (the value of a Location) means where the request for
   `target` (path and query) at `origin` was answered with it: RFC 3986 section 5.2. Any host will
   do: the URL is returned, not followed. Returns NULL, or a static message for what leads nowhere
   ("is empty", "holds control characters", "is not a URL of http or https"), and then appends
   nothing. */
const char *pt_url_resolve(pt_buffer *out, const char *origin, const char *target, const char *link,
                           size_t length);

/* True when `link` points to the same origin as `url`: absolute, `//host/path`, `/path` or
   `?query`. Anything else (a relative path, another scheme, user-info, a backslash, control
   characters) is false. For following `links.next`. */
bool pt_url_same_origin(const pt_base_url *url, const char *link, size_t length);

#endif
