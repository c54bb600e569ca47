# sock:receive(), receiveany(), peek() and receiveuntil(): all patterns, however
# the bytes come, and everything that can end them early.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== receive: sizes, lines, all
--- peer
accept
send "12345first\r\nsecond\n\n\r\nwith\rCR\r\nrest\nof it"
half_close
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive(5))
    show(sock:receive("*l"))
    show(sock:receive())
    show(sock:receive())
    show(sock:receive("*l"))
    show(sock:receive("*l"))
    show(sock:receive("*a"))
    show(sock:receive("*a"))
    sock:close()
}
--- request
--- response
1: 12345
1: first
1: second
1: 
1: 
1: withCR
1: rest
of it
1: 
--- no_error_log
[alert]


=== receive: bytes come one at a time
--- peer
accept
drip "12345first\r\nsecond\nbodyafter--END--last"
half_close
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:receive(5))
    ngx.say(sock:receive("*l"))
    ngx.say(sock:receive())
    ngx.say(sock:peek(4))
    ngx.say(sock:receive(4, 4))
    ngx.say(sock:receiveuntil("--END--")())
    ngx.say(sock:receive("*a"))
    sock:close()
}
--- request
--- response
12345
first
second
body
body
after
last
--- no_error_log
[error]


=== receive: what at_least is
--- peer
accept
send "abcdefgh"
expect "go"
send "ij"
expect "go"
send "klm"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(8)
    ngx.say(sock:receive(4, 1))
    ngx.say(sock:receive(100, 4))
    local t = ngx.thread.spawn(function() return sock:receive(100, 2) end)
    sock:send("go")
    ngx.say(ngx.thread.wait(t))
    sock:send("go")
    ngx.say(sock:receive("3", {}))
    sock:close()
}
--- request
--- response
abcd
efgh
trueij
klm
--- no_error_log
[error]


=== receive: mistakes in arguments consume nothing
--- peer
accept
send "abc"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local function try(f)
        local ok, err = pcall(f)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
    try(function() sock:receive(1, 1, 1) end)
    try(function() sock:receive(0, 0) end)
    try(function() sock:receive(-1) end)
    try(function() sock:receive("x") end)
    try(function() sock:receive("*x") end)
    try(function() sock:receive(true) end)
    try(function() sock:receive({}) end)
    try(function() sock:receive(5, 6) end)
    try(function() sock:receive(5, 0) end)
    try(function() sock:receiveany() end)
    try(function() sock:receiveany(0) end)
    try(function() sock:receiveany("x") end)
    try(function() sock:receiveany(1, 1) end)
    try(function() sock:peek() end)
    try(function() sock:peek(0) end)
    try(function() sock:peek("*l") end)
    try(function() sock:receiveuntil() end)
    try(function() sock:receiveuntil({}) end)
    try(function() sock:receiveuntil("x", 1) end)
    try(function() sock:receiveuntil("x", { inclusive = 1 }) end)
    local reader = sock:receiveuntil("x")
    try(function() reader(0) end)
    try(function() reader(-1) end)
    try(function() reader({}) end)
    ngx.say(sock:receiveuntil(""))
    ngx.say(sock:receive(3))
    sock:close()
}
--- request
--- response
false expecting 1 to 3 arguments (including the object), but got 4
false bad argument #1 to 'receive' (bad argument <= 0)
false bad argument #1 to 'receive' (bad argument <= 0)
false bad argument #1 to 'receive' (expecting number parameter!)
false bad argument #1 to 'receive' (expecting number parameter!)
false bad argument #1 to 'receive' (expecting number parameter!)
false bad argument #1 to 'receive' (expecting number parameter!)
false bad argument #2 to 'receive' (bad pattern argument beyond [1,$2])
false bad argument #2 to 'receive' (bad pattern argument beyond [1,$2])
false expecting 2 arguments (including the object)
false bad argument #1 to 'receiveany' (bad argument <= 0)
false bad argument #1 to 'receiveany' (number expected, got string)
false expecting 2 arguments (including the object)
false expecting 2 arguments (including the object)
false bad argument #1 to 'peek' (bad argument <= 0)
false bad argument #1 to 'peek' (number expected, got string)
false bad argument #1 to 'receiveuntil' (string expected, got nil)
false bad argument #1 to 'receiveuntil' (string expected, got table)
false bad argument #2 to 'receiveuntil' (table expected, got number)
false bad argument #2 to 'receiveuntil' (bad "inclusive" option value type: number)
false bad argument #1 to 'receiveuntil iterator' (bad argument <= 0)
false bad argument #1 to 'receiveuntil iterator' (bad argument <= 0)
false bad argument #1 to 'receiveuntil iterator' (number expected, got table)
nilpattern is empty
abc
--- no_error_log
[error]


