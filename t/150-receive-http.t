# sock:receive_http(): one HTTP response, and what is wrong with it.

use lib 't/lib';
use Test::Nginx::TCP;

run_tests();

__DATA__

=== http: a body with a length; what comes after it is for the next call
--- peer
accept
expect "GET / HTTP/1.1\r\n\r\n"
send "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name:  a value \r\n\r\n"
send "helloHTTP/1.1 204\r\n\r\nrest"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(reply, err)
        local body = reply and reply.body and table.concat(reply.body)
        ngx.say(reply and reply.code, "|", reply and reply.info, "|", body, "|", err)
    end
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    sock:send("GET / HTTP/1.1\r\n\r\n")
    local reply, err = sock:receive_http(1000, 1000)
    show(reply, err)
    ngx.say(type(reply.code), " ", reply.headers["X-Name"], ", ",
        reply.headers["Content-Length"], " ", reply.headers["x-name"])
    show(sock:receive_http(1000, 1000))
    ngx.say(sock:receive(4))
    sock:close()
}
--- request
--- response
200|200 OK|hello|nil
number a value, 5 nil
204|204|nil|nil
rest
--- no_error_log
[error]


=== http: in chunks, with extensions and trailers, byte by byte
--- peer
accept
drip "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" 0.001
drip "5\r\nhello\r\nA;name=value\r\n0123456789\r\n000 \r\nX-Sum: 1\r\n\r\nrest" 0.001
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(reply, err)
        local body = reply and reply.body and table.concat(reply.body)
        ngx.say(reply and reply.code, "|", reply and reply.info, "|", body, "|", err)
    end
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive_http(1000, 15))
    ngx.say(sock:receive(4))
    sock:close()
}
--- request
--- response
200|200 OK|hello0123456789|nil
rest
--- no_error_log
[error]


