# The servers that blocks name in "peers", asked by the client of the test
# itself: they serve, and are empty when a run begins.

use lib 't/lib';
use Test::Nginx::TCP;

my %TYPE = (A => 1, PTR => 12, MX => 15, TXT => 16, AAAA => 28, SRV => 33);

# name, type; response code, number of answers, how the last of them ends
my @DNS = (
    ['one.test',     A    => 0, 1,  address('127.0.0.1')],
    ['two.test',     A    => 0, 2,  ''],
    ['six.test',     AAAA => 0, 1,  "\0" x 15 . "\1"],
    ['six.test',     A    => 0, 0,  ''],
    ['both.test',    A    => 0, 1,  address('127.0.0.1')],
    ['both.test',    AAAA => 0, 1,  "\0" x 15 . "\1"],
    ['four.test',    AAAA => 0, 0,  ''],
    ['many.test',    A    => 0, 20, ''],
    ['alias.test',   A    => 0, 2,  address('127.0.0.1')],
    ['dead.test',    A    => 0, 1,  address('127.0.0.9')],
    ['short.test',   A    => 0, 1,  "\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1"],
    ['nx.test',      A    => 3, 0,  ''],
    ['servfail.test', A   => 2, 0,  ''],
    ['name.invalid', A    => 5, 0,  ''],
    ['text.test',    TXT  => 0, 1,  "\x09some text"],
    ['long.test',    TXT  => 0, 20, "\xc8" . 'x' x 200],
    ['mail.test',    MX   => 0, 1,  ''],
    ['_tcp._tcp.test', SRV => 0, 1, ''],
    ['1.0.0.127.in-addr.arpa', PTR => 0, 1, "\x03one\x04test\0"],
    ['test.example', A    => 0, 1,  address('127.0.0.1')],
    ['other.example', A   => 0, 1,  address('127.0.0.1')],
    ['a.wild.example', A  => 0, 1,  address('127.0.0.1')],
);

run_tests();


# An A record from its type on.
sub address {
    my ($address) = @_;
    return pack 'nnNna4', 1, 1, 3600, 4, pack 'C4', split /\./, $address;
}


# Queries by UDP, but for the answer that does not fit.
sub dns_steps {
    my @steps;
    for my $i (0 .. $#DNS) {
        my ($name, $type, $code, $count, $end) = @{ $DNS[$i] };
        my $question = join('', map { pack 'C/a*', $_ } split /\./, $name)
                       . pack 'Cnn', 0, $TYPE{$type}, 1;
        my $query = pack('nnnnnn', $i, 0x100, 1, 0, 0, 0) . $question;
        # the flags but for "authoritative", which dnsmasq has its own mind of
        my $head = quotemeta(pack 'n', $i) . "[\x81\x85]" . chr(0x80 | $code)
                   . quotemeta pack('nn', 1, $count);
        my $by_tcp = $count == 20;
        my ($length, $to) = $by_tcp ? ('..', '') : ('', 'udp:');
        push @steps,
            ["D$i:", connect => $to . '$TEST_DNS_PORT'],
            ["D$i:", send => $by_tcp ? pack 'n/a*', $query : $query],
            ["D$i:", expect_like =>
                qr/\A$length$head....\Q$question\E.*\Q$end\E\z/s],
            ["D$i:", 'close'];
    }
    return \@steps;
}


__DATA__

=== redis
--- config
events {}
--- peers: redis
--- connect: $TEST_REDIS_PORT
--- request eval
"EXISTS key\r\nSET key value\r\nGET key\r\nQUIT\r\n"
--- response eval
":0\r\n+OK\r\n\$5\r\nvalue\r\n+OK\r\n"


=== redis: by its unix socket
--- config
events {}
--- peers: redis
--- connect: unix:$TEST_REDIS_SOCKET
--- request eval
"PING\r\nQUIT\r\n"
--- response eval
"+PONG\r\n+OK\r\n"


=== redis: with a password
--- config
events {}
--- peers: redis_auth
--- connect: $TEST_REDIS_AUTH_PORT
--- request eval
"PING\r\nAUTH sesame\r\nPING\r\nQUIT\r\n"
--- response_like
^-NOAUTH [^\n]*
\+OK\r
\+PONG\r
\+OK\r$


=== memcached
--- config
events {}
--- peers: memcached
--- connect: $TEST_MEMCACHED_PORT
--- request eval
"get key\r\nset key 0 0 5\r\nvalue\r\nget key\r\nquit\r\n"
--- response eval
"END\r\nSTORED\r\nVALUE key 0 5\r\nvalue\r\nEND\r\n"


