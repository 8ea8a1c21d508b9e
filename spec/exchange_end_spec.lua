-- What an attempt that libcurl ended counts as (csrc/http/exchange_end.c).

local core = require "polytomic.testing"

-- An attempt as it is when the request went out and nothing came back.
local SENT = { sent = true }
-- The same when the head of a reply came whole.
local HEAD = { sent = true, headers_done = true }

-- What is known, and the end and status that come of it.
local ROWS = {
  { "a whole reply is an answer", HEAD, { code = "OK", status = 200 }, "answered", 200 },
  { "an error status is an answer", HEAD, { code = "OK", status = 503 }, "answered", 503 },
  { "the lowest status is 200", HEAD, { code = "OK", status = 199 }, "protocol", 0 },
  { "the highest status is 599", HEAD, { code = "OK", status = 600 }, "protocol", 0 },
  { "a head cut short is a lost reply", SENT, { code = "OK", status = 200 }, "network", 0 },
  { "a body cut short is a lost reply", HEAD,
    { code = "PARTIAL_FILE", status = 200 }, "network", 0 },
  { "an error whose body is cut short is known by its status", HEAD,
    { code = "PARTIAL_FILE", status = 422 }, "answered", 422 },
  { "an error whose body is too large is known by its status", HEAD,
    { code = "WRITE_ERROR", too_large = true, status = 404 }, "answered", 404 },
  { "an error whose body is broken is known by its status", HEAD,
    { code = "BAD_CONTENT_ENCODING", status = 500 }, "answered", 500 },
  { "an error that came too late is not known", HEAD,
    { code = "OPERATION_TIMEDOUT", status = 500 }, "timeout", 0 },
  { "no reply at all is a lost one", SENT, { code = "GOT_NOTHING" }, "network", 0 },
  { "a reset is a lost reply", SENT, { code = "RECV_ERROR" }, "network", 0 },
  { "a failure to send is a lost reply", SENT, { code = "SEND_ERROR" }, "network", 0 },
  { "an HTTP/2 connection that ends is a lost reply", SENT, { code = "HTTP2" }, "network", 0 },
  { "an HTTP/2 stream that ends is a lost reply", SENT, { code = "HTTP2_STREAM" }, "network", 0 },
  { "a request that libcurl wanted to repeat is a lost reply", { sent = true, sends = 2 },
    { code = "ABORTED_BY_CALLBACK" }, "network", 0 },
  { "no name is no name", {}, { code = "COULDNT_RESOLVE_HOST" }, "dns", 0 },
  { "no name of a proxy is the proxy's failure", {},
    { code = "COULDNT_RESOLVE_PROXY" }, "proxy", 0 },
  { "no connection is no connection", {}, { code = "COULDNT_CONNECT" }, "connect", 0 },
  { "no connection to a proxy is the proxy's failure", { proxy = true },
    { code = "COULDNT_CONNECT" }, "proxy", 0 },
  { "a proxy's handshake that fails is the proxy's failure", {}, { code = "PROXY" }, "proxy", 0 },
  { "a proxy that refuses is known by its status", { proxy = true },
    { code = "RECV_ERROR", connect_status = 407 }, "proxy", 407 },
  { "a proxy that refuses is known by its status with newer libcurls too", { proxy = true },
    { code = "COULDNT_CONNECT", connect_status = 502 }, "proxy", 502 },
  { "a proxy that resets is the proxy's failure", { proxy = true },
    { code = "RECV_ERROR", os_errno = "ECONNRESET" }, "proxy", 0 },
  { "where there is no proxy, no words of libcurl make one", {},
    { code = "COULDNT_CONNECT", words = "Failed to connect over proxy; Proxy CONNECT" },
    "connect", 0 },
  { "a proxy that stalls is the proxy's failure", { proxy = true },
    { code = "OPERATION_TIMEDOUT" }, "proxy", 0 },
  { "what goes wrong through a tunnel is the server's", { proxy = true, connect_status = 200 },
    { code = "RECV_ERROR" }, "network", 0 },
  { "what goes wrong after the request went through a tunnel is the server's",
    { proxy = true, connect_status = 200, sent = true }, { code = "OPERATION_TIMEDOUT" },
    "timeout", 0 },
  { "a certificate that is not trusted is a TLS failure", {},
    { code = "PEER_FAILED_VERIFICATION" }, "tls", 0 },
  { "a certificate that is not trusted behind a proxy is a TLS failure",
    { proxy = true, connect_status = 200 }, { code = "PEER_FAILED_VERIFICATION" }, "tls", 0 },
  { "a key that cannot be used is a TLS failure", {}, { code = "SSL_CERTPROBLEM" }, "tls", 0 },
  { "an unreadable CA file is a TLS failure", {}, { code = "SSL_CACERT_BADFILE" }, "tls", 0 },
  { "a client certificate that is wanted is a TLS failure", {},
    { code = "SSL_CLIENTCERT" }, "tls", 0 },
  { "a handshake that fails is a TLS failure", {},
    { code = "SSL_CONNECT_ERROR", words = "error:0A00010B:SSL routines::wrong version number" },
    "tls", 0 },
  { "a handshake that is reset is a network failure", { https = true },
    { code = "SSL_CONNECT_ERROR", os_errno = "ECONNRESET", words = "whatever" }, "network", 0 },
  { "a handshake to a peer that is gone is a network failure", { https = true },
    { code = "SSL_CONNECT_ERROR", os_errno = "EPIPE", words = "whatever" }, "network", 0 },
  { "a handshake that the peer ends is a network failure", { https = true },
    { code = "SSL_CONNECT_ERROR",
      words = "TLS connect error: error:0A000126:SSL routines::unexpected eof while reading" },
    "network", 0 },
  { "a handshake that the peer ends is a network failure in older words too", { https = true },
    { code = "SSL_CONNECT_ERROR",
      words = "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to 127.0.0.1:1 " },
    "network", 0 },
  { "a handshake that another errno is left over from is a TLS failure", { https = true },
    { code = "SSL_CONNECT_ERROR", os_errno = "ECONNREFUSED" }, "tls", 0 },
  { "an alert after the handshake is a TLS failure", { https = true, sent = true },
    { code = "RECV_ERROR",
      words = "OpenSSL SSL_read: OpenSSL/3.0.19: error:0A00045C:SSL routines::tlsv13 alert "
        .. "certificate required, errno 0" },
    "tls", 0 },
  { "a certificate and a key that do not belong together are a TLS failure", { https = true },
    { code = "BAD_FUNCTION_ARGUMENT", words = "unable to set private key file: 'x' type PEM" },
    "tls", 0 },
  { "no time left is a timeout", SENT, { code = "OPERATION_TIMEDOUT" }, "timeout", 0 },
  { "no time left before anything was sent is a timeout", {},
    { code = "OPERATION_TIMEDOUT" }, "timeout", 0 },
  { "a status line that cannot be read is broken HTTP", SENT,
    { code = "WEIRD_SERVER_REPLY" }, "protocol", 0 },
  { "a redirect to two places is a redirect, though libcurl reads no further", SENT,
    { code = "WEIRD_SERVER_REPLY", status = 301 }, "answered", 301 },
  { "an error whose head is broken is broken HTTP", SENT,
    { code = "WEIRD_SERVER_REPLY", status = 400 }, "protocol", 0 },
  { "HTTP/0.9 is broken HTTP", SENT, { code = "UNSUPPORTED_PROTOCOL" }, "protocol", 0 },
  { "a first header line that continues another is broken HTTP", SENT,
    { code = "BAD_FUNCTION_ARGUMENT" }, "protocol", 0 },
  { "a version of HTTP that nobody speaks is broken HTTP", SENT,
    { code = "WRITE_ERROR", bad_status = true, status = 200 }, "protocol", 0 },
  { "a first header line that continues another is broken HTTP with newer libcurls too", SENT,
    { code = "WRITE_ERROR", bad_header = true, status = 200 }, "protocol", 0 },
  { "compression that cannot be undone is broken HTTP", HEAD,
    { code = "BAD_CONTENT_ENCODING", status = 200 }, "protocol", 0 },
  { "bytes after a compressed body are broken HTTP", HEAD,
    { code = "WRITE_ERROR", status = 200 }, "protocol", 0 },
  { "a doubtful length is broken HTTP", HEAD,
    { code = "WRITE_ERROR", bad_length = true, status = 200 }, "protocol", 0 },
  { "a body past the limit is too large, with its status", HEAD,
    { code = "WRITE_ERROR", too_large = true, status = 200 }, "too_large", 200 },
  { "a head past the limit is too large", SENT,
    { code = "WRITE_ERROR", too_large = true }, "too_large", 0 },
  { "a head past libcurl's limit is too large", SENT, { code = "OUT_OF_MEMORY" }, "too_large", 0 },
  { "no memory before anything was sent is our failure", {},
    { code = "OUT_OF_MEMORY" }, "memory", 0 },
  { "no memory for the reply is our failure", HEAD,
    { code = "WRITE_ERROR", out_of_memory = true, status = 200 }, "memory", 0 },
}

