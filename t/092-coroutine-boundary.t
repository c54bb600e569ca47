# Where nothing can wait: below a C function that calls Lua.  The call raises
# and the session goes on.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== boundary: each waiting call in string.gsub
--- tcp_server_config
process_by_lua_block {
    local function try(f, ...)
        local args = {...}
        local ok, err = pcall(string.gsub, "x", "x", function()
            f(unpack(args))
        end)
        ngx.say(ok, " ", err)
    end
    try(ngx.sleep, 0.001)
    try(ngx.receive, 1)
    try(ngx.wait_next_request)
    try(ngx.exit)
    ngx.sleep(0.001)
    ngx.say(ngx.receive(1))
}
--- request_parts
expect_like /\A(?:false \S+:5: attempt to yield across C-call boundary\n){4}/
send "x"
expect "x\n"
expect_eof
--- no_error_log
[error]


=== boundary: ngx.receive in a C function gives what is there already
--- tcp_server_config
process_by_lua_block {
    local got = { ngx.receive(1) }
    string.gsub("xx", "x", function() got[#got + 1] = ngx.receive(1) end)
    ngx.say(got)
}
--- request: abc
--- response
abc
--- skip_mode: slow: a read gives one byte there
--- no_error_log
[error]


=== boundary: ngx.print in a C function never waits, and loses nothing
--- tcp_server_config
listen 127.0.0.1:$TEST_PORT sndbuf=32k;
process_by_lua_block {
    local piece = ("0123456789"):rep(10000)
    string.gsub("xxxxxxxx", "x", function() ngx.print(piece) end)
    ngx.print("end")
}
--- request_parts
connect rcvbuf=65536
stop_reading
sync
start_reading
expect "0123456789" x 80000
expect "end"
expect_eof
--- skip_mode: slow: 0.8 MB byte by byte
--- no_error_log
[error]


=== boundary: table.sort, table.foreach, string.gsub, load, dofile
--- tcp_server_config
process_by_lua_block {
    local function wait() ngx.sleep(0.001) end
    local function try(name, f, ...)
        local ok, err = pcall(f, ...)
        ngx.say(name, " ", ok, " ", (tostring(err):gsub("^.-:%d+: ", "")))
    end
    try("sort", table.sort, {3, 1, 2}, function(a, b) wait() return a < b end)
    try("gsub", string.gsub, "x", "x", wait)
    try("load", function() return assert(load(wait)) end)
    try("dofile", dofile, "$TEST_DIR/waits.lua")
    try("tostring", tostring, setmetatable({}, { __tostring = wait }))
    wait()
    ngx.say("on")
}
--- user_files
>>> waits.lua
ngx.sleep(0.001)
return "waited"
--- response
sort false attempt to yield across C-call boundary
gsub false attempt to yield across C-call boundary
load false attempt to yield across C-call boundary
dofile false attempt to yield across C-call boundary
tostring true nil
on
--- no_error_log
[error]


=== boundary: require of a module that waits
--- tcp_config
lua_package_path "${prefix}?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local ok, err = pcall(require, "waits")
    ngx.say(ok, " ", err)
    package.loaded.waits = nil
    ngx.sleep(0.001)
    ngx.say("on")
}
--- user_files
>>> waits.lua
ngx.sleep(0.001)
return "waited"
--- response
false $TEST_DIR/waits.lua:1: attempt to yield across C-call boundary
on
--- no_error_log
[error]


=== boundary: in a coroutine that a C function's callback resumes
--- tcp_server_config
process_by_lua_block {
    local function try(f)
        local result
        string.gsub("x", "x", function()
            local co = coroutine.create(f)
            local ok, err = coroutine.resume(co)
            result = tostring(ok) .. " " .. tostring(err)
            ngx.say(coroutine.resume(co))
        end)
        ngx.say(result)
    end
    try(function() ngx.sleep(0.001) end)
    try(function() ngx.receive(1) end)
    try(function() pcall(coroutine.wrap(function() ngx.receive(1) end)) end)
    try(function() ngx.exit() end)
    ngx.sleep(0.01)
    ngx.say(ngx.receive(1))
    ngx.wait_next_request()
    ngx.say(ngx.receive(1))
}
--- request_parts
expect "falsecannot resume running coroutine\nfalse attempt to yield across C-call boundary\n" x 4
send "x"
expect "x\n"
send "y"
expect "y\n"
expect_eof
--- no_error_log
[error]


=== boundary: wrap in a C function's callback raises
--- tcp_server_config
process_by_lua_block {
    local ok, err = pcall(string.gsub, "x", "x", function()
        coroutine.wrap(function()
            ngx.print("before ")
            ngx.sleep(0.001)
            ngx.print("after ")
        end)()
    end)
    ngx.say(ok, " ", err)
    ngx.say(ngx.receive(1))
}
--- request: x
--- response_like
^before false \S+:\d+: attempt to yield across C-call boundary\nx\n$
--- no_error_log
[error]


=== boundary: a coroutine that yields plainly inside of one is none of ours
--- tcp_server_config
process_by_lua_block {
    local sum = 0
    string.gsub("abc", ".", function(c)
        for n in coroutine.wrap(function()
            for i = 1, 3 do coroutine.yield(i) end
        end) do
            sum = sum + n
        end
    end)
    ngx.say(sum)
    local ok, err = pcall(string.gsub, "x", "x", function()
        coroutine.yield()
    end)
    ngx.say(ok, " ", (err:gsub("^.-:%d+: ", "")))
    ngx.sleep(0.001)
    ngx.say("on")
}
--- response
18
false attempt to yield across C-call boundary
on
--- no_error_log
[error]


=== boundary: a wait abandoned in a receive leaves later waits alone
--- tcp_server_config
read_timeout 2s;
process_by_lua_block {
    string.gsub("x", "x", function()
        coroutine.resume(coroutine.create(function() ngx.receive(1) end))
    end)
    ngx.sleep(2.3)
    ngx.say(ngx.receive("*l"))
    string.gsub("x", "x", function()
        coroutine.resume(coroutine.create(function() ngx.sleep(0.05) end))
    end)
    ngx.say(ngx.receive("*l"))
}
--- request_parts
connect
sync
pause 2.5
send "one\n"
expect "one\n"
pause 0.1
send "two\n"
expect "two\n"
expect_eof
--- skip_mode: slow valgrind: too short a timeout for them
--- no_error_log
[error]


=== boundary: an uncaught one is the script's error
--- tcp_server_config
process_by_lua_block {
    table.sort({3, 1, 2}, function(a, b)
        ngx.sleep(0.001)
        return a < b
    end)
}
--- request_parts
expect_eof
--- error_log
~ lua entry thread aborted: runtime error: \S+:3: attempt to yield across C-call boundary
