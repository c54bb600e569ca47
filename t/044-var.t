# ngx.var: variables of the connection, read by scripts.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== var: each variable
--- tcp_server_config
process_by_lua_block {
    local line = ngx.receive()
    ngx.print("")
    local v = ngx.var
    for _, name in ipairs {
        "remote_addr", "remote_port", "server_addr", "server_port",
        "time_local", "time_iso8601", "msec", "request_time", "session_time",
        "connection", "connection_requests", "bytes_sent", "bytes_received",
        "protocol", "pid", "hostname", "nginx_version",
    } do
        assert(type(v[name]) == "string", name)
    end
    ngx.say(v.remote_addr, " ", v.server_addr, ":", v.server_port)
    ngx.say(v.connection_requests, " ", v.bytes_received, " ", v.protocol)
    ngx.say(tonumber(v.pid) == ngx.worker.pid())
    ngx.say(v.binary_remote_addr == "\127\0\0\1", " ", v.bytes_sent)
    ngx.say(v.remote_port == tostring(select(2,
        ngx.req.socket():getpeername())))
}
--- request
hello
--- response
127.0.0.1 127.0.0.1:$TEST_PORT
1 6 tcp_lua
true
true 43
true
--- no_error_log
[error]


=== var: an unknown name, one without a value, any case
--- tcp_server_config
listen unix:$TEST_DIR/s;
process_by_lua_block {
    ngx.say(ngx.var.nothing, " ", ngx.var[""], " ", ngx.var[1], " ",
        ngx.var.remote_port, " ", ngx.var.remote_addr, " ", ngx.var.PROTOCOL)
}
--- connect: unix:$TEST_DIR/s
--- response
nil nil nil nil unix: tcp_lua
--- no_error_log
[error]


=== var: a name that is none
--- tcp_server_config
process_by_lua_block {
    local ok, err = pcall(function()
        return ngx.var[{}]
    end)
    ngx.say((err:gsub("^.-%):", "")))
    ngx.say(select(2, pcall(function() return ngx.var[true] end)):match(
        "bad variable name$"))
}
--- response
3: bad variable name
bad variable name
--- no_error_log
[error]


=== var: is not to be assigned
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.var.remote_addr = "x" end))
    ngx.say(err(function() ngx.var.none = "x" end))
    ngx.say(err(function() ngx.var[1] = "x" end))
    ngx.say(ngx.var.remote_addr)
}
--- response
3: variable "remote_addr" not changeable
4: variable "none" not found for writing
5: variable "1" not found for writing
127.0.0.1
--- no_error_log
[error]


=== var: after requests, in coroutines and light threads
--- tcp_server_config
process_by_lua_block {
    while true do
        ngx.say(ngx.receive(), " ", ngx.var.connection_requests)
        ngx.say(coroutine.wrap(function() return ngx.var.protocol end)())
        ngx.say(select(2, ngx.thread.wait(ngx.thread.spawn(function()
            ngx.sleep(0.001)
            return ngx.var.bytes_received
        end))))
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\n"
expect "a 1\ntcp_lua\n2\n"
send "b\n"
expect "b 2\ntcp_lua\n4\n"
half_close
expect_eof
--- no_error_log
[error]


=== var: where there is no client
--- tcp_config
init_by_lua_block {
    local function err() return ngx.var.remote_addr end
    in_init = select(2, pcall(err)):gsub("^.-%):", "")
}
init_worker_by_lua_block {
    in_worker = select(2, pcall(function() return ngx.var.x end))
        :gsub("^.-%):", "")
    package.loaded.in_worker = in_worker
}
--- tcp_server_config
process_by_lua_block {
    ngx.say(in_init)
    ngx.say(package.loaded.in_worker)
    local channel = ngx.channel.new(1)
    ngx.timer.at(0, function()
        channel:send(select(2, pcall(function() return ngx.var.pid end)))
    end)
    ngx.say((channel:receive():gsub("^.-%):", "")))
}
--- response
2: no session found
2: API disabled in the context of init_worker_by_lua*
6: API disabled in the context of ngx.timer
--- no_error_log
[error]