local function judged(...)
  local facts = {}
  for _, some in ipairs { ... } do
    for name, value in pairs(some) do facts[name] = value end
  end
  return core.exchange_end(facts)
end

describe("Of an attempt that ended,", function()
  for _, row in ipairs(ROWS) do
    it(row[1], function()
      local found = judged(row[2], row[3])
      assert.equal(row[4], found["end"])
      assert.equal(row[5], found.status)
      assert.equal(row[4] == "answered", found.message == nil)
    end)
  end
end)

describe("What is said of an attempt that failed", function()
  local SAID = {
    { "in libcurl's words, where it has some", {},
      { code = "RECV_ERROR", words = "Recv failure: Connection reset by peer" },
      "Recv failure: Connection reset by peer" },
    { "by the code, where it has none", {}, { code = "COULDNT_CONNECT" }, "[Cc]onnect" },
    { "without the URL of a proxy, which may hold a password", { proxy = true },
      { code = "COULDNT_RESOLVE_PROXY", words = "Unsupported proxy syntax in 'http://u:secret@'" },
      "^the proxy's URL cannot be read$" },
    { "where libcurl wanted to repeat it", { sent = true, sends = 2 },
      { code = "ABORTED_BY_CALLBACK", words = "operation aborted by pre-request callback" },
      "^the connection was closed before a reply began$" },
    { "where an HTTP/2 server refused it", { refused = true }, { code = "HTTP2" },
      "^the server refused the HTTP/2 stream$" },
    { "where its body was too large", HEAD,
    { code = "WRITE_ERROR", too_large = true, status = 200 },
      "^the body is larger than max_response_bytes$" },
    { "where its head was too large", SENT, { code = "WRITE_ERROR", too_large = true },
      "^the headers are too large$" },
    { "where its length was doubtful", HEAD,
    { code = "WRITE_ERROR", bad_length = true, status = 200 },
      "^Content%-Length is not a number, or not the only one$" },
    { "where its compressed body went on", HEAD, { code = "WRITE_ERROR", status = 200 },
      "^the compressed body is followed by other bytes$" },
    { "where a header line continued nothing", SENT, { code = "BAD_FUNCTION_ARGUMENT" },
      "^the first header line is a continuation line$" },
    { "where a header line continued nothing with newer libcurls", SENT,
      { code = "WRITE_ERROR", bad_header = true },
      "^the first header line is a continuation line$" },
    { "where it began with something else", SENT, { code = "WRITE_ERROR", bad_status = true },
      "^the reply does not begin with a status line of HTTP/1.0, 1.1 or 2$" },
    { "in libcurl's words, of a key that does not fit", { https = true },
      { code = "BAD_FUNCTION_ARGUMENT", words = "unable to set private key file: 'x' type PEM" },
      "^unable to set private key" },
    { "where its status was not a final one", HEAD, { code = "OK", status = 99 },
      "^the status code is not that of a final reply$" },
    { "where its head ended early", SENT, { code = "OK" },
      "^the connection was closed in the middle of the headers$" },
  }
  for _, row in ipairs(SAID) do
    it("is plain " .. row[1], function() assert.matches(row[4], judged(row[2], row[3]).message) end)
  end
end)
