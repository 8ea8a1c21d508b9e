/* fuzz_url.c: base URLs, path segments, query pairs and next links. What is read is stable when it
 * is read again; what is written holds no byte of structure. */
#include "base/ascii.h"
#include "http/url.h"
#include "check.h"

#include <string.h>

static bool is_plain(char c) {
  return pt_is_letter(c) || pt_is_digit(c) || (c != '\0' && strchr("-._~%", c) != NULL);
}

static void check_plain(const char *bytes, size_t length, const char *others) {
  for (size_t i = 0; i < length; i++)
    CHECK(is_plain(bytes[i]) || (bytes[i] != '\0' && strchr(others, bytes[i]) != NULL));
}

static void check_base_url(const char *text, size_t length) {
  pt_base_url url;
  const char *message = pt_base_url_parse(&url, text, length, false);
  if (message != NULL) {
    CHECK(url.origin == NULL && url.prefix == NULL);
    return;
  }
  CHECK(url.https || url.loopback);
  CHECK(url.host > url.origin && url.host + url.host_length <= url.origin + strlen(url.origin));
  CHECK(strncmp(url.origin, url.https ? "https://" : "http://", (size_t)(url.host - url.origin)) ==
        0);
  CHECK(strpbrk(url.host, "@/\\?# ") == NULL && strpbrk(url.prefix, "\\?# ") == NULL);
  CHECK(url.prefix[0] == '\0' ||
        (url.prefix[0] == '/' && url.prefix[strlen(url.prefix) - 1] != '/'));
  CHECK(pt_url_same_origin(&url, url.origin, strlen(url.origin)));
  pt_buffer whole = {0};
  pt_buffer_add_text(&whole, url.origin);
  pt_buffer_add_text(&whole, url.prefix);
  CHECK(whole.length <= length + sizeof "https://");
  pt_base_url again;
  CHECK(pt_base_url_parse(&again, whole.bytes, whole.length, false) == NULL);
  CHECK(strcmp(again.origin, url.origin) == 0 && strcmp(again.prefix, url.prefix) == 0);
  CHECK(again.loopback == url.loopback);
  pt_base_url_free(&again);
  pt_buffer_free(&whole);
  pt_base_url_free(&url);
}

static void check_parts(const char *text, size_t length) {
  pt_buffer out = {0};
  size_t pairs = 0;
  if (pt_url_add_segment(&out, text, length) == NULL) {
    check_plain(out.bytes, out.length, "");
    CHECK(strcmp(out.bytes, ".") != 0 && strcmp(out.bytes, "..") != 0);
  } else {
    CHECK(out.length == 0);
  }
  pt_buffer_clear(&out);
  pt_url_add_pair(&out, &pairs, text, length, text, length);
  pt_url_add_map_pair(&out, &pairs, text, length / 2, text, length, text, length / 3);
  CHECK(pairs == 2 && out.bytes[0] == '?');
  check_plain(out.bytes, out.length, "?&=");
  pt_buffer_free(&out);
}

/* Whatever a link is, one that counts as the client's own names no other host to a reader that
 * knows only '/', '?' and '#'. */
static void check_link(const pt_base_url *url, const char *text, size_t length) {
  if (!pt_url_same_origin(url, text, length))
    return;
  CHECK(memchr(text, '\\', length) == NULL && memchr(text, '\0', length) == NULL);
  if ((text[0] == '/' && (length == 1 || text[1] != '/')) || text[0] == '?')
    return;
  const char *host = memchr(text, '/', length);
  CHECK(host != NULL && host[1] == '/');
  host += 2;
  size_t rest = (size_t)(text + length - host);
  CHECK(rest >= url->host_length);
  for (size_t i = 0; i < url->host_length; i++)
    CHECK(pt_lower(host[i]) == url->host[i]);
  CHECK(rest == url->host_length || strchr(":/?#", host[url->host_length]) != NULL);
}

/* Wherever a redirect leads, it is a URL of http; a path at the origin has no dot segment left. */
static void check_redirect(const char *text, size_t length) {
  static const char origin[] = "https://h.io";
  pt_buffer out = {0};
  if (pt_url_resolve(&out, origin, "/a/b?c", text, length) != NULL) {
    CHECK(out.length == 0);
    return;
  }
  CHECK(strlen(out.bytes) == out.length && pt_lower(out.bytes[0]) == 'h');
  bool inside = strncmp(out.bytes, origin, sizeof origin - 1) == 0 &&
                out.bytes[sizeof origin - 1] == '/' && text[0] != 'h' && text[0] != 'H' &&
                !(length > 2 && text[0] == '/' && text[1] == '/');
  char *end = inside ? strpbrk(out.bytes, "?#") : NULL;
  if (end != NULL)
    *end = '\0';
  if (inside)
    CHECK(strstr(out.bytes, "/../") == NULL && strstr(out.bytes, "/./") == NULL);
  pt_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char base[] = "https://h.io";
  pt_base_url url;
  CHECK(pt_base_url_parse(&url, base, sizeof base - 1, false) == NULL);
  const char *text = (const char *)data;
  check_base_url(text, size);
  check_parts(text, size);
  check_link(&url, text, size);
  check_redirect(text, size);
  pt_base_url_free(&url);
  return 0;
}
