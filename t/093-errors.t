# Errors that a script does not catch: one entry in the log, of the whole chain
# of coroutines, and the end of that session.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== error: a string, with position and traceback, exactly once
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block {
            local function inner(x)
                local y = x + 1
                error("boom " .. y)
            end
            local function outer(x)
                inner(x)
                return 1
            end
            ngx.say("before")
            outer(1)
        }
    }
}
--- request_parts
expect "before\n"
expect_eof
--- grep_error_log
~ (?m)lua entry thread aborted: .*|^stack traceback:|^coroutine \d+:|^\t.*?(?=$| while running)
--- grep_error_log_out
lua entry thread aborted: runtime error: process_by_lua_block(nginx.conf:6):4: boom 2
stack traceback:
coroutine 0:
	[C]: in function 'error'
	process_by_lua_block(nginx.conf:6):4: in function 'inner'
	process_by_lua_block(nginx.conf:6):7: in function 'outer'
	process_by_lua_block(nginx.conf:6):11: in function <process_by_lua_block(nginx.conf:6):1>


=== error: the line ends in what the connection is about
--- tcp_server_config
process_by_lua_block { error("boom") }
--- request_parts
expect_eof
--- error_log
~ \[error\] \S+ \*\d+ lua entry thread aborted: runtime error: \S+:1: boom$
~ while running Lua, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT$


=== error: a number
--- tcp_server_config
process_by_lua_block { error(42) }
--- request_parts
expect_eof
--- error_log
~ lua entry thread aborted: runtime error: \S+:1: 42$


=== error: a string without position
--- tcp_server_config
process_by_lua_block { error("boom", 0) }
--- request_parts
expect_eof
--- error_log
~ lua entry thread aborted: runtime error: boom$


=== error: the position of level 2
--- tcp_server_config
process_by_lua_block {
    local function f() error("boom", 2) end

    f()
}
--- request_parts
expect_eof
--- error_log
~ runtime error: \S+:4: boom$


=== error: a table, nil, a function, a boolean, a thread, cdata
--- tcp_server_config
process_by_lua_block {
    local which = ngx.receive(1)
    local values = {
        t = {}, f = print, b = true, c = coroutine.create(print),
        n = ngx.null, d = require("ffi").new("int[1]"), u = newproxy(true),
    }
    error(values[which])
}
--- request_parts
A: send "t"
A: expect_eof
B: send "."
B: expect_eof
C: send "f"
C: expect_eof
D: send "b"
D: expect_eof
E: send "c"
E: expect_eof
F: send "n"
F: expect_eof
G: send "d"
G: expect_eof
H: send "u"
H: expect_eof
--- grep_error_log
~ lua entry thread aborted: .*
--- grep_error_log_out eval
"lua entry thread aborted: runtime error: unknown reason\n" x 8


=== error: a table and a userdata with __tostring
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "t" then
        error(setmetatable({ code = 7 }, {
            __tostring = function(self) return "table " .. self.code end,
        }))
    end
    local proxy = newproxy(true)
    getmetatable(proxy).__tostring = function() return "userdata" end
    error(proxy)
}
--- request_parts
A: send "t"
A: expect_eof
B: send "u"
B: expect_eof
--- grep_error_log
~ lua entry thread aborted: .*
--- grep_error_log_out
lua entry thread aborted: runtime error: table 7
lua entry thread aborted: runtime error: userdata


=== error: a __tostring that raises, waits, exits, or returns something else
--- tcp_server_config
process_by_lua_block {
    local which = ngx.receive(1)
    error(setmetatable({}, { __tostring = ({
        r = function() error("no") end,
        w = function() ngx.sleep(0.001) return "slept" end,
        x = function() ngx.exit() end,
        n = function() return 42 end,
        t = function() return {} end,
        e = function() error(setmetatable({}, { __tostring = error })) end,
        s = "no function",
    })[which], __metatable = "locked" }))
}
--- request_parts
A: send "r"
A: expect_eof
B: send "w"
B: expect_eof
C: send "x"
C: expect_eof
D: send "t"
D: expect_eof
E: send "e"
E: expect_eof
F: send "s"
F: expect_eof
G: send "z"
G: expect_eof
--- grep_error_log
~ lua entry thread aborted: .*
--- grep_error_log_out eval
"lua entry thread aborted: runtime error: unknown reason\n" x 7


=== error: a __tostring that prints does so to the client
--- tcp_server_config
process_by_lua_block {
    error(setmetatable({}, { __tostring = function()
        ngx.say("last words")
        return "text"
    end }))
}
--- response
last words
--- error_log
lua entry thread aborted: runtime error: text


=== error: a metatable without __tostring, or with traps
--- tcp_server_config
process_by_lua_block {
    local mt = setmetatable({}, { __index = function() error("trap") end })
    mt.__index, mt.__eq = error, error
    if ngx.receive(1) == "w" then
        coroutine.wrap(function() error(setmetatable({}, mt)) end)()
    end
    error(setmetatable({}, mt))
}
--- request_parts
A: send "."
A: expect_eof
B: send "w"
B: expect_eof
--- grep_error_log
~ lua entry thread aborted: .*|coroutine \d:
--- grep_error_log_out
lua entry thread aborted: runtime error: unknown reason
coroutine 0:
lua entry thread aborted: runtime error: unknown reason
coroutine 0:
coroutine 1:


=== error: with bytes that are no text
--- tcp_server_config
process_by_lua_block {
    error("a\0b\255\27[31m\nsecond line", 0)
}
--- request_parts
expect_eof
--- error_log
runtime error: a
second line


=== error: a very long one
--- tcp_server_config
process_by_lua_block {
    error(("x"):rep(100000), 0)
}
--- request_parts
expect_eof
--- error_log eval
"runtime error: " . "x" x 1000


=== error: attempts that Lua itself refuses
--- tcp_server_config
process_by_lua_block {
    local t = {}
    local which = ngx.receive(1)
    if which == "1" then t.a.b = 1 end
    if which == "2" then return t() end
    if which == "3" then return 1 + t end
    if which == "4" then return undefined_function() end
    return #nil .. ""
}
--- request_parts
A: send "1"
A: expect_eof
B: send "2"
B: expect_eof
C: send "3"
C: expect_eof
D: send "4"
D: expect_eof
E: send "5"
E: expect_eof
--- grep_error_log
~ (?<=\):)\d: attempt .*
--- grep_error_log_out
4: attempt to index field 'a' (a nil value)
5: attempt to call local 't' (a table value)
6: attempt to perform arithmetic on local 't' (a table value)
7: attempt to call global 'undefined_function' (a nil value)
8: attempt to get length of a nil value


=== error: after a wait, with what was printed before
--- tcp_server_config
process_by_lua_block {
    ngx.print("one ")
    ngx.sleep(0.001)
    ngx.print("two ", ngx.receive(1))
    error("boom")
}
--- request: x
--- response chomp
one two x
--- error_log
~ runtime error: \S+:5: boom


=== error: chain: one coroutine, its error first
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_block {
            local function inner()
                error("boom")
            end
            local f = coroutine.wrap(function()
                inner()
                return 1
            end)
            local x = f()
        }
    }
}
--- request_parts
expect_eof
--- grep_error_log
~ (?m)lua entry thread aborted: .*|^stack traceback:|^coroutine \d+:|^\t.*?(?=$| while running)
--- grep_error_log_out
lua entry thread aborted: runtime error: process_by_lua_block(nginx.conf:6):9: process_by_lua_block(nginx.conf:6):3: boom
stack traceback:
coroutine 0:
	[C]: in function 'error'
	process_by_lua_block(nginx.conf:6):3: in function 'inner'
	process_by_lua_block(nginx.conf:6):6: in function <process_by_lua_block(nginx.conf:6):5>
coroutine 1:
	[C]: in function 'f'
	process_by_lua_block(nginx.conf:6):9: in function <process_by_lua_block(nginx.conf:6):1>


=== error: chain: the innermost of three, after waits, once
--- tcp_server_config
process_by_lua_block {
    local function level(n)
        ngx.sleep(0.001)
        if n == 3 then
            error("boom")
        end
        local x = coroutine.wrap(level)(n + 1)
        return x
    end
    level(1)
}
--- request_parts
expect_eof
--- grep_error_log
~ lua entry thread aborted: runtime|\d+: boom|coroutine \d+:
--- grep_error_log_out
lua entry thread aborted: runtime
5: boom
coroutine 0:
coroutine 1:
coroutine 2:


=== error: chain: a table goes through unchanged
--- tcp_server_config
process_by_lua_block {
    local e = setmetatable({}, { __tostring = function() return "mine" end })
    local ok, err = pcall(coroutine.wrap(coroutine.wrap(function() error(e) end)))
    ngx.say(ok, " ", err == e)
    coroutine.wrap(coroutine.wrap(function() error(e) end))()
}
--- response
false true
--- grep_error_log
~ lua entry thread aborted: .*|coroutine \d+:
--- grep_error_log_out
lua entry thread aborted: runtime error: mine
coroutine 0:
coroutine 1:
coroutine 2:


=== error: chain: errors that were caught before are not in it
--- tcp_server_config
process_by_lua_block {
    local e = setmetatable({}, { __tostring = function() return "mine" end })
    for i = 1, 100 do
        pcall(coroutine.wrap(function() error(e) end))
        pcall(coroutine.wrap(function() error("same", 0) end))
    end
    pcall(coroutine.wrap(function() error(e) end))
    coroutine.wrap(function() error(e) end)()
}
--- request_parts
expect_eof
--- grep_error_log
~ lua entry thread aborted: .*|coroutine \d+:
--- grep_error_log_out
lua entry thread aborted: runtime error: mine
coroutine 0:
coroutine 1:


=== error: chain: caught errors over and over keep no memory
--- tcp_server_config
process_by_lua_block {
    local e = {}
    local function rounds(n)
        for i = 1, n do
            pcall(coroutine.wrap(function() error(e) end))
        end
        collectgarbage()
        return collectgarbage("count")
    end
    rounds(100)
    local before = rounds(100)
    ngx.say(rounds(20000) - before < 100)
}
--- response
true
--- no_error_log
[error]


=== error: wrap: the caller's position in front, as Lua does
--- tcp_server_config
process_by_lua_block {
    local f = coroutine.wrap(function()
        error("inner")
    end)
    local ok, err = pcall(function()
        local x = f()
        return x
    end)
    ngx.say((err:gsub("process_by_lua_block%b()", "C")))
    ngx.say(select(2, pcall(coroutine.wrap(function() error("bare", 0) end))))
    f = coroutine.wrap(function() ngx.sleep(0.001) error("slept", 0) end)
    ok, err = pcall(function()
        local x = f()
        return x
    end)
    ngx.say((err:gsub("process_by_lua_block%b()", "C")))
}
--- response
C:6: C:3: inner
bare
C:13: slept
--- no_error_log
[error]


=== error: traceback of a coroutine, and of oneself
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(function()
        local function deep() ngx.sleep(0.001) coroutine.yield() end
        deep()
    end)
    coroutine.resume(co)
    local trace = debug.traceback(co)
    ngx.say(trace:match("in function 'deep'"))
    ngx.say(debug.traceback("message"):match("^message\nstack traceback:"))
}
--- response
in function 'deep'
message
stack traceback:
--- no_error_log
[error]


=== error: stack overflow, caught
--- tcp_server_config
process_by_lua_block {
    local function f(n) return 1 + f(n + 1) end
    local ok, err = pcall(f, 1)
    ngx.say(ok, " ", err:match("stack overflow"))
    ok, err = xpcall(f, debug.traceback, 1)
    ngx.say(ok, " ", type(err))
    ok, err = pcall(coroutine.wrap(f), 1)
    ngx.say(ok, " ", err:match("stack overflow"))
    ngx.sleep(0.001)
    ngx.say(ngx.receive(1))
}
--- request: x
--- response
false stack overflow
false string
false stack overflow
x
--- no_error_log
[error]


=== error: stack overflow ends a session, four ways
--- tcp_server_config
process_by_lua_block {
    local which = ngx.receive(1)
    local function f(n) return 1 + f(n + 1) end
    if which == "f" then f(1) end
    if which == "w" then coroutine.wrap(f)(1) end
    if which == "t" then
        local t = setmetatable({}, {})
        getmetatable(t).__index = function(t, k) return t[k + 1] + 1 end
        return t[1]
    end
    if which == "u" then return unpack({}, 1, 1e6) end
    ngx.say("fine")
}
--- request_parts
A: send "f"
A: expect_eof
B: send "w"
B: expect_eof
C: send "t"
C: expect_eof
D: send "u"
D: expect_eof
E: send "."
E: expect "fine\n"
E: expect_eof
--- grep_error_log
~ lua entry thread aborted: (?:runtime error|error handler error): |stack overflow$|too many results to unpack$
--- grep_error_log_out
lua entry thread aborted: runtime error: 
stack overflow
lua entry thread aborted: runtime error: 
stack overflow
lua entry thread aborted: runtime error: 
stack overflow
lua entry thread aborted: runtime error: 
too many results to unpack


=== error: one connection's error leaves the others alone
--- tcp_server_config
process_by_lua_block {
    local line = ngx.receive("*l")
    if line == "fail" then error("boom") end
    ngx.sleep(0.001)
    ngx.say(line, " ", ngx.receive("*l"))
}
--- request_parts
A: send "a\n"
B: send "b\n"
sync
C: send "fail\n"
C: expect_eof
A: send "1\n"
A: expect "a 1\n"
A: expect_eof
D: send "fail\n"
D: expect_eof
B: send "2\n"
B: expect "b 2\n"
B: expect_eof
--- error_log
boom


=== error: ngx.exit is no error that pcall, xpcall or a coroutine could see
--- tcp_server_config
process_by_lua_block {
    local which = ngx.receive(1)
    ngx.say(which)
    if which == "1" then pcall(ngx.exit) end
    if which == "2" then xpcall(ngx.exit, function() ngx.say("handled") end) end
    if which == "3" then pcall(pcall, pcall, ngx.exit, 0) end
    if which == "4" then coroutine.resume(coroutine.create(ngx.exit)) end
    if which == "5" then pcall(coroutine.wrap(function() pcall(ngx.exit) end)) end
    if which == "6" then return pcall(function() return ngx.exit() end) end
    ngx.say("after")
}
--- request_parts
A: send "1"
A: expect "1\n"
A: expect_eof
B: send "2"
B: expect "2\n"
B: expect_eof
C: send "3"
C: expect "3\n"
C: expect_eof
D: send "4"
D: expect "4\n"
D: expect_eof
E: send "5"
E: expect "5\n"
E: expect_eof
F: send "6"
F: expect "6\n"
F: expect_eof
--- no_error_log
[error]
