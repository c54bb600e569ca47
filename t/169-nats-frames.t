# What resty.nats is made of: frames received and published over a socket
# (resty.nats.frames, resty.nats.wire), and the writer that joins what is published.
# The servers here are scripts; t/170 and on have real ones.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== read: each kind of frame, in one piece
--- peer
A: accept
A: send "INFO {\"a\":1} \r\nMSG a.b 7 5\r\nhello\r\nMSG a.b 7 re.ply 2\r\nhi\r\n"
A: send "HMSG a.b 7 12 14\r\nNATS/1.0\r\n\r\nhi\r\nHMSG a.b 7 r 12 12\r\nNATS/1.0\r\n\r\n\r\n"
A: send "PONG\r\n+OK\r\n-ERR 'Unknown Protocol Operation'\r\nMSG a.b 7 0\r\n\r\n"
A: send "msg\ta.b  8\t1\nx\r\npong\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    for i = 1, 10 do
        local t = { frames.read(reader, sock) }
        for i = 1, 6 do t[i] = (tostring(t[i]):gsub("[\r\n]", ".")) end
        ngx.say(table.concat(t, "|"))
    end
    ngx.say(wire.nats_info(sock), " ", wire.nats_close(sock))
}
--- request
--- response
2|{"a":1}|nil|nil|nil|nil
1|a.b|7|nil|hello|nil
1|a.b|7|re.ply|hi|nil
1|a.b|7|nil|hi|NATS/1.0....
1|a.b|7|r||NATS/1.0....
3|nil|nil|nil|nil|nil
4|Unknown Protocol Operation|nil|nil|nil|nil
1|a.b|7|nil||nil
1|a.b|8|nil|x|nil
3|nil|nil|nil|nil|nil
{"a":1} 1
--- no_error_log
[error]


=== read: the same byte by byte
--- peer
A: accept
A: drip "INFO {}\r\nMSG a.b 7 5\r\nhello\r\nMSG a.b 7 re.ply 2\r\nhi\r\n"
A: drip "PING\r\nHMSG a.b 7 12 14\r\nNATS/1.0\r\n\r\nhi\r\n-ERR 'x'\r\nPONG\r\n"
A: expect "PONG\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    for i = 1, 6 do
        local t = { frames.read(reader, sock) }
        for i = 1, 6 do t[i] = (tostring(t[i]):gsub("[\r\n]", ".")) end
        ngx.say(table.concat(t, "|"))
    end
    sock:close()
}
--- request
--- response
2|{}|nil|nil|nil|nil
1|a.b|7|nil|hello|nil
1|a.b|7|re.ply|hi|nil
1|a.b|7|nil|hi|NATS/1.0....
4|x|nil|nil|nil|nil
3|nil|nil|nil|nil|nil
--- no_error_log
[error]


=== read: payloads of every byte, empty and long, with what looks like frames in them
--- peer eval
my $all = CORE::join '', map { chr } 0 .. 255;
my @payloads = ('', "\r\n", "PING\r\n", "MSG x 1 1\r\ny\r\n", $all, 'x' x 70_000, $all x 4000, '');
[ ['A:', 'accept'], (map { ['A:', send => 'MSG s 1 ' . length($_) . "\r\n$_\r\n"] } @payloads),
  ['A:', expect => "PONG\r\n"], ['A:', 'expect_eof'] ]
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    all = table.concat(all)
    for i, expected in ipairs { "", "\r\n", "PING\r\n", "MSG x 1 1\r\ny\r\n", all,
        ("x"):rep(70000), all:rep(4000), "" }
    do
        local kind, subject, sid, reply, payload = frames.read(reader, sock)
        ngx.say(kind, subject, sid, " ", reply, " ", payload == expected)
    end
    wire.nats_push(sock, "PONG\r\n")
    sock:close()
}
--- request
--- response eval
"1s1 nil true\n" x 8
--- timeout: 30
--- skip_mode: slow: a megabyte byte by byte
--- no_error_log
[error]


