# init_by_lua*: once for a configuration, in the master, before anything opens.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== init_by_lua: code as an argument
--- tcp_config
init_by_lua 'greeting = "hello"';
--- tcp_server_config
process_by_lua_block { ngx.say(greeting) }
--- response
hello
--- no_error_log
[error]


=== init_by_lua_block: code in braces
--- tcp_config
init_by_lua_block {
    -- A brace in a comment: }
    greeting = "}hello" .. ([[ ]]):rep(2) .. '{'
}
--- tcp_server_config
process_by_lua_block { ngx.say(greeting) }
--- response
}hello  {
--- no_error_log
[error]


=== init_by_lua_file: relative to the prefix
--- tcp_config
init_by_lua_file lua/init.lua;
--- tcp_server_config
process_by_lua_block { ngx.say(greeting) }
--- user_files
>>> lua/init.lua
#!/usr/bin/lua
greeting = "hello " .. select("#", ...)
--- response
hello 0
--- no_error_log
[error]


=== init_by_lua_file: an absolute path, a last line without its end
--- tcp_config
init_by_lua_file $TEST_DIR/lua/init.lua;
--- tcp_server_config
process_by_lua 'ngx.say(greeting)';
--- user_files eval
">>> lua/init.lua\ngreeting = 'hello' -- no line feed"
--- response
hello
--- no_error_log
[error]


=== init_by_lua: the order is that of the file: it runs before the workers
--- workers: 2
--- tcp_config
init_by_lua_block {
    local ffi = require "ffi"
    ffi.cdef "int getpid(void);"
    pid = ffi.C.getpid()
    seed = {}
    address = tostring(seed)
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(pid ~= ngx.worker.pid(), " ", tostring(seed) == address)
}
--- clients: 6
--- response
true true
--- no_error_log
[error]


=== init_by_lua: ngx.log goes to the log, with the place
--- tcp_config
init_by_lua_block {
    ngx.log(ngx.WARN, "warned ", 1, true, nil)
}
--- tcp_server_config
process_by_lua_block { ngx.say("up") }
--- response
up
--- start_log
~ \[warn\] .*\[lua\] init_by_lua_block\(nginx\.conf:\d+\):2: warned 1truenil


=== init_by_lua: what needs a session raises
--- tcp_config
init_by_lua_block {
    local function try(f, ...)
        local ok, err = pcall(f, ...)
        return tostring(ok) .. " " .. tostring(err):gsub("^.-:%d+: ", "")
    end
    errors = table.concat({
        try(function() ngx.say("x") end), try(function() ngx.receive(1) end),
        try(function() ngx.sleep(1) end), try(function() ngx.exit() end),
        try(function() ngx.wait_next_request() end),
        try(function() return ngx.ctx end),
    }, "\n")
}
--- tcp_server_config
process_by_lua_block { ngx.say(errors) }
--- response
false no session found
false no session found
false no session found
false no session found
false no session found
false no session found
--- no_error_log
[error]


=== init_by_lua: coroutines work
--- tcp_config
init_by_lua_block {
    squares = {}
    for x in coroutine.wrap(function()
        for i = 1, 5 do coroutine.yield(i * i) end
    end) do
        squares[#squares + 1] = x
    end
    local co = coroutine.create(function() error({}) end)
    ok, err = coroutine.resume(co)
    status = coroutine.status(co)
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(squares, " ", ok, " ", type(err), " ", status)
}
--- response
1491625 false table dead
--- no_error_log
[error]


=== init_by_lua: get_phase
--- tcp_config
init_by_lua_block { phase = ngx.get_phase() }
--- tcp_server_config
process_by_lua_block { ngx.say(phase) }
--- response
init
--- no_error_log
[error]


=== init_by_lua: an error refuses to start, with traceback
--- tcp_config
init_by_lua_block {
    local function fail() error("no database") end
    fail()
}
--- tcp_server_config
process_by_lua_block { }
--- must_die
~ \[(?:emerg|error)\] .*init_by_lua_block error: init_by_lua_block\(nginx\.conf:\d+\):2: no database


=== init_by_lua: nginx -t runs it
--- tcp_config
init_by_lua 'error("no database")';
--- tcp_server_config
process_by_lua_block { }
--- conf_error
~ init_by_lua error: init_by_lua\(nginx\.conf:\d+\):1: no database


=== init_by_lua_file: an error refuses to start
--- tcp_config
init_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block { }
--- user_files
>>> init.lua
local x = 1
x()
--- conf_error
~ init_by_lua_file error: \S+/init\.lua:2: attempt to call local 'x' \(a number value\)


=== init_by_lua: an error in a coroutine
--- tcp_config
init_by_lua_block {
    local w = coroutine.wrap(function()
        error("inner")
    end)
    w()
}
--- tcp_server_config
process_by_lua_block { }
--- conf_error
~ init_by_lua_block error: \S+:5: \S+:3: inner


=== init_by_lua: an error value that is no string
--- tcp_config
init_by_lua 'error({})';
--- tcp_server_config
process_by_lua_block { }
--- conf_error
init_by_lua error: unknown error


=== init_by_lua: an error value of nil
--- tcp_config
init_by_lua_block { error() }
--- tcp_server_config
process_by_lua_block { }
--- conf_error
init_by_lua_block error: unknown error


=== init_by_lua: a syntax error
--- tcp_config
init_by_lua_block {
    local a = 1
    local b = = 2
}
--- tcp_server_config
process_by_lua_block { }
--- conf_error
~ init_by_lua_block error: .*init_by_lua_block\(nginx\.conf:\d+\):3: unexpected symbol near '='


=== init_by_lua_file: a missing file
--- tcp_config
init_by_lua_file no-such.lua;
--- tcp_server_config
process_by_lua_block { }
--- conf_error
init_by_lua_file error: cannot open $TEST_DIR/no-such.lua: no such file or directory


=== init_by_lua: a module that is not there
--- tcp_config
init_by_lua_block {
    require "no.such"
}
--- tcp_server_config
process_by_lua_block { }
--- conf_error
~ init_by_lua_block error: init_by_lua_block\(nginx\.conf:\d+\):2: module 'no\.such' not found:


=== init_by_lua: empty
--- tcp_config
init_by_lua '';
--- tcp_server_config
process_by_lua_block { }
--- conf_error
invalid location config: no runnable Lua code


=== init_by_lua: twice
--- tcp_config
init_by_lua 'a = 1';
init_by_lua 'b = 1';
--- tcp_server_config
process_by_lua_block { }
--- conf_error
"init_by_lua" directive is duplicate


=== init_by_lua: in two forms
--- tcp_config
init_by_lua 'a = 1';
init_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block { }
--- conf_error
"init_by_lua_file" directive is duplicate


=== init_by_lua: not in a server
--- tcp_server_config
init_by_lua 'a = 1';
process_by_lua_block { }
--- conf_error
"init_by_lua" directive is not allowed here


=== init_by_lua_file: bytecode
--- tcp_config
init_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block { ngx.say(greeting) }
--- user_files
>>> init.lua
greeting = "source"
local f = io.open("$TEST_DIR/init.luac", "wb")
f:write(string.dump(loadstring([[
    greeting = "bytecode " .. select("#", ...)
]], "=init")))
f:close()
--- repeat: 1
--- request_parts
A: expect "source\n"
A: expect_eof
edit_file conf/nginx.conf "init.lua" => "init.luac"
reload
B: expect "bytecode 0\n"
B: expect_eof
--- no_error_log
[error]


=== init_by_lua: on a reload the new configuration's runs, in a new VM
--- tcp_config
init_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block {
    ngx.print(version, " ", tostring(only_in_first))
    ngx.receive(1)
}
--- user_files
>>> init.lua
version, only_in_first = 1, true
--- repeat: 1
--- request_parts
A: expect "1 true"
write_file init.lua "version = 2"
reload
B: expect "2 nil"
A: send "x"
A: expect_eof
B: send "x"
B: expect_eof
wait_workers
--- no_error_log
[error]


=== init_by_lua: one that fails on a reload keeps the old workers
--- tcp_config
init_by_lua_file init.lua;
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.print(version, ngx.receive(1))
        ngx.wait_next_request()
    end
}
--- user_files
>>> init.lua
version = 1
--- repeat: 1
--- request_parts
A: send "a"
A: expect "1a"
write_file init.lua "error('not today')"
signal HUP
wait_log "not today"
A: send "b"
A: expect "1b"
B: send "c"
B: expect "1c"
write_file init.lua "version = 2"
reload
A: expect_eof
B: expect_eof
C: send "d"
C: expect "2d"
--- error_log
~ init_by_lua_file error: \S+/init\.lua:1: not today


=== init_by_lua: without a master
--- master_process: off
--- tcp_config
init_by_lua_block { greeting = "hello" }
--- tcp_server_config
process_by_lua_block { ngx.say(greeting) }
--- response
hello
--- no_error_log
[error]


=== init_by_lua: garbage is collected before the workers start
--- tcp_config
init_by_lua_block {
    collected = {}
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function()
        collected[1] = ngx.get_phase()
    end
}
--- tcp_server_config
process_by_lua_block { ngx.say(tostring(collected[1])) }
--- response
init
--- no_error_log
[error]


=== init_by_lua: an error in a __gc of what it leaves behind is logged
--- tcp_config
init_by_lua_block {
    getmetatable(newproxy(true)).__gc = function() error("not closed") end
}
--- tcp_server_config
process_by_lua_block { }
--- conf_ok
~ error in __gc: init_by_lua_block\(nginx\.conf:\d+\):2: not closed
