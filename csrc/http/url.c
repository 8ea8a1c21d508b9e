/* url.c: see url.h. */
#define _POSIX_C_SOURCE 200809L /* inet_pton */
#include "http/url.h"

#include "base/ascii.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_URL 2048     /* bytes of a base URL */
#define MAX_HOST 253     /* RFC 1035 section 2.3.4, as text */
#define MAX_LABEL 63     /* the same section */
#define MAX_SEGMENT 1024 /* bytes of a path segment */

/* RFC 3986 section 2.3. */
static bool is_unreserved(char c) {
  return pt_is_letter(c) || pt_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* The byte that `%XX` at the start means, or -1. */
static int encoded_byte(const char *bytes, size_t length) {
  if (length < 3 || bytes[0] != '%')
    return -1;
  int high = pt_hexadecimal_value(bytes[1]);
  int low = pt_hexadecimal_value(bytes[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* "." or "..", each dot plain or as %2e: what RFC 3986 section 5.2.4 would take out of a path. */
static bool is_dot_segment(const char *bytes, size_t length) {
  size_t dots = 0;
  while (length > 0) {
    size_t step = encoded_byte(bytes, length) == '.' ? 3 : 1;
    if (step == 1 && *bytes != '.')
      return false;
    dots++;
    bytes += step;
    length -= step;
  }
  return dots == 1 || dots == 2;
}

/* ---- the base URL ---- */

/* Scheme, host and port of a URL; views into its text. */
typedef struct {
  bool https;
  const char *host;
  size_t host_length;
  unsigned port;    /* the scheme's own when the text gives none */
  const char *rest; /* after the authority: path, query, fragment */
  size_t rest_length;
} location;

/* NULL, or what is wrong with the bytes: no URL holds any of these. */
static const char *check_bytes(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (text[i] <= ' ' || text[i] > '~')
      return "must not contain spaces, control or non-ASCII characters";
    if (text[i] == '\\')
      return "must not contain a backslash";
  }
  return NULL;
}

/* A name of letters, digits, '-' and '_' in labels, or an IPv4 address; a final dot is allowed. */
static bool is_host_name(const char *host, size_t length) {
  size_t label = 0;
  if (length == 0 || length > MAX_HOST)
    return false;
  for (size_t i = 0; i < length; i++) {
    if (host[i] == '.') {
      if (label == 0)
        return false;
      label = 0;
      continue;
    }
    bool known = pt_is_letter(host[i]) || pt_is_digit(host[i]) || host[i] == '-' || host[i] == '_';
    if (!known || label++ == MAX_LABEL)
      return false;
  }
  return true;
}

/* The text between the brackets of an IPv6 literal, as an address. Scoped addresses (`%eth0`) are
 * not taken. */
static bool read_ipv6(const char *host, size_t length, struct in6_addr *address) {
  char text[INET6_ADDRSTRLEN];
  if (length < 2 || length - 2 >= sizeof text || host[0] != '[' || host[length - 1] != ']')
    return false;
  memcpy(text, host + 1, length - 2);
  text[length - 2] = '\0';
  return inet_pton(AF_INET6, text, address) == 1;
}

static bool is_loopback(const char *host, size_t length) {
  static const char domain[] = ".localhost";
  struct in6_addr ipv6;
  if (read_ipv6(host, length, &ipv6))
    return IN6_IS_ADDR_LOOPBACK(&ipv6);
  if (pt_ascii_equal(host, length, domain + 1))
    return true;
  if (length > sizeof domain - 1 &&
      pt_ascii_equal(host + length - (sizeof domain - 1), sizeof domain - 1, domain))
    return true;
  /* Only the four-part form: what 127.1 and its like mean is up to the resolver. */
  char text[INET_ADDRSTRLEN];
  struct in_addr ipv4;
  if (length >= sizeof text)
    return false;
  memcpy(text, host, length);
  text[length] = '\0';
  return inet_pton(AF_INET, text, &ipv4) == 1 && ntohl(ipv4.s_addr) >> 24 == 127;
}

/* False unless the digits are a number from 1 to 65535. */
static bool read_port(const char *digits, size_t length, unsigned *port) {
  unsigned value = 0;
  for (size_t i = 0; i < length; i++) {
    if (!pt_is_digit(digits[i]))
      return false;
    value = value * 10 + (unsigned)(digits[i] - '0');
    if (value > 65535)
      return false;
  }
  *port = value;
  return value > 0;
}

/* `host[:port]` into `where`; NULL, or what is wrong with it. */
static const char *read_authority(location *where, const char *text, size_t length) {
  if (memchr(text, '@', length) != NULL)
    return "must not contain user-info";
  const char *close = length > 0 && text[0] == '[' ? memchr(text, ']', length) : NULL;
  size_t searched = close == NULL ? 0 : (size_t)(close - text);
  const char *colon = memchr(text + searched, ':', length - searched);
  where->host = text;
  where->host_length = colon == NULL ? length : (size_t)(colon - text);
  where->port = where->https ? 443 : 80;
  struct in6_addr ipv6;
  if (where->host_length == 0)
    return "must name a host";
  if (!is_host_name(where->host, where->host_length) &&
      !read_ipv6(where->host, where->host_length, &ipv6))
    return "must name a valid host";
  if (colon != NULL && !read_port(colon + 1, length - where->host_length - 1, &where->port))
    return "must have a port from 1 to 65535, or none";
  return NULL;
}

typedef enum { SCHEME_NONE, SCHEME_HTTP, SCHEME_OTHER } scheme_kind;

/* Takes `scheme://` off the text; without one `where->https` stays as it is. */
static scheme_kind take_scheme(location *where, const char **text, size_t *length) {
  const char *slash = memchr(*text, '/', *length);
  size_t before = slash == NULL ? 0 : (size_t)(slash - *text);
  if (before == 0 || slash[-1] != ':' || *length - before < 2 || slash[1] != '/')
    return SCHEME_NONE;
  where->https = pt_ascii_equal(*text, before - 1, "https");
  bool known = where->https || pt_ascii_equal(*text, before - 1, "http");
  *text += before + 2;
  *length -= before + 2;
  return known ? SCHEME_HTTP : SCHEME_OTHER;
}

/* Reads what follows the scheme: authority and rest. */
static const char *read_location(location *where, const char *text, size_t length) {
  size_t authority = 0;
  while (authority < length && strchr("/?#", text[authority]) == NULL)
    authority++;
  where->rest = text + authority;
  where->rest_length = length - authority;
  return read_authority(where, text, authority);
}

/* pchar of RFC 3986 section 3.3, without the percent sign. */
static bool is_path_char(char c) {
  return is_unreserved(c) || (c != '\0' && strchr("!$&'()*+,;=:@", c) != NULL);
}

/* One segment of a path prefix. An encoded byte must not be one that some server takes for
 * structure. */
static const char *check_prefix_segment(const char *bytes, size_t length) {
  if (length == 0 || is_dot_segment(bytes, length))
    return "must not contain empty or dot segments in its path";
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == '%') {
      int byte = encoded_byte(bytes + i, length - i);
      if (byte < ' ' || byte == 0x7f || byte == '/' || byte == '\\' || byte == '%')
        return "must not contain malformed or unsafe percent-encoding in its path";
      i += 2;
    } else if (!is_path_char(bytes[i])) {
      return "must not contain characters that a path cannot hold";
    }
  }
  return NULL;
}

/* A path that starts with '/' and does not end with one, or nothing. */
static const char *check_prefix(const char *path, size_t length) {
  while (length > 0) {
    const char *segment = path + 1;
    const char *slash = memchr(segment, '/', length - 1);
    size_t segment_length = slash == NULL ? length - 1 : (size_t)(slash - segment);
    const char *message = check_prefix_segment(segment, segment_length);
    if (message != NULL)
      return message;
    path += segment_length + 1;
    length -= segment_length + 1;
  }
  return NULL;
}

/* `https://host[:port]`, no port that is the scheme's own; NULL when memory is exhausted. */
static char *write_origin(const location *where, size_t *host_start) {
  static const size_t port_most = sizeof ":65535" - 1;
  char *origin = pt_malloc(sizeof "https://" + where->host_length + port_most);
  if (origin == NULL)
    return NULL;
  const char *scheme = where->https ? "https://" : "http://";
  *host_start = strlen(scheme);
  memcpy(origin, scheme, *host_start);
  char *out = origin + *host_start;
  for (size_t i = 0; i < where->host_length; i++)
    *out++ = pt_lower(where->host[i]);
  if (where->port != (where->https ? 443U : 80U)) {
    *out++ = ':';
    unsigned divisor = 1;
    while (where->port / divisor > 9)
      divisor *= 10;
    for (; divisor > 0; divisor /= 10)
      *out++ = (char)('0' + where->port / divisor % 10);
  }
  *out = '\0';
  return origin;
}

const char *pt_base_url_parse(pt_base_url *url, const char *text, size_t length, bool allow_http) {
  memset(url, 0, sizeof *url);
  if (length == 0)
    return "must not be empty";
  if (length > MAX_URL)
    return "must not be longer than 2048 bytes";
  const char *message = check_bytes(text, length);
  if (message != NULL)
    return message;
  location where = {.https = true};
  if (take_scheme(&where, &text, &length) == SCHEME_OTHER)
    return "must be an http or https URL";
  message = read_location(&where, text, length);
  if (message != NULL)
    return message;
  if (memchr(where.rest, '#', where.rest_length) != NULL)
    return "must not contain a fragment";
  if (memchr(where.rest, '?', where.rest_length) != NULL)
    return "must not contain a query";
  if (where.rest_length > 0 && where.rest[where.rest_length - 1] == '/')
    where.rest_length--;
  message = check_prefix(where.rest, where.rest_length);
  if (message != NULL)
    return message;
  if (where.rest_length >= 4 && memcmp(where.rest + where.rest_length - 4, "/api", 4) == 0)
    return "must not end in /api: the paths of the operations begin with it";
  bool loopback = is_loopback(where.host, where.host_length);
  if (!where.https && !loopback && !allow_http)
    return "must use https: plain http is only for loopback hosts, or with allow_http = true";
  size_t host_start = 0;
  url->origin = write_origin(&where, &host_start);
  url->prefix = pt_copy(where.rest, where.rest_length);
  if (url->origin == NULL || url->prefix == NULL) {
    pt_base_url_free(url);
    return PT_NO_MEMORY;
  }
  url->host = url->origin + host_start;
  url->host_length = where.host_length;
  url->https = where.https;
  url->loopback = loopback;
  return NULL;
}

void pt_base_url_free(pt_base_url *url) {
  pt_free(url->origin);
  pt_free(url->prefix);
  memset(url, 0, sizeof *url);
}

bool pt_url_same_origin(const pt_base_url *url, const char *link, size_t length) {
  if (length == 0 || check_bytes(link, length) != NULL)
    return false;
  location theirs = {.https = url->https};
  if (length >= 2 && link[0] == '/' && link[1] == '/') { /* `//host/path` keeps the scheme only */
    link += 2;
    length -= 2;
  } else if (link[0] == '/' || link[0] == '?') {
    return true;
  } else if (take_scheme(&theirs, &link, &length) != SCHEME_HTTP) {
    return false;
  }
  location ours = {.https = url->https};
  if (read_location(&ours, url->host, strlen(url->host)) != NULL ||
      read_location(&theirs, link, length) != NULL)
    return false;
  return theirs.https == ours.https && theirs.port == ours.port &&
         theirs.host_length == ours.host_length &&
         pt_ascii_same(theirs.host, ours.host, ours.host_length);
}

/* ---- where a redirect leads ---- */

/* Length of the scheme that a link begins with (RFC 3986 section 3.1), 0 when it is relative. */
static size_t scheme_length(const char *link, size_t length) {
  for (size_t i = 0; i < length; i++) {
    char c = link[i];
    if (c == ':')
      return i;
    bool other = pt_is_digit(c) || c == '+' || c == '-' || c == '.';
    if (!pt_is_letter(c) && (i == 0 || !other))
      return 0;
  }
  return 0;
}

/* Takes the last segment of what was written since `start` away, and the slash before it. */
static void drop_segment(pt_buffer *out, size_t start) {
  while (out->length > start && out->bytes[--out->length] != '/')
    ;
}

/* Appends a path that begins with a slash, without dot segments (RFC 3986 section 5.2.4). */
static void add_path(pt_buffer *out, const char *path, size_t length) {
  size_t start = out->length;
  const char *end = path + length;
  while (path < end && !out->failed) {
    const char *slash = memchr(path + 1, '/', (size_t)(end - path - 1));
    const char *next = slash != NULL ? slash : end;
    size_t segment = (size_t)(next - path - 1);
    if (!is_dot_segment(path + 1, segment)) {
      pt_buffer_add(out, path, (size_t)(next - path));
    } else {
      size_t dots = segment == 2 || segment > 3 ? 2 : 1; /* "..", and not "." or "%2e" */
      if (dots == 2)
        drop_segment(out, start);
      if (next == end)
        pt_buffer_add_char(out, '/');
    }
    path = next;
  }
  if (out->length == start)
    pt_buffer_add_char(out, '/');
}

/* Appends the path of a relative link, which begins beside the last segment of the request's. */
static void add_beside(pt_buffer *out, const char *target, size_t target_path, const char *link,
                       size_t link_path) {
  pt_buffer whole = {0};
  size_t directory = target_path;
  while (directory > 0 && target[directory - 1] != '/')
    directory--;
  pt_buffer_add(&whole, target, directory);
  pt_buffer_add(&whole, link, link_path);
  if (whole.failed)
    out->failed = true;
  else
    add_path(out, whole.bytes, whole.length);
  pt_buffer_free(&whole);
}

/* Where the query or the fragment begins. */
static size_t path_length(const char *text, size_t length) {
  size_t end = 0;
  while (end < length && text[end] != '?' && text[end] != '#')
    end++;
  return end;
}

const char *pt_url_resolve(pt_buffer *out, const char *origin, const char *target, const char *link,
                           size_t length) {
  if (length == 0)
    return "is empty";
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)link[i] < ' ' || link[i] == 0x7f)
      return "holds control characters";
  }
  size_t scheme = scheme_length(link, length);
  if (scheme > 0) {
    bool http = pt_ascii_equal(link, scheme, "http") || pt_ascii_equal(link, scheme, "https");
    if (!http || length < scheme + 4 || memcmp(link + scheme, "://", 3) != 0)
      return "is not a URL of http or https";
    pt_buffer_add(out, link, length);
    return NULL;
  }
  if (length > 2 && link[0] == '/' && link[1] == '/') { /* `//host/path` keeps the scheme only */
    pt_buffer_add(out, origin, (size_t)(strstr(origin, "//") - origin));
    pt_buffer_add(out, link, length);
    return NULL;
  }
  size_t target_length = strlen(target);
  size_t target_path = path_length(target, target_length);
  size_t link_path = path_length(link, length);
  pt_buffer_add_text(out, origin);
  if (link[0] == '/')
    add_path(out, link, link_path);
  else if (link_path > 0)
    add_beside(out, target, target_path, link, link_path);
  else
    pt_buffer_add(out, target, link[0] == '#' ? target_length : target_path);
  pt_buffer_add(out, link + link_path, length - link_path);
  return NULL;
}