=== read: messages of other subjects than the one before, as long as the buffer and longer
--- peer eval
my @messages;
for my $size (0, 1, 60_000, 61_430 .. 61_446, 65_000, 65_516 .. 65_540, 70_000) {
    push @messages, "MSG s.$size 1 $size\r\n" . 'x' x $size . "\r\n";
    push @messages, "MSG s.$size 22 r 3\r\nend\r\n";
}
for my $size (4000, 4095, 4096, 60_000) {
    my $name = 'n' x $size;
    push @messages, "MSG $name 1 3\r\none\r\n", "MSG s 1 $name 3\r\ntwo\r\n",
        "MSG s $name 5\r\nthree\r\n", "MSG $name 2 r 4\r\nfour\r\n";
}
[ ['A:', 'accept'], (map { ['A:', send => $_] } @messages),
  ['A:', expect => "PONG\r\n"], ['A:', 'expect_eof'] ]
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader, wrong = { subject = "", sid = "" }, 0
    local function expect(...)
        local expected, got = { ... }, { frames.read(reader, sock) }
        for i = 1, 4 do
            if got[i + 1] ~= expected[i] then wrong = wrong + 1 end
        end
        if got[1] ~= 1 or got[6] ~= nil then wrong = wrong + 1 end
    end
    local sizes = { 0, 1, 60000 }
    for size = 61430, 61446 do sizes[#sizes + 1] = size end
    sizes[#sizes + 1] = 65000
    for size = 65516, 65540 do sizes[#sizes + 1] = size end
    sizes[#sizes + 1] = 70000
    for _, size in ipairs(sizes) do
        expect("s." .. size, "1", nil, ("x"):rep(size))
        expect("s." .. size, "22", "r", "end")
    end
    for _, size in ipairs { 4000, 4095, 4096, 60000 } do
        local name = ("n"):rep(size)
        expect(name, "1", nil, "one")
        expect("s", "1", name, "two")
        expect("s", name, nil, "three")
        expect(name, "2", "r", "four")
    end
    ngx.say(wrong, " wrong")
    wire.nats_push(sock, "PONG\r\n")
    sock:close()
}
--- request
--- response
0 wrong
--- timeout: 30
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== read: a time that is over in a line and in a payload leaves what has come
--- peer
A: accept
A: send "MSG a.b 7 "
A: wait_log "first"
A: send "re.ply 10\r\n01234"
A: wait_log "second"
A: send "56789\r\nPONG\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames = require "resty.nats.frames"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    sock:settimeout(100)
    ngx.say(frames.read(reader, sock))
    ngx.log(ngx.WARN, "first")
    ngx.say(frames.read(reader, sock, 200))
    ngx.log(ngx.WARN, "second")
    ngx.say(frames.read(reader, sock, 5000))
    ngx.say(frames.read(reader, sock, 5000))
    sock:close()
}
--- request
--- response
niltimeout
niltimeout
1a.b7re.ply0123456789
3
--- no_error_log
[error]


=== read: what is not NATS closes the connection
--- peer eval
my @bad = ("\r\n", "nonsense\r\n", "PINGS\r\n", " PING\r\n", "MSG a 1\r\n", "MSG a 1 x\r\n",
    "MSG a 1 -1\r\n", "MSG a 1 b c 1\r\n", "MSG a 1 67108865\r\n", "MSG a 1 2\r\nhi\nPING\r\n",
    "HMSG a 1 2\r\n", "HMSG a 1 3 2\r\n", 'x' x 65_537, 'INFO ' . 'x' x (1024 * 1024));
[ map { my $i = $_; (["C$i:", 'accept'], ["C$i:", send => "PONG\r\n$bad[$i]"], ["C$i:", 'expect_close']) }
    0 .. $#bad ]
--- tcp_server_config
process_by_lua_block {
    local frames = require "resty.nats.frames"
    for i = 1, 14 do
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
        local reader = { subject = "", sid = "" }
        local kind = frames.read(reader, sock)
        local _, err = frames.read(reader, sock)
        local _, again = frames.read(reader, sock)
        local _, after = frames.publish(sock, "a", nil, "b")
        ngx.say(kind, " ", err, ", ", again, ", ", after)
    end
}
--- request
--- response
3 protocol error: unknown operation, closed, closed
3 protocol error: unknown operation, closed, closed
3 protocol error: unknown operation, closed, closed
3 protocol error: unknown operation, closed, closed
3 protocol error: bad message, closed, closed
3 protocol error: bad message, closed, closed
3 protocol error: bad message, closed, closed
3 protocol error: bad message, closed, closed
3 protocol error: message too large, closed, closed
3 protocol error: message without end, closed, closed
3 protocol error: bad message, closed, closed
3 protocol error: bad message, closed, closed
3 protocol error: line too long, closed, closed
3 protocol error: line too long, closed, closed
--- timeout: 30
--- skip_mode: slow: a megabyte byte by byte
--- no_error_log
[error]


=== read: what came before the end, then the end
--- peer
A: accept
A: send "MSG a 1 1\r\nx\r\n-ERR 'Authorization Violation'\r\nMSG a 1"
A: half_close
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames = require "resty.nats.frames"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    for i = 1, 4 do ngx.say(frames.read(reader, sock)) end
    ngx.say(frames.publish(sock, "a", nil, ""))
    ngx.say(sock:setkeepalive_nats())
    ngx.say(frames.read(reader, sock))
}
--- request
--- response
1a1nilx
4Authorization Violation
nilclosed
nilclosed
nilclosed
nilclosed
nilclosed
--- no_error_log
[error]


=== read: one thread reads, and the next when that is killed
--- peer
A: accept
A: wait_log "killed"
A: send "MSG a 1 2\r\nhi\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local semaphore = require "ngx.semaphore"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    local role = semaphore.new()
    wire.nats_queue(sock, role.number)
    local function read()
        return frames.read(reader, sock)
    end
    local first = ngx.thread.spawn(read)
    local second = ngx.thread.spawn(function()
        ngx.say("second: ", read())
        ngx.say("waits: ", role:wait(10))
        return read()
    end)
    ngx.sleep(0.1)
    ngx.thread.kill(first)
    ngx.log(ngx.WARN, "killed")
    ngx.say(ngx.thread.wait(second))
    sock:close()
}
--- request
--- response
second: nilsocket busy reading
waits: true
true1a1nilhi
--- no_error_log
[error]


=== read: a deadline
--- peer
A: accept
A: wait_log "over"
A: send "PONG\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames = require "resty.nats.frames"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    ngx.deadline(0.1, function()
        ngx.say(frames.read(reader, sock))
        ngx.say(frames.read(reader, sock))
    end)
    ngx.log(ngx.WARN, "over")
    ngx.say(frames.read(reader, sock))
    sock:close()
}
--- request
--- response
nildeadline
nildeadline
3
--- no_error_log
[error]


