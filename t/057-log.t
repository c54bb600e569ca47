# ngx.log(level, ...) and the global print(...).

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== log: file, line, function and text, and the connection's context
--- tcp_server_config
process_by_lua_file lua/app.lua;
--- user_files
>>> lua/app.lua
local function greet()
    ngx.log(ngx.WARN, "hello ", 1, " ", 1.5, " ", nil, " ", true, false, ngx.null)
end
greet()
--- request_parts
expect_eof
--- error_log
~ \[warn\] \d+#\d+: \*\d+ \[lua\] app\.lua:2: greet\(\): hello 1 1\.5 nil truefalsenull while running Lua, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+$


=== log: at the chunk's top there is no function's name
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files
>>> app.lua

ngx.log(ngx.WARN, "top")
--- request_parts
expect_eof
--- error_log
[lua] app.lua:2: top while


=== log: code in nginx.conf is named after its directive
--- tcp_server_config
process_by_lua_block {
    ngx.log(ngx.WARN, "inline")
}
--- request_parts
expect_eof
--- error_log
~ \[lua\] process_by_lua_block\(nginx\.conf:\d+\):2: inline while


=== log: through pcall there is no line
--- tcp_server_config
process_by_lua_block { ngx.say(pcall(ngx.log, ngx.WARN, "text")) }
--- response
true
--- error_log
[lua] [C]:-1: text while


=== log: each level
--- tcp_server_config
error_log logs/levels.log debug;
process_by_lua_block {
    for _, name in ipairs({ "STDERR", "EMERG", "ALERT", "CRIT", "ERR", "WARN",
                            "NOTICE", "INFO", "DEBUG" }) do
        ngx.log(ngx[name], name)
    end
}
--- request_parts
expect_eof
--- file_like
>>> logs/levels.log
\[\] .*: STDERR while[^\n]*\n[^\n]*\[emerg\] [^\n]*: EMERG while[^\n]*\n[^\n]*\[alert\] [^\n]*: ALERT while[^\n]*\n[^\n]*\[crit\] [^\n]*: CRIT while[^\n]*\n[^\n]*\[error\] [^\n]*: ERR while[^\n]*\n[^\n]*\[warn\] [^\n]*: WARN while[^\n]*\n[^\n]*\[notice\] [^\n]*: NOTICE while[^\n]*\n[^\n]*\[info\] [^\n]*: INFO while[^\n]*\n([^\n]*\n)*[^\n]*\[debug\] [^\n]*: DEBUG\n


=== log: the level may be a string or a fraction
--- tcp_server_config
process_by_lua_block {
    ngx.log("5", "as string")
    ngx.log(5.9, "as fraction")
}
--- request_parts
expect_eof
--- error_log
~ \[warn\] .*: as string while
~ \[warn\] .*: as fraction while


=== log: wrong levels raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.log(9, "x") end))
    ngx.say(err(function() ngx.log(-1, "x") end))
    ngx.say(err(function() ngx.log("warn", "x") end))
    ngx.say(err(function() ngx.log(nil, "x") end))
    ngx.say(err(function() ngx.log() end))
}
--- response
3: bad argument #1 to 'log' (bad log level: 9)
4: bad argument #1 to 'log' (bad log level: -1)
5: bad argument #1 to 'log' (number expected, got string)
6: bad argument #1 to 'log' (number expected, got nil)
7: bad argument #1 to 'log' (number expected, got no value)
--- no_error_log
[error]


=== log: values that have no text raise
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.log(ngx.ERR, {}) end))
    ngx.say(err(function() ngx.log(ngx.ERR, "a", print) end))
    ngx.say(err(function() ngx.log(ngx.ERR, 1, 2, io.stdout) end))
    ngx.say(err(function() ngx.log(ngx.ERR, 1LL) end))
}
--- response
3: bad argument #2 to 'log' (string, number, boolean, or nil expected, got table)
4: bad argument #3 to 'log' (string, number, boolean, or nil expected, got function)
5: bad argument #4 to 'log' (string, number, boolean, or nil expected, got userdata)
6: bad argument #2 to 'log' (string, number, boolean, or nil expected, got cdata)
--- no_error_log
[error]


=== log: tables are refused even if they could print themselves
--- tcp_server_config
process_by_lua_block {
    local t = setmetatable({}, { __tostring = function() return "t" end })
    local ok, err = pcall(function() ngx.log(ngx.ERR, t) end)
    ngx.say(ok, " ", (err:gsub("^.-%):", "")))
    ngx.log(ngx.WARN, tostring(t))
}
--- response
false 3: bad argument #2 to 'log' (string, number, boolean, or nil expected, got table)
--- error_log
:5: t while
--- no_error_log
[error]


