# Each configuration in conf/ as it stands, but for its ports (6666 is the
# test's first, 6667 its second, ...) and the path of the module. The folder it
# lies in is conf/ below nginx's prefix. README's is conf/nginx.conf.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::Options qw(repo_root);


sub slurp {
    my ($name) = @_;
    open my $fh, '<:raw', repo_root() . "/$name" or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


# For --- config.
sub example {
    my ($name) = @_;
    return ported(slurp("conf/$name"));
}


sub ported {
    my ($text) = @_;
    $text =~ s{modules/ngx_tcp_lua_module\.so}{\$TEST_MODULE};
    $text =~ s{(\blisten\s+)66(\d\d)\b}
              {my $n = $2 - 65; "${1}127.0.0.1:\$TEST_PORT" . ($n > 1 && $n)}ge;
    return $text;
}


# The one with redis: the test's, and Debian's module where the tests have it.
sub scores {
    my $text = example('redis/nginx.conf');
    $text =~ s/6379/\$TEST_REDIS_PORT/;
    $text =~ s/^tcp \{\n/$&    lua_package_path "\$TEST_LUA_NGINX\/?.lua;;";\n/m;
    return $text;
}


# The one by TLS: with the test's certificates.
sub tls {
    my $text = example('tls/nginx.conf');
    $text =~ s/server\.(pem|key)/\$TEST_CERT_DIR\/good.$1/g;
    $text =~ s/ca\.pem;/\$TEST_CERT_DIR\/ca.pem;/;
    return $text;
}


# The one with an upstream: its own second server, or another port.
sub relay {
    my ($port) = @_;
    my $text = example('relay/nginx.conf');
    $port ||= '$TEST_PORT2';
    $text =~ s/(upstream = .*)6667/$1$port/;
    return $text;
}


# The one with a NATS server: the test's; and a port that answers as soon as the
# service does, whose connection nobody waits for.
sub with_nats {
    my $text = example('nats/nginx.conf');
    $text =~ s/4222/\$TEST_NATS_PORT/;
    $text =~ s/\}\s*\z//;
    return $text . <<"CONF";
    server {
        listen 127.0.0.1:\$TEST_PORT4;
        process_by_lua_block {
            local n = require("resty.nats"):new()
            assert(n:connect(nats_server[1], nats_server[2]))
            while not n:request_sync("roman", "1") do ngx.sleep(0.05) end
            n:close()
            ngx.say("ready")
        }
    }
}
CONF
}


# The one with a database: the test's, and a server on a port of its own that
# makes the table, since a run begins with an empty database.
sub telephone_book {
    my $text = example('mysql/nginx.conf');
    my ($table) = $text =~ /(CREATE TABLE .*?;)/ or die "no table in conf/mysql\n";
    $table =~ s/book\.//;
    $text =~ s/port = 3306/port = \$TEST_MARIADB_PORT/;
    $text =~ s/(user|database) = "book"/$1 eq 'user' ? 'user = "tcp"'
                                                     : 'database = "test"'/ge;
    $text =~ s/\}\s*\z//;
    return $text . <<"CONF";
    server {
        listen 127.0.0.1:\$TEST_PORT2;
        process_by_lua_block {
            local db = mysql.new()
            assert(db:connect(database))
            assert(db:query("$table"))
            db:set_keepalive()
            ngx.say("ready")
        }
    }
}
CONF
}


# For --- user_files: the scripts beside the example.
sub scripts {
    my ($folder) = @_;
    my $root = repo_root();
    my @names = map { s{^\Q$root\E/}{}r } glob "$root/conf/$folder/*.lua";
    return join '', map {
        my $path = $_;
        (my $name = $path) =~ s{^conf/\Q$folder\E/}{};
        ">>> conf/$name\n" . slurp($path);
    } @names;
}


# The first block of README that is a configuration.
sub of_readme {
    my ($text) = slurp('README.md') =~ /^```nginx\n(.*?)^```/ms
        or die "README.md has no configuration\n";
    return $text;
}


