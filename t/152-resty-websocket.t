# Debian's lua-nginx-websocket as it is: its client, and its server, for which
# t/lib/lua/http_request.lua does what nginx's http does elsewhere; against a
# peer that plays the bytes of RFC 6455, and against each other.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::Options qw(repo_root);

my $there = -e repo_root() . '/target/lua-nginx/nginx/websocket/client.lua';

my $INIT = <<'LUA';
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;$TEST_LUA_NGINX/?.lua;;";
init_by_lua_block {
    http_request = require "http_request"

    function client(port, opts)
        local ws = assert(require("nginx.websocket.client"):new(
            {timeout = 60000, max_payload_len = 300000}))
        assert(ws:connect("ws://127.0.0.1:" .. port .. "/path", opts))
        return ws
    end

    function server()
        http_request.read()
        return require("nginx.websocket.server"):new(
            {timeout = 60000, max_payload_len = 300000})
    end

    -- sends back what comes, until it is told to close
    function echo()
        local ws = assert(server())
        while true do
            local data, kind, err = ws:recv_frame()
            if not data then return err end
            if kind == "close" then
                return ws:send_close(err, data)
            elseif kind == "ping" then
                ws:send_pong(data)
            elseif kind == "text" then
                ws:send_text(data)
            elseif kind == "binary" then
                ws:send_binary(data)
            end
        end
    end
}
LUA

sub init    { return $INIT }
sub missing { return $there ? '' : 'no lua-nginx-websocket: scripts/lua-nginx' }

# The handshake of RFC 6455, 1.3.
sub handshake {
    my ($port) = @_;
    return ([send => join "\r\n", 'GET /chat HTTP/1.1',
             'Host: server.example.com', 'Upgrade: websocket',
             'Connection: Upgrade',
             'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
             'Sec-WebSocket-Version: 13', '', ''],
            [expect_like => qr{\AHTTP/1\.1\ 101\ (?:[^\r]+\r\n)*
                Sec-WebSocket-Accept:\ s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n
                (?:[^\r]+\r\n)*\r\n}x]);
}

run_tests();

__DATA__

=== client: the handshake and RFC 6455's frames
--- skip_if: main::missing()
--- peer eval
[
    [expect_like => qr{\AGET /path HTTP/1\.1\r\nUpgrade: websocket\r\nHost: 127\.0\.0\.1:\d+\r\nSec-WebSocket-Key: [A-Za-z0-9+/]{22}==\r\nSec-WebSocket-Protocol: a,b\r\nSec-WebSocket-Version: 13\r\nOrigin: http://here\r\nConnection: Upgrade\r\nX-More: 1\r\n\r\n}],
    [send => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             . "Connection: Upgrade\r\n\r\n\x81\x05Hello"],
    [send => "\x01\x03Hel\x80\x02lo"],
    [drip => "\x89\x05Hello"],
    [expect_like => qr{\A\x8a\x85.{9}}s],
    [send => "\x82\x7e\x01\x00" . 'x' x 256],
    [send => "\x82\x7f\0\0\0\0\0\1\0\0" . 'y' x 65536],
    [send => "\x88\x05\x03\xe8bye"],
    [expect_like => qr{\A\x88\x82.{6}}s],
    ['expect_eof'],
]
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local ws = client($TEST_PEER_PORT, {protocols = {"a", "b"},
                      origin = "http://here", headers = {"X-More: 1"}})
    for i = 1, 7 do
        local data, kind, err = ws:recv_frame()
        ngx.say(#data < 100 and data or #data, " ", kind, " ", err)
        if kind == "ping" then
            ngx.say((ws:send_pong(data)))
        end
    end
    ngx.say((ws:send_close(1000)))
    ngx.say(ws:send_text("more"))
    ngx.say(ws:close())
}
--- request
--- response
Hello text nil
Hel text again
lo continuation nil
Hello ping nil
11
256 binary nil
65536 binary nil
bye close 1000
8
nilalready closed
1
--- no_error_log
[error]


=== client: faults
--- skip_if: main::missing()
--- peer eval
my $head = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
[
    ['A:', expect_like => qr/\r\n\r\n/],
    ['A:', send => 'HTTP/1.1 101 Switching'],
    ['A:', 'close'],
    ['B:', expect_like => qr/\r\n\r\n/],
    ['B:', send => "HTTP/1.0 200 OK\r\n\r\n"],
    ['C:', expect_like => qr/\r\n\r\n/],
    ['C:', send => "$head\x81\x05He"],
    ['C:', 'close'],
    ['D:', expect_like => qr/\r\n\r\n/],
    ['D:', send => "$head\x81"],
    ['D:', expect_nothing => 0.1],
    ['D:', send => "\x01D"],
    ['E:', expect_like => qr/\r\n\r\n/],
    ['E:', send => "$head\xf1\0"],
    ['F:', expect_like => qr/\r\n\r\n/],
    ['F:', send => "$head\x82\x7f\0\0\0\0\0\x0f\0\0"],
]
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local function try(what)
        local ws = require("nginx.websocket.client"):new({timeout = 60000})
        ngx.say(ws:connect("ws://127.0.0.1:$TEST_PEER_PORT"))
        return ws
    end
    try()
    try()
    ngx.say((select(3, try():recv_frame())))
    local ws = try()
    ws:set_timeout(20)
    ngx.say((select(3, ws:recv_frame())))
    ngx.say((select(3, try():recv_frame())))
    ngx.say((select(3, try():recv_frame())))
    ngx.say(require("nginx.websocket.client"):new():connect("http://here"))
    ngx.say(require("nginx.websocket.client"):new()
            :connect("ws://127.0.0.1:$TEST_CLOSED_PORT"))
}
--- request
--- response
nilfailed to receive response header: closed
nilbad HTTP response status line: HTTP/1.0 200 OK
1
failed to read masking-len and payload: closed
1
failed to receive the first 2 bytes: timeout
1
bad RSV1, RSV2, or RSV3 bits
1
exceeding max payload len
nilbad websocket uri
nilfailed to connect: connection refused


=== server: the handshake and RFC 6455's frames
--- skip_if: main::missing()
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    echo()
}
--- request_parts eval
[
    main::handshake(),
    [send => "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"],
    [expect => "\x81\x05Hello"],
    [drip => "\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"],
    [expect => "\x8a\x05Hello"],
    [send => "\x82\xfe\x01\x00\0\0\0\0" . 'x' x 256],
    [expect => "\x82\x7e\x01\x00" . 'x' x 256],
    [send => "\x82\xff\0\0\0\0\0\1\0\0\0\0\0\0" . 'y' x 65536],
    [expect => "\x82\x7f\0\0\0\0\0\1\0\0" . 'y' x 65536],
    [send => "\x88\x85\0\0\0\0\x03\xe8bye"],
    [expect => "\x88\x05\x03\xe8bye"],
    ['expect_eof'],
]
--- no_error_log
[error]


