# The client ends its side or breaks the connection, whatever the script does.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== FIN: the reply still arrives
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(5))
    ngx.sleep(0.05)
    ngx.print(" ", select(2, ngx.receive(1)))
    ngx.sleep(0.05)
    ngx.print(" end")
}
--- request_parts
send "hello"
half_close
expect "hello closed end"
expect_eof
--- no_error_log
[error]


=== FIN: a large reply arrives too
--- tcp_server_config
process_by_lua_block {
    local n = tonumber(ngx.receive("*l"))
    ngx.print(ngx.print(("x"):rep(n)))
}
--- request_parts eval
my $n = $ENV{TEST_SLOW} ? 20_000 : 4_000_000;
[
    [send => "$n\n"], ['half_close'],
    [expect => 'x' x $n], [expect => $n . 'nil'], ['expect_eof'],
]
--- no_error_log
[error]


=== FIN: pipelined requests in front of it are all served
--- tcp_server_config
process_by_lua_block {
    while true do
        local line, err = ngx.receive("*l")
        ngx.print(line or err, ";")
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\nb\nc\n"
half_close
expect "a;b;c;"
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
[error]


=== FIN: a last line without its end
--- tcp_server_config
process_by_lua_block {
    while true do
        local line, err, partial = ngx.receive("*l")
        ngx.print(line or err, ",", partial, ";")
        ngx.wait_next_request()
    end
}
--- request_parts
send "a\nb"
half_close
expect "a,nil;closed,b;"
expect_eof
--- no_error_log
[error]


=== FIN: closed twice
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), " ", ...) end
    show(ngx.receive(3))
    show(ngx.receive(3))
    show(ngx.receive("*l"))
    ngx.say("still talking")
}
--- request_parts
send "ab"
half_close
expect "3 nilclosedab\n2 nilclosed\n2 nilclosed\nstill talking\n"
expect_eof


=== FIN: a receive after closed is an error in the log, each time
--- tcp_server_config
process_by_lua_block {
    ngx.receive(3)
    ngx.say(ngx.receive(3))
    ngx.say(ngx.receive("*l"))
}
--- request_parts
send "ab"
half_close
expect "nilclosed\nnilclosed\n"
expect_eof
--- grep_error_log eval: qr/attempt to receive data on a closed\/invalid socket/
--- grep_error_log_out
attempt to receive data on a closed/invalid socket
attempt to receive data on a closed/invalid socket


=== FIN: while the script sleeps, seen by the next receive
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    ngx.print("in")
    ngx.sleep(0.1)
    ngx.print(" ", select(2, ngx.receive(1)))
}
--- request_parts
send "a"
expect "in"
half_close
expect " closed"
expect_eof
--- no_error_log
[error]


=== FIN: bytes in front of it are read after a sleep
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    ngx.print("in")
    ngx.sleep(0.1)
    ngx.print(" ", ngx.receive(3))
    ngx.print(" ", select(2, ngx.receive(1)))
}
--- request_parts
send "a"
expect "in"
send "bcd"
half_close
expect " bcd closed"
expect_eof
--- no_error_log
[error]


=== FIN: wait_next_request with bytes in front of it goes on
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.log(ngx.ERR, "not reached")
}
--- request_parts
send "ab"
half_close
expect "ab"
expect_eof
--- error_log
client prematurely closed connection
--- no_error_log
[error]


=== RST: in receive
--- tcp_server_config
process_by_lua_block {
    local data, err, partial = ngx.receive(10)
    ngx.log(ngx.WARN, "got ", data, ",", err, ",", partial)
    local data, err, partial = ngx.receive(10)
    ngx.log(ngx.WARN, "then ", data, ",", err, ",", partial)
}
--- request_parts
send "abc"
sync
reset
wait_log "then "
--- error_log
~ \[info\] .*recv\(\) failed \(104: Connection reset by peer\) while running Lua
got nil,connection reset by peer,abc
then nil,closed,nil
attempt to receive data on a closed/invalid socket