# Its script for NATS, and who answers to that on the second port.
sub nats_of_readme {
    my ($script) = slurp('README.md') =~ /^```lua\n(local nats.*?)^```/ms
        or die "README.md has no script for NATS\n";
    $script =~ s/4222/\$TEST_NATS_PORT/;
    return ">>> conf/readme.lua\n$script" . <<'LUA';
>>> conf/price.lua
local n = require("resty.nats"):new()
assert(n:connect("127.0.0.1", $TEST_NATS_PORT))
n:subscribe("price", function(msg) msg:respond("3 " .. msg.payload .. "s") end)
n:flush()
ngx.print("ready")
n:wait(1)
LUA
}


run_tests();

__DATA__

=== nginx.conf: sends back what comes
--- config eval: main::example('nginx.conf')
--- request_parts
send "hello"
expect "hello"
send "\0\xff\r\n"
expect "\0\xff\r\n"
send "0123456789" x 1000
expect "0123456789" x 1000
half_close
expect_eof
--- no_error_log
[error]


=== README: its nginx.conf sends back what comes
--- config eval: main::ported(main::of_readme())
--- request chomp
hello
--- response chomp
hello
--- no_error_log
[error]


=== seed: answers six to ten bytes, and waits for the next request
--- config eval: main::example('seed/nginx.conf')
--- user_files eval: main::scripts('seed')
--- skip_if: `dpkg-query -W -f '\${db:Status-Abbrev}' lua-cjson 2>&1` =~ /^ii/ ? '' : 'no lua-cjson'
--- request_parts
send "0123456789"
expect_like /^receive ret 0123456789 nil nil,[\d.]+\n/
send "abcdef"
sync
expect_like /^receive ret abcdef nil nil,[\d.]+\n/
half_close
expect_eof
--- no_error_log
[error]
--- skip_mode: slow: there a read gives one byte, and six are enough


=== seed: a client that leaves too early is told so
--- config eval: main::example('seed/nginx.conf')
--- user_files eval: main::scripts('seed')
--- skip_if: `dpkg-query -W -f '\${db:Status-Abbrev}' lua-cjson 2>&1` =~ /^ii/ ? '' : 'no lua-cjson'
--- request_parts
send "abc"
half_close
expect_like /^receive ret nil closed abc,[\d.]+\nexit\n/
expect_eof


=== lines: commands
--- config eval: main::example('lines/nginx.conf')
--- user_files eval: main::scripts('lines')
--- request_parts
send "TIME\r\n"
expect_like /^\+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n/
send "echo two words\nMD5 hello\ncount\nNOPE\n???\n"
expect "+two words\n+5d41402abc4b2a76b9719d911017c592\n+4\n"
expect "-ERR unknown command\n-ERR unknown command\n"
send "QUIT\nTIME\n"
expect "+BYE\n"
expect_eof
--- no_error_log
[error]


=== tls: a guest, and a client with a certificate
--- config eval: main::tls()
--- user_files eval: main::scripts('tls')
--- request_parts
A: start_tls
A: expect "hello guest, by TLSv1.3\n"
A: send "hi\n"
A: expect "guest says: hi\n"
B: start_tls cert=client TLSv1.2
B: expect "hello Test Client, by TLSv1.2\n"
B: send "hi\n"
B: expect "Test Client says: hi\n"
--- no_error_log
[error]


=== resp: commands of redis' clients
--- config eval: main::example('resp/nginx.conf')
--- user_files eval: main::scripts('resp')
--- request_parts
send "*1\r\n\$4\r\nPING\r\n"
expect "+PONG\r\n"
send "*3\r\n\$3\r\nSET\r\n\$4\r\nname\r\n\$12\r\ntwo\r\n\0words\xff\r\n"
expect "+OK\r\n"
send "*2\r\n\$3\r\nget\r\n\$4\r\nname\r\n*2\r\n\$3\r\nGET\r\n\$2\r\nno\r\n"
expect "\$12\r\ntwo\r\n\0words\xff\r\n\$-1\r\n"
send "ttl name\r\nTTL no\nset other x EX 100\r\n\r\nTTL other\r\n"
expect ":-1\r\n:-2\r\n+OK\r\n:100\r\n"
send "EXISTS name no name\r\nDEL name no other\r\nPING again\r\n"
expect ":2\r\n:2\r\n\$5\r\nagain\r\n"
send "*3\r\n\$3\r\nSET\r\n\$4\r\nlong\r\n\$30000\r\n"
send "x" x 30000
send "\r\nGET long\n"
expect "+OK\r\n\$30000\r\n"
expect "x" x 30000
expect "\r\n"
send "DEL long\r\nHELLO\r\nGET\r\nSET a b c d\r\n"
expect ":1\r\n-ERR unknown command 'HELLO'\r\n"
expect "-ERR wrong number of arguments for 'GET' command\r\n-ERR syntax error\r\n"
send "*1\r\n\$x\r\n"
expect "-ERR Protocol error: no such number\r\n"
expect_eof
--- no_error_log
[error]


