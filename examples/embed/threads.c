/* threads.c: two Lua states in two threads, each with clients of its own. States share nothing, so they need no lock.

     cc -o threads threads.c -pthread $(pkg-config --cflags --libs lua5.4)
     ./threads SCRIPT */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>

typedef struct {
  const char *script;
  int failed;
} job;

static void *run(void *context) {
  job *mine = context;
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    mine->failed = 1;
    return NULL;
  }
  luaL_openlibs(L);
  mine->failed = luaL_loadfile(L, mine->script) != 0 || lua_pcall(L, 0, 0, 0) != 0;
  if (mine->failed)
    (void)fprintf(stderr, "threads: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

int main(int count, char **arguments) {
  job jobs[2] = {{NULL, 0}, {NULL, 0}};
  pthread_t threads[2];
  if (count < 2)
    return 2;
  for (int i = 0; i < 2; i++) {
    jobs[i].script = arguments[1];
    if (pthread_create(&threads[i], NULL, run, &jobs[i]) != 0)
      return 1;
  }
  for (int i = 0; i < 2; i++)
    (void)pthread_join(threads[i], NULL);
  return jobs[0].failed || jobs[1].failed;
}
