/* host.c: a program with a Lua state of its own, such as a game. It links nothing but Lua; the script loads polytomic, which brings libcurl along.
   The loop calls the script's frame() sixty times a second and never waits for the network.

     cc -o host host.c $(pkg-config --cflags --libs lua5.4)
     ./host game.lua [FRAMES] */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FRAME_SECONDS (1.0 / 60.0)

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_until(double when) {
  double left = when - now();
  if (left <= 0)
    return;
  struct timespec t = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
  (void)nanosleep(&t, NULL);
}

/* in: the script's table at index 1; calls its frame(number); false when it is done */
static int run_frame(lua_State *L, int number, int *running) {
  lua_getfield(L, 1, "frame");
  lua_pushinteger(L, number);
  if (lua_pcall(L, 1, 1, 0) != 0)
    return 0;
  *running = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return 1;
}

int main(int count, char **arguments) {
  int frames = count > 2 ? atoi(arguments[2]) : 600;
  lua_State *L = luaL_newstate();
  if (L == NULL || count < 2) {
    (void)fprintf(stderr, "usage: host SCRIPT [FRAMES]\n");
    return 2;
  }
  luaL_openlibs(L);
  int failed = luaL_loadfile(L, arguments[1]) != 0 || lua_pcall(L, 0, 1, 0) != 0;
  double worst = 0;
  int number = 0, running = 1;
  for (double next = now(); !failed && running && number < frames; number++) {
    double begun = now();
    failed = !run_frame(L, number, &running);
    double taken = now() - begun;
    worst = taken > worst ? taken : worst;
    next += FRAME_SECONDS;
    sleep_until(next);
  }
  if (failed)
    (void)fprintf(stderr, "host: %s\n", lua_tostring(L, -1));
  else
    (void)printf("%d frames, the longest took %.1f ms\n", number, worst * 1000.0);
  lua_close(L); /* calls may still be on their way: they end here, and no thread outlives the state */
  return failed;
}