=== banner: the server speaks first
--- config eval: main::example('banner/nginx.conf')
--- user_files eval: main::scripts('banner')
--- request_parts
expect "220 ready, who are you?\n"
send "\n"
expect "501 a name, please\n"
send "Ada\r\n"
expect "250 hello Ada, how many bytes do you send?\n"
send "9\n"
expect "354 go on\n"
send "123456789"
expect "250 3421780262\n"
expect_eof
--- no_error_log
[error]


=== banner: a client that does not keep its word
--- config eval: main::example('banner/nginx.conf')
--- user_files eval: main::scripts('banner')
--- request_parts
send "Bob\n9\n1234"
half_close
expect_like /^220 .*\n250 .*\n354 go on\n/
expect_eof
--- error_log
Bob sent 4 of 9 bytes: closed


=== servers: one script for those that have none
--- config eval: main::example('servers/nginx.conf')
--- request_parts
A: connect $TEST_PORT
A: send "Ada\n"
A: expect "hello Ada\n"
A: expect_eof
B: connect $TEST_PORT4
B: half_close
B: expect "hello nobody\n"
B: expect_eof
C: connect $TEST_PORT3
C: send "abc\n"
C: expect "cba\n"
C: expect_eof
--- file_like
>>> logs/tcp.log
(?s)asked for Ada.*asked for nobody


=== servers: one with a timeout and a log of its own
--- config eval: main::example('servers/nginx.conf')
--- request_parts
connect $TEST_PORT2
expect "hello nobody\n"
expect_eof
--- file_like
>>> logs/impatient.log
lua tcp socket read timed out
--- no_error_log
timed out


=== messages: from client to client
--- config eval: main::example('messages/nginx.conf')
--- user_files eval: main::scripts('messages')
--- request_parts
A: send "to Bob hello\nlogin\nlogin Ada\nto Bob hello\n"
A: expect "! login NAME\n! login NAME\n* welcome, Ada\n! Bob is not here\n"
B: send "login Ada\nlogin Bob\nlogin Eve\nfly\n"
B: expect "! come back with another name\n* welcome, Bob\n! you are Bob\n"
B: expect "! login, to, all, quit\n"
C: send "login Eve\n"
C: expect "* welcome, Eve\n"
A: send "to Bob how are you?\n"
A: expect "* sent\n"
B: expect "Ada: how are you?\n"
B: send "to Ada fine\nto Bob note\n"
B: expect "* sent\nBob: note\n* sent\n"
A: expect "Bob: fine\n"
C: send "all good night\nquit\n"
C: expect "* sent to 2\n* bye\n"
C: expect_eof
A: expect "Eve to all: good night\n"
B: expect "Eve to all: good night\n"
sync
B: send "to Eve good night\nall\n"
B: expect "! Eve is not here\n* sent to 1\n"
A: expect "Bob to all: \n"
A: half_close
A: expect_eof
B: half_close
B: expect_eof
--- no_error_log
[error]


=== redis: high scores
--- skip_if: -e '$TEST_LUA_NGINX/nginx/redis.lua' ? '' : 'no lua-nginx-redis'
--- peers: redis
--- config eval: main::scores()
--- user_files eval: main::scripts('redis')
--- request_parts
A: send "TOP 3\nSCORE Ada 10\nSCORE Bob 7.5\n"
A: expect "+\n+1\n+2\n"
B: send "score Bob 11\nRANK Ada\nRANK Eve\n"
B: expect "+1\n+2\n+none\n"
A: send "SCORE Eve many\nHELP\nTOP\n"
A: expect "-SCORE name points\n-unknown command\n+Bob 11 Ada 10\n"
A: send "SCORE\nRANK\n"
A: expect "-SCORE name points\n+none\n"
A: half_close
A: expect_eof
B: half_close
B: expect_eof
--- no_error_log
[error]