=== close: in one thread, while another one reads
--- peer
A: accept
A: expect "PUB a 1\r\nx\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    local thread = ngx.thread.spawn(frames.read, reader, sock)
    ngx.say(sock:close())
    frames.publish(sock, "a", nil, "x")
    ngx.say(wire.nats_close(sock))
    ngx.say(ngx.thread.wait(thread))
    ngx.say(wire.nats_close(sock))
    ngx.say(frames.publish(sock, "a", nil, "x"))
    ngx.say(wire.nats_flush(sock))
}
--- request
--- response
nilsocket busy reading
1
truenilclosed
nilclosed
nilclosed
nilclosed
--- no_error_log
[error]


=== PING: is answered in a read, and by itself, whatever is before it
--- peer
A: accept
A: send "PING\r\nping\r\nPONG\r\n"
A: expect "PONG\r\nPONG\r\n"
A: wait_log "one"
A: send "PING\r\n"
A: expect "PONG\r\n"
A: send "INFO {}\r\nPING\r\nMSG a 1 1\r\nx\r\nPING\r\nMSG a 1 100\r\n0123456789"
A: expect "PONG\r\nPONG\r\n"
A: drip "PING\r\n"
A: expect_nothing 0.3
A: send "x" x 84
A: send "\r\nPI"
A: drip "NG\r\n"
A: expect "PONG\r\n"
A: wait_log "two"
A: send "PING\r\nPONG\r\n"
A: expect "PONG\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    ngx.say(frames.read(reader, sock))
    ngx.log(ngx.WARN, "one")
    ngx.sleep(1.5)
    ngx.say(wire.nats_info(sock))
    for i = 1, 2 do
        local kind, subject, sid, reply, payload = frames.read(reader, sock)
        ngx.say(kind, subject, sid, reply, " ", #payload, payload:sub(1, 12))
    end
    ngx.log(ngx.WARN, "two")
    ngx.say(frames.read(reader, sock))
    sock:close()
}
--- request
--- response
3
{}
1a1nil 1x
1a1nil 1000123456789PI
3
--- no_error_log
[error]


=== PING: those that came with what was read last are answered at once
--- peer
A: accept
A: send "PONG\r\nPING\r\nMSG a 1 1\r\nx\r\nPING\r\n"
A: expect "PONG\r\nPONG\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames = require "resty.nats.frames"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(frames.read({ subject = "", sid = "" }, sock))
    ngx.sleep(1)
    sock:close()
}
--- request
--- response
3
--- no_error_log
[error]


=== PING: without end, and without a look at the answers
--- peer
A: accept
A: stop_reading
A: send "PING\r\n" x 400000
A: start_reading
A: expect_like /\A(?:PONG\r\n)+MSG\z/
A: close
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(frames.read({ subject = "", sid = "" }, sock, 3000))
    wire.nats_push(sock, "MSG")
    ngx.say(wire.nats_flush(sock))
    sock:close()
}
--- request
--- response
niltimeout
true
--- timeout: 40
--- skip_mode: slow valgrind: megabytes, read six bytes at a time
--- no_error_log
[error]


