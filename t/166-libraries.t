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


=== users' scripts: frames to an upstream through a pool, netutil as a global
--- tcp_config
init_by_lua_block { netutil = require "netutil" }
--- tcp_server_config
process_by_lua_block {
    local client_sock = ngx.socket.tcp()
    client_sock:settimeout(5000,10000,30000)

    local data = "hello world 1234567890"
    local data_len = string.len(data)
    local data_len_h = netutil.htonl(data_len + 4)
    local req_data = netutil.packint32(data_len_h) .. data
    local use_log

    local upstream_test = function(u)
        local ret,err = u:connect("127.0.0.1",$TEST_PORT2,"127.0.0.1_8000_1");
        local reuse = u:getreusedtimes()
        ngx.log(ngx.INFO,"connect : "..tostring(ret).." "..tostring(err).." "..tostring(reuse))
        if not ret then
             return
        end

        ret,err = u:send(req_data)
        ngx.log(ngx.INFO,"send : "..tostring(ret).." "..tostring(err))
        if not ret then
            return
        end

        local data,err = u:receive(4,nil)
        if use_log then ngx.log(ngx.INFO,"receive : "..tostring(data).." "..tostring(err)) end
        if not data then
            return
        end

        local total_len = netutil.unpackint32(string.sub(data,1,4))
        local data,err = u:receive(total_len - 4,nil)
        if not data then
             return
        end

        if total_len - 4 ~= #data then
             ngx.log(ngx.INFO,"receive len not match")
             return
        end
        u:setkeepalive()
        return data, reuse
    end

    while true do
        local data,r2,r3 = ngx.receive(10,6)

        ngx.say("receive ret "..tostring(data).." "..tostring(r2).." "..tostring(r3))
        if not data then
             ngx.say("exit")
             ngx.exit()
        end
        ngx.say(upstream_test(client_sock))
        ngx.wait_next_request()
    end
}
--- tcp_server_config2
listen 127.0.0.1:$TEST_PORT2;
process_by_lua_block {
    while true do
        local head = ngx.receive(4)
        if not head then
            return
        end
        local body = ngx.receive(netutil.unpackint32(head) - 4)
        ngx.print(netutil.packint32(#body + 4), body:upper())
        ngx.wait_next_request()
    end
}
--- request_parts
send "0123456789"
expect_like /\Areceive ret 0123456789 nil nil\nHELLO WORLD 1234567890\d+\n/
send "9876543210"
expect_like /\Areceive ret 9876543210 nil nil\nHELLO WORLD 1234567890[1-9]\d*\n/
half_close
expect_eof
--- error_log
connect : 1 nil
send : 26 nil
--- no_error_log
[error]
--- skip_mode: slow: there a read gives one byte, and six are enough


=== users' scripts: lines out of ngx.receive(n, 1), by a module() of their own
--- tcp_config
lua_package_path '$prefix/lua/?.lua;;';
init_by_lua_block { require "readline" }
--- tcp_server_config
process_by_lua_block {
    local reader = readline.new(ngx.receive)
    while true do
        local line, err = reader:read()
        if not line then
            ngx.say("end ", err)
            ngx.exit()
        end
        ngx.say(#line, " ", line)
    end
}
--- user_files
>>> lua/readline.lua
local find = string.find
local sub = string.sub

module("readline", package.seeall)

local mt = { __index = _M }

function new(receive)
    return setmetatable({ receive = receive, buffer = "" }, mt)
end

function read(self)
    while true do
        local at = find(self.buffer, "\r\n", 1, true)
        if at then
            local line = sub(self.buffer, 1, at - 1)
            self.buffer = sub(self.buffer, at + 2)
            return line
        end
        local data, err, partial = self.receive(1024, 1)
        if not data then
            return nil, err
        end
        self.buffer = self.buffer .. data
    end
end
--- request_parts
send "one\r\ntwo and a bit\r"
expect "3 one\n"
send "\n\r\n"
expect "13 two and a bit\n0 \n"
half_close
expect "end closed\n"
expect_eof
--- no_error_log
[error]


=== users' scripts: http and nlog as globals of init_by_lua
--- peers: http
--- tcp_config
lua_package_path '$prefix/lua/?.lua;;';
init_by_lua_file 'init_by_lua.lua';
--- tcp_server_config
process_by_lua_file 'test_http.lua';
--- user_files
>>> init_by_lua.lua
netutil = require "netutil"
nlog = require "nlog"
require "http"
require "backend"
>>> lua/backend.lua
local http = require("http")

module("backend", package.seeall)

opts = {
    ["host"] = "127.0.0.1",
    ["port"] = $TEST_HTTP_PORT,
    ["connect_timeout"] = 5000,
    ["send_timeout"] = 20000,
    ["read_timeout"] = 20000,
    ["pool_name"] = nil,
    ["pool_size"] = 50,
    ["keepalive_timeout"] = nil,
    ["max_head_size"] = 512,
    ["max_body_size"] = 2048,
}

function fetch(uri)
    local h = http:new()
    local ok, err = h:init(opts)
    if not ok then
        return nil, err
    end
    local ret_tb, err = h:http_request({
        ["method"] = "GET",
        ["uri"] = uri,
        ["args"] = { ["a"] = "1" },
        ["headers"] = { ["Host"] = "127.0.0.1" },
    })
    if ret_tb then
        h:done()
    end
    return ret_tb, err
end
>>> test_http.lua
while true do
    local data, err = ngx.receive(100, 1)
    if not data then
        ngx.exit()
    end
    local ret_tb, err = backend.fetch(string.gsub(data, "%s+$", ""))
    if not ret_tb then
        ngx.say("failed: ", err)
    else
        ngx.say(ret_tb["code"], " ", ret_tb["info"], " ", #ret_tb["headers"], " ",
                ret_tb["body"])
    end
    ngx.wait_next_request()
end
--- request_parts
send "/hello\n"
expect "200 200 OK 0 hello\n\n"
send "/method\n"
expect "200 200 OK 0 GET 127.0.0.1\n\n"
send "/big\n"
expect "failed: err body too big\n"
half_close
expect_eof
--- skip_mode: slow: there ngx.receive(100, 1) gets one byte of the name
--- no_error_log
[error]


=== users' scripts: mysql and db_ml as globals of init_by_lua
--- peers: mariadb
--- tcp_config
init_by_lua_block {
    mysql = require "mysql"
    require "db_ml"
    opts = {
        ["host"] = "127.0.0.1",
        ["port"] = $TEST_MARIADB_PORT,
        ["database"] = "test",
        ["user"] = "tcp",
        ["password"] = "secret",
        ["max_packet_size"] = 1024 * 1024,
        ["pool_size"] = 10,
        ["keepalive_timeout"] = nil,
    }
}
--- tcp_server_config
process_by_lua_block {
    local db = db_ml:new()
    while true do
        local data = ngx.receive(100, 1)
        if not data then
            ngx.exit()
        end
        local ok, err = db:init(opts)
        if not ok then
            ngx.say("failed to init: ", err)
            ngx.exit()
        end
        local res, err, errno, sqlstate = db:query("select " .. data .. " as n")
        if not res then
            ngx.say("bad result: ", errno, ".")
        else
            for i = 1, table.getn(res) do
                ngx.say(res[i]["n"], " ", type(res[i]["n"]))
            end
        end
        db:done()
        ngx.wait_next_request()
    end
}
--- request_parts
send "7"
expect "7 number\n"
send "x"
expect "bad result: 1054.\n"
send "8"
expect "8 number\n"
half_close
expect_eof
--- no_error_log
[error]
