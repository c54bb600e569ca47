# process_by_lua*, content_by_lua*: the script of a connection, its forms, its
# names in messages, and how it is loaded.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== process_by_lua: code as an argument
--- tcp_server_config
process_by_lua 'ngx.say("argument")';
--- response
argument
--- no_error_log
[error]


=== process_by_lua: code over several lines, in the other quotes
--- tcp_server_config
process_by_lua "
    local a = 'several'
    -- a comment; with } and {
    ngx.say(a, ' lines')
";
--- response
several lines
--- no_error_log
[error]


=== process_by_lua_block: braces in strings and comments
--- tcp_server_config
process_by_lua_block {
    local t = { "}", '{', [[}]], [==[ ]] } ]==], { {} } }
    -- } --[[ { ]] }
    --[[ } ]]
    ngx.say(#t, t[1], "\"}")
}
--- response
5}"}
--- no_error_log
[error]


=== process_by_lua_file: relative to the prefix
--- tcp_server_config
process_by_lua_file lua/app.lua;
--- user_files
>>> lua/app.lua
ngx.say("file")
--- response
file
--- no_error_log
[error]


=== process_by_lua_file: an absolute path
--- tcp_server_config
process_by_lua_file "$TEST_DIR/lua/my app.lua";
--- tcp_server_config2
process_by_lua_file $TEST_DIR/lua/other.lua;
--- user_files
>>> lua/other.lua
ngx.say("file")
--- connect: $TEST_PORT2
--- response
file
--- no_error_log
[error]


=== content_by_lua: the three forms
--- tcp_server_config
content_by_lua 'ngx.say("argument")';
--- tcp_server_config2
content_by_lua_block { ngx.say("block") }
--- tcp_server_config3
content_by_lua_file app.lua;
--- user_files
>>> app.lua
ngx.say("file")
--- request_parts
A: expect "argument\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "block\n"
B: expect_eof
C: connect $TEST_PORT3
C: expect "file\n"
C: expect_eof
--- no_error_log
[error]


=== process_by_lua: inherited from tcp, each form
--- tcp_config
process_by_lua 'ngx.say("inherited ", ngx.receive(1))';
--- tcp_server_config
--- tcp_server_config2
process_by_lua_block { ngx.say("own ", ngx.receive(1)) }
--- tcp_server_config3
read_timeout 10s;
--- request_parts
A: send "a"
A: expect "inherited a\n"
A: expect_eof
B: connect $TEST_PORT2
B: send "b"
B: expect "own b\n"
B: expect_eof
C: connect $TEST_PORT3
C: send "c"
C: expect "inherited c\n"
C: expect_eof
--- no_error_log
[error]


=== process_by_lua_block: inherited from tcp
--- tcp_config
process_by_lua_block { ngx.say("inherited") }
--- tcp_server_config
--- response
inherited
--- no_error_log
[error]


=== process_by_lua_file: inherited from tcp
--- tcp_config
content_by_lua_file app.lua;
--- tcp_server_config
--- user_files
>>> app.lua
ngx.say("inherited")
--- response
inherited
--- no_error_log
[error]


=== process_by_lua: inherited, globals are the connection's nonetheless
--- tcp_config
process_by_lua 'ngx.say(tostring(left)) left = 1';
--- tcp_server_config
--- tcp_server_config2
--- request_parts
A: expect "nil\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "nil\n"
B: expect_eof
--- no_error_log
[error]


=== process_by_lua: empty
--- tcp_server_config
process_by_lua '';
--- conf_error
Invalid location config: no runnable Lua code


=== process_by_lua_file: empty
--- tcp_server_config
process_by_lua_file '';
--- conf_error
Invalid location config: no runnable Lua code


=== process_by_lua_file: an empty file is a script that ends
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files
>>> app.lua
--- request_parts
expect_eof
--- no_error_log
[error]


=== process_by_lua: twice, in whatever form
--- tcp_server_config
process_by_lua_file a.lua;
process_by_lua_file a.lua;
--- conf_error
"process_by_lua_file" directive is duplicate


=== process_by_lua: content_by_lua is another spelling, so a duplicate
--- tcp_server_config
process_by_lua_block { }
content_by_lua_block { }
--- conf_error
"content_by_lua_block" directive is duplicate


=== process_by_lua: no script at all
--- tcp_server_config
read_timeout 1s;
--- conf_error
~ script|process_by_lua


=== process_by_lua: a syntax error is found by nginx -t
--- tcp_server_config
process_by_lua_block {
    ngx.say("x")
    if x then
        ngx.say("y")
}
--- conf_error
~ failed to load Lua inlined code: process_by_lua_block\(nginx\.conf:\d+\):5: 'end' expected \(to close 'if' at line 3\) near '<eof>'


=== process_by_lua: a syntax error in a file names file and line
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files
>>> app.lua
#!/usr/bin/lua
local a = 1

local b = = 2
--- conf_error
failed to load Lua code: $TEST_DIR/app.lua:4: unexpected symbol near '='