=== publish: the frames, and what is refused
--- peer
A: accept
A: expect "PUB a 0\r\n\r\nPUB a.b 5\r\nhello\r\nPUB a.b re.ply 5\r\nhello\r\n"
A: expect "HPUB a.b 12 17\r\nNATS/1.0\r\n\r\nhello\r\nHPUB a.b r 12 12\r\nNATS/1.0\r\n\r\n\r\n"
A: expect "PUB a 2\r\n17\r\nPUB a 3\r\n1.5\r\nPUB a 0\r\n\r\nPUB foo.* 2\r\n\r\n\r\nend\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local publish, block = frames.publish, "NATS/1.0\r\n\r\n"
    for _, case in ipairs {
        { "a", nil, "" }, { "a.b", nil, "hello" }, { "a.b", "re.ply", "hello" },
        { "a.b", nil, "hello", block }, { "a.b", "r", "", block },
        { "a", nil, 17 }, { "a", nil, 1.5 }, { "a" }, { "foo.*", nil, "\r\n" },
        { nil, nil, "x" }, { 5, nil, "x" }, { "", nil, "x" }, { "a b", nil, "x" },
        { "a\r\nPUB b 0\r\n\r\n", nil, "x" }, { "a\0", nil, "x" }, { "a\t", nil, "x" },
        { ".a", nil, "x" }, { "a.", nil, "x" }, { "a..b", nil, "x" },
        { "a", "", "x" }, { "a", "b c", "x" }, { "a", "b\n", "x" }, { "a", true, "x" },
        { "a", nil, {} }, { "a", nil, "x", 5 }, { "a", nil, true },
    } do
        ngx.say(publish(sock, case[1], case[2], case[3], case[4]))
    end
    ngx.say(wire.nats_push(sock, "end\r\n"), " ", wire.nats_push(sock, 5))
    ngx.say(publish(ngx.socket.tcp(), "a", nil, "x"))
    sock:close()
}
--- request
--- response
true
true
true
true
true
true
true
true
true
nilinvalid subject
nilinvalid subject
nilinvalid subject
nilinvalid subject
nilinvalid subject
nilinvalid subject
nilinvalid subject
nilinvalid subject
nilinvalid subject
nilinvalid subject
nilinvalid reply subject
nilinvalid reply subject
nilinvalid reply subject
nilinvalid reply subject
nilinvalid payload
nilinvalid headers
nilinvalid payload
true nilstring expected
nilclosed
--- no_error_log
[error]


=== writer: what is pushed goes out before the script waits, in its order with what is sent
--- peer
A: accept
A: expect "PUB a 1\r\n1\r\nPUB a 1\r\n2\r\n"
A: send "x"
A: expect "PUB a 1\r\n3\r\nsent 1PUB a 1\r\n4\r\nsent 2"
A: send "y"
A: expect "PUB a 1\r\n5\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local publish = frames.publish
    publish(sock, "a", nil, "1")
    publish(sock, "a", nil, "2")
    ngx.say(sock:receive(1))
    publish(sock, "a", nil, "3")
    ngx.say(sock:send("sent 1"))
    publish(sock, "a", nil, "4")
    ngx.say(sock:send({ "sent ", 2 }))
    ngx.say(sock:receive(1))
    publish(sock, "a", nil, "5")
    ngx.say(wire.nats_flush(sock), " ", wire.nats_flush(sock))
    ngx.say(sock:shutdown("send"))
    sock:close()
}
--- request
--- response
x
6
6
y
true true
1
--- no_error_log
[error]


=== writer: a script that computes, sleeps, waits for a client or a semaphore
--- peer
A: accept
A: expect "1"
A: wait_log "computed"
A: expect "2"
A: wait_log "slept"
A: expect "3"
A: send "x"
A: expect "4"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local wire = require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    wire.nats_push(sock, "1")
    ngx.sleep(0.001)
    ngx.log(ngx.WARN, "computed")
    wire.nats_push(sock, "2")
    ngx.sleep(0.1)
    ngx.log(ngx.WARN, "slept")
    wire.nats_push(sock, "3")
    ngx.say(sock:receive(1))
    wire.nats_push(sock, "4")
    require "ngx.semaphore".new():wait(0.2)
    sock:close()
}
--- request
--- response
x
--- no_error_log
[error]


