# receive_max_size: how much a pattern takes whose length the other side chooses.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== receive_max_size: a line, its end included
--- tcp_server_config
receive_max_size 8;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    show(ngx.receive("*l"))
    show(ngx.receive())
    show(ngx.receive("*l"))
    show(ngx.receive("*l"))
}
--- request eval
"1234567\n12345678\nabcdef\r\n"
--- response
1: 1234567
3: niltoo long12345678
1: 
1: abcdef
--- no_error_log
[error]


=== receive_max_size: a line that never ends
--- tcp_server_config
receive_max_size 100k;
process_by_lua_block {
    local line, err, part = ngx.receive("*l")
    ngx.say(line, " ", err, " ", #part)
}
--- request eval
"x" x 200_000
--- response
nil too long 102400
--- no_error_log
[error]


=== receive_max_size: all up to the client's end
--- tcp_server_config
receive_max_size 8;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    show(ngx.receive("*a"))
    show(ngx.receive("*a"))
}
--- request: 0123456789abcdef
--- shutdown
--- response
3: niltoo long01234567
1: 89abcdef
--- no_error_log
[error]


=== receive_max_size: sizes are the script's own affair
--- tcp_server_config
receive_max_size 4;
process_by_lua_block {
    ngx.say(ngx.receive(10))
    ngx.say(#ngx.receive(6, 6) >= 6)
    ngx.say(ngx.receive("*l") and "a line")
    ngx.say(ngx.req.socket():peek(6))
    ngx.say(ngx.receive(6))
}
--- request eval
"0123456789" . "012345\nabcdef"
--- response
0123456789
true
a line
abcdef
abcdef
--- no_error_log
[error]


=== receive_max_size: up to a delimiter, not in pieces of a size
--- tcp_server_config
receive_max_size 6;
process_by_lua_block {
    local reader = ngx.req.socket():receiveuntil("--")
    ngx.say(reader())
    ngx.say(reader())
    ngx.say(reader())
    ngx.say(reader())
    ngx.say(reader(8))
    ngx.say(reader(8))
    ngx.say(reader(8))
}
--- request: abcd--abcde--0123456789--012345678--
--- response
abcd
niltoo longabcde

niltoo long012345
6789
nilnilnil
01234567
--- no_error_log
[error]


=== receive_max_size: who skips what is too long finds the next delimiter
--- tcp_server_config
receive_max_size 8;
process_by_lua_block {
    local reader = ngx.req.socket():receiveuntil("\r\n.\r\n")
    while true do
        local data, err = reader()
        while err == "too long" do
            data, err = reader()
            if data then
                ngx.say("skipped")
                data, err = reader()
            end
        end
        if not data then break end
        ngx.say(data)
    end
}
--- request eval
CORE::join "", map { ("x" x $_) . "\r\n.\r\n$_\r\n.\r\n" } 4 .. 20
--- response eval
CORE::join "", map { "skipped\n$_\n" } 4 .. 20
--- shutdown
--- no_error_log
[error]


=== receive_max_size: connections of the script
--- peer
accept
send "1234\n12345\n"
expect_close
--- tcp_server_config
receive_max_size 5;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive("*l"))
    show(sock:receive("*l"))
    show(sock:setkeepalive())
    show(sock:receive("*l"))
    show(sock:receive("*a"))
    show(sock:receive("*a"))
    sock:close()
}
--- request
--- response
1: 1234
3: niltoo long12345
2: nilconnection in dubious state
2: nilclosed
2: nilclosed
2: nilclosed
--- no_error_log
[alert]


=== receive_max_size: a connection of the script goes on
--- peer
accept
send "12345\nabcdefgh"
half_close
expect_eof
--- tcp_server_config
receive_max_size 5;
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive("*l"))
    show(sock:receive("*l"))
    show(sock:receive("*a"))
    show(sock:receive("*a"))
    sock:close()
}
--- request
--- response
3: niltoo long12345
1: 
3: niltoo longabcde
1: fgh
--- no_error_log
[error]


=== receive_max_size: nothing is lost or doubled
--- peer eval
srand 5;
my @words = map { CORE::join('', map { (qw(- x))[rand 2] } 1 .. rand 24) } 1 .. 300;
['accept'], [send => CORE::join '', map { ("$_\n", "$_--\n") } @words],
['half_close'], ['expect_eof']
--- tcp_server_config
receive_max_size 8;
process_by_lua_block {
    local function copy(how, delimiter)
        local out = {}
        while true do
            local data, err, partial = how()
            if data then
                out[#out + 1] = data .. delimiter
            else
                out[#out + 1] = partial
                if err ~= "too long" then
                    return table.concat(out)
                end
            end
        end
    end
    ngx.print(copy(ngx.receive, "\n"))
    local sock = ngx.socket.tcp()
    assert(sock:connect("127.0.0.1", $TEST_PEER_PORT))
    ngx.print(copy(sock:receiveuntil("--\n"), "--\n"))
}
--- request eval
srand 5;
my @words = map { CORE::join('', map { (qw(- x))[rand 2] } 1 .. rand 24) } 1 .. 300;
CORE::join '', map { ("$_\n", "$_--\n") } @words
--- shutdown
--- response eval
srand 5;
my @words = map { CORE::join('', map { (qw(- x))[rand 2] } 1 .. rand 24) } 1 .. 300;
CORE::join '', (map { ("$_\n", "$_--\n") } @words) x 2
--- no_error_log
[error]


=== receive_max_size: 0 is no limit
--- tcp_config
receive_max_size 4;
--- tcp_server_config
receive_max_size 0;
process_by_lua_block { ngx.say(#ngx.receive("*l")) }
--- request eval
"x" x 300_000 . "\n"
--- response
300000
--- no_error_log
[error]


=== receive_max_size: inherited
--- tcp_config
receive_max_size 4;
--- tcp_server_config
process_by_lua_block { ngx.say(ngx.receive("*l")) }
--- request
12345
--- response
niltoo long1234
--- no_error_log
[error]


=== receive_max_size: a timer's connections have what tcp {} says
--- peer
accept
send "12345\n"
expect_eof
--- tcp_config
receive_max_size 4;
--- tcp_server_config
process_by_lua_block {
    local done = require "ngx.semaphore".new()
    ngx.timer.at(0, function()
        local sock = ngx.socket.tcp()
        sock:connect("127.0.0.1", $TEST_PEER_PORT)
        print("got ", sock:receive())
        sock:receive()
        sock:close()
        done:post()
    end)
    done:wait(5)
}
--- request
--- response:
--- error_log
got niltoo long1234
--- no_error_log
[error]


=== receive_max_size: no size
--- tcp_server_config
receive_max_size much;
process_by_lua_block { ngx.exit() }
--- must_die
--- error_log
[emerg]
"receive_max_size" directive invalid value in
nginx.conf:


=== receive_max_size: twice
--- tcp_server_config
receive_max_size 1k;
receive_max_size 2k;
process_by_lua_block { ngx.exit() }
--- must_die
--- error_log
[emerg]
"receive_max_size" directive is duplicate in
nginx.conf:
