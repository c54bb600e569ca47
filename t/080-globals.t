# The globals of a connection: a table of its own over those of init_by_lua.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== globals: a fresh table for each connection, one for all its requests
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive(1))
    ngx.print(tostring(kept), " ")
    kept = n
    ngx.wait_next_request()
    ngx.print(ngx.receive(1), kept)
}
--- request_parts
A: send "1"
A: expect "nil "
B: send "2"
B: expect "nil "
A: send "a"
A: expect "a1"
A: expect_eof
C: send "3"
C: expect "nil "
B: send "b"
B: expect "b2"
B: expect_eof
C: send "c"
C: expect "c3"
C: expect_eof
--- no_error_log
[error]
[alert]


=== globals: invisible to others while the owner waits
--- tcp_server_config
process_by_lua_block {
    local name = ngx.receive(1)
    if name == "A" then
        secret = "A's"
        _G.other = "A's other"
        rawset(getfenv(0), "third", "A's third")
    end
    ngx.print(tostring(secret), tostring(other), tostring(third), "\n")
    ngx.receive(1)
}
--- request_parts
A: send "A"
A: expect "A'sA's otherA's third\n"
B: send "B"
B: expect "nilnilnil\n"
A: send "."
A: expect_eof
C: send "C"
C: expect "nilnilnil\n"
--- no_error_log
[error]


=== globals: _G, getfenv and the environment are one table
--- tcp_server_config
process_by_lua_block {
    x = 1
    _G.y = 2
    getfenv().z = 3
    ngx.say(_G == getfenv(0), " ", _G == getfenv(1), " ", _G._G == _G)
    ngx.say(_G.x, y, z, rawget(_G, "x"), tostring(rawget(_G, "ngx")))
}
--- response
true true true
1231nil
--- no_error_log
[error]


=== globals: what a script may take for granted is there
--- tcp_server_config
process_by_lua_block {
    local missing = {}
    for name in ([[ assert collectgarbage coroutine debug dofile error gcinfo
        getfenv getmetatable io ipairs jit load loadfile loadstring math module
        newproxy next ngx os package pairs pcall print rawequal rawget rawset
        require select setfenv setmetatable string table tonumber tostring type
        unpack xpcall _G _VERSION bit ]]):gmatch("%S+") do
        if _G[name] == nil then
            missing[#missing + 1] = name
        end
    end
    ngx.say("missing: ", table.concat(missing, " "))
    ngx.say(require("ngx") == ngx, " ", require("coroutine") == coroutine,
            " ", type(require("ffi")), " ", type(require("jit.opt")))
}
--- response
missing: 
true true table table
--- no_error_log
[error]


=== globals: code compiled and coroutines made by a script share its table
--- tcp_server_config
process_by_lua_block {
    loadstring("from_loadstring = 1")()
    coroutine.wrap(function() from_wrap = 2 end)()
    coroutine.wrap(loadstring("from_both = 3"))()
    coroutine.wrap(function() loadstring("from_within = 4")() end)()
    load(function() return nil end)
    ngx.sleep(0.001)
    loadstring("after_sleep = 5")()
    ngx.say(from_loadstring, from_wrap, from_both, from_within, after_sleep)
    ngx.say(getfenv(0) == _G, coroutine.wrap(function()
        return getfenv(0) == _G
    end)())
}
--- request_parts
expect "12345\ntruetrue\n"
expect_eof
sync
Second: expect "12345\ntruetrue\n"
Second: expect_eof
--- no_error_log
[error]


=== globals: nothing of the kind is left for the next connection
--- tcp_config
init_by_lua_block { shared = { ran = 0 } }
--- tcp_server_config
process_by_lua_block {
    local names = {}
    for name in pairs(_G) do
        names[#names + 1] = name
    end
    ngx.say(table.concat(names, " "), "|", tostring(left))
    left = 1
    loadstring("left_too = 2")()
    coroutine.wrap(function() left_by_coroutine = 3 end)()
}
--- request_parts
A: expect "_G|nil\n"
A: expect_eof
B: expect "_G|nil\n"
B: expect_eof
C: expect "_G|nil\n"
C: expect_eof
--- no_error_log
[error]


=== globals: an aborted script leaves none behind either
--- tcp_server_config
process_by_lua_block {
    ngx.print(tostring(left))
    left = 1
    loadstring("left_too = 2")()
    ngx.receive(1)
    error("boom")
}
--- request_parts
A: expect "nil"
A: send "x"
A: expect_eof
B: expect "nil"
B: reset
wait_log "runtime error" 2
C: expect "nil"
C: send "x"
C: expect_eof
--- error_log
boom


=== globals: those of init_by_lua can be read, and hidden, not replaced
--- tcp_config
init_by_lua_block {
    greeting = "hello"
    function greet() return greeting .. "!" end
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(greeting, " ", greet())
    greeting = "mine"
    ngx.say(greeting, " ", greet())
    greeting = nil
    ngx.say(greeting)
}
--- response
hello hello!
mine hello!
hello
--- no_error_log
[error]


=== globals: a table of init_by_lua is shared by the worker's connections
--- tcp_config
init_by_lua_block { counter = { n = 0 } }
--- tcp_server_config
process_by_lua_block {
    counter.n = counter.n + 1
    ngx.print(counter.n)
    ngx.receive(1)
}
--- repeat: 1
--- request_parts
A: expect "1"
B: expect "2"
A: send "x"
A: expect_eof
C: expect "3"
--- no_reload: the numbers are those of a fresh server
--- no_error_log
[error]


=== globals: the metatable of a script's _G is its own
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        -- As strict.lua does it.
        local mt = getmetatable(_G)
        local index = mt.__index
        mt.__newindex = function(_, name)
            error("assignment to undeclared variable " .. name, 2)
        end
        mt.__index = function(_, name)
            if index[name] == nil then
                error("undeclared variable " .. name, 2)
            end
            return index[name]
        end
        ngx.say(select(2, pcall(function() undeclared = 1 end)))
        ngx.say(select(2, pcall(function() return undeclared end)))
        ngx.receive(1)
        return
    end
    undeclared = 1
    ngx.say(undeclared, tostring(undeclared_too))
}
--- request_parts
A: send "A"
A: expect_like /\A\S+:\d+: assignment to undeclared variable undeclared\n/
A: expect_like /\A\S+:\d+: undeclared variable undeclared\n/
B: send "B"
B: expect "1nil\n"
B: expect_eof
A: close
C: send "C"
C: expect "1nil\n"
C: expect_eof
--- no_error_log
[error]


=== globals: setmetatable(_G), setfenv(0) and setfenv(1) concern the caller only
--- tcp_server_config
process_by_lua_block {
    local say, receive, how = ngx.say, ngx.receive, ngx.receive(1)
    local setfenv = setfenv
    if how == "M" then
        setmetatable(_G, nil)
        say(tostring == nil, " ", _G ~= nil)
    elseif how == "0" then
        setfenv(0, {})
        say(tostring(_G ~= nil), " ", coroutine.wrap(function()
            return ngx ~= nil
        end)())
    elseif how == "1" then
        setfenv(1, {})
        say(ngx == nil, " ", _G == nil)
    end
    say(receive(1))
}
--- request_parts
A: send "M"
A: expect "true true\n"
B: send "0"
B: expect "true true\n"
C: send "1"
C: expect "true true\n"
D: send "Dd"
D: expect "d\n"
D: expect_eof
A: send "a"
A: expect "a\n"
A: expect_eof
B: send "b"
B: expect "b\n"
B: expect_eof
C: send "c"
C: expect "c\n"
C: expect_eof
E: send "M"
E: expect "true true\n"
E: close
--- no_error_log
[error]


=== globals: module() in a required file gives its name to that connection
--- tcp_config
lua_package_path "$prefix/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local m = require "hello"
    ngx.say(m.greet("x"), " ", type(hello), " ", package.loaded.hello == m)
}
--- user_files
>>> lua/hello.lua
module("hello", package.seeall)
function greet(name) return "hello " .. name end
--- repeat: 1
--- request_parts
A: expect "hello x table true\n"
A: expect_eof
B: expect "hello x nil true\n"
B: expect_eof
--- no_reload: which connection comes first matters
--- no_error_log
[error]


