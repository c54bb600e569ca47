# require "http": a client of HTTP/1.1, against nginx and against a peer that
# says what no server should.

use lib 't/lib';
use Test::Nginx::TCP;

# method, what the peer sends, "fin" if it closes then; what the client makes of
# it: info, body, error.
our @RESPONSES = (
    # where the body ends
    [GET  => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", '',
     '200 OK [hello] nil'],
    [GET  => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", '',
     '404 Not Found [nil] nil'],
    [GET  => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloEXTRA", '',
     '200 OK [hello] nil'],
    [GET  => "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", '',
     '200 OK [hello] nil'],
    [GET  => "HTTP/1.1 200 OK\r\nC: 3\r\nContent-Length: 5\r\n\r\nhello", '',
     '200 OK [hello] nil'],
    [GET  => "HTTP/1.1 200 OK\r\nCONTENT-length:\t5 \r\n\r\nhello", '',
     '200 OK [hello] nil'],
    [GET  => "HTTP/1.1 200 OK\r\n\r\nto the end", 'fin',
     '200 OK [to the end] nil'],
    [GET  => "HTTP/1.0 200 OK\r\nServer: x\r\n\r\n", 'fin',
     '200 OK [] nil'],
    [HEAD => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", '',
     '200 OK [nil] nil'],
    [HEAD => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", '',
     '200 OK [nil] nil'],
    [GET  => "HTTP/1.1 204\r\n\r\n", '', '204 [nil] nil'],
    [GET  => "HTTP/1.1 204 \r\n\r\n", '', '204 [nil] nil'],
    [GET  => "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", '',
     '304 Not Modified [nil] nil'],
    [GET  => "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n"
             . "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", '',
     '200 OK [ok] nil'],
    # chunks
    [GET  => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             . "5\r\nhello\r\n1;name=value\r\n \r\n0005 \r\nworld\r\n"
             . "0\r\nTrailer: x\r\n\r\n", '',
     '200 OK [hello world] nil'],
    [GET  => "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked\r\n\r\n"
             . "A\n0123456789\n00\n\n", '',
     '200 OK [0123456789] nil'],
    [GET  => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     '', '200 OK [] nil'],
    [GET  => "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
             . "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", '',
     '200 OK [ok] nil'],
    [GET  => "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nzipped", 'fin',
     '200 OK [zipped] nil'],
    (map { [GET => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   . "2\r\nab\r\n$_", '', '200 OK [ab] err body'] }
     "x\r\n", "-1\r\n", "\r\n", " 1\r\na\r\n", "1 1\r\n", "0x1\r\n",
     '1' . ';' x 2000),
    [GET  => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc",
     '', '200 OK [ab] err body'],
    [GET  => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             . "ffffffffffffffffffffffffffff\r\n", '',
     '200 OK [] err body too big'],
    [GET  => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             . "800\r\n" . 'x' x 2048 . "\r\n801\r\n", '',
     '200 OK [2048 x] err body too big'],
    # more than was agreed on
    [GET  => "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n" . 'x' x 4096,
     '', '200 OK [4096 x] nil'],
    [GET  => "HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n", '',
     '200 OK [nil] err body too big'],
    [GET  => "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
     '', '200 OK [nil] err body too big'],
    [GET  => "HTTP/1.1 200 OK\r\nA: " . 'x' x 469 . "\r\nContent-Length: 0"
             . "\r\n\r\n", '', '200 OK [nil] nil'],
    [GET  => "HTTP/1.1 200 OK\r\nA: " . 'x' x 470 . "\r\nContent-Length: 0"
             . "\r\n\r\n", '', '200 OK [nil] err header too big'],
    [GET  => "HTTP/1.1 200 OK\r\nA: " . 'x' x 600, '',
     '200 OK [nil] err header too big'],
    [GET  => 'HTTP/1.1 200 ' . 'x' x 600, '', 'nil [nil] err header too big'],
    # no HTTP
    (map { [GET => $_, '', 'nil [nil] err status line'] }
     "HTP/1.1 200 OK\r\n", "HTTP/2 200 OK\r\n", "HTTP/1.1 20 OK\r\n",
     "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 200OK\r\n", "HTTP/1.1 099 OK\r\n",
     "HTTP/1.1 200 O\0K\r\n", "HTTP/1.1  200 OK\r\n", "\r\n"),
    [GET  => "HTTP/1.1 101 Switching Protocols\r\n\r\n", '',
     '101 Switching Protocols [nil] err status line'],
    (map { my $line = $_;
           map { [GET => "HTTP/1.1 200 OK\r\n$_$line\r\nContent-Length: 3"
                         . "\r\n\r\nabc", '', '200 OK [nil] err headers'] }
           '', "Server: x\r\n" }
     'Content-Length: 5', 'Content-Length: +3', 'Content-Length: 3, 3',
     'Content-Length:', "Content-Length: 3\r\n 4", 'Content-Length : 3',
     ': x', "A: b\0c", "A: b\rc", 'A b: c'),
    (map { [GET => "HTTP/1.1 200 OK\r\n$_\r\nContent-Length: 3\r\n\r\nabc", '',
            '200 OK [nil] err headers'] } ' : x', "\tA: b"),
    # an early end
    [GET  => '', 'fin', 'nil [nil] closed'],
    [GET  => 'HTTP/1.1 200', 'fin', 'nil [nil] closed'],
    [GET  => "HTTP/1.1 200 OK\r\nA:", 'fin', '200 OK [nil] closed'],
    [GET  => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 'fin',
     '200 OK [hello] closed'],
    [GET  => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
     'fin', '200 OK [ab] closed'],
    [GET  => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab",
     'fin', '200 OK [ab] closed'],
    [GET  => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
     'fin', '200 OK [] closed'],
);

