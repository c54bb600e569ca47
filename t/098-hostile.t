# Scripts that put other things in the place of what they find: the module goes
# on, and so do the connections that did not ask for it.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== hostile: a script's own globals in place of ngx, coroutine, pcall, error
--- tcp_server_config
process_by_lua_block {
    local receive, say = ngx.receive, ngx.say
    if receive(1) == "A" then
        for name in pairs(getmetatable(_G).__index) do
            if name ~= "_G" then _G[name] = false end
        end
        ngx = {}
        say(tostring == false, " ", ngx.say == nil)
        say(receive(1))
        return
    end
    ngx.sleep(0.001)
    local f = coroutine.wrap(function()
        coroutine.yield(pcall(error, "x", 0))
        ngx.sleep(0.001)
    end)
    say(f())
    f()
    say(receive(1))
}
--- request_parts
A: send "A"
A: expect "true true\n"
B: send "B"
B: expect "falsex\n"
A: send "a"
A: expect "a\n"
A: expect_eof
B: send "b"
B: expect "b\n"
B: expect_eof
C: send "B"
C: expect "falsex\n"
C: close
--- no_error_log
[error]


=== hostile: emptied library tables: coroutines and error reports still work
--- tcp_config
init_by_lua_block {
    local libraries = { string, table, debug, coroutine, math, package, os, io }
    local collectgarbage, pairs = collectgarbage, pairs
    local saved = {}
    function empty()
        for i, library in pairs(libraries) do
            saved[i] = {}
            for key, value in pairs(library) do saved[i][key] = value end
            for key in pairs(saved[i]) do library[key] = nil end
        end
    end
    function restore()
        for i, library in pairs(libraries) do
            for key, value in pairs(saved[i]) do library[key] = value end
        end
    end
}
--- tcp_server_config
process_by_lua_block {
    local wrap, yield = coroutine.wrap, coroutine.yield
    local resume, create = coroutine.resume, coroutine.create
    empty()
    local f = wrap(function()
        yield(ngx.receive(1))
        ngx.sleep(0.001)
        error("boom", 0)
    end)
    ngx.say(f())
    ngx.say(pcall(f))
    ngx.say(resume(create(function() ngx.sleep(0.001) error("bang", 0) end)))
    getmetatable(newproxy(true)).__gc = function() error("in gc", 0) end
    collectgarbage()
    local x = wrap(function() error("uncaught", 0) end)()
}
--- tcp_server_config2
process_by_lua_block { restore() ngx.say(type(string.format)) }
--- request_parts
A: send "x"
A: expect "x\n"
A: expect "falseboom\n"
A: expect "falsebang\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "function\n"
B: expect_eof
--- grep_error_log
~ lua entry thread aborted: .*|coroutine \d:|(?<= )error in __gc: in gc
--- grep_error_log_out
error in __gc: in gc
lua entry thread aborted: runtime error: process_by_lua_block(nginx.conf:27):15: uncaught
coroutine 0:
coroutine 1:


=== hostile: fields of ngx: seen by all, and no crash
--- tcp_server_config
process_by_lua_block {
    local how = ngx.receive(1)
    if how == "A" then
        old_say, old_sleep = ngx.say, ngx.sleep
        ngx.mine = function() old_say("mine") end
        ngx.sleep = nil
        ngx.say("changed ", ngx.sleep)
        ngx.receive(1)
        ngx.sleep, ngx.mine = old_sleep, nil
        ngx.say("restored")
    else
        if ngx.mine then ngx.mine() end
        ngx.say(type(ngx.sleep))
    end
}
--- request_parts
A: send "A"
A: expect "changed nil\n"
B: send "B"
B: expect "mine\nnil\n"
B: expect_eof
A: send "x"
A: expect "restored\n"
A: expect_eof
C: send "C"
C: expect "function\n"
C: expect_eof
--- no_error_log
[error]


=== hostile: package.loaded cleared: what was loaded goes on, require reads again
--- tcp_config
lua_package_path "${prefix}?.lua;;";
init_by_lua_block { module_of_init = require "some" }
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        local loaded, saved = package.loaded, {}
        for name, value in pairs(loaded) do
            saved[name] = value
            loaded[name] = nil
        end
        ngx.sleep(0.001)
        ngx.say(require("some") ~= module_of_init, " ", pcall(require, "string"))
        local ok, err = pcall(coroutine.wrap(function()
            ngx.sleep(0.001)
            error("boom", 0)
        end))
        for name, value in pairs(saved) do loaded[name] = value end
        ngx.say(ok, " ", err)
        return
    end
    ngx.say(require("some") == module_of_init, " ", string.upper("b"))
}
--- user_files
>>> some.lua
return {}
--- request_parts
A: send "A"
A: expect_like /\Atrue false.*\n/
A: read_all
B: send "B"
B: expect "true B\n"
B: expect_eof
--- no_error_log
[error]