=== process_by_lua: a syntax error, and its place in nginx.conf
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        protocol tcp_lua;
        process_by_lua_block {

            nonsense
        }
    }
}
--- conf_error
~ process_by_lua_block\(nginx\.conf:7\):4: '=' expected near '<eof>' in \S+/conf/nginx\.conf:7


=== process_by_lua: code that tries to end the wrapper is a syntax error
--- tcp_server_config
process_by_lua_block {
    ngx.say("x")
    end ngx.say("y") do
}
--- conf_error
~ process_by_lua_block\(nginx\.conf:\d+\):3: '<eof>' expected near 'end'


=== process_by_lua: a script with a server of its own that is not inherited counts too
--- tcp_config
process_by_lua 'nonsense';
--- tcp_server_config
process_by_lua_block { }
--- tcp_server_config2
--- conf_error
~ process_by_lua\(nginx\.conf:\d+\):1: '=' expected


=== process_by_lua_file: a missing file is each connection's error
--- tcp_server_config
process_by_lua_file no-such.lua;
--- tcp_server_config2
process_by_lua_block { ngx.say("fine") }
--- request_parts
A: expect_eof
B: connect $TEST_PORT2
B: expect "fine\n"
B: expect_eof
C: expect_eof
wait_log "failed to load Lua code" 2
--- error_log
~ \[error\] \S+ \*\d+ failed to load Lua code: cannot open $TEST_DIR/no-such\.lua: no such file or directory while loading Lua code, client: 127\.0\.0\.1, server: 127\.0\.0\.1:$TEST_PORT$


=== process_by_lua_file: a file that comes later is found
--- tcp_server_config
process_by_lua_file later.lua;
--- repeat: 1
--- request_parts
A: expect_eof
wait_log "cannot open"
write_file later.lua "ngx.say('here')"
B: expect "here\n"
B: expect_eof


=== process_by_lua_file: a directory is no file
--- tcp_server_config
process_by_lua_file conf;
--- request_parts
expect_eof
--- error_log
failed to load Lua code: cannot open $TEST_DIR/conf: is a directory


=== process_by_lua_file: broken when it comes later
--- tcp_server_config
process_by_lua_file broken-later.lua;
--- repeat: 1
--- request_parts
A: expect_eof
write_file broken-later.lua "ngx.say('here'"
B: expect_eof
write_file broken-later.lua "ngx.say('mended')"
C: expect "mended\n"
C: expect_eof
--- error_log
failed to load Lua code: $TEST_DIR/broken-later.lua:1: ')' expected near '<eof>'


=== source: the first line may begin with #!
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files
>>> app.lua
#!/usr/bin/env lua
ngx.say("line ", debug.getinfo(1).currentline)
--- response
line 2
--- no_error_log
[error]


=== source: nothing but a first line with #!
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files eval
">>> app.lua\n#!/usr/bin/env lua"
--- request_parts
expect_eof
--- no_error_log
[error]


=== source: the last line is a comment without its end
--- tcp_server_config
process_by_lua_file app.lua;
--- tcp_server_config2
process_by_lua 'ngx.say("code") -- comment';
--- user_files eval
">>> app.lua\nngx.say('file') -- comment"
--- request_parts
A: expect "file\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "code\n"
B: expect_eof
--- no_error_log
[error]


=== source: lines end in CR LF
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files eval
">>> app.lua\n#!/usr/bin/lua\r\n-- comment\r\nngx.say('line ', debug.getinfo(1).currentline)\r\n"
--- response
line 3
--- no_error_log
[error]


=== source: ... is there, and empty
--- tcp_server_config
process_by_lua_block {
    local n = select("#", ...)
    local a, b = ...
    ngx.say(n, " ", tostring(a), " ", tostring(b))
}
--- response
0 nil nil
--- no_error_log
[error]


=== source: return with values, early and last
--- tcp_server_config
process_by_lua_block {
    if ngx.receive(1) == "e" then
        ngx.say("early")
        do return 1, 2 end
    end
    ngx.say("last")
    return "x", nil, {}
}
--- request_parts
A: send "e"
A: expect "early\n"
A: expect_eof
B: send "."
B: expect "last\n"
B: expect_eof
--- no_error_log
[error]


=== source: return without values, and a semicolon
--- tcp_server_config
process_by_lua 'ngx.say("one") return';
--- tcp_server_config2
process_by_lua 'ngx.say("two") return;';
--- request_parts
A: expect "one\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "two\n"
B: expect_eof
--- no_error_log
[error]


=== source: return of a call that waits
--- tcp_server_config
process_by_lua_block {
    return ngx.say(ngx.receive(3))
}
--- request_parts
drip "abc"
expect "abc\n"
expect_eof
--- no_error_log
[error]


=== source: goto, labels and 200 locals
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files eval
">>> app.lua\n" . CORE::join("", map { "local v$_ = $_\n" } 1 .. 198)
    . "::top:: v1 = v1 + 1 if v1 < 10 then goto top end\n"
    . "ngx.say(v1 + v198)"
--- response
208
--- no_error_log
[error]


=== source: a fresh closure for each connection
--- tcp_server_config
process_by_lua_block {
    local n = 0
    local function count() n = n + 1 return n end
    ngx.print(count(), count())
    ngx.receive(1)
    ngx.print(count())
}
--- request_parts
A: expect "12"
B: expect "12"
A: send "x"
A: expect "3"
A: expect_eof
B: send "x"
B: expect "3"
B: expect_eof
--- no_error_log
[error]


