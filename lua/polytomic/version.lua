-- The version of the library. `make check` holds it to that of the core and of the rockspec.

return "0.2.0"
