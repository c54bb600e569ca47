# lua_package_path, lua_package_cpath: where require() looks.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== lua_package_path: a module is found below the prefix
--- tcp_config
lua_package_path "$prefix/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block { ngx.say(require("mine").name) }
--- user_files
>>> lua/mine.lua
return { name = "mine" }
--- response
mine
--- no_error_log
[error]


=== lua_package_path: ${prefix} and $prefix end in a slash
--- tcp_config
lua_package_path "${prefix}lua/?.lua;$prefix?.luax";
lua_package_cpath '$prefix;${prefix}';
init_by_lua_block { path, cpath = package.path, package.cpath }
--- tcp_server_config
process_by_lua_block { ngx.print(path, "|", cpath) }
--- response chomp
$TEST_DIR/lua/?.lua;$TEST_DIR/?.luax|$TEST_DIR/;$TEST_DIR/
--- no_error_log
[error]


=== lua_package_path: without ;; it replaces the default
--- tcp_config
lua_package_path "/nowhere/?.lua";
lua_package_cpath "/nowhere/?.so";
--- tcp_server_config
process_by_lua_block {
    ngx.say(package.path, " ", package.cpath)
    ngx.say(select(2, pcall(require, "no.such")))
}
--- response
/nowhere/?.lua /nowhere/?.so
module 'no.such' not found:
	no field package.preload['no.such']
	no file '/nowhere/no/such.lua'
	no file '/nowhere/no/such.so'
	no file '/nowhere/no.so'
--- no_error_log
[error]


=== lua_package_path: ;; stands for the default at the end
--- tcp_config
lua_package_path "/nowhere/?.lua;;";
lua_package_cpath "/nowhere/?.so;;";
--- tcp_server_config
process_by_lua_block {
    for _, path in ipairs { package.path, package.cpath } do
        ngx.say(path:match("^/nowhere/%?%.%a+;(.)"), " ",
                #path > 30, " ", path:find(";;", 1, true))
    end
}
--- response_like
^\S true nil\n\S true nil\n$
--- no_error_log
[error]


=== lua_package_path: ;; stands for the default in front and in the middle
--- tcp_config
lua_package_path ";;/last/?.lua";
lua_package_cpath "/first/?.so;;/last/?.so";
--- tcp_server_config
process_by_lua_block {
    ngx.say(package.path:match("%.lua;/last/%?%.lua$"), " ",
            package.path:sub(1, 1) ~= ";")
    ngx.say(package.cpath:match("^/first/%?%.so;"), " ",
            package.cpath:match("%.so;/last/%?%.so$"), " ",
            package.cpath:find(";;", 1, true))
}
--- response
.lua;/last/?.lua true
/first/?.so; .so;/last/?.so nil
--- no_error_log
[error]


=== lua_package_path: only ;; is the default
--- tcp_config
lua_package_path ";;";
--- tcp_server_config
process_by_lua_block {
    ngx.say(package.path:find("?.lua", 1, true) ~= nil, " ",
            package.path:find(";;", 1, true), " ",
            package.path:sub(1, 1) ~= ";", " ", package.path:sub(-1) ~= ";")
}
--- response
true nil true true
--- no_error_log
[error]


=== lua_package_path: the default finds what is installed
--- tcp_server_config
process_by_lua_block { ngx.say(require("cjson").encode({1, 2})) }
--- response
[1,2]
--- no_error_log
[error]


=== lua_package_path: modules in folders, and init.lua
--- tcp_config
lua_package_path "$prefix/lua/?.lua;$prefix/lua/?/init.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.say(require("a.b.c"), " ", require("with"))
}
--- user_files
>>> lua/a/b/c.lua
return ... .. " in a folder"
>>> lua/with/init.lua
return "init.lua of " .. ...
--- response
a.b.c in a folder init.lua of with
--- no_error_log
[error]


=== lua_package_path: a script may change it for the worker
--- tcp_config
init_by_lua_block { package.path = "$TEST_DIR/else/?.lua;" .. package.path }
--- tcp_server_config
process_by_lua_block { ngx.say(require "elsewhere") }
--- user_files
>>> else/elsewhere.lua
return "found elsewhere"
--- response
found elsewhere
--- no_error_log
[error]


