-- `make check` runs luacheck on lua/, conf/, bench/jobs.lua, bench/ours
-- and bench/torture.d.
std = "luajit"
max_line_length = 80
-- What ngx has is checked by the tests.
globals = { "ngx" }

files["lua/prelude.lua"] = {
    -- It replaces what the module's scripts see.
    globals = { "coroutine", "newproxy", "print" },
}

-- What their nginx.conf makes in init_by_lua.
files["conf/chat"] = { globals = { "members" } }
files["conf/redis"] = { globals = { "redis_server" } }
files["conf/relay"] = { globals = { "upstream" } }
files["conf/mysql"] = { globals = { "database", "mysql", "pool" } }
files["conf/nats"] = { globals = { "nats_server", "pool" } }
files["conf/timers"] = { globals = { "locks", "stats" } }

-- Kept as it stands in the README of nginx-tcp-lua-module.
exclude_files = { "conf/seed" }
