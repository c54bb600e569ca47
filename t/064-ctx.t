# ngx.ctx: a table of the connection.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== ctx: a table that is there at once
--- tcp_server_config
process_by_lua_block {
    ngx.say(type(ngx.ctx), " ", next(ngx.ctx), " ", ngx.ctx == ngx.ctx)
    ngx.ctx.count = 1
    ngx.ctx.count = ngx.ctx.count + 1
    ngx.say(ngx.ctx.count)
}
--- response
table nil true
2
--- no_error_log
[error]


=== ctx: kept while the script waits, and from request to request
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.ctx.lines = (ngx.ctx.lines or "") .. ngx.receive("*l")
        ngx.sleep(0.001)
        ngx.say(ngx.ctx.lines)
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\n"
expect "a\n"
send "b\n"
expect "ab\n"
send "c\n"
expect "abc\n"
close
--- no_error_log
[error]


=== ctx: each connection has its own
--- tcp_server_config
process_by_lua_block {
    ngx.ctx.name = ngx.receive("*l")
    ngx.say("kept")
    ngx.receive("*l")
    ngx.say(ngx.ctx.name)
}
--- request_parts
A: send "Ann\n"
A: expect "kept\n"
B: send "Bob\n"
B: expect "kept\n"
A: send "\n"
A: expect "Ann\n"
A: expect_eof
C: send "Cleo\n"
C: expect "kept\n"
B: send "\n"
B: expect "Bob\n"
C: send "\n"
C: expect "Cleo\n"
--- no_error_log
[error]


=== ctx: the next connection begins without
--- tcp_server_config
process_by_lua_block {
    ngx.say(next(ngx.ctx))
    ngx.ctx.left = "over"
}
--- request_parts
A: expect "nil\n"
A: expect_eof
B: expect "nil\n"
B: expect_eof
--- no_error_log
[error]


=== ctx: another table may be put in its place
--- tcp_server_config
process_by_lua_block {
    local mine = { "a" }
    ngx.ctx = mine
    ngx.say(ngx.ctx == mine, ngx.ctx[1])
    ngx.ctx = { "b" }
    ngx.say(ngx.ctx[1], rawget(ngx, "ctx"))
}
--- response
truea
bnil
--- no_error_log
[error]


=== ctx: nothing but a table may
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.ctx = nil end))
    ngx.say(err(function() ngx.ctx = "x" end))
    ngx.say(err(function() ngx.ctx = ngx.null end))
}
--- response
3: bad argument #1 to 'ctx' (table expected, got nil)
4: bad argument #1 to 'ctx' (table expected, got string)
5: bad argument #1 to 'ctx' (table expected, got userdata)
--- no_error_log
[error]


=== ctx: the same table in user coroutines and C functions' callbacks
--- tcp_server_config
process_by_lua_block {
    ngx.ctx.a = 1
    coroutine.wrap(function() ngx.ctx.b = ngx.ctx.a + 1 end)()
    string.gsub("x", ".", function() ngx.ctx.c = ngx.ctx.b + 1 end)
    pcall(function() ngx.ctx.d = ngx.ctx.c + 1; error("x") end)
    ngx.say(ngx.ctx.a, ngx.ctx.b, ngx.ctx.c, ngx.ctx.d)
}
--- response
1234
--- no_error_log
[error]


=== ctx: modules see that of the connection that calls them
--- tcp_config
lua_package_path "$prefix/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.ctx.name = ngx.receive("*l")
    ngx.say("kept")
    ngx.receive("*l")
    ngx.say(require("who").name())
}
--- user_files
>>> lua/who.lua
return { name = function() return ngx.ctx.name end }
--- request_parts
A: send "Ann\n"
A: expect "kept\n"
B: send "Bob\n"
B: expect "kept\n"
A: send "\n"
A: expect "Ann\n"
B: send "\n"
B: expect "Bob\n"
--- no_error_log
[error]


=== ctx: freed with the connection
--- tcp_server_config
process_by_lua_block {
    local mt = getmetatable(package.loaded)
    if not mt then
        mt = { alive = setmetatable({}, { __mode = "k" }) }
        setmetatable(package.loaded, mt)
    end
    mt.alive[ngx.ctx] = true
    ngx.receive(1)
    collectgarbage()
    collectgarbage()
    local n = 0
    for _ in pairs(mt.alive) do n = n + 1 end
    ngx.say(n)
}
--- request_parts
A: send "a"
A: expect_like /^\d+\n/
A: expect_eof
B: send "b"
B: expect_like /^\d+\n/
B: expect_eof
C: send "c"
C: expect "1\n"
C: expect_eof
--- no_error_log
[error]


=== ctx: not while the configuration loads
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_init = err(function() return ngx.ctx.x end)
        .. "\n" .. err(function() ngx.ctx = {} end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- response
3: no session found
4: no session found
--- no_error_log
[error]


=== ctx: when a worker starts it has one of its own
--- tcp_config
init_worker_by_lua_block {
    ngx.ctx.x = 1
    ngx.sleep(0.01)
    in_worker = ngx.ctx.x
    ngx.ctx = { x = 2 }
    in_worker = in_worker + ngx.ctx.x
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_worker, " ", ngx.ctx.x) }
--- response
3 nil
--- no_error_log
[error]
