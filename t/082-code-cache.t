# lua_code_cache: when an edited script takes effect.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== lua_code_cache: on by default, an edited script needs a reload
--- tcp_config
lua_package_path "${prefix}lua/?.lua;;";
--- tcp_server_config
process_by_lua_file app.lua;
--- user_files
>>> app.lua
ngx.say("script 1, module ", require "version")
>>> lua/version.lua
return 1
--- repeat: 1
--- request_parts
A: expect "script 1, module 1\n"
A: expect_eof
edit_file app.lua "script 1" => "script 2"
write_file lua/version.lua "return 2"
B: expect "script 1, module 1\n"
B: expect_eof
reload
C: expect "script 2, module 2\n"
C: expect_eof
wait_workers
--- no_error_log
[error]
[warn]


=== lua_code_cache: on, written out
--- tcp_server_config
lua_code_cache on;
process_by_lua_file app.lua;
--- user_files
>>> app.lua
ngx.say("script 1")
--- repeat: 1
--- request_parts
A: expect "script 1\n"
A: expect_eof
edit_file app.lua "script 1" => "script 2"
B: expect "script 1\n"
B: expect_eof
--- no_error_log
[error]


=== lua_code_cache: off, an edited script takes effect on the next connection
--- tcp_server_config
lua_code_cache off;
process_by_lua_file app.lua;
--- user_files
>>> app.lua
ngx.say("script 1")
ngx.wait_next_request()
ngx.say("still 1")
--- repeat: 1
--- request_parts
A: expect "script 1\n"
write_file app.lua "ngx.say('script 2')"
B: expect "script 2\n"
B: expect_eof
A: send "x"
A: expect "still 1\n"
A: expect_eof
--- no_error_log
[error]


=== lua_code_cache: off, an edited module takes effect on the next connection
--- tcp_config
lua_package_path "${prefix}lua/?.lua;;";
lua_code_cache off;
--- tcp_server_config
process_by_lua_block {
    ngx.say(require("a.version"))
    ngx.wait_next_request()
    ngx.say(require("a.version"))
}
--- user_files
>>> lua/a/version.lua
return 1
--- repeat: 1
--- request_parts
A: expect "1\n"
write_file lua/a/version.lua "return 2"
B: expect "2\n"
B: half_close
B: expect_eof
--- no_error_log
[error]


=== lua_code_cache: off, the globals of init_by_lua stay
--- tcp_config
lua_package_path "${prefix}lua/?.lua;;";
init_by_lua_block {
    kept = { n = 0, by_init = require "version" }
    version = require "version"
}
--- tcp_server_config
lua_code_cache off;
process_by_lua_block {
    kept.n = kept.n + 1
    ngx.say(kept.n, " ", kept.by_init, " ", version, " ", require "version")
}
--- user_files
>>> lua/version.lua
return 1
--- repeat: 1
--- request_parts
A: expect "1 1 1 1\n"
A: expect_eof
write_file lua/version.lua "return 2"
B: expect "2 1 1 2\n"
B: expect_eof
--- no_reload: the numbers are those of a fresh server
--- no_error_log
[error]


=== lua_code_cache: off, the libraries stay as they are
--- tcp_config
init_by_lua_block {
    before = {}
    for _, name in ipairs { "string", "table", "math", "io", "os", "debug",
                            "package", "coroutine", "bit", "jit", "ngx",
                            "_G" } do
        before[name] = package.loaded[name]
    end
    package.loaded["jit.mine"] = "jit.mine"
    package.loaded["luarocks.mine"] = "luarocks.mine"
    package.loaded["mine"] = "mine"
}
--- tcp_server_config
lua_code_cache off;
process_by_lua_block {
    local n = 0
    for name, library in pairs(before) do
        n = n + 1
        if package.loaded[name] ~= library then
            ngx.say(name, " is another")
        end
    end
    local loaded = package.loaded
    ngx.say(n, " ", loaded["jit.mine"], " ", loaded["luarocks.mine"], " ",
            tostring(loaded["mine"]))
    ngx.say(require("string").upper("x"), require("ffi").abi("le"))
}
--- response
12 jit.mine luarocks.mine nil
Xtrue
--- no_error_log
[error]


