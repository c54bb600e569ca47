# Debian's lua-nginx-redis as it is, in scripts of ours, against redis-server.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::Options qw(repo_root);

my $there = -e repo_root() . '/target/lua-nginx/nginx/redis.lua';

# Each block's scripts have the module, and redis() for a connected client.
my $INIT = <<'LUA';
lua_package_path "$TEST_LUA_NGINX/?.lua;;";
init_by_lua_block {
    function redis(port)
        local red = require("nginx.redis"):new()
        red:set_timeout(60000)
        assert(red:connect("127.0.0.1", port or $TEST_REDIS_PORT))
        return red
    end
}
LUA

sub init    { return $INIT }
sub missing { return $there ? '' : 'no lua-nginx-redis: scripts/lua-nginx' }

run_tests();

__DATA__

=== strings: set, get, an empty one, one that is not there
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    ngx.say(red:set("key", "value"))
    ngx.say(red:get("key"))
    ngx.say(red:set("empty", ""))
    ngx.say("<", red:get("empty"), ">")
    ngx.say(red:get("nonesuch") == ngx.null)
    ngx.say(red:incr("n"), red:incrby("n", 41))
    ngx.say(red:append("key", " and more"), red:strlen("key"))
    ngx.say(red:del("key", "empty"), red:exists("key"))
}
--- request
--- response
OK
value
OK
<>
true
142
1414
20
--- no_error_log
[error]


=== strings: any bytes, and a megabyte of them
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    local all = table.concat(bytes)
    ngx.say(red:set(all, all), " ", red:get(all) == all)
    local long = all:rep(4096) .. "end"
    ngx.say(red:set("long", long), " ", red:get("long") == long)
}
--- request
--- response
OK true
OK true
--- skip_mode: slow: a system call for each of two million bytes
--- no_error_log
[error]


=== lists, sets, hashes
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    ngx.say(red:rpush("list", "a", "b", 3), red:lpop("list"))
    ngx.say(table.concat(red:lrange("list", 0, -1), ","))
    ngx.say(#red:lrange("nonesuch", 0, -1))
    red:sadd("set", "x")
    ngx.say(red:sismember("set", "x"), red:sismember("set", "y"))
    ngx.say(red:hmset("hash", {one = 1, two = "2"}))
    local hash = red:array_to_hash(red:hgetall("hash"))
    ngx.say(hash.one, hash.two)
    local some = red:hmget("hash", "one", "nonesuch")
    ngx.say(some[1], some[2] == ngx.null)
    red:zadd("scores", 2, "second", 1, "first")
    ngx.say(table.concat(red:zrange("scores", 0, -1, "withscores"), " "))
}
--- request
--- response
3a
b,3
0
10
OK
12
1true
first 1 second 2
--- no_error_log
[error]


=== errors of the server: false and its words, and the connection goes on
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    red:set("key", "no list")
    local res, err = red:lpush("key", 1)
    ngx.say(res, " ", err)
    res, err = red:nonesuch("x")
    ngx.say(res, " ", err:match("^ERR unknown command"))
    ngx.say(red:get("key"))
}
--- request
--- response
false WRONGTYPE Operation against a key holding the wrong kind of value
false ERR unknown command
no list
--- no_error_log
[error]


=== eval: nested tables of any type
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    local t = red:eval("return {1, {'two', {3}}, false, KEYS[1], {}}", 1, "k")
    ngx.say(t[1], t[2][1], t[2][2][1], t[3] == ngx.null, t[4], #t[5])
}
--- request
--- response
1two3truek0
--- no_error_log
[error]


=== pipeline: a thousand commands in one send
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    red:init_pipeline()
    for i = 1, 500 do
        red:set("key" .. i, ("v"):rep(i))
        red:get("key" .. i)
    end
    red:incr("key1")
    local replies = assert(red:commit_pipeline())
    for i = 1, 500 do
        assert(replies[2 * i - 1] == "OK")
        assert(replies[2 * i] == ("v"):rep(i))
    end
    ngx.say(#replies, " ", replies[1001][1], " ", replies[1001][2])

    red:init_pipeline()
    red:set("never", 1)
    red:cancel_pipeline()
    ngx.say(red:exists("never"))
}
--- request
--- response
1001 false ERR value is not an integer or out of range
0
--- no_error_log
[error]


