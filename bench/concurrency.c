/* concurrency.c: the least a C program does to create organizations several at once: one multi, a
   re-used easy handle per call in flight, no JSON, no retries, no checks. Prints the seconds it
   took and the processor seconds for each. Usage: concurrency URL ITEMS CONCURRENCY */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_CONCURRENCY 256

typedef struct {
  CURL *easy;
  struct curl_slist lines[4];
  char body[64], idempotency_key[80];
} slot;

static slot slots[MAX_CONCURRENCY];
static int started;

static size_t pass(char *bytes, size_t one, size_t length, void *context) {
  (void)bytes, (void)context;
  return one * length;
}

static double seconds(clockid_t clock) {
  struct timespec now = {0};
  (void)clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void begin(CURLM *multi, slot *one) {
  started++;
  (void)snprintf(one->body, sizeof one->body, "{\"name\":\"Acme %d\"}", started);
  (void)snprintf(one->idempotency_key, sizeof one->idempotency_key,
                 "Idempotency-Key: bench-0123456789-%d", started);
  curl_easy_setopt(one->easy, CURLOPT_POSTFIELDS, one->body);
  curl_easy_setopt(one->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(one->body));
  (void)curl_multi_add_handle(multi, one->easy);
}

static void set_up(slot *one, const char *url) {
  one->easy = curl_easy_init();
  if (one->easy == NULL)
    exit(1);
  static char authorization[] = "Authorization: Bearer bench",
              type[] = "Content-Type: application/json",
              version[] = "X-Polytomic-Version: 2025-09-18";
  one->lines[0] = (struct curl_slist){authorization, &one->lines[1]};
  one->lines[1] = (struct curl_slist){type, &one->lines[2]};
  one->lines[2] = (struct curl_slist){version, &one->lines[3]};
  one->lines[3] = (struct curl_slist){one->idempotency_key, NULL};
  curl_easy_setopt(one->easy, CURLOPT_URL, url);
  curl_easy_setopt(one->easy, CURLOPT_HTTPHEADER, one->lines);
  curl_easy_setopt(one->easy, CURLOPT_WRITEFUNCTION, pass);
  curl_easy_setopt(one->easy, CURLOPT_PRIVATE, one);
  curl_easy_setopt(one->easy, CURLOPT_NOSIGNAL, 1L);
}

/* Takes in what has ended and begins more; returns how many ended. */
static int take(CURLM *multi, int items) {
  int ended = 0, left;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &left)) != NULL) {
    slot *one = NULL;
    long status = 0;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &one);
    curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
    if (message->data.result != CURLE_OK || status != 200)
      exit(1);
    (void)curl_multi_remove_handle(multi, one->easy);
    ended++;
    if (started < items)
      begin(multi, one);
  }
  return ended;
}

int main(int count, char **arguments) {
  if (count != 4 || atoi(arguments[3]) > MAX_CONCURRENCY)
    return 2;
  int items = atoi(arguments[2]), concurrency = atoi(arguments[3]), done = 0, running;
  char url[256];
  (void)snprintf(url, sizeof url, "%s/api/organizations", arguments[1]);
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return 1;
  CURLM *multi = curl_multi_init();
  for (int i = 0; i < concurrency; i++)
    set_up(&slots[i], url);
  double began = seconds(CLOCK_MONOTONIC), before = seconds(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < concurrency && i < items; i++)
    begin(multi, &slots[i]);
  while (done < items) {
    (void)curl_multi_perform(multi, &running);
    done += take(multi, items);
    if (done < items)
      (void)curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  printf("%f %f\n", seconds(CLOCK_MONOTONIC) - began,
         (seconds(CLOCK_PROCESS_CPUTIME_ID) - before) / items);
  return 0;
}