=== RST: in receive, then print
--- tcp_server_config
process_by_lua_block {
    ngx.receive(10)
    local ok, err = ngx.print("x")
    ngx.log(ngx.WARN, "print: ", ok, ",", err)
}
--- request_parts
send "abc"
sync
reset
wait_log "print: nil,closed"
--- error_log
attempt to send data on a closed/invalid socket


=== RST: while the script sleeps, seen by the next receive
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.2)
    local data, err = ngx.receive(1)
    ngx.log(ngx.WARN, "got ", data, ",", err)
}
--- request_parts
send "a"
expect "a"
reset
wait_log "got nil,connection reset by peer"
--- error_log
recv() failed (104: Connection reset by peer)
--- no_error_log
[error]


=== RST: while the script sleeps, seen by print
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.2)
    local ok, err
    repeat
        ok, err = ngx.print("x")
        ngx.sleep(0.01)
    until not ok
    ngx.log(ngx.WARN, "print: ", err)
}
--- request_parts
send "a"
expect "a"
reset
wait_log /print: (broken pipe|connection reset by peer|closed)/
--- error_log
~ \[info\] .*send\(\) failed \((104: Connection reset by peer|32: Broken pipe)\)


=== RST: while print waits
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.print(ngx.receive(1))
        local ok, err = ngx.print(("x"):rep(4000000))
        ngx.log(ngx.WARN, "print: ", ok, ",", err)
        local ok, err = ngx.print("x")
        ngx.log(ngx.WARN, "again: ", ok, ",", err)
        ngx.log(ngx.WARN, "receive: ", select(2, ngx.receive(1)))
    }
}
--- request_parts
connect rcvbuf=32768
send "a"
expect "a"
stop_reading
sync
reset
wait_log "receive: "
--- error_log
~ \[warn\] .*print: nil,(connection reset by peer|broken pipe)
~ \[info\] .*send\(\) failed \(\d+: \w
again: nil,closed
~ receive: (closed|connection reset by peer)
attempt to send data on a closed/invalid socket


=== RST: while parked
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.wait_next_request()
    ngx.log(ngx.ERR, "not reached")
}
--- request_parts
send "a"
expect "a"
sync
reset
wait_log "client prematurely closed connection"
--- error_log
~ \[info\] .* client prematurely closed connection \(104: Connection reset by peer\) while lua_req_keepalive, client
--- no_error_log
[error]


=== RST: after a request's bytes; the script reads them or the error
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive(1))
    ngx.sleep(0.1)
    ngx.log(ngx.WARN, "got ", (ngx.receive(1)) or "error")
}
--- request_parts
send "a"
expect "a"
send "b"
reset
wait_log /got (b|error)/
--- no_error_log
[error]


=== RST: output queued at the end of the script
--- tcp_config
server {
    listen 127.0.0.1:$TEST_PORT sndbuf=16k;
    process_by_lua_block {
        ngx.receive(1)
        for i = 1, 200 do
            ngx.print(("x"):rep(1000))
        end
    }
}
--- request_parts
connect rcvbuf=4096
stop_reading
send "a"
sync
reset
wait_log "send() failed"
--- no_error_log
[alert]


=== FIN and then RST, when the script prints into it
--- tcp_server_config
process_by_lua_block {
    ngx.receive(1)
    ngx.print("in")
    ngx.sleep(0.1)
    local ok, err
    for i = 1, 1000 do
        ok, err = ngx.print("more")
        ngx.sleep(0.01)
        if not ok then break end
    end
    ngx.log(ngx.WARN, "print: ", ok, ",", err)
}
--- request_parts
send "a"
expect "in"
close
wait_log "print: nil,"
--- error_log
~ print: nil,(broken pipe|connection reset by peer|closed)


=== a client that goes in a user coroutine's receive
--- tcp_server_config
process_by_lua_block {
    local co = coroutine.wrap(function()
        local data, err, partial = ngx.receive(5)
        coroutine.yield(err, partial)
        return "done"
    end)
    local err, partial = co()
    ngx.print(err, " ", partial, " ", co())
}
--- request_parts
send "ab"
sync
half_close
expect "closed ab done"
expect_eof
--- no_error_log
[error]