=== writer: megabytes to a slow reader; the script waits, and all arrives in its order
--- peer eval
my $payload = 'x' x 1000;
[ ['A:', 'accept'], ['A:', 'stop_reading'], ['A:', pause => 0.5],
  ['A:', 'start_reading'],
  (map { my $i = $_; ['A:', expect => CORE::join '', map { "PUB s.$_ 1000\r\n$payload\r\n" } $i * 500 + 1 .. $i * 500 + 500] }
    0 .. 7), ['A:', expect => "end"], ['A:', 'expect_eof'] ]
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local payload = ("x"):rep(1000)
    local good = 0
    for i = 1, 4000 do
        if frames.publish(sock, "s." .. i, nil, payload) == true then
            good = good + 1
        end
    end
    ngx.say(good, " ", wire.nats_push(sock, "end"))
    ngx.say(wire.nats_flush(sock))
    sock:close()
}
--- request
--- response
4000 true
true
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== writer: several threads publish and flush while the kernel takes nothing
--- peer
A: accept
A: stop_reading
A: wait_log "waiting"
A: start_reading
A: expect_like /\A(?:[abc]+;)+z\z/
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local wire = require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local function publisher(letter)
        local piece = letter:rep(99999) .. ";"
        for i = 1, 80 do
            if not wire.nats_push(sock, piece) then
                return false
            end
        end
        return wire.nats_flush(sock)
    end
    local threads = {}
    for i, letter in ipairs { "a", "b", "c" } do
        threads[i] = ngx.thread.spawn(publisher, letter)
    end
    local killed = ngx.thread.spawn(publisher, "c")
    ngx.sleep(0.5)
    ngx.say(coroutine.status(threads[1]))
    ngx.thread.kill(killed)
    ngx.log(ngx.WARN, "waiting")
    for i = 1, 3 do ngx.say(ngx.thread.wait(threads[i])) end
    ngx.say(wire.nats_push(sock, "z"), " ", wire.nats_flush(sock))
    sock:close()
}
--- request
--- response
suspended
truetrue
truetrue
truetrue
true true
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== writer: a send waits behind what is pushed, one more is refused
--- peer
A: accept
A: stop_reading
A: wait_log "waiting"
A: start_reading
A: expect_like /\Ax+yx*z\z/
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local wire = require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local piece = ("x"):rep(1000000)
    local pusher = ngx.thread.spawn(function()
        for i = 1, 9 do wire.nats_push(sock, piece) end
        return wire.nats_flush(sock)
    end)
    ngx.sleep(0.5)
    local sender = ngx.thread.spawn(function() return sock:send("y") end)
    local second = ngx.thread.spawn(function() return sock:send("no") end)
    ngx.say(ngx.thread.wait(second))
    ngx.log(ngx.WARN, "waiting")
    ngx.say(ngx.thread.wait(sender))
    ngx.say(ngx.thread.wait(pusher))
    ngx.say(sock:send("z"))
    sock:close()
}
--- request
--- response
truenilsocket busy writing
true1
truetrue
1
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== writer: the other side takes nothing for too long
--- peer
A: accept
A: stop_reading
A: wait_log "over"
A: close
B: accept
B: stop_reading
B: wait_log "gone"
B: close
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    sock:settimeout(300)
    local payload, n, err = ("x"):rep(100000), 0
    repeat
        n = n + 1
        local ok
        ok, err = frames.publish(sock, "a", nil, payload)
    until not ok
    ngx.say(err, " ", n > 10, " ", n < 300)
    ngx.say(frames.publish(sock, "a", nil, payload))
    ngx.say(wire.nats_flush(sock))
    ngx.say(frames.read({ subject = "", sid = "" }, sock))
    ngx.log(ngx.WARN, "over")

    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    for i = 1, 20 do
        wire.nats_push(sock, payload:rep(10))
    end
    ngx.log(ngx.WARN, "gone")
}
--- request
--- response
timeout true true
nilclosed
nilclosed
nilclosed
--- timeout: 40
--- grep_error_log: lua tcp socket write timed out
--- grep_error_log_out
lua tcp socket write timed out
lua tcp socket write timed out
--- skip_mode: slow: megabytes byte by byte


=== writer: kill and deadline of those who wait; what they have pushed is whole
--- peer
A: accept
A: stop_reading
A: wait_log "waiting"
A: start_reading
A: expect_like /\Ax+;y+;z\z/
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local wire = require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local thread = ngx.thread.spawn(function()
        wire.nats_push(sock, ("x"):rep(9000000) .. ";")
        ngx.say("never")
    end)
    ngx.thread.kill(thread)
    ngx.deadline(0.2, function()
        ngx.say(wire.nats_push(sock, ("y"):rep(1000000) .. ";"))
        ngx.say(wire.nats_push(sock, "refused"))
        ngx.say(wire.nats_flush(sock))
    end)
    ngx.log(ngx.WARN, "waiting")
    ngx.say(wire.nats_flush(sock))
    wire.nats_push(sock, "z")
    sock:close()
}
--- request
--- response
nildeadline
nilsocket busy writing
nildeadline
true
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== writer: where one cannot wait
--- peer
A: accept
A: expect "1;2;3;"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local wire = require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    wire.nats_push(sock, "1;")
    table.sort({ 1, 2 }, function()
        ngx.say(wire.nats_push(sock, "2;"))
        return false
    end)
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function() wire.nats_push(sock, "3;") end
    proxy = nil
    collectgarbage()
    collectgarbage()
    sock:close()
}
--- request
--- response_like
\A(?:true\n)+\z
--- no_error_log
[error]


=== writer: the connection is reset; what came before it can be read
--- peer
A: accept
A: send "-ERR 'Authorization Violation'\r\n"
A: wait_log "go"
A: reset
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    sock:settimeout(5000)
    ngx.log(ngx.WARN, "go")
    local err
    repeat
        local ok
        ok, err = frames.publish(sock, "a", nil, "x")
        ngx.sleep(0.01)
    until not ok
    ngx.say(err)
    local reader = { subject = "", sid = "" }
    local kind, text = frames.read(reader, sock)
    ngx.say(kind and text or text == "closed" and "Authorization Violation")
    repeat
        local kind, err = frames.read(reader, sock)
    until not kind
    ngx.say(frames.read(reader, sock))
    ngx.say(sock:setkeepalive_nats())
}
--- request
--- response
closed
Authorization Violation
nilclosed
nilclosed
--- no_error_log
[error]