our @DRIPPED = grep { length $_->[1] < 200 } @RESPONSES;


# What the peer does: each response on a connection of its own.
sub peer_steps {
    my ($verb, @responses) = @_;
    my ($n, @steps) = (0);
    for (@responses) {
        my ($method, $bytes, $end) = @$_;
        my $name = 'C' . ++$n . ':';
        push @steps, [$name, 'accept'],
            [$name, expect_like => qr{\A$method /$n HTTP/1\.1\r\n.*?\r\n\r\n}s];
        push @steps, [$name, $verb => $bytes] if length $bytes;
        push @steps, [$name, $end ? 'half_close' : 'expect_close'];
    }
    return \@steps;
}


# A script that makes a request of each response and prints what comes of it.
sub script {
    my (@responses) = @_;
    my $methods = join ', ', map { qq("$_->[0]") } @responses;
    return <<"LUA";
process_by_lua_block {
    local http = require "http"
    for i, method in ipairs { $methods } do
        local h = http.new()
        assert(h:init { host = "127.0.0.1", port = \$TEST_PEER_PORT })
        assert(h:send_request { method = method, uri = "/" .. i })
        local r, err = h:receive_response()
        local body = tostring(r.body)
        if #body > 1000 then
            body = #body .. " " .. body:sub(1, 1)
        end
        ngx.say(i, ": ", tostring(r.info), " [", body, "] ", tostring(err))
        h:done(true)
    end
}
LUA
}


sub expected {
    my $n = 0;
    return join '', map { ++$n . ": $_->[3]\n" } @_;
}


run_tests();

__DATA__