=== receive: megabytes
--- peer eval
my $n = $ENV{TEST_SLOW} || $ENV{TEST_NGINX_USE_VALGRIND} ? 3000 : 5_000_000;
[['accept'], [send => "$n\n" . 'abcde' x ($n / 5)], [expect => 'thanks'],
 ['expect_eof']]
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local n = tonumber(sock:receive())
    ngx.say(sock:receive(n) == ("abcde"):rep(n / 5))
    sock:send("thanks")
    sock:close()
}
--- request
--- response
true
--- no_error_log
[error]


=== receive: the other side ends before enough has come
--- peer
A: accept
A: send "abc"
A: half_close
B: accept
B: send "abc"
B: half_close
C: accept
C: send "abc\r"
C: half_close
D: accept
D: half_close
E: accept
E: send "abc"
E: half_close
F: accept
F: send "abc"
F: half_close
G: accept
G: send_fin "whole\nabc"
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local function try(f)
        sock:connect("127.0.0.1", $TEST_PEER_PORT)
        show(f())
        show(sock:receive(1))
        sock:close()
    end
    try(function() return sock:receive(5) end)
    try(function() return sock:receive(10, 5) end)
    try(function() return sock:receive("*l") end)
    try(function() return sock:receive("*l") end)
    try(function() return sock:receiveuntil("--")() end)
    try(function() return sock:receiveuntil("--", { inclusive = true })(5) end)
    try(function()
        ngx.say(sock:receive())
        return sock:receive(4)
    end)
}
--- request
--- response
3: nilclosedabc
2: nilclosed
3: nilclosedabc
2: nilclosed
3: nilclosedabc
2: nilclosed
2: nilclosed
2: nilclosed
3: nilclosedabc
2: nilclosed
3: nilclosedabc
2: nilclosed
whole
3: nilclosedabc
2: nilclosed
--- no_error_log
[alert]


=== receive: what close says after closed, and what is left of the socket
--- peer
accept
half_close
expect "x"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive())
    show(sock:receive(1))
    show(sock:receiveany(1))
    show(sock:peek(1))
    show((select(2, sock:receiveuntil("x")())))
    show(sock:getreusedtimes())
    show(sock:send("x"))
    show(sock:close())
    show(sock:close())
    show(sock:send("x"))
}
--- request
--- response
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
1: closed
2: nilclosed
1: 1
2: nilclosed
2: nilclosed
2: nilclosed
--- no_error_log
[alert]


=== receive: the other side resets in mid-reply
--- peer
A: accept
A: expect "get\r\n"
A: drip "par"
A: pause 0.1
A: reset
B: accept
B: expect "get\r\n"
B: reset
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("get\r\n")
    show(sock:receive(10))
    show(sock:receive(1))
    show(sock:send("x"))
    show(sock:setkeepalive())
    show(sock:close())
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("get\r\n")
    show(sock:receive("*a"))
}
--- request
--- response
3: nilconnection reset by peerpar
2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
2: nilconnection reset by peer
--- no_error_log
[alert]


=== receive: never connected, and closed
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    show(sock:receive())
    show(sock:receive(1))
    show(sock:receiveany(1))
    show(sock:peek(1))
    local reader = sock:receiveuntil("x")
    show(reader())
    show(reader(5))
}
--- request
--- response_like
^2: nilclosed
2: nilclosed
2: nilclosed
2: nilclosed
[23]: nilclosed(nil)?
[23]: nilclosed(nil)?
$
--- no_error_log
[error]


=== timeout: what has come is given, and what comes later is for the next
--- peer
accept
send "abc"
expect "more"
send "def\nxyz"
expect "more"
send "-->rest"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(3)
    sock:settimeout(200)
    ngx.update_time()
    local began = ngx.now()
    show(sock:receive(10))
    ngx.update_time()
    show(ngx.now() - began >= 0.195)
    show(sock:receive(1))
    sock:settimeout(5000)
    sock:send("more")
    show(sock:receive())
    sock:peek(3)
    sock:settimeout(100)
    show(sock:receiveuntil("-->")())
    sock:settimeout(5000)
    sock:send("more")
    show(sock:receiveuntil("-->")())
    show(sock:receive(4))
    show(sock:close())
}
--- request
--- response
3: niltimeoutabc
1: true
2: niltimeout
1: def
3: niltimeoutxyz
1: 
1: rest
1: 1
--- error_log
lua tcp socket read timed out while running Lua, client: 127.0.0.1
--- no_error_log
[alert]