=== globals: module() in a file that init_by_lua requires is for all
--- tcp_config
lua_package_path "$prefix/lua/?.lua;;";
init_by_lua_block { require "hello" }
--- tcp_server_config
process_by_lua_block {
    ngx.say(hello.greet("x"), " ", rawget(_G, "hello"))
}
--- user_files
>>> lua/hello.lua
module("hello", package.seeall)
function greet(name) return "hello " .. name end
--- response
hello x nil
--- no_error_log
[error]


=== globals: a module required in a request is compiled once
--- tcp_config
lua_package_path "$prefix/lua/?.lua;;";
init_by_lua_block { compiled = { n = 0 } }
--- tcp_server_config
process_by_lua_block {
    local m = require "counting"
    m.calls = m.calls + 1
    ngx.say(compiled.n, " ", m.calls)
}
--- user_files
>>> lua/counting.lua
compiled.n = compiled.n + 1
return { calls = 0 }
--- repeat: 1
--- request_parts
A: expect "1 1\n"
A: expect_eof
B: expect "1 2\n"
B: expect_eof
--- no_reload: the numbers are those of a fresh server
--- no_error_log
[error]


=== globals: a closure that outlives its connection keeps its upvalues
--- tcp_config
init_by_lua_block { shared = {} }
--- tcp_server_config
process_by_lua_block {
    local how = ngx.receive(1)
    if how == "." then
        local a, b, c = {}, {}, {}
        ngx.sleep(0.001)
        ngx.say(shared.f())
        return
    end
    local value = { "value of " .. how }
    local function get() return value[1] end
    shared.f = function() return get() end
    if how == "e" then error("boom") end
    if how == "x" then ngx.exit() end
    if how == "y" then coroutine.wrap(ngx.exit)() end
    if how == "w" then ngx.wait_next_request() end
    if how == "s" then local t = {} t = t .. t end
}
--- request_parts
A: send "r"
A: expect_eof
B: send "."
B: expect "value of r\n"
C: send "e"
C: expect_eof
D: send "."
D: expect "value of e\n"
E: send "x"
E: expect_eof
F: send "."
F: expect "value of x\n"
G: send "y"
G: expect_eof
H: send "."
H: expect "value of y\n"
I: send "w"
I: close
sync
J: send "."
J: expect "value of w\n"
K: send "s"
K: expect_eof
L: send "."
L: expect "value of s\n"