=== mariadb: by its unix socket and by TCP
--- config
events {}
--- peers: mariadb
--- request_parts
A: connect unix:$TEST_MARIADB_SOCKET
A: expect_like /^...\x00\x0a5\.5\.5-10\.\S+-MariaDB/s
A: close
B: connect $TEST_MARIADB_PORT
B: expect_like /^...\x00\x0a5\.5\.5-10\.\S+-MariaDB/s
B: close


=== http: a length
--- config
events {}
--- peers: http
--- connect: $TEST_HTTP_PORT
--- request eval
"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
--- response_like: ^HTTP/1.1 200 OK\r\n.*Content-Length: 6\r\n.*\r\n\r\nhello\n$


=== http: chunks
--- config
events {}
--- peers: http
--- connect: $TEST_HTTP_PORT
--- request eval
"GET /chunked HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
--- response_like: ^HTTP/1.1 200 OK\r\n.*Transfer-Encoding: chunked\r\n.*\r\n\r\n6\r\nhello\n\r\n0\r\n\r\n$


=== http: many chunks
--- config
events {}
--- peers: http
--- connect: $TEST_HTTP_PORT
--- request_parts
send "GET /chunked-big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
expect_like /\r\n\r\n/
expect_like /(?:[0-9a-f]+\r\nx+\r\n){5,}0\r\n\r\n\z/
expect_eof


=== http: big bodies
--- config
events {}
--- peers: http
--- request_parts
A: connect $TEST_HTTP_PORT
A: send "GET /big HTTP/1.0\r\n\r\n"
A: expect_like /Content-Length: 1000000\r\n.*\r\n\r\n/s
A: expect "x" x 1000000
A: expect_eof
B: connect $TEST_HTTP_PORT
B: send "HEAD /huge HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
B: expect_like /Content-Length: 33554432\r\n.*\r\n\r\n/s
B: expect_eof


=== http: keepalive, and every other answer
--- config
events {}
--- peers: http
--- connect: $TEST_HTTP_PORT
--- request_parts
connect $TEST_HTTP_PORT
send "GET /connection HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /\r\n\r\n\d+ 1\n/
send "GET /connection HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /\r\n\r\n\d+ 2\n/
send "GET /204 HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /^HTTP\/1.1 204 No Content\r\n(?!.*Content-Length).*\r\n\r\n/s
send "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /^HTTP\/1.1 200 OK\r\n.*Content-Length: 0\r\n.*\r\n\r\n/s
send "GET /404 HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /^HTTP\/1.1 404 .*<\/html>\r\n/s
send "GET /500 HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /^HTTP\/1.1 500 .*<\/html>\r\n/s
expect_eof
connect $TEST_HTTP_PORT
send "GET /redirect HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /^HTTP\/1.1 302 .*Location: .*\/hello\r\n.*<\/html>\r\n/s
send "PUT /method HTTP/1.1\r\nHost: name\r\nContent-Length: 0\r\n\r\n"
expect_like /\r\n\r\nPUT name\n/
send "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
expect_like /Content-Length: 4\r\n.*\r\n\r\nbody/s
send "GET /duplicate HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /X-Twice: 1\r\nX-Twice: 2\r\n\r\nhello\n/s
send "GET /headers HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /(?:X-Long-\d+: y{90}\r\n){60}\r\nhello\n/s
send "GET /idle HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /\r\n\r\nhello\n/s
expect_eof
connect $TEST_HTTP_PORT
send "GET /close HTTP/1.1\r\nHost: a\r\n\r\n"
expect_like /Connection: close\r\n\r\nhello\n/s
expect_eof
connect $TEST_HTTP_PORT
send "GET /slow HTTP/1.0\r\n\r\n"
expect_like /\r\n\r\nx+/s
expect_nothing 0.1
read_all


=== dns
--- config
events {}
--- peers: dns
--- request_parts eval: main::dns_steps()


=== udp: sends back
--- config
events {}
--- peers: udp
--- request_parts
U: connect udp:$TEST_UDP_PORT
U: send "a\0b"
U: expect "a\0b"
U: send "twice"
U: expect "twice"
U: expect "twice"
U: send "drop it"
U: send "big 30000"
U: expect "x" x 30000
U: send "empty"
U: expect ""


=== nats: its version, and what the monitor says
--- config
events {}
--- peers: nats
--- request_parts
A: connect $TEST_NATS_PORT
A: expect_like /^INFO \{.*"headers":true,.*} \r\n/
A: send "CONNECT {\"verbose\":false}\r\nSUB s 1\r\nPUB s 2\r\nhi\r\n"
A: expect_like /MSG s 1 2\r\nhi\r\n/
B: connect $TEST_NATS_MONITOR_PORT
B: send "GET /varz HTTP/1.0\r\n\r\n"
B: expect_like /"subscriptions": \d+,/
B: read_all