=== lua_package_path: a module with a syntax error names file and line
--- tcp_config
lua_package_path "${prefix}lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    ngx.say(select(2, pcall(require, "broken")))
    ngx.say(select(2, pcall(require, "broken")))
}
--- user_files
>>> lua/broken.lua
local a = 1
local b = = 2
--- response
error loading module 'broken' from file '$TEST_DIR/lua/broken.lua':
	$TEST_DIR/lua/broken.lua:2: unexpected symbol near '='
error loading module 'broken' from file '$TEST_DIR/lua/broken.lua':
	$TEST_DIR/lua/broken.lua:2: unexpected symbol near '='
--- no_error_log
[error]


=== lua_package_path: a module that raises names file and line
--- tcp_config
lua_package_path "${prefix}lua/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local errors = {}
    for i = 1, 2 do
        errors[i] = select(2, pcall(require, "raising"))
    end
    ngx.say(errors[1], "|", errors[2])
    package.loaded.raising = nil
}
--- user_files
>>> lua/raising.lua
local a = 1
error("not today")
--- response
$TEST_DIR/lua/raising.lua:2: not today|loop or previous error loading module 'raising'
--- no_error_log
[error]


=== lua_package_path: twice
--- tcp_config
lua_package_path "a";
lua_package_path "b";
--- tcp_server_config
process_by_lua_block { }
--- conf_error
"lua_package_path" directive is duplicate


=== lua_package_cpath: twice
--- tcp_config
lua_package_cpath "a";
lua_package_cpath "b";
--- tcp_server_config
process_by_lua_block { }
--- conf_error
"lua_package_cpath" directive is duplicate


=== lua_package_path: not in a server
--- tcp_server_config
lua_package_path "a";
process_by_lua_block { }
--- conf_error
"lua_package_path" directive is not allowed here


=== cjson: Debian's, encodes and decodes over the wire
--- tcp_config
init_by_lua_block { cjson = require "cjson" }
--- tcp_server_config
process_by_lua_block {
    local v = cjson.decode(ngx.receive("*l"))
    v.list[#v.list + 1] = ngx.null
    ngx.say(cjson.encode(v.list), " ", v.name, " ", v.none == ngx.null,
            " ", v.none == cjson.null)
    ngx.say(tostring(require("cjson.safe").decode("{")))
    ngx.say(select(2, pcall(cjson.decode, "{")))
}
--- request
{"list": [1, "two", {"x": true}], "name": "ab\u00e9", "none": null}
--- response
[1,"two",{"x":true},null] abé true true
nil
Expected object key string but found T_END at character 2
--- no_error_log
[error]


=== lpeg: Debian's, with captures and functions
--- tcp_server_config
process_by_lua_block {
    local lpeg = require "lpeg"
    local digit = lpeg.R("09")
    local number = lpeg.C(digit ^ 1) / tonumber
    local sum = lpeg.Cf(number * (lpeg.P("+") * number) ^ 0,
                        function(a, b) return a + b end)
    while true do
        ngx.say(sum:match(ngx.receive("*l")))
        ngx.wait_next_request()
    end
}
--- request
1+2+39
100
--- response
42
100
--- no_error_log
[error]


=== lpeg: ngx.sleep in its callback is a C-call boundary, and survives
--- tcp_server_config
process_by_lua_block {
    local lpeg = require "lpeg"
    local p = lpeg.P("a") / function() ngx.sleep(0.001) end
    ngx.say((select(2, pcall(p.match, p, "a")):gsub("^.-:%d+: ", "")))
    ngx.sleep(0.001)
    ngx.say("on")
}
--- response
attempt to yield across C-call boundary
on
--- no_error_log
[error]


=== ffi: C functions and types in a script
--- tcp_config
init_by_lua_block {
    ffi = require "ffi"
    ffi.cdef[[ int getpid(void); typedef struct { int a; char b[4]; } ab_t; ]]
}
--- tcp_server_config
process_by_lua_block {
    local ab = ffi.new("ab_t", { 7, "xyz" })
    ngx.say(ab.a, ffi.string(ab.b), " ", ffi.C.getpid() == ngx.worker.pid())
}
--- response
7xyz true
--- no_error_log
[error]
