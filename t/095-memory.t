# Out of memory: an error of the script that wants too much, nothing else.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== memory: a growing table under a limit, caught
--- tcp_config
lua_package_path "${prefix}?.lua;;";
init_by_lua_block { limit = require "limit" }
--- tcp_server_config
process_by_lua_block {
    limit(64 * 1024 * 1024)
    local ok, err = pcall(function()
        local t = {}
        for i = 1, 1e9 do t[i] = { i } end
    end)
    collectgarbage()
    limit()
    ngx.say(ok, " ", err)
    ngx.sleep(0.001)
    ngx.say(ngx.receive(1))
}
--- user_files
>>> limit.lua
local ffi = require "ffi"
ffi.cdef[[
    struct rlimit { unsigned long cur, max; };
    int setrlimit(int what, const struct rlimit *limit);
]]
local RLIMIT_AS = 9

-- So many bytes may be had from now on, or as many as there are.
return function(more)
    local limit = -1
    if more then
        local f = io.open("/proc/self/statm")
        limit = f:read("*n") * 4096 + more
        f:close()
    end
    local rlimit = ffi.new("struct rlimit", { limit, -1 })
    assert(ffi.C.setrlimit(RLIMIT_AS, rlimit) == 0)
end
--- request: x
--- response
false not enough memory
x
--- skip_mode: valgrind: it has allocators of its own
--- no_error_log
[error]


=== memory: what fills it up, not caught, ends that session only
--- tcp_config
lua_package_path "${prefix}?.lua;;";
init_by_lua_block { limit = require "limit" }
--- tcp_server_config
process_by_lua_block {
    local which = ngx.receive(1)
    if which == "." then
        limit()
        ngx.say("fine")
        return
    end
    limit(64 * 1024 * 1024)
    if which == "t" then
        local t = {}
        for i = 1, 1e9 do t[i] = { i } end
    elseif which == "s" then
        local s = "0123456789"
        while true do s = s .. s end
    elseif which == "w" then
        -- coroutine.wrap puts its line in front, if there is memory for that
        coroutine.wrap(function()
            local t = {}
            for i = 1, 1e9 do t[i] = "x" .. i end
        end)()
    elseif which == "c" then
        local t = {}
        for i = 1, 1e9 do t[i] = coroutine.create(function() end) end
    elseif which == "r" then
        local s = ("x"):rep(2 ^ 31 - 100)
    end
    ngx.say(which)
}
--- user_files
>>> limit.lua
local ffi = require "ffi"
ffi.cdef[[
    struct rlimit { unsigned long cur, max; };
    int setrlimit(int what, const struct rlimit *limit);
]]
local RLIMIT_AS = 9

-- So many bytes may be had from now on, or as many as there are.
return function(more)
    local limit = -1
    if more then
        local f = io.open("/proc/self/statm")
        limit = f:read("*n") * 4096 + more
        f:close()
    end
    local rlimit = ffi.new("struct rlimit", { limit, -1 })
    assert(ffi.C.setrlimit(RLIMIT_AS, rlimit) == 0)
end
--- request_parts
Z: connect
A: send "t"
A: expect_eof
B: send "."
B: expect "fine\n"
C: send "s"
C: expect_eof
D: send "."
D: expect "fine\n"
E: send "w"
E: expect_eof
F: send "."
F: expect "fine\n"
G: send "c"
G: expect_eof
H: send "."
H: expect "fine\n"
I: send "r"
I: expect_eof
J: send "."
J: expect "fine\n"
Z: send "."
Z: expect "fine\n"
--- skip_mode: valgrind: it has allocators of its own
--- grep_error_log
~ lua entry thread aborted: (?=(?:memory allocation error|runtime error: \S+\(nginx\.conf:\d+\):\d+): not enough memory)
--- grep_error_log_out eval
"lua entry thread aborted: \n" x 5


=== memory: strings longer than Lua can hold
--- tcp_server_config
process_by_lua_block {
    local ok, err = pcall(string.rep, "0123456789", 2 ^ 40)
    ngx.say(ok, " ", type(err))
    ok, err = pcall(function() return #string.rep("x", 2 ^ 33) end)
    ngx.say(ngx.receive(1))
}
--- request: x
--- response_like
^(?:false string|true string)\nx\n$
--- skip_mode: valgrind: it has allocators of its own
--- no_error_log
[error]


=== memory: a receive that asks for more than there is gets what comes
--- tcp_server_config
process_by_lua_block {
    local data, err, partial = ngx.receive(2 ^ 40)
    ngx.say(tostring(data), " ", err, " ", partial)
}
--- request_parts
send "abc"
half_close
expect "nil closed abc\n"
expect_eof


=== memory: a limit while bytes are delivered to a receive
--- tcp_config
lua_package_path "${prefix}?.lua;;";
init_by_lua_block { limit = require "limit" }
--- tcp_server_config
process_by_lua_block {
    local all = {}
    limit(16 * 1024 * 1024)
    for i = 1, 1e6 do
        all[i] = assert(ngx.receive(100000)) .. i
        if i % 10 == 0 then ngx.sleep(0.001) end
    end
}
--- tcp_server_config2
process_by_lua_block { limit() ngx.say("fine") }
--- user_files
>>> limit.lua
local ffi = require "ffi"
ffi.cdef[[
    struct rlimit { unsigned long cur, max; };
    int setrlimit(int what, const struct rlimit *limit);
]]
local RLIMIT_AS = 9

-- So many bytes may be had from now on, or as many as there are.
return function(more)
    local limit = -1
    if more then
        local f = io.open("/proc/self/statm")
        limit = f:read("*n") * 4096 + more
        f:close()
    end
    local rlimit = ffi.new("struct rlimit", { limit, -1 })
    assert(ffi.C.setrlimit(RLIMIT_AS, rlimit) == 0)
end
--- request_parts eval
[
    ['A:', send => "0123456789" x 1000000],
    ['A:', send => "0123456789" x 1000000],
    ['A:', send => "0123456789" x 1000000],
    ['wait_log', "not enough memory"],
    ['A:', "close"],
    ['B:', connect => '$TEST_PORT2'],
    ['B:', expect => "fine\n"],
    ['B:', 'expect_eof'],
]
--- skip_mode: valgrind slow: allocators of its own; 30 MB byte by byte
--- grep_error_log
~ lua entry thread aborted: .*?not enough memory
--- grep_error_log_out
lua entry thread aborted: memory allocation error: not enough memory