=== redis: high scores while redis is away
--- skip_if: -e '$TEST_LUA_NGINX/nginx/redis.lua' ? '' : 'no lua-nginx-redis'
--- peers: redis
--- config eval: main::scores()
--- user_files eval: main::scripts('redis')
--- request_parts
A: send "SCORE Ada 10\n"
A: expect "+1\n"
stop_peer redis
A: send "RANK Ada\n"
A: expect "-try again later\n"
start_peer redis
A: send "RANK Ada\nSCORE Ada 5\n"
A: expect "+none\n+1\n"
A: half_close
A: expect_eof
--- error_log
redis: connection refused


=== relay: both ways at once, and the end of one direction passes on
--- config eval: main::relay()
--- user_files eval: main::scripts('relay')
--- request_parts
A: send "hello"
A: expect "> hello"
B: send "there"
B: expect "> there"
A: send "again"
A: expect "> again"
A: half_close
A: expect_eof
B: half_close
B: expect_eof
--- no_error_log
[error]
--- skip_mode: slow: there a read gives one byte, and each has its answer


=== relay: nobody to relay to
--- config eval: main::relay('$TEST_CLOSED_PORT')
--- user_files eval: main::scripts('relay')
--- request_parts
expect_close
--- error_log
~ relay: 127\.0\.0\.1:\d+: connection refused


=== relay: a megabyte each way at the same time
--- config eval: main::relay('$TEST_PEER_PORT')
--- user_files eval: main::scripts('relay')
--- peer
send "down" x 250000
expect "up" x 500000
expect_eof
close
--- request_parts
send "up" x 500000
half_close
expect "down" x 250000
expect_eof
--- no_error_log
[error]
--- skip_mode: slow: 2 MB byte by byte


=== relay: one side still sends when the other one has ended
--- config eval: main::relay('$TEST_PEER_PORT')
--- user_files eval: main::scripts('relay')
--- peer
send "first"
half_close
expect "then"
expect_eof
--- request_parts
expect "first"
expect_eof
send "then"
half_close
wait_log "relay: 4 bytes up, 5 down"
--- no_error_log
[error]


=== relay: a reset of one side ends the other
--- config eval: main::relay('$TEST_PEER_PORT')
--- user_files eval: main::scripts('relay')
--- peer
A: expect "a"
A: reset
B: expect "b"
B: send "c"
B: expect_close
--- request_parts
A: send "a"
A: expect_close
wait_log "relay: 1 bytes up, 0 down, connection reset by peer"
B: send "b"
B: expect "c"
B: reset
wait_log "relay: 1 bytes up, 1 down, connection reset by peer"


=== frames: in order, at once and in pieces
--- config eval: main::example('frames/nginx.conf')
--- user_files eval: main::scripts('frames')
--- request_parts
send "\0\0\0\x05hello\0\0\0\x01x"
expect "\0\0\0\x05HELLO\0\0\0\x01X"
drip "\0\0\0\x03abc" 0.001
expect "\0\0\0\x03ABC"
half_close
expect_eof
--- no_error_log
[error]


=== frames: one that is too long ends the connection
--- config eval: main::example('frames/nginx.conf')
--- user_files eval: main::scripts('frames')
--- request_parts
send "\xff\0\0\0abc"
expect_close
--- error_log
frame of 4278190080 bytes
--- no_error_log
[error]

=== chat: two clients talk, both ways at once
--- config eval: main::example('chat/nginx.conf')
--- user_files eval: main::scripts('chat')
--- request_parts
A: send "Ada\n"
A: expect "* welcome, Ada\n"
B: send "Bob\n"
B: expect "* welcome, Bob\n"
A: expect "* Bob is here\n"
A: send "hello\n"
B: send "who is"
B: expect "Ada: hello\n"
B: send " here?\nanybody?\n"
A: expect "Bob: who is here?\nBob: anybody?\n"
C: send "Ada\n"
C: expect "! come back with another name\n"
C: expect_eof
B: half_close
B: expect_eof
A: expect "* Bob is gone: closed\n"
A: close
sync
--- no_error_log
[error]