=== end: what was pushed goes out after close(), the handler's end, a new connect and collection
--- peer
A: accept
A: stop_reading
A: wait_log "closed"
A: start_reading
A: expect_like /\Ax+;\z/
A: expect_eof
B: accept
B: stop_reading
B: wait_log "ended"
B: pause 0.3
B: start_reading
B: expect_like /\Ax+;\z/
B: expect_eof
C: accept
C: stop_reading
C: wait_log "anew"
C: pause 0.3
C: start_reading
C: expect_like /\Ax+;\z/
C: expect_eof
D: accept
D: expect "d"
D: expect_eof
--- tcp_server_config
process_by_lua_block {
    local wire = require "resty.nats.wire"
    local text = ("x"):rep(1000000):rep(9) .. ";"
    local sock = ngx.socket.tcp()
    local function push()
        sock:connect("127.0.0.1", $TEST_PEER_PORT)
        -- What waits there is not the end of what it has pushed.
        ngx.thread.kill(ngx.thread.spawn(wire.nats_push, sock, text))
    end
    push()
    ngx.say(sock:close())
    ngx.log(ngx.WARN, "closed")
    ngx.timer.at(0, function()
        push()
        ngx.log(ngx.WARN, "ended")
    end)
    ngx.sleep(1)
    push()
    ngx.log(ngx.WARN, "anew")
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    wire.nats_push(sock, "d")
}
--- request
--- response
1
--- wait: 2
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== end: what the other side has said and nobody has read does not cost it what was pushed
--- peer
A: accept
A: send "INFO {}\r\nPING\r\n" x 10
A: wait_log "closed"
A: expect_like /\A(?:PONG\r\n)*PUB a 8000000\r\nx+\r\n\z/
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames = require "resty.nats.frames"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.thread.kill(ngx.thread.spawn(frames.publish, sock, "a", nil, ("x"):rep(8000000)))
    sock:close()
    ngx.log(ngx.WARN, "closed")
}
--- request
--- response
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== end: the other side is waited for no longer than for a send
--- peer
A: accept
A: stop_reading
B: accept
B: expect_eof
C: accept
C: expect_eof
A: close
--- tcp_server_config
lua_socket_send_timeout 500ms;
process_by_lua_block {
    local wire = require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local fd = sock:getfd()
    ngx.thread.kill(ngx.thread.spawn(wire.nats_push, sock, ("x"):rep(9000000) .. ";"))
    sock:close()
    -- A number that is free is used again.
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getfd() == fd)
    sock:close()
    ngx.sleep(2)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:getfd() == fd)
    sock:close()
}
--- request
--- response
false
true
--- no_reload
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== end: a worker that is to quit sends what was pushed first
--- peer
A: accept
A: stop_reading
A: wait_log "gracefully shutting down"
A: pause 0.5
A: start_reading
A: expect_like /\Ax+;\z/
A: expect_eof
A: close
--- tcp_server_config
process_by_lua_block {
    local wire = require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.thread.kill(ngx.thread.spawn(wire.nats_push, sock, ("x"):rep(9000000) .. ";"))
    ngx.say("ended")
}
--- request_parts
expect "ended\n"
expect_eof
close
reload
wait_workers
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== pool: what was pushed is on its way when the connection is given back
--- peer
A: accept
A: stop_reading
A: wait_log "parked"
A: pause 0.3
A: start_reading
A: expect_like /\Ax+;\z/
A: send "PING\r\n"
A: expect "PONG\r\n"
A: wait_log "again"
A: expect "b"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local wire = require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.thread.kill(ngx.thread.spawn(wire.nats_push, sock, ("x"):rep(9000000) .. ";"))
    ngx.say(sock:setkeepalive_nats(), " ", sock:connect("127.0.0.1", $TEST_PEER_PORT),
        " ", sock:getreusedtimes())
    ngx.say(sock:setkeepalive_nats())
    ngx.log(ngx.WARN, "parked")
    ngx.sleep(2)
    ngx.say(sock:connect("127.0.0.1", $TEST_PEER_PORT), " ", sock:getreusedtimes())
    ngx.log(ngx.WARN, "again")
    ngx.say(wire.nats_push(sock, "b"))
    sock:close()
}
--- request
--- response
1 1 1
1
1 2
true
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== pool: the beginning of a frame goes to the next user, INFO is kept, PONG and +OK are not
--- peer
A: accept
A: send "INFO {\"n\":1}\r\nPONG\r\nPI"
A: wait_log "parked"
A: send "NG\r\n+OK\r\nPONG\r\nINFO {\"n\":2}\r\nINF"
A: expect "PONG\r\n"
A: wait_log "taken"
A: send "O {\"n\":3}\r\nPONG\r\n"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    ngx.say(frames.read(reader, sock))
    ngx.say(frames.read(reader, sock))
    ngx.sleep(0.1)
    ngx.say(sock:setkeepalive_nats())
    ngx.log(ngx.WARN, "parked")
    ngx.sleep(0.5)
    ngx.say(sock:connect("127.0.0.1", $TEST_PEER_PORT), " ", sock:getreusedtimes())
    ngx.say(wire.nats_info(sock))
    ngx.log(ngx.WARN, "taken")
    ngx.say(frames.read(reader, sock))
    ngx.say(frames.read(reader, sock))
    ngx.say(wire.nats_info(sock))
    sock:close()
}
--- request
--- response
2{"n":1}
3
1
1 1
{"n":2}
2{"n":3}
3
{"n":3}
--- no_error_log
[error]