=== lua_code_cache: off, the FFI keeps its types
--- tcp_config
init_by_lua_block {
    ffi = require "ffi"
    ffi.cdef "int getpid(void); typedef struct { int a; } one_t;"
    one_t = ffi.typeof("one_t")
}
--- tcp_server_config
lua_code_cache off;
process_by_lua_block {
    ngx.say(require("ffi") == ffi, " ", one_t({ 7 }).a, " ",
            ffi.new("one_t", 8).a, " ", ffi.C.getpid() == ngx.worker.pid())
}
--- response
true 7 8 true
--- no_error_log
[error]


=== lua_code_cache: off, C modules are loaded again
--- tcp_server_config
lua_code_cache off;
process_by_lua_block {
    ngx.say(require("cjson").encode { require("lpeg").match("ab", "abc") })
}
--- clients: 5
--- response
[3]
--- no_error_log
[error]


=== lua_code_cache: off, a broken script is a connection's error
--- tcp_server_config
lua_code_cache off;
process_by_lua_file app.lua;
--- user_files
>>> app.lua
ngx.say("script 1")
--- repeat: 1
--- request_parts
A: expect "script 1\n"
A: expect_eof
write_file app.lua "ngx.say('x'\nnonsense"
B: expect_eof
write_file app.lua "ngx.say('script 2')"
C: expect "script 2\n"
C: expect_eof
--- grep_error_log
~ failed to load Lua code: .*?near 'nonsense'
--- grep_error_log_out
failed to load Lua code: $TEST_DIR/app.lua:2: ')' expected (to close '(' at line 1) near 'nonsense'


=== lua_code_cache: off, a script that vanishes
--- tcp_server_config
lua_code_cache off;
process_by_lua_file "${TEST_DIR}/lua/app.lua";
--- tcp_server_config2
process_by_lua_block { os.remove("$TEST_DIR/lua/app.lua") ngx.say("gone") }
--- user_files
>>> lua/app.lua
ngx.say("script 1")
--- repeat: 1
--- request_parts
A: expect "script 1\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "gone\n"
B: expect_eof
C: expect_eof
write_file lua/app.lua "ngx.say('again')"
D: expect "again\n"
D: expect_eof
--- error_log
failed to load Lua code: cannot open $TEST_DIR/lua/app.lua: no such file or directory


=== lua_code_cache: off in one server, on in another
--- tcp_server_config
lua_code_cache off;
process_by_lua_file app.lua;
--- tcp_server_config2
process_by_lua_file app.lua;
--- user_files
>>> app.lua
ngx.say("script 1")
--- repeat: 1
--- request_parts
A: expect "script 1\n"
A: expect_eof
write_file app.lua "ngx.say('script 2')"
B: expect "script 2\n"
B: expect_eof
C: connect $TEST_PORT2
C: expect "script 1\n"
C: expect_eof
--- no_error_log
[error]


=== lua_code_cache: a server's on overrides tcp's off
--- tcp_config
lua_code_cache off;
--- tcp_server_config
lua_code_cache on;
process_by_lua_file app.lua;
--- user_files
>>> app.lua
ngx.say("script 1")
--- repeat: 1
--- request_parts
A: expect "script 1\n"
A: expect_eof
write_file app.lua "ngx.say('script 2')"
B: expect "script 1\n"
B: expect_eof
--- no_error_log
[error]


=== lua_code_cache: off, many connections leave no memory behind
--- tcp_server_config
lua_code_cache off;
process_by_lua_file app.lua;
--- user_files
>>> app.lua
local garbage = {}
for i = 1, 100 do garbage[i] = {} end
collectgarbage()
ngx.print(collectgarbage("count") < 3000)
--- clients: 20
--- response chomp
true
--- no_error_log
[error]


=== lua_code_cache: off is warned of
--- tcp_config
lua_code_cache off;
--- tcp_server_config
process_by_lua_block { }
--- conf_ok
lua_code_cache is off; this will hurt performance


=== lua_code_cache: neither on nor off
--- tcp_server_config
lua_code_cache maybe;
process_by_lua_block { }
--- conf_error
invalid value "maybe" in "lua_code_cache" directive, it must be "on" or "off"


=== lua_code_cache: twice
--- tcp_server_config
lua_code_cache on;
lua_code_cache on;
process_by_lua_block { }
--- conf_error
"lua_code_cache" directive is duplicate