=== nats: old and new
--- config
events {}
--- peers: nats_old nats_ping_new
--- request_parts
A: connect $TEST_NATS_PORT
A: expect_like /^INFO .*"version":"2\.9\.[^\n]*\n/
B: connect $TEST_NATS_PING_PORT
B: expect_like /^INFO .*"version":"2\.(?!9\.)[^\n]*\n/


=== nats_ping: asks each second, and gives up
--- config
events {}
--- peers: nats_ping_new
--- timeout: 15
--- repeat: 1
--- request_parts
A: connect $TEST_NATS_PING_PORT
A: expect_like /^INFO .*\r\n/
A: send "CONNECT {\"verbose\":false}\r\n"
A: expect_like /(?:(?:INFO .*\r\n)?PING\r\n){3,}-ERR 'Stale Connection'\r\n/
A: expect_close


=== nats_limits: payload, connections
--- config
events {}
--- peers: nats_limits
--- request_parts
A: connect $TEST_NATS_LIMITS_PORT
A: expect_like /^INFO .*"max_payload":1024,.*\r\n/
A: send "CONNECT {\"verbose\":false}\r\nPUB s 1025\r\n"
A: expect "-ERR 'Maximum Payload Violation'\r\n"
A: expect_close
B: connect $TEST_NATS_LIMITS_PORT
B: expect_like /^INFO .*\r\n/
B: send "CONNECT {\"verbose\":false}\r\nSUB a 1\r\nSUB b 2\r\nSUB c 3\r\n"
B: send "SUB d 4\r\n"
B: expect "-ERR 'maximum subscriptions exceeded'\r\n"
B: close


=== nats_auth, nats_token: with and without
--- config
events {}
--- peers: nats_auth nats_token
--- request_parts
A: connect $TEST_NATS_AUTH_PORT
A: expect_like /^INFO .*"auth_required":true,.*\r\n/
A: send "CONNECT {\"user\":\"tcp\",\"pass\":\"wrong\"}\r\n"
A: expect "-ERR 'Authorization Violation'\r\n"
A: expect_close
B: connect $TEST_NATS_AUTH_PORT
B: expect_like /^INFO .*\r\n/
B: send "CONNECT {\"user\":\"limited\",\"pass\":\"secret\"}\r\n"
B: expect "+OK\r\n"
B: send "SUB closed 1\r\n"
B: expect "-ERR 'Permissions Violation for Subscription to \"closed\"'\r\n"
B: send "SUB open.> 1\r\n"
B: expect "+OK\r\n"
B: close
C: connect $TEST_NATS_TOKEN_PORT
C: expect_like /^INFO .*"auth_required":true,.*\r\n/
C: send "CONNECT {\"auth_token\":\"sesame\",\"verbose\":false}\r\nPING\r\n"
C: expect_like /^PONG\r\n/
C: close


=== nats_py: publishes, subscribes, answers
--- config
events {}
--- peers: nats nats_py
--- request_parts
A: connect $TEST_NATS_PY_PORT
A: send "connect nats://127.0.0.1:$TEST_NATS_PORT\n"
A: expect "connected\n"
A: send "subscribe a.*\n"
A: expect "subscribed\n"
A: send "publish a.b X-A=1 Y=\\x20z -- some\\npay load\n"
A: expect "got a.b {X-A=1 Y=z}: some\\npay load\n"
A: expect "published\n"
A: send "unsubscribe a.*\n"
A: expect "unsubscribed\n"
A: send "publish a.b \n"
A: expect "published\n"
A: send "respond b\n"
A: expect "subscribed\n"
A: send "request b A=1 -- hello\n"
A: expect "reply {A=1}: hello\n"
A: send "request nobody hello\n"
A: expect_like /^failed: .*no responders.*\n/
A: send "count c q\n"
A: expect "subscribed\n"
A: send "many c 100\n"
A: expect "published\n"
A: send "counted\n"
A: expect "100, 0 twice\n"


=== nats_py: with TLS in each way
--- config
events {}
--- peers: nats_tls nats_mtls nats_tls_first nats_py
--- request_parts
A: connect $TEST_NATS_PY_PORT
A: send "connect tls://127.0.0.1:$TEST_NATS_TLS_PORT tls=yes\n"
A: expect "connected\n"
B: connect $TEST_NATS_PY_PORT
B: send "connect tls://127.0.0.1:$TEST_NATS_MTLS_PORT cert=client\n"
B: expect "connected\n"
C: connect $TEST_NATS_PY_PORT
C: send "connect tls://127.0.0.1:$TEST_NATS_TLS_FIRST_PORT tls=first\n"
C: expect "connected\n"
D: connect $TEST_NATS_PY_PORT
D: send "connect tls://127.0.0.1:$TEST_NATS_MTLS_PORT tls=yes\n"
D: expect_like /^failed: .*\n/
