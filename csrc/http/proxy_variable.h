/* proxy_variable.h: which proxy of the environment applies to a server. curl's rules, read here so
   that it is known whether a proxy applies at all, whatever the version of libcurl.
   https://everything.curl.dev/usingcurl/proxies/env.html */
#ifndef PT_PROXY_VARIABLE_H
#define PT_PROXY_VARIABLE_H

#include "http/url.h"

#include <stdbool.h>
#include <stddef.h>

/* The name of the variable that holds the URL of the server's proxy: "https_proxy", "HTTPS_PROXY",
   "http_proxy" (which no request can set in a CGI host, unlike HTTP_PROXY), "all_proxy" or
   "ALL_PROXY". NULL when none is set, when the server is on a loopback address, or when no_proxy or
   NO_PROXY excludes it. */
const char *pt_proxy_variable(const pt_base_url *server);

/* Whether a list as no_proxy holds it excludes a host (a name, an IPv4 address, an IPv6 address in
   brackets): "*", or names (with all names below them), addresses and CIDR blocks, separated by
   commas or blanks. */
bool pt_proxy_excluded(const char *list, const char *host, size_t length);

#endif