=== timeout: is one of the whole call, whatever comes meanwhile
--- peer
accept
drip "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" 0.04
read_all
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:settimeout(500)
    local data, err, partial = sock:receive(1000)
    ngx.say(data, " ", err, " ", #partial > 0 and #partial < 60)
    sock:settimeout(10000)
    sock:receive(70 - #partial)
    sock:close()
}
--- request
--- response
nil timeout true
--- no_error_log
[alert]


=== timeout: of a peek takes nothing
--- peer
accept
send "abc"
expect "more"
send "def"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(3)
    sock:settimeout(100)
    show(sock:peek(6))
    show(sock:peek(6))
    sock:settimeout(5000)
    sock:send("more")
    show(sock:peek(6))
    show(sock:receive(6))
    sock:close()
}
--- request
--- response
3: niltimeoutabc
3: niltimeoutabc
1: abcdef
1: abcdef
--- no_error_log
[alert]


=== timeout: of the configuration: sockets', else read_timeout; inherited
--- peer
A: accept
B: accept
C: accept
A: wait_log "all"
A: close
B: close
C: close
--- tcp_config
read_timeout 100ms;
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:receive())
}
--- tcp_server_config2
read_timeout 10m;
lua_socket_read_timeout 100ms;
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:receive())
}
--- tcp_server_config3
lua_socket_read_timeout 10m;
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(sock.receive, sock)
    ngx.sleep(0.3)
    ngx.say(coroutine.status(t))
    sock:settimeouts(nil, nil, 1)
    ngx.thread.kill(t)
    ngx.say(sock:receive())
    sock:settimeout(0)
    t = ngx.thread.spawn(sock.receive, sock)
    ngx.sleep(0.3)
    ngx.say(coroutine.status(t))
    ngx.log(ngx.WARN, "all")
    ngx.say(ngx.thread.wait(t))
}
--- request_parts
A: expect "niltimeout\n"
A: expect_eof
B: connect $TEST_PORT2
B: expect "niltimeout\n"
B: expect_eof
C: connect $TEST_PORT3
C: expect "suspended\nniltimeout\nsuspended\ntruenilclosed\n"
C: expect_eof
--- error_log
lua tcp socket read timed out


=== settimeout: one argument is for all, of more each is for itself
--- peer
accept
read_all
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    local function show(what) ngx.say(what, ": ", sock[3], " ", sock[4], " ", sock[5]) end
    ngx.say(select("#", sock:settimeout(100)), " ", select("#", sock:settimeouts(1, 2, 3)))
    show("three")
    sock:settimeout(nil, 5)
    show("second")
    sock:settimeout(0, -1, 7)
    show("third")
    sock:settimeout("8", {}, true)
    show("first")
    sock:settimeout(50)
    show("all")
    sock:settimeouts(nil, 0, "4")
    show("defaults")
    sock:settimeout(nil)
    show("all defaults")
    local ok, err = pcall(function() sock:settimeout(2 ^ 31) end)
    ngx.say((err:gsub("^.-:%d+:%d*:? ?", "", 1)))
    ok, err = pcall(function() sock:settimeouts(1, 2, 2 ^ 31) end)
    ngx.say((err:gsub("^.-:%d+:%d*:? ?", "", 1)))
    ok, err = pcall(function() sock.settimeout() end)
    ngx.say((err:gsub("^.-:%d+:%d*:? ?", "", 1)))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:settimeout(nil, nil, 100)
    ngx.say(sock:receive())
    sock:close()
}
--- request
--- response
0 0
three: 1 2 3
second: 1 5 3
third: 1 5 7
first: 8 5 7
all: 50 50 50
defaults: nil nil 4
all defaults: nil nil nil
bad argument #1 to 'settimeout' (bad timeout value)
bad argument #3 to 'settimeouts' (bad timeout value)
expecting at least 1 arguments (including the object) but got 0
niltimeout


