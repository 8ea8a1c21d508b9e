/* failure.c: see failure.h. */
#include "api/failure.h"

#include "api/trust.h"
#include "base/json_writer.h"
#include "base/unicode.h"
#include "http/headers.h"
#include "http/libcurl.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DETAIL = 801, MAX_REQUEST_ID = 64 };

/* ---- words ---- */

static const char *status_kind(int status) {
  switch (status) {
  case 401: return "unauthorized";
  case 403: return "forbidden";
  case 404: return "not_found";
  case 409: return "conflict";
  case 422: return "unprocessable";
  case 429: return "rate_limited";
  default:
    return status >= 500 ? "server" : status >= 400 ? "api" : status >= 300 ? "redirect" : NULL;
  }
}

const char *pt_failure_kind(const pt_operation *operation, pt_attempt_end end, int status) {
  switch (end) {
  case PT_END_ANSWERED:
    return status != 0 && status == (int)operation->redirect_status ? NULL : status_kind(status);
  case PT_END_DNS: return "dns";
  case PT_END_CONNECT: return "connect";
  case PT_END_TLS: return "tls";
  case PT_END_PROXY: return "proxy";
  case PT_END_TIMEOUT: return "timeout";
  case PT_END_NETWORK:
  case PT_END_MEMORY: return "network";
  case PT_END_PROTOCOL: return "protocol";
  case PT_END_BAD_RESPONSE: return "bad_response";
  case PT_END_TOO_LARGE: return "too_large";
  case PT_END_CANCELLED: return "cancelled";
  case PT_END_CLOSED: return "closed";
  }
  return "network";
}

const char *pt_outcome_word(pt_outcome outcome) {
  static const char *const words[] = {"done", "unsent", "rejected", "unknown"};
  return words[outcome];
}

pt_outcome pt_outcome_of(const char *word) {
  pt_outcome outcome = PT_OUTCOME_UNSENT;
  while (outcome < PT_OUTCOME_UNKNOWN && strcmp(pt_outcome_word(outcome), word) != 0)
    outcome++;
  return outcome;
}

/* ---- text ---- */

void pt_failure_copy_text(char *out, size_t size, const char *text, size_t length) {
  size_t kept = length < size ? length : pt_unicode_boundary(text, length, size - 1);
  for (size_t i = 0; i < kept; i++)
    out[i] = text[i] != '\0' ? text[i] : ' ';
  out[kept] = '\0';
}

/* Makes one line of printable text from anything. */
static void clean(char *text) { text[pt_unicode_fit_line(text, strlen(text))] = '\0'; }

void pt_failure_write_message(char *message, size_t size, const pt_call *call, const char *kind,
                              const char *detail) {
  char shown[MAX_DETAIL], code[24] = "", request[96] = "";
  pt_header id;
  if (call->status != 0)
    (void)snprintf(code, sizeof code, "%d ", call->status);
  if (pt_headers_find(&call->reply.headers, "x-request-id", &id)) {
    int length = id.value_length < MAX_REQUEST_ID ? (int)id.value_length : MAX_REQUEST_ID;
    (void)snprintf(request, sizeof request, " (request %.*s)", length, id.value);
  }
  pt_failure_copy_text(shown, sizeof shown, detail, strlen(detail));
  (void)snprintf(message, size, "%s: %s%s: %s%s", call->operation->name, code, kind, shown,
                 request);
  clean(message);
}

/* printf would write the number in the process's locale. */
static void write_no_connection(char *detail, size_t size, double timeout) {
  pt_buffer seconds = {0};
  (void)pt_json_add_number(&seconds, timeout);
  (void)snprintf(detail, size, "no connection was free within %s s",
                 seconds.failed || seconds.bytes == NULL ? "its" : seconds.bytes);
  pt_buffer_free(&seconds);
}

void pt_failure_write_detail(char *detail, size_t size, const pt_call *call) {
  switch (call->end) {
  case PT_END_ANSWERED:
    (void)snprintf(detail, size, "%s",
                   call->status < 400 ? "redirects are never followed"
                                      : "the server gave no message");
    break;
  case PT_END_CANCELLED: (void)snprintf(detail, size, "cancelled"); break;
  case PT_END_CLOSED: (void)snprintf(detail, size, "the client was closed"); break;
  case PT_END_TIMEOUT:
    if (call->reply.message == NULL) {
      write_no_connection(detail, size, call->limits.timeout);
      break;
    }
    /* fall through */
  default:
    (void)snprintf(detail, size, "%s",
                   call->reply.message != NULL ? call->reply.message : "no further detail");
  }
}

/* ---- hints ---- */

static const char *wanted_key(pt_auth auth, const pt_credential *sent) {
  if (auth != PT_AUTH_PARTNER)
    return "a user API key, or `organization` with a partner or deployment key";
  return sent != NULL && sent->kind == PT_KEY_DEPLOYMENT ? "a partner or deployment key"
                                                         : "a partner key";
}

/* Whether a key of this kind can be what the operation needs: then the key itself is not good. */
static bool kind_fits(pt_auth auth, const pt_credential *sent) {
  switch (auth) {
  case PT_AUTH_PARTNER: return sent->kind == PT_KEY_PARTNER || sent->kind == PT_KEY_DEPLOYMENT;
  case PT_AUTH_UNSPECIFIED: return true;
  default: return sent->kind == PT_KEY_API || sent->basic;
  }
}

static void write_key_hint(char *hint, size_t size, const pt_call *call, const pt_config *config) {
  const pt_credential *sent = call->credential;
  const pt_operation *operation = call->operation;
  if (operation->auth == PT_AUTH_CONNECT_TOKEN) {
    (void)snprintf(hint, size, "%s is authorised by its token argument", operation->name);
    return;
  }
  if (sent == NULL || sent->kind == PT_KEY_NONE) {
    (void)snprintf(hint, size, "%s needs %s; no key was sent", operation->name,
                   wanted_key(operation->auth, sent));
    return;
  }
  const char *label = pt_key_label(sent->kind);
  const char *organization = sent->basic ? " for an organization" : "";
  const char *wanted =
      operation->auth == PT_AUTH_UNSPECIFIED ? "a key" : wanted_key(operation->auth, sent);
  const char *verdict = !kind_fits(operation->auth, sent) ? ""
                        : call->status == 401             ? ", which is not accepted"
                                                          : ", which is not allowed to do this";
  char source[48] = "";
  if (config != NULL && config->key_sources[sent->kind] == PT_KEY_FROM_ENVIRONMENT)
    (void)snprintf(source, sizeof source, " (from %s)", pt_key_variable(sent->kind));
  (void)snprintf(hint, size, "%s needs %s; a %s was sent%s%s%s", operation->name, wanted, label,
                 organization, source, verdict);
}

static void write_tls_hint(char *hint, size_t size, const pt_config *config) {
  const char *file, *path;
  pt_buffer text = {0};
  pt_libcurl_default_ca(&file, &path);
  pt_trust_describe(&text, config, file, path);
  bool local = config->base_url.loopback;
  (void)snprintf(hint, size, "verified with %s; set ca_file to trust another authority%s%s",
                 text.failed || text.bytes == NULL ? "libcurl's own CA" : text.bytes,
                 local ? "; for a server without TLS, such as the sandbox, write http://" : "",
                 local ? config->base_url.host : "");
  pt_buffer_free(&text);
}

void pt_failure_write_hint(char *hint, size_t size, const pt_call *call, const pt_config *config,
                           bool from_api) {
  hint[0] = '\0';
  bool refused = call->end == PT_END_ANSWERED && (call->status == 401 || call->status == 403);
  if (refused && from_api)
    write_key_hint(hint, size, call, config);
  else if (call->end == PT_END_TLS && config != NULL)
    write_tls_hint(hint, size, config);
  else if (call->end == PT_END_PROXY && config != NULL && config->transport.proxy_variable != NULL)
    (void)snprintf(hint, size, "the proxy is the one in %s; no_proxy or proxy = \"\" avoids it",
                   config->transport.proxy_variable);
  else if (call->end == PT_END_CONNECT && config != NULL && config->base_url.loopback)
    (void)snprintf(hint, size, "nothing answers there; `polytomic sandbox` starts a sandbox");
}

void pt_failure_write_missing_key(char *detail, size_t size, pt_auth auth) {
  const char *first = auth == PT_AUTH_PARTNER
                          ? "POLYTOMIC_PARTNER_KEY or POLYTOMIC_DEPLOYMENT_KEY"
                          : "POLYTOMIC_API_KEY, or POLYTOMIC_PARTNER_KEY with `organization`";
  (void)snprintf(detail, size,
                 "no key: it needs %s; set %s, or give the key to polytomic.new; without an "
                 "account, try `polytomic sandbox`",
                 wanted_key(auth, NULL), first);
}
