# ngx.wait_next_request(): arguments, contexts, and how the wait ends.  What
# it does for requests one after the other is in 001-echo.t.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== wait_next_request: returns nothing, parked or not
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    ngx.print(select("#", ngx.wait_next_request()))
    ngx.receive(1)
    ngx.print(select("#", ngx.wait_next_request()))
    ngx.receive(1)
}
--- request_parts
send "ab"
expect "0"
send "c"
expect "0"
expect_eof
--- no_error_log
[error]


=== wait_next_request: bytes that are left begin the next request at once
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive(1))
    ngx.wait_next_request()
    ngx.say(ngx.receive("*l"))
}
--- request
abc
--- response
a
bc
--- no_error_log
[error]


=== wait_next_request: wrong arguments raise at the caller's line
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function() ngx.wait_next_request(1) end))
    ngx.say(err(function() ngx.wait_next_request(nil) end))
}
--- response
3: expecting 0 arguments
4: expecting 0 arguments
--- no_error_log
[error]


=== wait_next_request: not in a C function's callback
--- tcp_server_config
process_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    ngx.say(err(function()
        table.sort({ 2, 1 }, function() ngx.wait_next_request() end)
    end))
}
--- response
4: attempt to yield across C-call boundary
--- no_error_log
[error]


=== wait_next_request: in a user coroutine, through pcall
--- tcp_server_config
process_by_lua_block {
    local requests = coroutine.wrap(function()
        while true do
            coroutine.yield(ngx.receive("*l"))
            assert(pcall(ngx.wait_next_request))
        end
    end)
    for request in requests do ngx.say(request) end
}
--- request_parts
send "a\n"
expect "a\n"
send "b\n"
expect "b\n"
close
wait_log "client prematurely closed connection"
--- no_error_log
[error]


=== wait_next_request: the client ends while parked, nothing runs after it
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.receive(1))
    pcall(ngx.wait_next_request)
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
send "a"
expect "a\n"
sync
half_close
expect_eof
--- error_log
~ \[info\] .*client prematurely closed connection while lua_req_keepalive, client
--- no_error_log
[error]


=== wait_next_request: a user coroutine that waits goes with the client
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.create(function()
        ngx.say(ngx.receive(1))
        ngx.wait_next_request()
        ngx.log(ngx.ERR, "still running")
    end)
    coroutine.resume(co)
    ngx.log(ngx.ERR, "resume returned")
}
--- request_parts
send "a"
expect "a\n"
sync
close
wait_log "client prematurely closed connection"
--- no_error_log
[error]


=== wait_next_request: after an error of receive the script ends there
--- tcp_server_config
process_by_lua_block {
    ngx.print(select(2, ngx.receive(1)))
    ngx.wait_next_request()
    ngx.log(ngx.ERR, "still running")
}
--- request_parts
half_close
expect "closed"
expect_eof
--- no_error_log
[error]


=== wait_next_request: after a timeout of receive it waits
--- tcp_server_config
read_timeout 50ms;
process_by_lua_block {
    ngx.print(select(2, ngx.receive(1)))
    ngx.wait_next_request()
    ngx.print(" ", ngx.receive(1))
}
--- request_parts
expect "timeout"
send "a"
expect " a"
expect_eof
--- error_log
lua tcp socket read timed out


=== wait_next_request: read_timeout does not count while parked
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.print(ngx.receive(1))
}
--- request_parts
send "a"
expect "a"
expect_nothing 1.8
send "b"
expect "b"
expect_eof
--- no_error_log
[error]


=== wait_next_request: not while the configuration loads
--- tcp_config
init_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_init = err(function() ngx.wait_next_request() end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_init) }
--- response
3: no session found
--- no_error_log
[error]


=== wait_next_request: not when a worker starts
--- tcp_config
init_worker_by_lua_block {
    local function err(f) return (select(2, pcall(f)):gsub("^.-%):", "")) end
    in_worker = err(function() ngx.wait_next_request() end)
}
--- tcp_server_config
process_by_lua_block { ngx.say(in_worker) }
--- response
3: API disabled in the context of init_worker_by_lua*
--- no_error_log
[error]