=== transactions
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    ngx.say(red:multi(), " ", red:set("a", 1), " ", red:lpush("a", 2))
    local replies = red:exec()
    ngx.say(replies[1], " ", replies[2][1], " ", replies[2][2]:match("^%w+"))
    ngx.say(red:multi(), " ", red:discard())
}
--- request
--- response
OK QUEUED QUEUED
OK false WRONGTYPE
OK OK
--- no_error_log
[error]


=== subscribe: a light thread hears what another one publishes
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local sub, pub = redis(), redis()
    local reply = sub:subscribe("news")
    ngx.say(table.concat(reply, " "))
    local reader = ngx.thread.spawn(function()
        for i = 1, 3 do
            ngx.say(table.concat(sub:read_reply(), " "))
        end
        return "heard"
    end)
    for i = 1, 3 do
        assert(pub:publish("news", "number " .. i) == 1)
        ngx.sleep(0.001)
    end
    local _, result = ngx.thread.wait(reader)
    ngx.say(result)
    ngx.say(sub:set_keepalive())
    ngx.say(table.concat(sub:unsubscribe("news"), " "))
    ngx.say(sub:read_reply())
    ngx.say(sub:set_keepalive())
}
--- request
--- response
subscribe news 1
message news number 1
message news number 2
message news number 3
heard
nilsubscribed state
unsubscribe news 0
nilnot subscribed
1
--- no_error_log
[error]


=== a timeout of a subscriber leaves it its connection
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local sub, pub = redis(), redis()
    sub:subscribe("news")
    sub:set_timeout(50)
    ngx.say(sub:read_reply())
    sub:set_timeout(60000)
    pub:publish("news", "late")
    ngx.say(table.concat(sub:read_reply(), " "))
}
--- request
--- response
niltimeout
message news late


=== blocking: a timeout of a plain command closes the connection
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    red:set_timeout(50)
    ngx.say(red:blpop("nonesuch", 0))
    ngx.say(red:get("key"))
    ngx.say(red:set_keepalive())
}
--- request
--- response
niltimeout
nilclosed
nilclosed


=== blocking: blpop waits for another client's push
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    ngx.say(table.concat(redis():blpop("list", 0), " "))
}
--- tcp_server_config2
process_by_lua_block {
    local red = redis()
    -- the other one waits by now
    while not red:client("list"):find("cmd=blpop") do ngx.sleep(0.005) end
    ngx.say(red:lpush("list", "pushed"))
}
--- request_parts
A: connect
B: connect $TEST_PORT2
B: expect "1\n"
A: expect "list pushed\n"
--- no_error_log
[error]


=== pool: a connection comes back, and knows how often
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    local id = red:client("id")
    local reused = red:get_reused_times()
    for i = 1, 5 do
        assert(red:set_keepalive(60000, 10))
        red = redis()
        assert(red:client("id") == id)
        assert(red:get_reused_times() == reused + i)
    end
    ngx.say(red:close())
    red = redis()
    ngx.say(red:get_reused_times(), red:client("id") ~= id)
}
--- request
--- response
1
0true
--- no_error_log
[error]


=== pool: a name of its own keeps databases apart
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local function db(n)
        local red = require("nginx.redis"):new()
        red:set_timeout(60000)
        assert(red:connect("127.0.0.1", $TEST_REDIS_PORT,
                           {pool = "database " .. n}))
        if red:get_reused_times() == 0 then
            assert(red:select(n))
        end
        return red
    end
    for n = 1, 3 do
        local red = db(n)
        red:set("key", "of " .. n)
        assert(red:set_keepalive())
    end
    for n = 3, 1, -1 do
        local red = db(n)
        ngx.say(red:get("key"))
        red:flushdb()
        assert(red:set_keepalive())
    end
}
--- request
--- response
of 3
of 2
of 1
--- no_error_log
[error]


