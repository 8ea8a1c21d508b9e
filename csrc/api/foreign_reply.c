/* foreign_reply.c: see foreign_reply.h. */
#include "api/foreign_reply.h"

#include "base/ascii.h"
#include "base/unicode.h"
#include "http/headers.h"

#include <string.h>

enum { MAX_QUOTE = 200, MAX_LOOKED_AT = 16 * 1024 };

/* The text that is left to read. */
typedef struct {
  const char *next, *end;
} text;

static bool is_blank(char c) { return (unsigned char)c <= ' ' || c == 127; }

/* Where a text begins that is compared without case, or NULL. */
static const char *find(text in, const char *wanted) {
  size_t length = strlen(wanted);
  for (; (size_t)(in.end - in.next) >= length; in.next++)
    if (pt_ascii_equal(in.next, length, wanted))
      return in.next;
  return NULL;
}

static bool begins_with(text in, const char *wanted) {
  size_t length = strlen(wanted);
  return (size_t)(in.end - in.next) >= length && pt_ascii_equal(in.next, length, wanted);
}

/* The first byte after the tag that begins at `next`. */
static const char *after_tag(text in) {
  const char *close = memchr(in.next, '>', (size_t)(in.end - in.next));
  return close != NULL ? close + 1 : in.end;
}

/* The first byte after an element whose content nobody reads, or after a tag. */
static const char *after_markup(text in) {
  static const char *const unread[][2] = {
      {"<script", "</script"}, {"<style", "</style"}, {"<!--", "-->"}};
  for (size_t i = 0; i < sizeof unread / sizeof unread[0]; i++) {
    if (!begins_with(in, unread[i][0]))
      continue;
    const char *close = find(in, unread[i][1]);
    return close != NULL ? after_tag((text){close, in.end}) : in.end;
  }
  return after_tag(in);
}

/* Copies text on one line, blanks as one space; tags count as blanks where `html`. */
static void copy_line(char *out, size_t size, text in, bool html) {
  size_t length = 0, limit = size - 1 < MAX_QUOTE ? size - 1 : MAX_QUOTE;
  bool blank = false;
  while (in.next < in.end && length < limit) {
    bool tag = html && *in.next == '<';
    if (tag || is_blank(*in.next)) {
      in.next = tag ? after_markup(in) : in.next + 1;
      blank = length > 0;
      continue;
    }
    if (blank && length + 1 < limit)
      out[length++] = ' ';
    blank = false;
    out[length++] = *in.next++;
  }
  if (in.next < in.end) { /* there is no room for more */
    out[length] = *in.next;
    length = pt_unicode_boundary(out, length + 1, length);
  }
  while (length > 0 && out[length - 1] == ' ')
    length--;
  out[length] = '\0';
}

/* The content of the page's title; empty where it has none. */
static text title_of(text page) {
  const char *open = find(page, "<title");
  if (open == NULL)
    return (text){page.end, page.end};
  text title = {after_tag((text){open, page.end}), page.end};
  const char *close = find(title, "</title");
  if (close != NULL)
    title.end = close;
  return title;
}

void pt_foreign_reply_quote(char *out, size_t size, const pt_buffer *body) {
  size_t length = body->length < MAX_LOOKED_AT ? body->length : MAX_LOOKED_AT;
  text all = {body->bytes, body->bytes + length};
  out[0] = '\0';
  if (length == 0)
    return;
  while (all.next < all.end && is_blank(*all.next))
    all.next++;
  bool html = all.next < all.end && *all.next == '<';
  if (html)
    copy_line(out, size, title_of(all), true);
  if (out[0] == '\0')
    copy_line(out, size, all, html);
}

bool pt_reply_claims_json(const pt_call *call) {
  pt_header type;
  if (pt_headers_find(&call->reply.headers, "content-type", &type))
    return find((text){type.value, type.value + type.value_length}, "json") != NULL;
  const pt_buffer *body = &call->reply.body;
  size_t i = 0;
  while (i < body->length && is_blank(body->bytes[i]))
    i++;
  return i < body->length && (body->bytes[i] == '{' || body->bytes[i] == '[');
}