/* ---- paths and queries ---- */

static void add_encoded(pt_buffer *out, const char *bytes, size_t length) {
  static const char digits[] = "0123456789ABCDEF";
  size_t start = 0;
  for (size_t i = 0; i < length; i++) {
    if (is_unreserved(bytes[i]))
      continue;
    unsigned char byte = (unsigned char)bytes[i];
    char text[3] = {'%', digits[byte >> 4], digits[byte & 0x0f]};
    pt_buffer_add(out, bytes + start, i - start);
    pt_buffer_add(out, text, sizeof text);
    start = i + 1;
  }
  pt_buffer_add(out, bytes + start, length - start);
}

void pt_url_add_decoded(pt_buffer *out, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    int byte = encoded_byte(bytes + i, length - i);
    pt_buffer_add_char(out, byte >= 0 ? (char)byte : bytes[i]);
    i += byte >= 0 ? 2 : 0;
  }
}

static const char *check_segment(const char *bytes, size_t length) {
  if (length == 0)
    return "must not be empty";
  if (length > MAX_SEGMENT)
    return "must not be longer than 1024 bytes";
  if (is_dot_segment(bytes, length))
    return "must not be '.' or '..'";
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    int encoded = encoded_byte(bytes + i, length - i);
    if (byte < 0x20 || byte == 0x7f)
      return "must not contain control characters";
    if (byte == '/' || byte == '\\' || encoded == '/' || encoded == '\\')
      return "must not contain a slash or backslash";
    if (byte == '?' || byte == '#')
      return "must not contain '?' or '#'";
  }
  return NULL;
}

const char *pt_url_add_segment(pt_buffer *out, const char *bytes, size_t length) {
  const char *message = check_segment(bytes, length);
  if (message == NULL)
    add_encoded(out, bytes, length);
  return message;
}

static void add_separator(pt_buffer *out, size_t *pairs) {
  pt_buffer_add_char(out, *pairs == 0 ? '?' : '&');
  ++*pairs;
}

void pt_url_add_pair(pt_buffer *out, size_t *pairs, const char *name, size_t name_length,
                     const char *value, size_t value_length) {
  add_separator(out, pairs);
  add_encoded(out, name, name_length);
  pt_buffer_add_char(out, '=');
  add_encoded(out, value, value_length);
}

void pt_url_add_map_pair(pt_buffer *out, size_t *pairs, const char *name, size_t name_length,
                         const char *key, size_t key_length, const char *value,
                         size_t value_length) {
  add_separator(out, pairs);
  add_encoded(out, name, name_length);
  pt_buffer_add_text(out, "%5B");
  add_encoded(out, key, key_length);
  pt_buffer_add_text(out, "%5D=");
  add_encoded(out, value, value_length);
}