=== http: responses of all kinds
--- peer eval
[
['C0:', 'accept'], ['C0:', send => "HTTP/1.0 404 Not Found\r\n\r\n"],
['C0:', 'half_close'],
['C1:', 'accept'], ['C1:', send => "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"],
['C1:', 'half_close'],
['C2:', 'accept'], ['C2:', send => "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
['C2:', 'half_close'],
['C3:', 'accept'], ['C3:', send => "HTTP/1.1 100 Continue\r\n\r\n"],
['C3:', 'half_close'],
['C4:', 'accept'], ['C4:', send => "HTTP/1.1 200\r\n\r\n"],
['C4:', 'half_close'],
['C5:', 'accept'], ['C5:', send => "HTTP/1.1 200 \r\n\r\n"],
['C5:', 'half_close'],
['C6:', 'accept'], ['C6:', send => "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"],
['C6:', 'half_close'],
['C7:', 'accept'], ['C7:', send => "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nhi\n0\n\n"],
['C7:', 'half_close'],
['C8:', 'accept'], ['C8:', send => "HTTP/1.1 200 OK\r\nC: 3\r\n: 4\r\nContent-Lengt: 5\r\n\r\n"],
['C8:', 'half_close'],
['C9:', 'accept'], ['C9:', send => "HTTP/1.1 200 OK\r\ncontent-LENGTH:2\r\n\r\nhi"],
['C9:', 'half_close'],
['C10:', 'accept'], ['C10:', send => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
['C10:', 'half_close'],
['C11:', 'accept'], ['C11:', send => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi"],
['C11:', 'half_close'],
['C12:', 'accept'], ['C12:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 100\r\n\r\n0\r\n\r\n"],
['C12:', 'half_close'],
]
--- tcp_server_config
process_by_lua_block {
    local function show(reply, err)
        local body = reply and reply.body and table.concat(reply.body)
        ngx.say(reply and reply.code, "|", reply and reply.info, "|", body, "|", err)
    end
    for _ = 1, 13 do
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
        show(sock:receive_http(1000, 1000))
        sock:close()
    end
}
--- request
--- response
404|404 Not Found|nil|nil
204|204 No Content|nil|nil
304|304 Not Modified|nil|nil
100|100 Continue|nil|nil
200|200|nil|nil
200|200|nil|nil
200|200 OK|hi|nil
200|200 OK|hi|nil
200|200 OK|nil|nil
200|200 OK|hi|nil
200|200 OK|nil|nil
200|200 OK|hi|nil
200|200 OK||nil
--- no_error_log
[error]


=== http: what is wrong with them
--- peer eval
[
['C0:', 'accept'], ['C0:', send => "hello\r\n\r\n"],
['C0:', 'half_close'],
['C1:', 'accept'], ['C1:', send => "\r\n"],
['C1:', 'half_close'],
['C2:', 'accept'], ['C2:', send => "HTTP/1.1\r\n\r\n"],
['C2:', 'half_close'],
['C3:', 'accept'], ['C3:', send => "HTTP/1.1 OK\r\n\r\n"],
['C3:', 'half_close'],
['C4:', 'accept'], ['C4:', send => "HTTP/1.1 20 OK\r\n\r\n"],
['C4:', 'half_close'],
['C5:', 'accept'], ['C5:', send => "HTTP/1.1 2000 OK\r\n\r\n"],
['C5:', 'half_close'],
['C6:', 'accept'], ['C6:', send => "HTTP/x.1 200 OK\r\n\r\n"],
['C6:', 'half_close'],
['C7:', 'accept'], ['C7:', send => "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"],
['C7:', 'half_close'],
['C8:', 'accept'], ['C8:', send => "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
['C8:', 'half_close'],
['C9:', 'accept'], ['C9:', send => "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
['C9:', 'half_close'],
['C10:', 'accept'], ['C10:', send => "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
['C10:', 'half_close'],
['C11:', 'accept'], ['C11:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"],
['C11:', 'half_close'],
['C12:', 'accept'], ['C12:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"],
['C12:', 'half_close'],
['C13:', 'accept'], ['C13:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"],
['C13:', 'half_close'],
['C14:', 'accept'], ['C14:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiXXX"],
['C14:', 'half_close'],
['C15:', 'accept'], ['C15:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n"],
['C15:', 'half_close'],
['C16:', 'accept'], ['C16:', send => "HTTP/1.1 200 OK\r\nA: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n"],
['C16:', 'half_close'],
['C17:', 'accept'], ['C17:', send => "HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH"],
['C17:', 'half_close'],
['C18:', 'accept'], ['C18:', send => "HTTP/1.1 200 OK\r\nContent-Length: 201\r\n\r\n"],
['C18:', 'half_close'],
['C19:', 'accept'], ['C19:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nc8\r\n"],
['C19:', 'half_close'],
]
--- tcp_server_config
process_by_lua_block {
    local function show(reply, err)
        local body = reply and reply.body and table.concat(reply.body)
        ngx.say(reply and reply.code, "|", reply and reply.info, "|", body, "|", err)
    end
    for _ = 1, 20 do
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
        show(sock:receive_http(200, 200))
        sock:close()
    end
}
--- request
--- response
nil|nil|nil|err status line
nil|nil|nil|err status line
nil|nil|nil|err status line
nil|nil|nil|err status line
nil|nil|nil|err status line
nil|nil|nil|err status line
nil|nil|nil|err status line
200|200 OK|nil|err headers
200|200 OK|nil|err headers
200|200 OK|nil|err headers
200|200 OK|nil|err headers
200|200 OK||err body
200|200 OK||err body
200|200 OK||err body
200|200 OK|hi|err body
200|200 OK||err body
200|200 OK|nil|err header too big
nil|nil|nil|err header too big
200|200 OK||err body too big
200|200 OK|hello|err body too big
--- no_error_log
[error]


=== http: the end comes too early
--- peer eval
[
['C0:', 'accept'], ['C0:', send => ""],
['C0:', 'half_close'],
['C1:', 'accept'], ['C1:', send => "HTTP/1.1"],
['C1:', 'half_close'],
['C2:', 'accept'], ['C2:', send => "HTTP/1.1 200 OK\r\nA: b"],
['C2:', 'half_close'],
['C3:', 'accept'], ['C3:', send => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"],
['C3:', 'half_close'],
['C4:', 'accept'], ['C4:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"],
['C4:', 'half_close'],
['C5:', 'accept'], ['C5:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
['C5:', 'half_close'],
['C6:', 'accept'], ['C6:', send => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"],
['C6:', 'half_close'],
]
--- tcp_server_config
process_by_lua_block {
    local function show(reply, err)
        local body = reply and reply.body and table.concat(reply.body)
        ngx.say(reply and reply.code, "|", reply and reply.info, "|", body, "|", err)
    end
    for _ = 1, 7 do
        local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
        show(sock:receive_http(1000, 1000))
        sock:close()
    end
}
--- request
--- response
nil|nil|nil|closed
nil|nil|nil|closed
200|200 OK|nil|closed
200|200 OK|he|closed
200|200 OK|he|closed
200|200 OK|hello|closed
200|200 OK||closed
--- no_error_log
[error]


=== http: exactly as big as allowed
--- peer
A: accept
A: send "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
A: expect_eof
B: accept
B: send "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
B: expect_close
--- tcp_server_config
process_by_lua_block {
    local function show(reply, err)
        local body = reply and reply.body and table.concat(reply.body)
        ngx.say(reply and reply.code, "|", reply and reply.info, "|", body, "|", err)
    end
    local sock = ngx.socket.tcp()
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive_http(39, 10))
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive_http(38, 10))
    ngx.say(sock:receive(1))
}
--- request
--- response
200|200 OK|0123456789|nil
200|200 OK|nil|err header too big
nilclosed
--- no_error_log
[error]


=== http: repeated fields, and one without a colon
--- peer
accept
send "HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nno colon\r\nb:c:d\r\nEmpty:\r\n\r\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local function show(reply, err)
        local body = reply and reply.body and table.concat(reply.body)
        ngx.say(reply and reply.code, "|", reply and reply.info, "|", body, "|", err)
    end
    local sock = ngx.socket.connect("127.0.0.1", $TEST_PEER_PORT)
    local reply = sock:receive_http(1000, 1000)
    local h = reply.headers
    ngx.say(h.A, " <", h["no colon"], "> ", h.b, " <", h.Empty, ">")
    sock:close()
}
--- request
--- response
2 <> c:d <>
--- no_error_log
[error]


=== http: a stall, a reset, and a deadline
--- peer
A: accept
A: send "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
A: expect_close
B: accept
B: send "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
B: expect "x"
B: reset
C: accept
C: expect_close
--- tcp_server_config
process_by_lua_block {
    local function show(reply, err)
        local body = reply and reply.body and table.concat(reply.body)
        ngx.say(reply and reply.code, "|", reply and reply.info, "|", body, "|", err)
    end
    local sock = ngx.socket.tcp()
    sock:settimeouts(5000, 5000, 200)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(sock:receive_http(1000, 1000))
    ngx.say(sock:receive(1))
    sock:settimeouts(5000, 5000, 5000)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    local t = ngx.thread.spawn(sock.receive_http, sock, 1000, 1000)
    ngx.sleep(0.1)
    sock:send("x")
    local _, reply, err = ngx.thread.wait(t)
    show(reply, err)
    sock:connect("127.0.0.1", $TEST_PEER_PORT)
    show(ngx.deadline(0.1, sock.receive_http, sock, 1000, 1000))
    ngx.say(sock:close())
}
--- request
--- response
200|200 OK|abc|timeout
nilclosed
200|200 OK|abc|connection reset by peer
nil|nil|nil|deadline
nilclosed
--- no_error_log
[alert]


=== http: mistakes in arguments, and no connection
--- tcp_server_config
process_by_lua_block {
    local function show(reply, err)
        local body = reply and reply.body and table.concat(reply.body)
        ngx.say(reply and reply.code, "|", reply and reply.info, "|", body, "|", err)
    end
    local sock = ngx.socket.tcp()
    local function try(f)
        local ok, err = pcall(f)
        ngx.say(ok, " ", (tostring(err):gsub("^.-:%d+:%d*:? ?", "", 1)))
    end
    try(function() sock:receive_http() end)
    try(function() sock:receive_http(1) end)
    try(function() sock:receive_http(1, 2, 3) end)
    try(function() sock:receive_http("x", 1) end)
    try(function() sock:receive_http(1, {}) end)
    try(function() sock:receive_http(0, 1) end)
    try(function() sock:receive_http(1, -1) end)
    ngx.say(sock:receive_http(1, 1))
}
--- request
--- response
false expecting 3 arguments (including the object), but got 1
false expecting 3 arguments (including the object), but got 2
false expecting 3 arguments (including the object), but got 4
false expecting number parameter!
false expecting number parameter!
false bad argument <= 0
false bad argument <= 0
nilclosed
--- no_error_log
[error]


=== http: a real server, with a pool
--- peers: http
--- tcp_server_config
process_by_lua_block {
    local sock = ngx.socket.tcp()
    local function get(path, version)
        sock:connect("127.0.0.1", $TEST_HTTP_PORT)
        sock:send({ "GET ", path, " HTTP/", version or "1.1", "\r\nHost: a\r\n\r\n" })
        local reply, err = sock:receive_http(16384, 2000000)
        ngx.say(path, " ", reply.code, " ", reply.body and #table.concat(reply.body),
            " ", err, " ", not err and version == nil and sock:setkeepalive())
    end
    get("/hello")
    get("/chunked")
    get("/big")
    get("/chunked-big")
    get("/204")
    get("/empty")
    get("/404")
    get("/headers")
    get("/duplicate")
    ngx.say(sock:connect("127.0.0.1", $TEST_HTTP_PORT), " ", sock:getreusedtimes())
    sock:close()
}
--- request
--- response_like
^/hello 200 6 nil 1
/chunked 200 6 nil 1
/big 200 1000000 nil 1
/chunked-big 200 \d+ nil 1
/204 204 nil nil 1
/empty 200 nil nil 1
/404 404 \d+ nil 1
/headers 200 \d+ nil 1
/duplicate 200 \d+ nil 1
1 9
$
--- skip_mode: slow: 2 MB byte by byte
--- no_error_log
[error]