=== hostile: package.loaded cleared under lua_code_cache off
--- tcp_config
lua_code_cache off;
--- tcp_server_config
process_by_lua_block {
    package.loaded = nil
    package.path = nil
    ngx.say(type(string))
}
--- tcp_server_config2
process_by_lua_block {
    package.loaded = debug.getregistry()._LOADED
    package.path = "?.lua"
    ngx.say("restored")
}
--- request_parts
A: expect "table\n"
A: expect_eof
B: expect "table\n"
B: expect_eof
C: connect $TEST_PORT2
C: expect "restored\n"
C: expect_eof
--- no_error_log
[error]


=== hostile: debug.sethook: counts lines, also over waits
--- tcp_server_config
process_by_lua_block {
    local n = 0
    debug.sethook(function() n = n + 1 end, "l")
    local x = 1
    ngx.sleep(0.001)
    x = ngx.receive(1)
    coroutine.wrap(function()
        ngx.sleep(0.001)
        coroutine.yield(1)
    end)()
    debug.sethook()
    ngx.say(n > 4, x)
}
--- request: x
--- response
truex
--- no_error_log
[error]


=== hostile: debug.sethook: a hook that raises ends scripts, not the worker
--- tcp_server_config
process_by_lua_block {
    local what = ngx.receive(1)
    if what == "h" then
        debug.sethook(function()
            debug.sethook()
            error("too long")
        end, "", 1000)
        local function spin() while true do local x = 1 end end
        jit.off(spin)
        spin()
    end
    ngx.say(what)
}
--- tcp_server_config2
process_by_lua_block { debug.sethook() ngx.say("fine") }
--- request_parts
A: send "h"
A: expect_eof
B: connect $TEST_PORT2
B: expect "fine\n"
B: expect_eof
C: send "c"
C: expect "c\n"
C: expect_eof
--- error_log
too long


=== hostile: debug.sethook: a hook left behind meets the next connections
--- tcp_server_config
process_by_lua_block {
    debug.sethook(function() end, "crl", 1)
    ngx.print(ngx.receive(1))
    ngx.sleep(0.001)
}
--- tcp_server_config2
process_by_lua_block {
    for x in coroutine.wrap(function()
        ngx.sleep(0.001)
        coroutine.yield(1)
    end) do ngx.print(x) end
    local ok, err = pcall(error, "x", 0)
    debug.sethook()
    ngx.print(err)
}
--- request_parts
A: send "a"
A: expect "a"
A: expect_eof
B: send "b"
B: expect "b"
B: expect_eof
C: connect $TEST_PORT2
C: expect "1x"
C: expect_eof
--- no_error_log
[error]


=== hostile: a hook that waits
--- tcp_server_config
process_by_lua_block {
    local ok, err
    debug.sethook(function()
        debug.sethook()
        ok, err = pcall(ngx.sleep, 0.001)
    end, "", 100)
    for i = 1, 1000 do local x = i end
    debug.sethook()
    ngx.say(tostring(ok), " ", tostring(err))
    ngx.sleep(0.001)
    ngx.say(ngx.receive(1))
}
--- request: x
--- response_like
^false attempt to yield across C-call boundary\nx\n$|^nil nil\nx\n$
--- no_error_log
[error]


=== hostile: metatables of strings, numbers, nil, functions, threads
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "A" then
        local fail = { __index = function() error("no index") end,
                       __eq = error, __len = error, __call = error,
                       __tostring = error, __concat = error }
        for _, value in ipairs { 1, true, print, coroutine.create(print) } do
            debug.setmetatable(value, fail)
        end
        debug.setmetatable(nil, fail)
        ngx.sleep(0.001)
        local ok, err = pcall(coroutine.wrap(function()
            ngx.sleep(0.001)
            error("boom", 0)
        end))
        ngx.say(ok and "ok" or err)
        ngx.print(1, " ", true, " ", nil, "\n")
        error("uncaught")
    end
    for _, value in ipairs { 1, true, print, coroutine.create(print) } do
        debug.setmetatable(value, nil)
    end
    debug.setmetatable(nil, nil)
    ngx.say("fine")
}
--- request_parts
A: send "A"
A: expect "boom\n1 true nil\n"
A: expect_eof
B: send "B"
B: expect "fine\n"
B: expect_eof
--- error_log
uncaught


=== hostile: coroutine functions replaced in the shared table
--- tcp_server_config
process_by_lua_block {
    local lib = coroutine
    local old = { resume = lib.resume, yield = lib.yield, wrap = lib.wrap,
                  create = lib.create, status = lib.status,
                  running = lib.running }
    for name in pairs(old) do
        lib[name] = function() error("replaced " .. name, 0) end
    end
    local f = old.wrap(function()
        ngx.sleep(0.001)
        old.yield("works")
    end)
    local got = f()
    local ok, err = pcall(lib.resume)
    for name, value in pairs(old) do lib[name] = value end
    ngx.say(got, " ", err)
}
--- response
works replaced resume
--- no_error_log
[error]


=== hostile: 100,000 caught errors of coroutines
--- tcp_server_config
process_by_lua_block {
    for i = 1, 1e5 do
        pcall(coroutine.wrap(function() error({}) end))
    end
    ngx.say("done")
}
--- response
done
--- no_error_log
[error]
