/* transport_options.c: see transport_options.h. */
#include "http/transport_options.h"

#include "base/memory.h"

void pt_transport_options_free(pt_transport_options *options) {
  pt_secret_clear(&options->proxy);
  pt_free(options->ca_file);
  pt_free(options->ca_path);
  pt_free(options->client_cert);
  pt_free(options->client_key);
  *options = (pt_transport_options){0};
}