=== http: GET, with what the response is made of
--- peers: http
--- tcp_server_config
process_by_lua_block {
    local http = require "http"
    local h = http.new()
    ngx.say(h:init { host = "127.0.0.1", port = $TEST_HTTP_PORT })
    local r, err = h:http_request { method = "GET", uri = "/hello" }
    ngx.print(r.code, " ", r.info, " ", r.headers["Content-Length"], " ",
              r.headers["content-length"], " ", r.headers["CONTENT-TYPE"], " ",
              tostring(r.headers["X-None"]), " ", tostring(r.headers[1]), " ",
              tostring(err), "\n", r.body)
    local names = {}
    for name in pairs(r.headers) do names[#names + 1] = name end
    table.sort(names)
    ngx.say(table.concat(names, " "))
    ngx.say(h:done())
}
--- response
1ok
200 200 OK 6 6 text/plain nil nil nil
hello
Accept-Ranges Connection Content-Length Content-Type Date ETag Last-Modified Server
1
--- no_error_log
[error]


=== http: bodies with a length, in chunks, and none
--- peers: http
--- tcp_server_config
process_by_lua_block {
    local http = require "http"
    local h = http.new()
    assert(h:init { host = "127.0.0.1", port = $TEST_HTTP_PORT,
                    max_head_size = 8192, max_body_size = 2000000 })
    local function get(method, uri)
        local r, err = h:http_request { method = method, uri = uri }
        ngx.say(r.info, " ", r.body and #r.body or "none", " ", tostring(err))
        return r
    end
    get("GET", "/chunked")
    local r = get("GET", "/big")
    ngx.say(r.body == ("x"):rep(1000000))
    r = get("GET", "/chunked-big")
    ngx.say(r.body == ("x"):rep(1000000))
    get("HEAD", "/big")
    get("HEAD", "/chunked")
    get("GET", "/204")
    get("GET", "/empty")
    get("GET", "/404")
    get("GET", "/500")
    get("GET", "/redirect")
    r = get("GET", "/duplicate")
    ngx.say(r.headers["x-twice"])
    r = get("GET", "/headers")
    ngx.say(#r.headers["x-long-60"])
    r = h:http_request { method = "GET", uri = "/connection" }
    ngx.say(r.body:match("%d+\n$"), h.sock:getreusedtimes())
    h:done()
}
--- response_like
^200 OK 6 nil
200 OK 1000000 nil
true
200 OK 1000000 nil
true
200 OK none nil
200 OK none nil
204 No Content none nil
200 OK none nil
404 Not Found \d+ nil
500 Internal Server Error \d+ nil
302 Moved Temporarily \d+ nil
200 OK 6 nil
2
200 OK 6 nil
90
4
0
$
--- skip_mode: slow: 2 MB byte by byte
--- no_error_log
[error]


=== http: every response, whatever ends it
--- peer eval: main::peer_steps(send => @main::RESPONSES)
--- tcp_server_config eval: main::script(@main::RESPONSES)
--- response eval: main::expected(@main::RESPONSES)
--- timeout: 15


=== http: the same byte by byte
--- peer eval: main::peer_steps(drip => @main::DRIPPED)
--- tcp_server_config eval: main::script(@main::DRIPPED)
--- response eval: main::expected(@main::DRIPPED)
--- timeout: 60
--- skip_mode: slow: it is, in the block above


=== http: the same by a copy of the library, which has no help of the module
--- tcp_config
lua_package_path "$TEST_ROOT/lua/?.lua;;";
--- peer eval: main::peer_steps(send => @main::RESPONSES)
--- tcp_server_config eval: main::script(@main::RESPONSES)
--- response eval: main::expected(@main::RESPONSES)
--- timeout: 15


=== http: the request, with what it sets and leaves out
--- peer
expect_like /\AGET \/path\?x=1 HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\nUser-Agent: resty-agent\r\nContent-Length: 0\r\n\r\n/
send "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
expect_like /\APOST \/p\?a%20b%26=c%26d%3D%0D%0A HTTP\/1\.1\r\nhost: mine\r\nUser-Agent: resty-agent\r\nContent-Length: 5\r\n\r\nhello/
send "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
expect_like /\APUT \/p\?x=1&b=1&b=%25&b=true HTTP\/1\.1\r\nX-Number: 7\r\nHost: [^\r]+\r\nUser-Agent: resty-agent\r\nContent-Length: 3\r\n\r\nabc/
send "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
expect_like /\APOST \/ HTTP\/1\.1\r\nHost: [^\r]+\r\nUser-Agent: resty-agent\r\nContent-Length: 2\r\n\r\n42/
send "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
expect_like /\APOST \/ HTTP\/1\.1\r\nHost: [^\r]+\r\nUser-Agent: resty-agent\r\nContent-Length: 0\r\n\r\n/
send "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
expect_eof
--- tcp_server_config
process_by_lua_block {
    local h = require("http").new()
    assert(h:init { host = "127.0.0.1", port = $TEST_PEER_PORT })
    local function request(req)
        local r, err = h:http_request(req)
        ngx.say(r and r.code, " ", tostring(err))
    end
    request { method = "GET", uri = "/path?x=1" }
    local headers = {
        host = "mine", ["content-length"] = 99, ["Transfer-Encoding"] = "chunked",
        CONNECTION = "close", ["User-Agent"] = "me",
    }
    request { method = "POST", uri = "/p", args = { ["a b&"] = "c&d=\r\n" },
              headers = headers, body = "hello" }
    ngx.say(headers["content-length"], headers.CONNECTION)
    request { method = "PUT", uri = "/p?x=1", args = { b = { 1, "%", true } },
              headers = { ["X-Number"] = 7 }, body = { "a", "bc" } }
    request { method = "POST", uri = "/", body = 42, args = {} }
    request { method = "POST", uri = "/", body = "" }
    h:done(true)
}
--- response
200 nil
200 nil
99close
200 nil
200 nil
200 nil
--- no_error_log
[error]


=== http: nothing in a request can end a line or make another one
--- peer
accept
expect_close
--- tcp_server_config
process_by_lua_block {
    local h = require("http").new()
    assert(h:init { host = "127.0.0.1", port = $TEST_PEER_PORT })
    local function refused(req)
        req.method = req.method or "GET"
        req.uri = req.uri or "/"
        ngx.say(h:send_request(req))
    end
    refused { method = "GET /x HTTP/1.1\r\nA:" }
    refused { method = "" }
    refused { method = "CONNECT" }
    refused { uri = "/a b" }
    refused { uri = "/a\r\nB: c" }
    refused { uri = "/\0" }
    refused { uri = "" }
    refused { uri = "/a#b" }
    refused { headers = { A = "b\r\nC: d" } }
    refused { headers = { A = "b\nC: d" } }
    refused { headers = { A = "b\0" } }
    refused { headers = { ["A: b\r\nC"] = "d" } }
    refused { headers = { ["A b"] = "d" } }
    refused { headers = { [""] = "d" } }
    refused { headers = { A = true } }
    refused { headers = { "A: b" } }
    refused { headers = { Host = "a", host = "b" } }
    refused { headers = "A: b" }
    refused { args = "a=b" }
    refused { method = "POST" }
    refused { body = true }
    ngx.say(h:send_request("GET /"))
    ngx.say(h:done(true))
}
--- response
nilwrong request: method
nilwrong request: method
nilwrong request: method
nilwrong request: uri
nilwrong request: uri
nilwrong request: uri
nilwrong request: uri
nilwrong request: uri
nilwrong request: headers
nilwrong request: headers
nilwrong request: headers
nilwrong request: headers
nilwrong request: headers
nilwrong request: headers
nilwrong request: headers
nilwrong request: headers
nilwrong request: headers
nilwrong request: headers
nilwrong request: args
nilwrong request
nilwrong request
nilwrong request
1
--- no_error_log
[error]


=== http: bytes that nobody asked for keep a connection out of the pool
--- peer
A: expect_like /\AGET \/1.*?\r\n\r\n/s
A: send "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"
A: expect_close
B: expect_like /\AGET \/2.*?\r\n\r\n/s
B: send "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, close\r\n\r\nok"
B: expect_close
C: expect_like /\AGET \/3.*?\r\n\r\n/s
C: send "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"
C: expect_close
D: expect_like /\AGET \/4.*?\r\n\r\n/s
D: send "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
D: expect_close
E: expect_like /\AGET \/5.*?\r\n\r\n/s
E: send "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nok"
E: expect_like /\AGET \/6.*?\r\n\r\n/s
E: send "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
E: expect_like /\AGET \/7.*?\r\n\r\n/s
E: send "HTTP/1.1 204 No Content\r\n\r\n"
E: expect_close
--- tcp_server_config
process_by_lua_block {
    local http = require "http"
    for i = 1, 7 do
        local h = http.new()
        assert(h:init { host = "127.0.0.1", port = $TEST_PEER_PORT })
        local r = assert(h:http_request { method = "GET", uri = "/" .. i })
        ngx.say(r.code, " ", h.sock:getreusedtimes())
        h:done(i == 7)
    end
}
--- response
200 0
200 0
200 0
200 0
200 0
200 1
204 2
--- no_error_log
[error]


=== http: the next request after a server that has closed
--- peer
A: expect_like /\AGET \/1.*?\r\n\r\n/s
A: send_fin "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
B: expect_like /\APOST \/2.*?\r\n\r\n/s
B: send "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
B: expect_eof
--- tcp_server_config
process_by_lua_block {
    local h = require("http").new()
    assert(h:init { host = "127.0.0.1", port = $TEST_PEER_PORT })
    ngx.say(h:http_request({ method = "GET", uri = "/1" }).code)
    ngx.say(h:http_request({ method = "POST", uri = "/2", body = "" }).code)
    h:done(true)
}
--- response
200
201
--- no_error_log
[error]


=== http: a request on a pooled connection that is just closed is made again
--- peer
A: expect_like /\AGET \/1.*?\r\n\r\n/s
A: send "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
A: expect_like /\AGET \/2.*?\r\n\r\n/s
A: half_close
B: expect_like /\AGET \/2.*?\r\n\r\n/s
B: send "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
B: expect_like /\APOST \/3.*?\r\n\r\n/s
B: half_close
--- tcp_server_config
process_by_lua_block {
    local http = require "http"
    local h = http.new()
    local opts = { host = "127.0.0.1", port = $TEST_PEER_PORT }
    local function request(method, uri)
        assert(h:init(opts))
        local r, err = h:http_request { method = method, uri = uri, body = "" }
        ngx.say(r and r.code, " ", tostring(err), " ", (h:done()))
    end
    request("GET", "/1")
    request("GET", "/2")
    request("POST", "/3")
}
--- response
200 nil 1
201 nil 1
nil closed nil


=== http: a server that does not answer, and one that stops in the middle
--- peer
A: expect_like /\r\n\r\n/
B: expect_like /\r\n\r\n/
B: send "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"
A: expect_close
B: expect_close
--- tcp_server_config
process_by_lua_block {
    local http = require "http"
    for i = 1, 2 do
        local h = http.new()
        assert(h:init { host = "127.0.0.1", port = $TEST_PEER_PORT,
                        connect_timeout = 10000, send_timeout = 10000,
                        read_timeout = 200 })
        assert(h:send_request { method = "GET", uri = "/" })
        local r, err = h:receive_response()
        ngx.say(tostring(r.body), " ", err)
        ngx.say(h:receive_response())
        ngx.say(h:done())
    end
}
--- response
nil timeout
nilcannot send query in the current context: 1
nilclosed
he timeout
nilcannot send query in the current context: 1
nilclosed
--- error_log
lua tcp socket read timed out


=== http: calls out of order, and what init() wants
--- peers: http
--- tcp_server_config
process_by_lua_block {
    local http = require "http"
    local h = http.new()
    ngx.say(h:send_request { method = "GET", uri = "/" })
    ngx.say(h:receive_response())
    ngx.say(h:done())
    ngx.say(h:init())
    ngx.say(h:init {})
    ngx.say(h:init { host = "" })
    ngx.say(h:init { host = "127.0.0.1" })
    ngx.say(h:init { host = "127.0.0.1", port = $TEST_CLOSED_PORT })
    ngx.say(h:connect { host = "127.0.0.1", port = $TEST_HTTP_PORT })
    ngx.say(h:send_request { method = "HEAD", uri = "/hello" } > 0)
    ngx.say(h:send_request { method = "HEAD", uri = "/hello" })
    ngx.say(h:done())
    ngx.say(h:receive_response().code)
    ngx.say(h:done())
    ngx.say(h:done())
    local empty = setmetatable({}, { __index = http })
    ngx.say(empty:init {})
    ngx.say(empty:send_request {})
    ngx.say(empty:receive_response())
    ngx.say(empty:done())
    ngx.say(empty:sslhandshake())
}
--- response
nilcannot send query in the current context: nil
nilcannot send query in the current context: nil
nilcannot be reused in the current connection state: nil
nilno options
nilno host
nilno host
nilno port
nilconnection refused
1
true
nilcannot send query in the current context: 2
nilcannot be reused in the current connection state: 2
200
1
nilcannot be reused in the current connection state: nil
nilnot initialized
nilnot initialized
nilnot initialized
nilnot initialized
nilnot initialized


=== http: TLS by options, verified or not, in pools of their own
--- peers: https
--- tcp_config
lua_ssl_trusted_certificate $TEST_CERT_DIR/ca.pem;
--- tcp_server_config
process_by_lua_block {
    local http = require "http"
    local function try(port, options)
        local h = http.new()
        options.host, options.port, options.ssl = "127.0.0.1", port, true
        local ok, err = h:init(options)
        if not ok then
            return ngx.say("no: ", err)
        end
        local reused = h.sock:getreusedtimes()
        local r, err = h:http_request { method = "GET", uri = "/hello" }
        ngx.say(r and r.code, " ", tostring(err), " ", reused, " ", (h:done()))
    end
    try($TEST_HTTPS_PORT, { ssl_server_name = "test.example" })
    try($TEST_HTTPS_PORT, { ssl_server_name = "test.example" })
    try($TEST_HTTPS_PORT, { ssl_server_name = "other.example" })
    try($TEST_HTTPS_PORT, { ssl_verify = false,
                            ssl_server_name = "other.example" })
    try($TEST_HTTPS_EXPIRED_PORT, { ssl_server_name = "test.example" })
    try($TEST_HTTPS_EXPIRED_PORT, { ssl_verify = false })
    try($TEST_HTTPS_SELF_SIGNED_PORT, { ssl_server_name = "test.example" })
}
--- response_like
^200 nil [02] 1
200 nil [13] 1
no: .*
200 nil [01] 1
no: .*
200 nil [01] 1
no: .*
$


=== http: TLS by sslhandshake(), after init()
--- peers: https
--- tcp_server_config
process_by_lua_block {
    local h = require("http").new()
    assert(h:init { host = "127.0.0.1", port = $TEST_HTTPS_PORT })
    assert(h:sslhandshake(false, "test.example", false))
    local r = assert(h:http_request { method = "GET", uri = "/tls" })
    ngx.print(r.body)
    ngx.say(h:done())
}
--- response_like
^TLSv1\.[23] \. test\.example \S+\n1\n$
--- no_error_log
[error]


=== http: a unix socket
--- tcp_config
server {
    listen unix:$TEST_DIR/http.sock;
    process_by_lua_block {
        local host
        repeat
            local line = ngx.receive("*l")
            host = line:match("^Host: (.*)") or host
        until line == ""
        ngx.print("HTTP/1.1 200 OK\r\nContent-Length: ", #host, "\r\n\r\n", host)
    }
}
--- tcp_server_config
process_by_lua_block {
    local h = require("http").new()
    assert(h:init { host = "unix:$TEST_DIR/http.sock", port = 0 })
    ngx.say(h:http_request({ method = "GET", uri = "/" }).body)
    h:done()
    assert(h:init { host = "unix:$TEST_DIR/http.sock" })
    ngx.say(h:http_request({ method = "GET", uri = "/" }).body)
    h:done()
}
--- response
localhost
localhost
--- no_error_log
[error]


=== http: nlog is told of each request, the script's own if it has one
--- peers: http
--- tcp_config
init_by_lua_block {
    nlog = {
        http = function(label, uri, elapsed, err)
            lines[#lines + 1] = table.concat({ label, uri,
                type(tonumber(elapsed)), tostring(err) }, " ")
        end,
    }
    lines = {}
}
--- tcp_server_config
process_by_lua_block {
    local h = require("http").new()
    local opts = { host = "127.0.0.1", port = $TEST_HTTP_PORT, pool_name = "web" }
    assert(h:init(opts))
    h:http_request { method = "GET", uri = "/hello" }
    h:done()
    assert(h:init(opts))
    h:http_request { method = "GET", uri = "/big" }
    assert(h:init(opts))
    h:http_request { method = "POST", uri = "/none" }
    ngx.say(table.concat(lines, "\n"))
    for i = 1, #lines do lines[i] = nil end
}
--- response
web /hello number nil
web /big number [receive_response error: err body too big]
web /none number [send_request error: wrong request]


=== http: many requests, memory stays
--- peers: http
--- tcp_server_config
process_by_lua_block {
    local http = require "http"
    local opts = { host = "127.0.0.1", port = $TEST_HTTP_PORT }
    local function some(n)
        for _ = 1, n do
            local h = http.new()
            assert(h:init(opts))
            assert(h:http_request { method = "GET", uri = "/hello" }.code == 200)
            assert(h:done())
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage("count")
    end
    local before = some(100)
    local after = some(500)
    ngx.say(after - before < 50)
}
--- response
true
--- skip_mode: slow valgrind: too many requests
--- no_error_log
[error]
