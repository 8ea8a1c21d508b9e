/* baseline.c: the least a C program does for the same POST: one re-used easy handle, options set
   once, no JSON, no retries, no checks. Usage: baseline URL KEY COUNT (creates organizations named
   baseline-PID-N). */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char reply[65536];
static size_t reply_length;

static size_t keep(char *bytes, size_t one, size_t length, void *context) {
  (void)context;
  size_t added = one * length;
  if (reply_length + added > sizeof reply)
    return 0;
  memcpy(reply + reply_length, bytes, added);
  reply_length += added;
  return added;
}

static size_t pass_header(char *bytes, size_t one, size_t length, void *context) {
  (void)bytes, (void)context;
  return one * length;
}

int main(int count, char **arguments) {
  if (count != 4)
    return 2;
  int calls = atoi(arguments[3]);
  char url[256], authorization[512], body[128], idempotency_key[128];
  (void)snprintf(url, sizeof url, "%s/api/organizations", arguments[1]);
  (void)snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", arguments[2]);
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return 1;
  CURL *easy = curl_easy_init();
  if (easy == NULL)
    return 1;
  struct curl_slist lines[] = {{authorization, &lines[1]},
                               {"Accept: application/json", &lines[2]},
                               {"Content-Type: application/json", &lines[3]},
                               {"X-Polytomic-Version: 2025-09-18", &lines[4]},
                               {idempotency_key, NULL}};
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
  curl_easy_setopt(easy, CURLOPT_USERAGENT,
                   "polytomic-lua/0.2.0 libcurl/7.88.1 Lua 5.4"); /* the same request, byte for byte
                                                                     but for names */
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, pass_header);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
  for (int i = 0; i < calls; i++) {
    (void)snprintf(body, sizeof body, "{\"name\":\"baseline-%d-%d\"}", (int)getpid(), i);
    (void)snprintf(idempotency_key, sizeof idempotency_key,
                   "Idempotency-Key: baseline-%d-%d-0123456789012345", (int)getpid(), i);
    reply_length = 0;
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    long status = 0;
    if (curl_easy_perform(easy) != CURLE_OK ||
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status != 200)
      return 1;
  }
  curl_easy_cleanup(easy);
  return 0;
}
