/* exchange_end.c: see exchange_end.h. */
#include "http/exchange_end.h"

#include <errno.h>
#include <string.h>

static bool says(const pt_exchange_facts *facts, const char *words) {
  return strstr(facts->words, words) != NULL;
}

/* A callback of ours stopped it, or libcurl's decoder at bytes after the end of the body. */
static pt_attempt_end end_of_aborted(const pt_exchange_facts *facts) {
  if (facts->bad_status || facts->bad_header || facts->bad_length)
    return PT_END_PROTOCOL;
  if (facts->too_large)
    return PT_END_TOO_LARGE;
  if (facts->out_of_memory)
    return PT_END_MEMORY;
  /* with ABORTED_BY_CALLBACK the veto: the re-used connection died before the reply began */
  return facts->code == CURLE_WRITE_ERROR ? PT_END_PROTOCOL : PT_END_NETWORK;
}

/* libcurl says "out of memory" too for a header line past its own limit (100 KB). */
static pt_attempt_end end_of_memory(const pt_exchange_facts *facts) {
  return facts->sent && !facts->out_of_memory ? PT_END_TOO_LARGE : PT_END_MEMORY;
}

/* A connection that breaks off in the middle of the handshake says nothing about trust. That the
   peer reset it, the system says. That the peer closed it, only words of libcurl and OpenSSL say
   (fault A5 in the specs fails when they change); what another TLS library says stays a TLS
   failure. */
static pt_attempt_end end_of_handshake(const pt_exchange_facts *facts) {
  bool reset = facts->os_errno == ECONNRESET || facts->os_errno == EPIPE;
  bool closed = says(facts, "SSL_ERROR_SYSCALL") || says(facts, "unexpected eof");
  return reset || closed ? PT_END_NETWORK : PT_END_TLS;
}

/* Failures to send, to receive, to get a whole reply. Under TLS 1.3 a server refuses a client
   certificate only after the handshake, by an alert, of which only OpenSSL's words tell. */
static pt_attempt_end end_of_stream(const pt_exchange_facts *facts) {
  return says(facts, "SSL routines") && says(facts, " alert ") ? PT_END_TLS : PT_END_NETWORK;
}

/* Header lines that libcurl cannot keep; before the request went out, a client certificate and key
 * that do not belong together (8.23). */
static pt_attempt_end end_of_bad_argument(const pt_exchange_facts *facts) {
  return facts->https && !facts->sent ? PT_END_TLS : PT_END_PROTOCOL;
}

/* What the code alone says. */
static pt_attempt_end end_of(const pt_exchange_facts *facts) {
  switch (facts->code) {
  case CURLE_OK: /* also for a head cut short */
    return facts->headers_done ? PT_END_ANSWERED : PT_END_NETWORK;
  case CURLE_COULDNT_RESOLVE_HOST: return PT_END_DNS;
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_PROXY: return PT_END_PROXY;
  case CURLE_COULDNT_CONNECT:
  case CURLE_INTERFACE_FAILED: return PT_END_CONNECT;
  case CURLE_OPERATION_TIMEDOUT: return PT_END_TIMEOUT;
  case CURLE_SSL_CONNECT_ERROR: return end_of_handshake(facts);
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_ENGINE_INITFAILED:
  case CURLE_SSL_ENGINE_NOTFOUND:
  case CURLE_SSL_ENGINE_SETFAILED:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
  case CURLE_SSL_CLIENTCERT:
  case CURLE_USE_SSL_FAILED: return PT_END_TLS;
  case CURLE_WRITE_ERROR:
  case CURLE_ABORTED_BY_CALLBACK: return end_of_aborted(facts);
  case CURLE_OUT_OF_MEMORY: return end_of_memory(facts);
  case CURLE_FILESIZE_EXCEEDED:
#if LIBCURL_VERSION_NUM >= 0x080600
  case CURLE_TOO_LARGE:
#endif
    return PT_END_TOO_LARGE;
  case CURLE_BAD_FUNCTION_ARGUMENT: return end_of_bad_argument(facts);
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_TOO_MANY_REDIRECTS: return PT_END_PROTOCOL;
  /* PARTIAL_FILE, GOT_NOTHING, SEND_ERROR, RECV_ERROR, HTTP2 (after GOAWAY too), HTTP2_STREAM … */
  default: return end_of_stream(facts);
  }
}

