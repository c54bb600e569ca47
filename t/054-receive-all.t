# ngx.receive("*a"): all up to the client's end.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== receive *a: everything up to the client's FIN
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.print(select("#", ...), ":", ...) end
    show(ngx.receive("*a"))
}
--- request eval
"one\r\ntwo\0\n"
--- shutdown
--- response eval
"1:one\r\ntwo\0\n"
--- no_error_log
[error]


=== receive *a: waits for the FIN
--- tcp_server_config
process_by_lua_block { ngx.print("<", ngx.receive("*a"), ">") }
--- request_parts
send "one "
expect_nothing 0.05
send "two"
expect_nothing 0.05
half_close
expect "<one two>"
expect_eof
--- no_error_log
[error]


=== receive *a: nothing came, that is an empty string
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.print(select("#", ...), ":<", ...) end
    show(ngx.receive("*a"))
    ngx.print(">")
}
--- request_parts
half_close
expect "1:<>"
expect_eof
--- no_error_log
[error]


=== receive *a: the rest behind other calls
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive("*l"), "|", ngx.receive(2), "|", ngx.receive("*a"))
}
--- request_parts
send "line\nxxrest"
half_close
expect "line|xx|rest"
expect_eof
--- no_error_log
[error]


=== receive *a: after it the client has closed
--- tcp_server_config
process_by_lua_block {
    ngx.print(ngx.receive("*a"), "|")
    ngx.print(ngx.receive("*a"))
}
--- request_parts
send "x"
half_close
expect "x|nilclosed"
expect_eof
--- error_log
~ \[error\] .*attempt to receive data on a closed/invalid socket


=== receive *a: megabytes
--- tcp_server_config
process_by_lua_block {
    local data = ngx.receive("*a")
    ngx.say(#data, " ", ngx.md5(data))
}
--- request_parts eval
use Digest::MD5;
my $size = $ENV{TEST_SLOW} ? 20000 : 5_000_000;
my $data = pack 'N*', map { $_ * 2654435761 % 2**32 } 1 .. $size / 4;
[
    [send => $data],
    ['half_close'],
    [expect => "$size " . Digest::MD5::md5_hex($data) . "\n"],
    ['expect_eof'],
]
--- no_error_log
[error]


=== receive *a: the client resets instead
--- tcp_server_config
process_by_lua_block {
    local data, err, part = ngx.receive("*a")
    ngx.log(ngx.WARN, "all: ", data, " ", err, " ", part)
}
--- request_parts
send "abc"
sync
reset
wait_log "all: nil connection reset by peer abc"


=== receive *a: timeout gives what came
--- tcp_server_config
read_timeout 1500ms;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ":", ...) end
    show(ngx.receive("*a"))
    show(ngx.receive("*a"))
}
--- request_parts
send "abc"
expect "3:niltimeoutabc\n"
send "def"
half_close
expect "1:def\n"
expect_eof
--- error_log
~ \[error\] .*lua tcp socket read timed out
--- skip_mode: slow valgrind: too short a timeout for them


=== receive *a: in a user coroutine, through pcall
--- tcp_server_config
process_by_lua_block {
    ngx.say(coroutine.wrap(function()
        return pcall(ngx.receive, "*a")
    end)())
}
--- request_parts
send "abc"
sync
half_close
expect "trueabc\n"
expect_eof
--- no_error_log
[error]