=== chat: a client that vanishes, and its name is free again
--- config eval: main::example('chat/nginx.conf')
--- user_files eval: main::scripts('chat')
--- request_parts
A: send "Ada\n"
A: expect "* welcome, Ada\n"
B: send "Bob\n"
B: expect "* welcome, Bob\n"
A: expect "* Bob is here\n"
B: reset
A: expect "* Bob is gone: connection reset by peer\n"
C: send "Bob\n"
C: expect "* welcome, Bob\n"
A: expect "* Bob is here\n"
C: send "again\n"
A: expect "Bob: again\n"
A: half_close
A: expect_eof
C: expect "* Ada is gone: closed\n"
C: half_close
C: expect_eof
--- no_error_log
[error]


=== chat: one that does not read is sent away, the others talk on
--- config eval: main::example('chat/nginx.conf')
--- user_files eval: main::scripts('chat')
--- repeat: 1
--- request_parts eval
my $line = 'x' x 4000 . "\n";
[
    ['S:', connect => 'rcvbuf=4096'], ['S:', send => "Sam\n"],
    ['S:', expect => "* welcome, Sam\n"], ['S:', 'stop_reading'],
    ['A:', send => "Ada\n"], ['A:', expect => "* welcome, Ada\n"],
    ['B:', send => "Bob\n"], ['B:', expect => "* welcome, Bob\n"],
    ['A:', expect => "* Bob is here\n"],
    (map { (['A:', send => $line x 10],
            ['B:', expect => "Ada: $line" x 10]) } 1 .. 40),
    ['S:', 'start_reading'], ['S:', 'read_all'],
    ['A:', expect => "* Sam is gone: sent away\n"],
    ['B:', expect => "* Sam is gone: sent away\n"],
    ['A:', 'half_close'], ['A:', 'expect_eof'],
    ['B:', expect => "* Ada is gone: closed\n"],
    ['B:', 'half_close'], ['B:', 'expect_eof'],
]
--- skip_mode: slow: 3 MB byte by byte
--- no_error_log
[error]


=== chat: everybody is let go when nginx quits
--- config eval: main::example('chat/nginx.conf')
--- user_files eval: main::scripts('chat')
--- request_parts
A: send "Ada\n"
A: expect "* welcome, Ada\n"
B: send "Bob\n"
B: expect "* welcome, Bob\n"
A: expect "* Bob is here\n"
signal QUIT
A: read_all
B: read_all
A: close
B: close
wait_exit
--- no_error_log
[error]


=== timers: a lock ends by itself, also that of a client who has gone
--- config eval: main::example('timers/nginx.conf')
--- user_files eval: main::scripts('timers')
--- request_parts
A: send "LOCK door\n"
A: expect "+OK\n"
B: send "LOCK door\nLOCK window\nUNLOCK window\nLOCK window\n"
B: expect "-LOCKED\n+OK\n+OK\n+OK\n"
A: close
pause 3.5
B: send "LOCK door\nLOCK window\nUNLOCK door\nUNLOCK window\nnothing\n"
B: expect "+OK\n+OK\n+OK\n+OK\n-ERR unknown command\n"
B: half_close
B: expect_eof
--- no_error_log
[error]


=== timers: statistics once a second, and a last time at the end
--- config eval: main::example('timers/nginx.conf')
--- user_files eval: main::scripts('timers')
--- request_parts
A: send "STATS\n"
A: expect "+1 requests, 0 in the last second, 0 locks expired\n"
A: send "LOCK a\nLOCK b\nUNLOCK b\nLOCK b\n"
A: expect "+OK\n+OK\n+OK\n+OK\n"
pause 4
A: send "STATS\n"
A: expect "+6 requests, 0 in the last second, 2 locks expired\n"
A: half_close
A: expect_eof
signal QUIT
wait_exit
--- error_log
~ \[notice\] .*stats\.lua:9: served 6 requests, context: ngx\.timer$
--- no_error_log
[error]


