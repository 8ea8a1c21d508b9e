-- The version of the library: the one place to change it. `make catalogue` takes it elsewhere.

return "0.2.0"