=== receiveany: what is there, and no more than asked for
--- peer
accept
send "abcdef"
expect "go"
send "ghi"
expect "go"
drip "jk"
half_close
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(6)
    show(sock:receiveany(4))
    show(sock:receiveany("100"))
    sock:send("go")
    sock:peek(3)
    show(sock:receiveany(2.9))
    show(sock:receiveany(1))
    sock:send("go")
    local all = ""
    for data in function() return (sock:receiveany(10)) end do all = all .. data end
    show(all)
    show(sock:receiveany(10))
    sock:close()
}
--- request
--- response
1: abcd
1: ef
1: gh
1: i
1: jk
2: nilclosed
--- no_error_log
[alert]


=== peek: leaves all to the next call
--- peer
accept
send "GET /\r\n"
half_close
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:peek(1))
    show(sock:peek(3))
    show(sock:receive(4))
    show(sock:peek("1"))
    show(sock:receive())
    show(sock:peek(1))
    sock:close()
}
--- request
--- response
1: G
1: GET
1: GET 
1: /
1: /
2: nilclosed
--- no_error_log
[alert]


=== peek: the end before enough has come
--- peer
accept
send "ab"
half_close
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:peek(3))
    show(sock:close())
}
--- request
--- response
3: nilclosedab
2: nilclosed
--- no_error_log
[alert]


=== receiveuntil: again and again, and what follows
--- peer
accept
send "one--two----three--rest"
half_close
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = sock:receiveuntil("--")
    show(reader())
    show(reader())
    show(reader())
    show(reader())
    show(reader())
    show(reader())
    sock:close()
}
--- request
--- response
1: one
1: two
1: 
1: three
3: nilclosedrest
3: nilclosednil
--- no_error_log
[alert]


=== receiveuntil: pieces
--- peer
accept
send "hello, world! -agentzh\r\n--abcedhb blah"
send "12345678END" "ENDtail"
half_close
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = sock:receiveuntil("\r\n--abcedhb")
    for _ = 1, 6 do show(reader(4)) end
    show(reader(4))
    show(sock:receive(5))
    reader = sock:receiveuntil("END")
    local n = 0
    for data in function() return (reader(4)) end do n = n + #data end
    show(n)
    n = 0
    for data in function() return (reader(4)) end do n = n + #data end
    show(n)
    show(reader(2))
    show(reader(3))
    sock:close()
}
--- request
--- response
1: hell
1: o, w
1: orld
1: ! -a
1: gent
1: zh
3: nilnilnil
1:  blah
1: 8
1: 0
1: ta
3: nilclosedil
--- no_error_log
[alert]


=== receiveuntil: inclusive, whole and in pieces
--- peer
accept
send "one--two--three--four"
half_close
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = sock:receiveuntil("--", { inclusive = true })
    show(reader())
    show(reader(4))
    show(reader(4))
    show(reader(4))
    show(reader(4))
    show(reader(4))
    show(sock:receiveuntil("--", { inclusive = false })())
    sock:close()
}
--- request
--- response
1: one--
1: two--
3: nilnilnil
1: thre
1: e--
3: nilnilnil
3: nilclosedfour
--- no_error_log
[alert]


=== receiveuntil: delimiters that begin again within themselves, at every cut
--- peer eval
my @steps = (['accept']);
for my $data ('aaab|', 'ababac|', 'abaabaab|', "\r\r\n\r\n\r\r\n|", '-----|') {
    for my $cut (1 .. length($data) - 1) {
        push @steps, [send => substr $data, 0, $cut], [expect => 'x'],
            [send => substr $data, $cut], [expect => 'y'];
    }
}
[@steps, ['expect_eof']]
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    for _, case in ipairs({
        { "aaab|", "aab", "a" }, { "ababac|", "abac", "ab" },
        { "abaabaab|", "abaab", "" }, { "\r\r\n\r\n\r\r\n|", "\r\n\r\n", "\r" },
        { "-----|", "--", "" },
    }) do
        local data, delimiter, expected = unpack(case)
        for cut = 1, #data - 1 do
            local t = ngx.thread.spawn(sock:receiveuntil(delimiter))
            ngx.sleep(0.001)
            sock:send("x")
            local _, got = ngx.thread.wait(t)
            local rest = sock:receive(#data - #got - #delimiter)
            sock:send("y")
            if got ~= expected or got .. delimiter .. rest ~= data then
                ngx.say("cut ", cut, " of ", data, ": ", got, " and ", rest)
            end
        end
    end
    sock:close()
    ngx.say("done")
}
--- request
--- response
done
--- no_error_log
[error]