/* libcurl quotes a proxy's URL that it cannot read, with the password in it: what it says before
 * that is enough. NULL when it does not. */
static const char *bad_proxy(const pt_exchange_facts *facts) {
  if (says(facts, "Unsupported proxy syntax"))
    return "the proxy's URL cannot be read";
  if (says(facts, "Unsupported proxy scheme"))
    return "the scheme of the proxy's URL is not known to libcurl";
  return NULL;
}

/* True when the proxy, not the server, is what this attempt failed at: nothing came through it. */
static bool failed_at_proxy(const pt_exchange_facts *facts, pt_attempt_end end) {
  if (!facts->proxy || facts->sent || facts->refused ||
      (facts->connect_status >= 200 && facts->connect_status < 300))
    return false;
  return end == PT_END_CONNECT || end == PT_END_NETWORK || end == PT_END_TIMEOUT;
}

static bool is_final(long status) { return status >= 200 && status <= 599; }

/* libcurl 8.23 reads no further where a redirect has two places, which are nothing to us. */
static bool is_broken_redirect(const pt_exchange_facts *facts) {
  return facts->code == CURLE_WEIRD_SERVER_REPLY && facts->status >= 300 && facts->status < 400 &&
         !facts->headers_done && !facts->bad_status;
}

/* Adds what the status and the proxy say to what libcurl said. */
static pt_attempt_end refine(const pt_exchange_facts *facts, pt_attempt_end end) {
  if (failed_at_proxy(facts, end))
    return PT_END_PROXY;
  if (is_broken_redirect(facts))
    return PT_END_ANSWERED;
  if (!facts->headers_done || !is_final(facts->status))
    return end == PT_END_ANSWERED ? PT_END_PROTOCOL : end;
  /* of an error the status alone says enough */
  bool spoilt = end == PT_END_TOO_LARGE || end == PT_END_NETWORK || end == PT_END_PROTOCOL;
  return spoilt && facts->status >= 300 ? PT_END_ANSWERED : end;
}

/* Of the proxy, or of a reply whose head came whole and was taken for what it says. */
static int status_of(const pt_exchange_facts *facts, pt_attempt_end end) {
  if (end == PT_END_PROXY)
    return facts->connect_status > 0 ? (int)facts->connect_status : 0;
  bool counts = end == PT_END_ANSWERED || end == PT_END_TOO_LARGE;
  bool read = facts->headers_done || is_broken_redirect(facts);
  return counts && read && is_final(facts->status) ? (int)facts->status : 0;
}

static const char *message_of(const pt_exchange_facts *facts, pt_attempt_end end) {
  const char *proxy = bad_proxy(facts);
  if (proxy != NULL)
    return proxy;
  if (facts->refused)
    return "the server refused the HTTP/2 stream";
  if (facts->sends > 1)
    return "the connection was closed before a reply began";
  if (end == PT_END_TOO_LARGE)
    return facts->too_large && facts->headers_done ? "the body is larger than max_response_bytes"
                                                   : "the headers are too large";
  if (end == PT_END_MEMORY)
    return "not enough memory for the reply";
  if (facts->bad_length)
    return "Content-Length is not a number, or not the only one";
  if (facts->bad_status)
    return "the reply does not begin with a status line of HTTP/1.0, 1.1 or 2";
  if (facts->bad_header || (facts->code == CURLE_BAD_FUNCTION_ARGUMENT && facts->sent))
    return "the first header line is a continuation line";
  if (facts->code == CURLE_WRITE_ERROR)
    return "the compressed body is followed by other bytes";
  if (facts->code == CURLE_OK)
    return facts->headers_done ? "the status code is not that of a final reply"
                               : "the connection was closed in the middle of the headers";
  return facts->words[0] != '\0' ? facts->words : curl_easy_strerror(facts->code);
}

pt_exchange_end pt_exchange_judge(const pt_exchange_facts *facts) {
  pt_attempt_end end = refine(facts, end_of(facts));
  const char *message = end == PT_END_ANSWERED ? NULL : message_of(facts, end);
  return (pt_exchange_end){.end = end, .status = status_of(facts, end), .message = message};
}