=== pool: one that is handed over from user to user
--- peer
A: accept
A: send "PING\r\nINFO {}\r\n"
A: expect "PONG\r\n"
A: wait_log "second"
A: send "MSG a 1 1\r\nx\r\n"
A: expect "end"
A: expect_eof
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local options = { pool = "one", pool_size = 1, backlog = 1 }
    local first, second = ngx.socket.tcp(), ngx.socket.tcp()
    ngx.say(first:connect("127.0.0.1", $TEST_PEER_PORT, options))
    local thread = ngx.thread.spawn(function()
        ngx.say(second:connect("127.0.0.1", $TEST_PEER_PORT, options))
        ngx.log(ngx.WARN, "second")
        ngx.say(second:getreusedtimes())
        local kind, payload, _
        repeat
            kind, _, _, _, payload = frames.read({ subject = "", sid = "" }, second)
        until kind ~= 2
        ngx.say(kind, payload, wire.nats_info(second))
        wire.nats_push(second, "end")
        second:close()
    end)
    ngx.sleep(0.3)
    ngx.say(first:setkeepalive_nats())
    ngx.thread.wait(thread)
}
--- request
--- response
1
1
1
1
1x{}
--- no_error_log
[error]


=== TLS: frames, PING and megabytes
--- peer eval
[ ['A:', 'accept'], ['A:', tls => 'good'],
  ['A:', send => "MSG a 1 5\r\nhello\r\nPING\r\nPONG\r\n"], ['A:', expect => "PONG\r\n"],
  ['A:', 'stop_reading'], ['A:', pause => 0.5],
  ['A:', 'start_reading'], ['A:', expect_like => qr/\Ax+;(?:PUB b 1\r\ny\r\n){1000}\z/], ['A:', 'expect_eof'] ]
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    ngx.say(sock:sslhandshake(false))
    local reader = { subject = "", sid = "" }
    ngx.say(frames.read(reader, sock))
    ngx.say(frames.read(reader, sock))
    ngx.thread.kill(ngx.thread.spawn(wire.nats_push, sock, ("x"):rep(9000000) .. ";"))
    for i = 1, 1000 do
        frames.publish(sock, "b", nil, "y")
    end
    sock:close()
}
--- request
--- response
true
1a1nilhello
3
--- timeout: 40
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]


=== worker: what is pushed in init_worker_by_lua, and in a timer
--- tcp_config
init_worker_by_lua_block {
    local wire = require "resty.nats.wire"
    local function push(text)
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
        wire.nats_push(sock, text .. "\n")
        ngx.sleep(1)
        sock:close()
    end
    ngx.timer.at(0, function() push("timer") end)
    ngx.timer.at(0, function()
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
        local thread = ngx.thread.spawn(wire.nats_push, sock, "thread\n")
    end)
}
--- tcp_server_config
process_by_lua_block {
    local got = package.loaded.got
    for i = 1, 100 do
        if got and got.timer and got.thread then break end
        ngx.sleep(0.05)
        got = package.loaded.got
    end
    ngx.say(got.timer, " ", got.thread)
}
--- tcp_server_config2
process_by_lua_block {
    package.loaded.got = package.loaded.got or {}
    package.loaded.got[ngx.receive("*l")] = true
}
--- request
--- response
true true
--- no_reload
--- no_error_log
[error]


=== fairness: one who publishes without end, and one who wants an answer
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PORT2)
    local n, over = 0, false
    local thread = ngx.thread.spawn(function()
        while not over do
            frames.publish(sock, "a", nil, "x")
            n = n + 1
        end
    end)
    for i = 1, 20 do ngx.sleep(0.001) end
    over = true
    ngx.thread.wait(thread)
    ngx.say(n > 100)
    sock:close()
}
--- tcp_server_config2
process_by_lua_block {
    repeat until not ngx.receive(1000)
}
--- request
--- response
true
--- no_error_log
[error]


