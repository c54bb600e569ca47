# The libraries inside of the module: where require() finds them, and whose
# globals they set.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== libraries: all of them load, in init_by_lua too, and set their globals
--- tcp_config
init_by_lua_block {
    require "netutil"
    for _, name in ipairs { "nlog", "http", "http_lb", "load_balance", "mysql",
                            "db_ml" } do
        assert(require(name) == _G[name], name)
    end
}
--- tcp_server_config
process_by_lua_block {
    local names = {}
    for _, name in ipairs { "netutil", "nlog", "http", "http_lb",
                            "load_balance", "mysql", "db_ml" } do
        names[#names + 1] = name .. " " .. type(_G[name]) .. " "
            .. tostring(rawequal(_G[name], package.loaded[name]))
    end
    ngx.say(table.concat(names, "\n"))
}
--- response
netutil nil false
nlog table true
http table true
http_lb table true
load_balance table true
mysql table true
db_ml table true
--- no_error_log
[error]


=== libraries: required in a script the global is this connection's
--- tcp_server_config
process_by_lua_block {
    local before = rawget(_G, "http")
    local mine = ngx.receive("*l") == "mine"
    local http = mine and require "http" or nil
    ngx.say(tostring(before), " ", tostring(mine), " ",
            tostring(_G.http == http), " ", type(rawget(_G, "http")))
}
--- request_parts
A: send "mine\n"
A: expect_like /^nil true (true table|false nil)\n/
A: expect_eof
B: send "other\n"
B: expect "nil false true nil\n"
B: expect_eof
--- no_error_log
[error]


=== libraries: a copy of one's own in lua_package_path wins
--- tcp_config
lua_package_path "$prefix/lua/?.lua;;";
--- tcp_server_config
process_by_lua_block { ngx.say(require("netutil"), " ", type(require "nlog")) }
--- user_files
>>> lua/netutil.lua
return "my own"
--- response
my own table
--- no_error_log
[error]


=== libraries: package.preload wins, too
--- tcp_config
init_by_lua_block {
    package.preload.netutil = function() return { mine = true } end
}
--- tcp_server_config
process_by_lua_block { ngx.say(tostring(require("netutil").mine)) }
--- response
true
--- no_error_log
[error]


=== libraries: found without any path
--- tcp_config
lua_package_path "/nowhere/?.lua";
lua_package_cpath "/nowhere/?.so";
--- tcp_server_config
process_by_lua_block {
    ngx.say(type(require("netutil").htonl))
    ngx.say(pcall(require, "netutil "))
}
--- response_like
^function\nfalsemodule 'netutil ' not found:
--- no_error_log
[error]


=== libraries: they do not hold the globals of who required them first
--- tcp_server_config
process_by_lua_block {
    secret = "of a connection"
    local function globals_of(f) return rawget(getfenv(f), "secret") end
    local netutil, nlog = require "netutil", require "nlog"
    ngx.say(tostring(globals_of(netutil.htonl)), " ",
            tostring(globals_of(nlog.init)), " ",
            tostring(globals_of(globals_of)))
}
--- response
nil nil of a connection
--- no_error_log
[error]


=== libraries: read again with lua_code_cache off
--- tcp_config
lua_code_cache off;
--- tcp_server_config
process_by_lua_block {
    local http = require "http"
    ngx.say(tostring(http.seen), " ", type(require "mysql"), " ",
            type(require "db_ml"))
    http.seen = true
}
--- response
nil table table
--- no_error_log
[error]


=== libraries: an error in one has its name and line
--- tcp_server_config
process_by_lua_block {
    local ok, err = pcall(function() require("netutil").htonl({}) end)
    ngx.say(err)
    ngx.say(debug.getinfo(require("netutil").htonl).short_src)
}
--- response_like
^process_by_lua_block\(nginx\.conf:\d+\):2: bad argument #1 to 'htonl' \(number expected, got table\)
netutil\.lua
--- no_error_log
[error]
