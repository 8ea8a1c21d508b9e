/* A C host with Lua states of its own, as games have them. It links nothing but Lua: the library is
   a Lua module that a script loads.

     cc -o embed examples/embed/main.c $(pkg-config --cflags --libs lua5.4) -pthread
     ./embed examples/embed/game.lua 120        120 frames at 60 a second; then the state is closed,
   whatever is in flight
     ./embed examples/embed/game.lua 120 2      the same in two threads, each with a state of its
   own */
#define _POSIX_C_SOURCE 200809L
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FRAMES_PER_SECOND = 60, MAX_THREADS = 16 };

typedef struct {
  const char *script;
  long frames;
  bool failed;
} game;

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void wait_until(double when) {
  double left = when - now();
  if (left <= 0)
    return;
  struct timespec time = {.tv_sec = (time_t)left};
  time.tv_nsec = (long)((left - (double)time.tv_sec) * 1e9);
  (void)nanosleep(&time, NULL);
}

/* in: message; out: -. Says what went wrong. */
static bool complain(lua_State *L) {
  (void)fprintf(stderr, "embed: %s\n", lua_tostring(L, -1));
  lua_pop(L, 1);
  return false;
}

/* in: update function; out: the same. Calls it once per frame. */
static bool run_frames(lua_State *L, long frames) {
  double longest = 0;
  for (long frame = 1; frame <= frames; frame++) {
    double began = now();
    lua_pushvalue(L, -1);
    lua_pushnumber(L, (lua_Number)frame);
    if (lua_pcall(L, 1, 0, 0) != 0)
      return complain(L);
    double took = now() - began;
    if (took > longest)
      longest = took;
    wait_until(began + 1.0 / FRAMES_PER_SECOND);
  }
  (void)printf("%ld frames, the longest update took %.2f ms\n", frames, longest * 1000);
  return true;
}

/* The script returns the function that the host calls in every frame. */
static bool play(lua_State *L, const game *played) {
  luaL_openlibs(L);
  if (luaL_loadfile(L, played->script) != 0 || lua_pcall(L, 0, 1, 0) != 0)
    return complain(L);
  return run_frames(L, played->frames);
}

static void *run(void *context) {
  game *played = context;
  lua_State *L = luaL_newstate();
  played->failed = L == NULL || !play(L, played);
  if (L == NULL)
    return NULL;
  double began = now();
  lua_close(L);
  (void)printf("closed in %.2f ms\n", (now() - began) * 1000);
  return NULL;
}

int main(int argc, char **argv) {
  long threads = argc > 3 ? strtol(argv[3], NULL, 10) : 1;
  if (argc < 3 || threads < 1 || threads > MAX_THREADS) {
    (void)fprintf(stderr, "usage: embed SCRIPT FRAMES [THREADS]\n");
    return 2;
  }
  game games[MAX_THREADS];
  pthread_t ids[MAX_THREADS];
  bool failed = false;
  for (long i = 0; i < threads; i++) {
    games[i] = (game){.script = argv[1], .frames = strtol(argv[2], NULL, 10)};
    if (pthread_create(&ids[i], NULL, run, &games[i]) != 0)
      return 1;
  }
  for (long i = 0; i < threads; i++) {
    (void)pthread_join(ids[i], NULL);
    failed = failed || games[i].failed;
  }
  return failed ? 1 : 0;
}