=== JSON: from text
--- tcp_server_config
process_by_lua_block {
    local decode = require("resty.nats.wire").json_decode
    local t = decode('{"a":1,"b":[1,2.5,"x",null,true],"c":{"d":{}},"e":null,"f":"\\u00fc\\n","n":-12e2,"big":9007199254740993}')
    ngx.say(t.a, " ", t.b[2], t.b[3], tostring(t.b[4]), tostring(t.b[5]), " ",
        next(t.c.d), " ", t.e, " ", t.f, t.n, " ", ("%.0f"):format(t.big))
    for _, text in ipairs { "5", '"x"', "true", "[]", " {} ", "null" } do
        ngx.say(type((decode(text))))
    end
    for _, text in ipairs { "", "{", '{"a"}', "nul", "1 2", '"\xff"', "NaN", ("["):rep(200) } do
        local value, err = decode(text)
        ngx.say(value, " ", type(err))
    end
}
--- request
--- response
1 2.5xniltrue nil nil ü
-1200 9007199254740992
number
string
boolean
table
table
nil
nil string
nil string
nil string
nil string
nil string
nil string
nil string
nil string
--- no_error_log
[error]


=== JSON: to text
--- tcp_server_config
process_by_lua_block {
    local encode = require("resty.nats.wire").json_encode
    local deep = {}
    for i = 1, 200 do deep = { deep } end
    local loop = {}
    loop.loop = loop
    for _, value in ipairs {
        1, 1.5, -0.25, 1e15, 30000000000, "x\"\n\0ü", true, ngx.null, {}, { 1, "a", { b = false } },
        { a = { 1, { } } }, 0 / 0, 1 / 0, "\xff", { [1.5] = 1 }, { [true] = 1 }, print, deep, loop,
        { a = print },
    } do
        local text, err = encode(value)
        ngx.say(text or err)
    end
    ngx.say((encode(nil)))
}
--- request
--- response
1
1.5
-0.25
1000000000000000
30000000000
"x\"\n\u0000ü"
true
null
{}
[1,"a",{"b":false}]
{"a":[1,{}]}
a number is not finite
a number is not finite
a string is not UTF-8
a key is not a string
a key is not a string
a function has no text
tables are nested too deep
tables are nested too deep
a function has no text
null
--- no_error_log
[error]


=== token: letters and digits, each as long as asked for, none twice, in no two workers
--- workers: 2
--- tcp_server_config
process_by_lua_block {
    local token = require("resty.nats.wire").random_token
    local seen, again = {}, 0
    for i = 1, 10000 do
        local text = token(22)
        if #text ~= 22 or text:find("%W") or seen[text] then again = again + 1 end
        seen[text] = true
    end
    ngx.say(again, " ", #token(0), " ", #token(1), " ", #token(500))
}
--- request
--- response
0 0 1 500
--- no_error_log
[error]


=== gc: finalizers that call natives, also for the same socket, while a frame is made
--- peer eval
my $frames = "MSG subject.of.it 12 reply.to.it 5\r\nhello\r\n"
    . "HMSG s.2 13 r.2 12 17\r\nNATS/1.0\r\n\r\nworld\r\n"
    . "MSG s.three 14 3\r\nall\r\nMSG s.4 15 r.4 4\r\nhere\r\n"
    . "MSG s.4 15 0\r\n\r\nMSG s.4 15 2\r\nit\r\nMSG s.4 15 reply 3\r\nthe\r\n";
[ ['A:', 'accept'], ['A:', send => $frames x 10000], ['A:', 'expect_eof'] ]
--- tcp_server_config
process_by_lua_block {
    local frames, wire = require "resty.nats.frames", require "resty.nats.wire"
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reader = { subject = "", sid = "" }
    local other = { subject = "", sid = "" }
    local bad, n, in_gc = 0, 0, 0
    local function check(kind, subject, sid, reply, payload, headers)
        if kind ~= 1 then return false end
        n = n + 1
        local t = table.concat({ subject, sid, reply or "-", payload, headers }, " ")
        if t ~= "subject.of.it 12 reply.to.it hello"
            and t ~= "s.2 13 r.2 world NATS/1.0\r\n\r\n"
            and t ~= "s.three 14 - all"
            and t ~= "s.4 15 r.4 here" and t ~= "s.4 15 - "
            and t ~= "s.4 15 - it" and t ~= "s.4 15 reply the"
        then
            bad = bad + 1
        end
        return true
    end
    local function trash()
        getmetatable(newproxy(true)).__gc = function()
            in_gc = in_gc + 1
            ngx.now()
            ngx.encode_base64("some text that is somewhat long" .. in_gc)
            pcall(function() check(frames.read(other, sock)) end)
        end
    end
    repeat
        for i = 1, 10 do trash() end
        if n % 1000 == 0 then collectgarbage("step", 10) end
        local more = check(frames.read(reader, sock, 500))
    until not more or n >= 70000
    ngx.say(n >= 69980, " ", bad, " ", in_gc > 100)
    sock:close()
}
--- request
--- response
true 0 true
--- timeout: 30
--- skip_mode: slow: megabytes byte by byte
--- no_error_log
[error]