=== source: a big script
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files eval
">>> app.lua\nlocal t = {}\n"
    . CORE::join("", map { "t[$_] = function(a) return a + $_ end\n" } 1 .. 5000)
    . "ngx.say(t[5000](1), ' ', debug.getinfo(1).currentline)"
--- response
5001 5002
--- no_error_log
[error]


=== bytecode: process_by_lua_file, whole and stripped
--- tcp_config
init_by_lua_block {
    local function dump(name, strip)
        local f = assert(io.open("$TEST_DIR/" .. name, "wb"))
        f:write(string.dump(loadstring([[
            local name = ngx.receive(1)
            n = (n or 0) + 1
            ngx.say(name, n, " ", select("#", ...))
        ]], "=dumped"), strip))
        f:close()
    end
    dump("whole.luac", false)
    dump("stripped.luac", true)
}
--- tcp_server_config
process_by_lua_file whole.luac;
--- tcp_server_config2
process_by_lua_file stripped.luac;
--- request_parts
A: send "a"
A: expect "a1 0\n"
A: expect_eof
B: connect $TEST_PORT2
B: send "b"
B: expect "b1 0\n"
B: expect_eof
C: send "c"
C: expect "c1 0\n"
C: expect_eof
--- no_error_log
[error]


=== bytecode: errors name the dumped chunk
--- tcp_config
init_by_lua_block {
    local f = assert(io.open("$TEST_DIR/app.luac", "wb"))
    f:write(string.dump(loadstring("\n\nerror('boom')", "@source.lua")))
    f:close()
}
--- tcp_server_config
process_by_lua_file app.luac;
--- request_parts
expect_eof
--- error_log
lua entry thread aborted: runtime error: source.lua:3: boom


=== bytecode: cut off
--- tcp_config
init_by_lua_block {
    local f = assert(io.open("$TEST_DIR/app.luac", "wb"))
    f:write(string.dump(function() return 1 end):sub(1, -20))
    f:close()
}
--- tcp_server_config
process_by_lua_file app.luac;
--- conf_error
~ failed to load Lua code: .*app\.luac


=== bytecode: of another Lua
--- tcp_server_config
process_by_lua_file app.luac;
--- user_files eval
">>> app.luac\n\eLuaQ\0\1\4\x08\4\x08\0"
--- conf_error
~ failed to load Lua code: .*app\.luac


=== names: an error in code, with the line of the directive and of the code
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        protocol tcp_lua;
        process_by_lua '
            local a = 1
            error("boom")';
    }
}
--- request_parts
expect_eof
--- error_log
lua entry thread aborted: runtime error: process_by_lua(nginx.conf:7):3: boom


=== names: code that begins on a line after the directive
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        protocol tcp_lua;
        content_by_lua

            'error("boom")';
    }
}
--- request_parts
expect_eof
--- error_log
lua entry thread aborted: runtime error: content_by_lua(nginx.conf:9):1: boom


=== names: an error in a block
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        content_by_lua_block {
            local function f()
                error("boom")
            end
            f()
        }
    }
}
--- request_parts
expect_eof
--- error_log
lua entry thread aborted: runtime error: content_by_lua_block(nginx.conf:6):3: boom


=== names: an error in an included file
--- config
load_module $TEST_MODULE;
events {}
tcp {
    include sub/server.conf;
}
--- user_files
>>> conf/sub/server.conf
server {
    listen 127.0.0.1:$TEST_PORT;
    process_by_lua_block {
        error("boom")
    }
}
--- request_parts
expect_eof
--- error_log
lua entry thread aborted: runtime error: process_by_lua_block(server.conf:3):2: boom


=== names: an error in a file, by its path
--- tcp_server_config
process_by_lua_file lua/app.lua;
--- user_files
>>> lua/app.lua
#!/usr/bin/lua

error("boom")
--- request_parts
expect_eof
--- error_log
lua entry thread aborted: runtime error: $TEST_DIR/lua/app.lua:3: boom


=== names: code inherited keeps the name of where it stands
--- config
load_module $TEST_MODULE;
events {}
tcp {
    process_by_lua_block { error("boom") }
    server { listen 127.0.0.1:$TEST_PORT; protocol tcp_lua; }
}
--- request_parts
expect_eof
--- error_log
lua entry thread aborted: runtime error: process_by_lua_block(nginx.conf:4):1: boom


=== names: in ngx.log and print, base name and line
--- tcp_server_config
process_by_lua_file lua/app.lua;
--- tcp_server_config2
process_by_lua_block {
    print("from a block")
}
--- user_files
>>> lua/app.lua
local function named()
    print("from a function")
end
named()
print("from the file")
--- request_parts
A: expect_eof
B: connect $TEST_PORT2
B: expect_eof
--- error_log
[lua] app.lua:2: named(): from a function
[lua] app.lua:5: from the file
~ \[lua\] process_by_lua_block\(nginx\.conf:\d+\):2: from a block