=== mysql: a telephone book
--- peers: mariadb
--- config eval: main::telephone_book()
--- user_files eval: main::scripts('mysql')
--- request_parts
T: connect $TEST_PORT2
T: expect "ready\n"
A: send "SET Ada 1815\nSET Adam 17\nSET Eve 1-800-\"';DROP\n"
A: expect "+OK\n+OK\n+OK\n"
B: send "GET Ada\nGET Eve\nGET Bob\nFIND Ad\n"
B: expect "+1815\n+1-800-\"';DROP\n+\n+2\nAda 1815\nAdam 17\n"
A: send "DEL Ada\nDEL Ada\nGET Ada\nSET Ada\nset Ada 2\nFIND %\n"
A: expect "+1\n+0\n+\n-usage: SET name number\n-unknown command\n+0\n"
A: half_close
A: expect_eof
B: half_close
B: expect_eof
--- no_error_log
[error]


=== mysql: the telephone book when the database fails
--- peers: mariadb
--- config eval: main::telephone_book()
--- user_files eval: main::scripts('mysql')
--- request_parts
send "GET Ada\n"
expect "-failed\n"
send "SET Ada 1815\n"
expect "-failed\n"
half_close
expect_eof
--- error_log
GET failed: Table 'test.numbers' doesn't exist
SET failed: Table 'test.numbers' doesn't exist


=== nats: Roman numerals from a service
--- peers: nats
--- config eval: main::with_nats()
--- user_files eval: main::scripts('nats')
--- request_parts
T: connect $TEST_PORT4
T: expect "ready\n"
A: send "1984\n"
A: expect "+MCMLXXXIV\n"
B: send "4000\nMMXXVI\n"
B: expect "-from 1 to 3999, please\n-from 1 to 3999, please\n"
A: send "14\n3999\n"
A: expect "+XIV\n+MMMCMXCIX\n"
A: half_close
A: expect_eof
B: half_close
B: expect_eof
--- no_error_log
[error]


=== nats: who publishes is heard by those who have subscribed
--- peers: nats
--- config eval: main::with_nats()
--- user_files eval: main::scripts('nats')
--- request_parts
P: connect $TEST_PORT2
A: connect $TEST_PORT3
B: connect $TEST_PORT3
A: send "news.*\n"
A: expect "+OK\n"
B: send "news.sport\nnews.sport\nweather\n"
B: expect "+OK\n-subscribed already\n+OK\n"
P: send "news.sport 2:1 after extra time\nnews.local a cat is back\n"
P: expect "+OK\n+OK\n"
A: expect "news.sport 2:1 after extra time\nnews.local a cat is back\n"
B: expect "news.sport 2:1 after extra time\n"
B: send "-news.sport\n-news.sport\n"
B: expect "+OK\n-not subscribed\n"
P: send "news.sport 3:1\nweather rain\nnobody listens\nword\n.. x\n"
P: expect "+OK\n+OK\n+OK\n-SUBJECT TEXT\n-invalid subject\n"
A: expect "news.sport 3:1\n"
B: expect "weather rain\n"
A: half_close
A: expect_eof
B: close
P: half_close
P: expect_eof
--- no_error_log
[error]


=== nats: the server goes away and comes back
--- peers: nats
--- config eval: main::with_nats()
--- user_files eval: main::scripts('nats')
--- request_parts
T: connect $TEST_PORT4
T: expect "ready\n"
A: send "4\n"
A: expect "+IV\n"
S: connect $TEST_PORT3
S: send "news\n"
S: expect "+OK\n"
stop_peer nats
S: expect "-gone\n"
S: expect_eof
A: send "5\n"
A: expect "-try again later\n"
start_peer nats
U: connect $TEST_PORT4
U: expect "ready\n"
A: send "6\n"
A: expect "+VI\n"
A: half_close
A: expect_eof
--- error_log
subscriber: closed
roman: connection refused


=== README: its script for NATS
--- peers: nats
--- config
load_module $TEST_MODULE;
events {}
tcp {
    server {
        listen 127.0.0.1:$TEST_PORT;
        process_by_lua_file conf/readme.lua;
    }
    server {
        listen 127.0.0.1:$TEST_PORT2;
        process_by_lua_file conf/price.lua;
    }
}
--- user_files eval: main::nats_of_readme()
--- request_parts
P: connect $TEST_PORT2
P: expect "ready"
A: connect
A: expect "orders.new: 2 apples\n3 apples\n"
A: expect_eof
P: expect_eof
--- no_error_log
[error]
