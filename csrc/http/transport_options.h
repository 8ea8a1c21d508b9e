/* transport_options.h: how a transport connects to its server. */
#ifndef PT_TRANSPORT_OPTIONS_H
#define PT_TRANSPORT_OPTIONS_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

/* Owned and wiped by pt_transport_options_free; strings are NULL where not given. */
typedef struct {
  pt_secret proxy; /* URL, may hold a password; none: no proxy, whatever the environment says */
  char *ca_file;   /* CURLOPT_CAINFO; neither given: libcurl's */
  char *ca_path;   /* CURLOPT_CAPATH */
  char *client_cert, *client_key;
  bool http2;
  long max_connections;      /* kept open at once */
  size_t max_response_bytes; /* decoded */
  /* the variables of the environment that `proxy` and `ca_*` are from, or NULL; static */
  const char *proxy_variable, *ca_variable;
} pt_transport_options;

void pt_transport_options_free(pt_transport_options *options);

#endif