=== receiveuntil: in pieces, at every cut
--- peer eval
my @steps;
for my $size (1 .. 6) {
    push @steps, ["S$size:", 'accept'], ["S$size:", drip => 'abcd--efg-h--i', 0.003],
        ["S$size:", 'half_close'], ["S$size:", 'expect_eof'];
}
\@steps
--- tcp_server_config
process_by_lua_block {
    for size = 1, 6 do
        local sock = ngx.socket.tcp()
        sock:connect("127.0.0.1", $TEST_PEER_PORT)
        local reader = sock:receiveuntil("--")
        local parts, part = {}, ""
        while true do
            local data, err, partial = reader(size)
            if data then
                if #data > size then ngx.say("too long: ", data) end
                part = part .. data
            else
                parts[#parts + 1] = part .. (partial or "") .. (err or "")
                part = ""
                if err then break end
            end
        end
        ngx.say(table.concat(parts, "|"))
        sock:close()
    end
}
--- request
--- response eval
"abcd|efg-h|iclosed\n" x 6
--- no_error_log
[alert]


=== receiveuntil: a piece that ends right before the delimiter, at every cut
--- peer eval
my ($data, @steps) = 'abc--def--';
for my $inclusive (0, 1) {
    for my $cut (1 .. length($data) - 1) {
        push @steps, ["S$inclusive$cut:", 'accept'],
            ["S$inclusive$cut:", send => substr $data, 0, $cut],
            ["S$inclusive$cut:", expect => 'x'],
            ["S$inclusive$cut:", send => substr $data, $cut],
            ["S$inclusive$cut:", 'expect_eof'];
    }
}
\@steps
--- tcp_server_config
process_by_lua_block {
    for _, inclusive in ipairs{ false, true } do
        for cut = 1, 9 do
            local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
            sock:peek(cut)
            local reader = sock:receiveuntil("--", { inclusive = inclusive })
            local t = ngx.thread.spawn(function()
                local parts = {}
                for i = 1, 6 do parts[i] = reader(3) or "nil" end
                return table.concat(parts, " ")
            end)
            ngx.sleep(0.001)
            sock:send("x")
            local _, parts = ngx.thread.wait(t)
            local expected = inclusive and "abc -- nil def -- nil"
                or "abc  nil def  nil"
            if parts ~= expected then ngx.say(cut, ": ", parts) end
            sock:close()
        end
    end
    ngx.say("done")
}
--- request
--- response
done
--- no_error_log
[error]


=== receiveuntil: one that has all it asks for does not wait for more
--- peer
accept
send "abc"
expect "more"
send "def--"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = sock:receiveuntil("--")
    ngx.say(reader(3))
    sock:send("more")
    ngx.say(reader(4), reader(4))
    sock:close()
}
--- request
--- response
abc
defnilnilnil
--- no_error_log
[error]


=== receiveuntil: a number as delimiter; two readers of one socket
--- peer
accept
send "a42b;c42d;"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local by_number, by_semicolon = sock:receiveuntil(42), sock:receiveuntil(";")
    ngx.say(by_number(), " ", by_semicolon(), " ", by_number(), " ", by_semicolon())
    sock:close()
}
--- request
--- response
a b c d
--- no_error_log
[error]


=== receiveuntil: a reader outlives its connection
--- peer
A: accept
A: send "a;"
A: expect_eof
B: accept
B: send "b;"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    local reader = sock:receiveuntil(";")
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(reader())
    sock:close()
    ngx.say((select(2, reader())))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(reader())
    sock:close()
}
--- request
--- response
a
closed
b
--- no_error_log
[error]


=== busy: a second that wants to read
--- peer
accept
expect "go"
send "abc"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(function() return sock:receive(3) end)
    show(sock:receive(1))
    show(sock:receive())
    show(sock:receive("*a"))
    show(sock:receiveany(1))
    show(sock:peek(1))
    ngx.say((select(2, sock:receiveuntil("x")())))
    show(sock:close())
    show(sock:setkeepalive())
    show(sock:send("go"))
    show(ngx.thread.wait(t))
    show(sock:close())
}
--- request
--- response
2: nilsocket busy reading
2: nilsocket busy reading
2: nilsocket busy reading
2: nilsocket busy reading
2: nilsocket busy reading
socket busy reading
2: nilsocket busy reading
2: nilsocket busy reading
1: 2
2: trueabc
1: 1
--- no_error_log
[error]