=== log: a level that is filtered out is not looked at
--- tcp_server_config
error_log logs/error.log warn;
process_by_lua_block {
    ngx.log(ngx.DEBUG, {}, print)
    ngx.log(ngx.NOTICE, "not seen")
    print("not seen", {})
    ngx.log(ngx.WARN, "seen")
}
--- request_parts
expect_eof
--- error_log
:5: seen while
--- no_error_log
not seen


=== log: returns nothing
--- tcp_server_config
process_by_lua_block {
    ngx.say(select("#", ngx.log(ngx.WARN, "x")), select("#", ngx.log(ngx.WARN)),
            select("#", ngx.log(ngx.DEBUG, "x")))
}
--- response
000
--- no_error_log
[error]


=== log: a long line is cut
--- tcp_server_config
process_by_lua_block {
    ngx.log(ngx.WARN, ("x"):rep(5000), "end")
    ngx.say("logged")
}
--- response
logged
--- error_log
~ \[lua\] process_by_lua_block\(nginx\.conf:\d+\):2: x{1800,2000}
--- no_error_log
xend
[error]


=== log: a text with % and with line feeds is taken as it is
--- tcp_server_config
process_by_lua_block { ngx.log(ngx.WARN, "100%s %n\n%d next") }
--- request_parts
expect_eof
--- error_log
:1: 100%s %n
%d next while


=== log: to the server's error_log
--- tcp_server_config
error_log logs/server.log warn;
process_by_lua_block { ngx.log(ngx.WARN, "to server.log") }
--- request_parts
expect_eof
--- file_like
>>> logs/server.log
^[^\n]*\[warn\] [^\n]*: to server\.log while [^\n]*\n$
--- no_error_log
to server.log


=== log: in a user coroutine and a C function's callback
--- tcp_server_config
process_by_lua_block {
    coroutine.wrap(function() ngx.log(ngx.WARN, "in coroutine") end)()
    table.sort({ 2, 1 }, function(a, b)
        ngx.log(ngx.WARN, "in callback")
        return a < b
    end)
    ngx.say("done")
}
--- response
done
--- error_log
:2: in coroutine while
:4: in callback while
--- no_error_log
[error]


=== log: while the configuration loads, when a worker starts and exits
--- tcp_config
init_by_lua_block { ngx.log(ngx.WARN, "in init") }
init_worker_by_lua_block { ngx.log(ngx.WARN, "in init_worker") }
exit_worker_by_lua_block { ngx.log(ngx.WARN, "in exit_worker") }
--- tcp_server_config
process_by_lua_block { ngx.say("ok") }
--- response
ok
--- start_log
~ \[warn\] \d+#\d+: \[lua\] init_worker_by_lua_block\(nginx\.conf:\d+\):1: in init_worker$
--- stop_log
~ \[warn\] \d+#\d+: \[lua\] exit_worker_by_lua_block\(nginx\.conf:\d+\):1: in exit_worker$


=== log: wrong arguments in init_by_lua
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_init = err(function() ngx.log(99, "x") end)
        .. "\n" .. err(function() ngx.log(ngx.ERR, {}) end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- response
3: bad argument #1 to 'log' (bad log level: 99)
4: bad argument #2 to 'log' (string, number, boolean, or nil expected, got table)


=== print: the global one writes to the log at level notice
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files
>>> app.lua
local function greet() print("hello ", 1, nil, true, ngx.null) end
greet()
ngx.say(select("#", print("x")))
--- response
0
--- error_log
~ \[notice\] \d+#\d+: \*\d+ \[lua\] app\.lua:1: greet\(\): hello 1niltruenull while
--- no_error_log
[error]


=== print: the global one without arguments
--- tcp_server_config
process_by_lua_block { print() }
--- request_parts
expect_eof
--- error_log
~ \[notice\] .*\[lua\] process_by_lua_block\(nginx\.conf:\d+\):1:  while


=== print: the global one refuses what ngx.log refuses
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() print({}) end))
    ngx.say(err(function() print(1, print) end))
}
--- response
3: bad argument #1 to 'print' (string, number, boolean, or nil expected, got table)
4: bad argument #2 to 'print' (string, number, boolean, or nil expected, got function)
--- no_error_log
[error]


=== print: the global one while a worker starts
--- tcp_config
init_worker_by_lua_block { print("in init_worker") }
--- tcp_server_config
process_by_lua_block { ngx.say("ok") }
--- response
ok
--- start_log
~ \[notice\] \d+#\d+: \[lua\] init_worker_by_lua_block\(nginx\.conf:\d+\):1: in init_worker$