=== password
--- skip_if: main::missing()
--- peers: redis_auth
--- tcp_config
lua_package_path "$TEST_LUA_NGINX/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local red = require("nginx.redis"):new()
    red:set_timeout(60000)
    assert(red:connect("127.0.0.1", $TEST_REDIS_AUTH_PORT))
    local _, err = red:get("key")
    ngx.say(err:match("^%w+"))
    _, err = red:auth("wrong")
    ngx.say(err:match("^%w+"))
    ngx.say(red:auth("sesame"))
    ngx.say(red:set("key", 1))
}
--- request
--- response
NOAUTH
WRONGPASS
OK
OK
--- no_error_log
[error]


=== unix socket
--- skip_if: main::missing()
--- peers: redis
--- tcp_config
lua_package_path "$TEST_LUA_NGINX/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local redis = require "nginx.redis"
    for i = 0, 2 do
        local red = redis:new()
        red:set_timeout(60000)
        assert(red:connect("unix:$TEST_REDIS_SOCKET"))
        ngx.say(red:ping(), i == 0 or red:get_reused_times() >= i)
        assert(red:set_keepalive(60000))
    end
}
--- request
--- response
PONGtrue
PONGtrue
PONGtrue
--- no_error_log
[error]


=== nobody listens
--- skip_if: main::missing()
--- tcp_config
lua_package_path "$TEST_LUA_NGINX/?.lua;;";
--- tcp_server_config
process_by_lua_block {
    local red = require("nginx.redis"):new()
    red:set_timeout(60000)
    ngx.say(red:connect("127.0.0.1", $TEST_CLOSED_PORT))
    ngx.say(red:get("key"))
}
--- request
--- response
nilconnection refused
nilclosed
--- error_log
~ connect\(\) to 127\.0\.0\.1:\d+ failed \(111: 


=== the server goes: closed, and a pooled connection is not handed out
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local red = redis()
    ngx.say(red:ping())
    ngx.receive(1)
    ngx.say(red:ping())
    assert(redis():get_reused_times() == 0)
    ngx.say(redis():ping())
}
--- tcp_server_config2
process_by_lua_block {
    local red = redis()
    ngx.say(red:ping())
    assert(red:set_keepalive())
}
--- request_parts
A: expect "PONG\n"
B: connect $TEST_PORT2
B: expect "PONG\n"
B: expect_eof
stop_peer redis
start_peer redis
A: send "on"
A: expect_like /^nil(?:closed|broken pipe|connection reset by peer)\n/
A: expect "PONG\n"


=== replies that come byte by byte, and one that breaks off
--- skip_if: main::missing()
--- tcp_config
lua_package_path "$TEST_LUA_NGINX/?.lua;;";
--- peer
A: expect "*2\r\n$3\r\nget\r\n$1\r\na\r\n"
A: drip "$5\r\nhe\r\nl\r\n"
A: expect "*3\r\n$6\r\nlrange\r\n$1\r\nl\r\n$1\r\n0\r\n"
A: drip "*3\r\n$1\r\nx\r\n:42\r\n-ERR no\r\n"
A: expect "*2\r\n$3\r\nget\r\n$1\r\nb\r\n"
A: send "$10\r\nhalf"
A: close
B: expect "*2\r\n$3\r\nget\r\n$1\r\nc\r\n"
B: send "!\r\n"
--- tcp_server_config
process_by_lua_block {
    local function redis()
        local red = require("nginx.redis"):new()
        red:set_timeout(60000)
        assert(red:connect("127.0.0.1", $TEST_PEER_PORT))
        return red
    end
    local red = redis()
    ngx.say((red:get("a"):gsub("\r\n", "|")))
    local list = red:lrange("l", 0)
    ngx.say(list[1], list[2], list[3][2])
    ngx.say(red:get("b"))
    red = redis()
    ngx.say(red:get("c"))
}
--- request
--- response
he|l
x42ERR no
nilclosed
nilunknown prefix: "33"


=== many clients at once over one pool
--- skip_if: main::missing()
--- peers: redis
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local who = ngx.receive("*l")
    for i = 1, 20 do
        local red = redis()
        local key = who .. ":" .. i
        assert(red:set(key, key) == "OK")
        assert(red:get(key) == key)
        assert(red:set_keepalive(60000, 5))
    end
    ngx.print("good")
}
--- clients: 20
--- request
client $TEST_CLIENT
--- response chomp
good
--- no_error_log
[error]
[alert]