=== kill: a thread that waits to read leaves the socket, and what has come
--- peer
accept
send "ab"
expect "go"
send "cd"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(2)
    local t = ngx.thread.spawn(function() return sock:receive(4) end)
    ngx.sleep(0.01)
    ngx.say(ngx.thread.kill(t))
    sock:send("go")
    ngx.say(sock:receive(4))
    ngx.say(sock:close())
}
--- request
--- response
1
abcd
1
--- no_error_log
[error]


=== deadline: in each kind of receive; what comes later is for the next
--- peer
accept
send "ab"
expect "go"
send "cd\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(...) ngx.say(select("#", ...), ": ", ...) end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(2)
    show(ngx.deadline(0.1, function() return sock:peek(4) end))
    show(ngx.deadline(0.1, function() return sock:receive(4) end))
    show(ngx.deadline(0.05, function() return sock:receive() end))
    show(ngx.deadline(0, function() return sock:receiveany(9) end))
    show(ngx.deadline(0.05, function()
        return (select(2, sock:receiveuntil("x")()))
    end))
    sock:send("go")
    show(sock:receive())
    sock:close()
}
--- request
--- response
3: nildeadlineab
3: nildeadlineab
2: nildeadline
2: nildeadline
1: deadline
1: cd
--- no_error_log
[error]


=== receive: data that is there needs no wait, below a deadline that is over
--- peer
accept
send "abc\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(4)
    ngx.deadline(0, function()
        ngx.say(sock:receive(2))
        ngx.say(sock:receive())
    end)
    sock:close()
}
--- request
--- response
ab
c
--- no_error_log
[error]


=== receive: where it cannot wait
--- peer
accept
send "abc"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    sock:peek(3)
    local function inside(f)
        local ok, err
        table.sort({ 1, 2 }, function() ok, err = pcall(f) return false end)
        ngx.say(ok, " ", err)
    end
    inside(function() return sock:receive(3) end)
    inside(function() return sock:receive(1) end)
    inside(function() return sock:connect("127.0.0.1", $TEST_PEER_PORT) end)
    sock:close()
}
--- request
--- response_like
^true abc
false .*attempt to yield across C-call boundary
false .*attempt to yield across C-call boundary
$
--- no_error_log
[alert]


=== receive: thousands of calls answered from what is there leave others their turn
--- peer eval
[['accept'], [send => "x\n" x 20_000], ['expect_eof']]
--- tcp_server_config
process_by_lua_block {
    local sock, n = ngx.socket.tcp(), 0
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(function()
        while true do
            ngx.sleep(0.001)
            n = n + 1
        end
    end)
    for i = 1, 20000 do assert(sock:receive() == "x") end
    ngx.thread.kill(t)
    ngx.say(n > 0, " ", sock:close())
}
--- request
--- response
true 1
--- no_error_log
[error]


=== receive: from inside pcall, coroutines, iterators and metamethods
--- peer
accept
drip "a\nb\nc\nd\n" 0.01
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(pcall(sock.receive, sock))
    ngx.say(coroutine.wrap(function() return sock:receive() end)())
    for line in function() return (sock:receive()) end do
        ngx.say(line)
        break
    end
    local t = setmetatable({}, { __index = function() return (sock:receive()) end })
    ngx.say(t.line)
    sock:close()
}
--- request
--- response
truea
b
c
d
--- no_error_log
[error]


=== receive(0): an empty string, on an object whose connection is good
--- peer
accept
send "abc"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    ngx.say(sock:receive(0))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say("<", sock:receive(0), ">")
    ngx.say(sock:receive(3), "<", sock:receive("0"), ">")
    local reader = ngx.thread.spawn(sock.receive, sock)
    ngx.say(sock:receive(0))
    ngx.thread.kill(reader)
    sock:close()
    ngx.say(sock:receive(0))
    local client = ngx.req.socket()
    ngx.say("<", client:receive(0), ">", client:receive(2))
    ngx.say(pcall(ngx.receive, 0))
}
--- request chomp
ab
--- response
nilclosed
<>
abc<>
nilsocket busy reading
nilclosed
<>ab
falsebad argument #1 to '?' (bad argument <= 0)
--- no_error_log
[error]