=== server: requests that are none
--- skip_if: main::missing()
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local ws, err = server()
    ngx.say(ws, " ", err)
}
--- request_parts
A: send "GET / HTTP/1.0\r\nHost: a\r\n\r\n"
A: expect "nil bad http version\n"
B: send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
B: expect "nil bad \"upgrade\" request header: nil\n"
C: send "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
C: expect "nil bad \"connection\" request header\n"
D: send "GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n"
D: expect "nil bad \"sec-websocket-key\" request header\n"
--- no_error_log
[error]


=== server: two light threads, one reads while the other one sends
--- skip_if: main::missing()
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local ws = assert(server())
    local ticker = ngx.thread.spawn(function()
        for i = 1, 5 do
            assert(ws:send_text("tick " .. i))
            ngx.sleep(0.001)
        end
    end)
    local data, kind = ws:recv_frame()
    ngx.thread.wait(ticker)
    ws:send_text(kind .. ": " .. data)
    ws:send_close(1000)
}
--- request_parts eval
[
    main::handshake(),
    [expect => CORE::join '', map { "\x81\x06tick $_" } 1 .. 5],
    [send => "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"],
    [expect => "\x81\x0btext: Hello\x88\x02\x03\xe8"],
    ['expect_eof'],
]
--- no_error_log
[error]


=== both: client and server of one nginx
--- skip_if: main::missing()
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local ws = client($TEST_PORT2)
    for _, length in ipairs {0, 1, 125, 126, 65535, 65536, 200000} do
        local text = ("0123456789"):rep(length / 10 + 1):sub(1, length)
        assert(ws:send_binary(text))
        local data, kind = ws:recv_frame()
        ngx.say(length, " ", data == text, " ", kind)
    end
    assert(ws:send_ping("are you there"))
    ngx.say(ws:recv_frame())
    assert(ws:send_close(1000, "done"))
    ngx.say(ws:recv_frame())
    ngx.say(ws:recv_frame())
}
--- tcp_server_config2
process_by_lua_block {
    echo()
}
--- request
--- response
0 true binary
1 true binary
125 true binary
126 true binary
65535 true binary
65536 true binary
200000 true binary
are you therepongnil
doneclose1000
nilnilfailed to receive the first 2 bytes: closed
--- skip_mode: slow: a system call for each of half a million bytes, twice
--- no_error_log
[error]


=== both: a pooled connection stays a websocket
--- skip_if: main::missing()
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    for i = 1, 3 do
        local ws = client($TEST_PORT2, {pool = "websocket"})
        assert(ws:send_text("round " .. i))
        ngx.say((ws:recv_frame()))
        assert(ws:set_keepalive(60000))
    end
}
--- tcp_server_config2
process_by_lua_block {
    echo()
}
--- request
--- response
round 1
round 2
round 3
--- no_error_log
[error]
