# Debian's lua-nginx-memcached as it is, in scripts of ours, against memcached.

use lib 't/lib';
use Test::Nginx::TCP;
use Test::Nginx::TCP::Options qw(repo_root);

my $there = -e repo_root() . '/target/lua-nginx/nginx/memcached.lua';

my $INIT = <<'LUA';
lua_package_path "$TEST_LUA_NGINX/?.lua;;";
init_by_lua_block {
    function memcached(port)
        local mc = require("nginx.memcached"):new()
        mc:set_timeout(60000)
        assert(mc:connect("127.0.0.1", port or $TEST_MEMCACHED_PORT))
        return mc
    end
}
LUA

sub init    { return $INIT }
sub missing { return $there ? '' : 'no lua-nginx-memcached: scripts/lua-nginx' }

run_tests();

__DATA__

=== set, get, delete
--- skip_if: main::missing()
--- peers: memcached
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local mc = memcached()
    ngx.say(mc:set("key", "value", 0, 7))
    local value, flags, err = mc:get("key")
    ngx.say(value, " ", flags, " ", err)
    ngx.say(mc:get("nonesuch"))
    ngx.say(mc:set("empty", ""))
    ngx.say("<", (mc:get("empty")), ">")
    ngx.say(mc:delete("key"), mc:delete("key"))
    ngx.say(mc:set("a key with\r\n", {"a", "b", 3}))
    ngx.say((mc:get("a key with\r\n")))
}
--- request
--- response
1
value 7 nil
nilnilnil
1
<>
1nilNOT_FOUND
1
ab3
--- no_error_log
[error]


=== many keys at once
--- skip_if: main::missing()
--- peers: memcached
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local mc = memcached()
    for i = 1, 50 do mc:set("key " .. i, ("v"):rep(i), 0, i) end
    local keys = {}
    for i = 1, 60 do keys[i] = "key " .. i end
    local found = assert(mc:get(keys))
    local n = 0
    for key, entry in pairs(found) do
        n = n + 1
        local i = tonumber(key:match("%d+"))
        assert(entry[1] == ("v"):rep(i) and tonumber(entry[2]) == i)
    end
    ngx.say(n)
}
--- request
--- response
50
--- no_error_log
[error]


=== add, replace, append, prepend, cas
--- skip_if: main::missing()
--- peers: memcached
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local mc = memcached()
    ngx.say(mc:replace("key", 1))
    ngx.say(mc:add("key", "b"), mc:add("key", "c"))
    ngx.say(mc:append("key", "c"), mc:prepend("key", "a"))
    local value, flags, unique = mc:gets("key")
    ngx.say(value, " ", flags)
    ngx.say(mc:cas("key", "new", unique))
    ngx.say(mc:cas("key", "newer", unique))
    ngx.say((mc:get("key")))
}
--- request
--- response
nilNOT_STORED
1nilNOT_STORED
11
abc 0
1
nilEXISTS
new
--- no_error_log
[error]


=== incr, decr, touch, flush_all, version, stats, verbosity
--- skip_if: main::missing()
--- peers: memcached
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local mc = memcached()
    mc:set("n", 40)
    ngx.say(mc:incr("n", 3), " ", mc:decr("n", 1))
    ngx.say(mc:incr("nonesuch", 1))
    mc:set("text", "abc")
    ngx.say((select(2, mc:incr("text", 1))))
    ngx.say(mc:touch("n", 100), mc:touch("nonesuch", 1))
    ngx.say((mc:version():match("^%d+%.%d+")))
    ngx.say(mc:verbosity(0))
    local stats = mc:stats()
    ngx.say(#stats > 20, " ", (stats[1]:match("^%u+ pid %d+$")) ~= nil)
    ngx.say(mc:flush_all(), mc:get("n"))
    ngx.say(mc:quit())
    -- the second byte that it is sent meets a reset
    local _, _, err = mc:get("n")
    local reset = err == "broken pipe" or err == "connection reset by peer"
    ngx.say(reset and "closed" or err)
    ngx.say(mc:close())
}
--- request
--- response
43 42
nilNOT_FOUND
CLIENT_ERROR cannot increment or decrement non-numeric value
1nilNOT_FOUND
1.6
1
true true
1nilnilnil
1
closed
nilclosed
--- no_error_log
[error]


=== values of a megabyte, and the server's limit
--- skip_if: main::missing()
--- peers: memcached
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local mc = memcached()
    local long = ("0123456789"):rep(100000)
    ngx.say(mc:set("long", long))
    ngx.say((mc:get("long")) == long)
    ngx.say(mc:set("longer", long .. long))
    ngx.say((mc:get("longer")))
}
--- request
--- response
1
true
nilSERVER_ERROR object too large for cache
nil
--- skip_mode: slow: a system call for each of four million bytes
--- no_error_log
[error]


=== pool: over three connections of clients
--- skip_if: main::missing()
--- peers: memcached
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local mc = memcached()
    local reused = mc:get_reused_times()
    assert(mc:set("key", reused))
    ngx.say((mc:get("key")) == tostring(reused))
    assert(mc:set_keepalive(60000, 10))
    ngx.say(mc:get("key"))
    mc = memcached()
    ngx.say(mc:get_reused_times() - reused)
    assert(mc:set_keepalive(60000, 10))
}
--- request
--- response
true
nilnilclosed
1
--- no_error_log
[error]


=== a key transformation that leaves keys alone
--- skip_if: main::missing()
--- peers: memcached
--- tcp_config eval: main::init()
--- tcp_server_config
process_by_lua_block {
    local function same(key) return key end
    local mc = require("nginx.memcached"):new({key_transform = {same, same}})
    mc:set_timeout(60000)
    assert(mc:connect("127.0.0.1", $TEST_MEMCACHED_PORT))
    ngx.say(mc:set("a/b&c", 1))
    ngx.say((mc:get("a/b&c")))
    ngx.say((memcached():get("a/b&c")))
}
--- request
--- response
1
1
nil
--- no_error_log
[error]


=== faults: bytes one by one, an end in the middle, silence, nonsense
--- skip_if: main::missing()
--- tcp_config
lua_package_path "$TEST_LUA_NGINX/?.lua;;";
--- peer
A: expect "get a\r\n"
A: drip "VALUE a 0 5\r\nhe\r\nl\r\nEND\r\n"
A: expect "get b\r\n"
A: send "VALUE b 0 5\r\nhe"
A: close
B: expect "get c\r\n"
B: expect_eof
C: expect "get d\r\n"
C: send "SERVER_ERROR out of memory\r\n"
C: expect "get e\r\n"
C: reset
--- tcp_server_config
process_by_lua_block {
    local function memcached(timeout)
        local mc = require("nginx.memcached"):new()
        mc:set_timeout(timeout or 60000)
        assert(mc:connect("127.0.0.1", $TEST_PEER_PORT))
        return mc
    end
    local mc = memcached()
    ngx.say((mc:get("a"):gsub("\r\n", "|")))
    ngx.say(mc:get("b"))
    mc = memcached(50)
    ngx.say(mc:get("c"))
    mc = memcached()
    ngx.say(mc:get("d"))
    ngx.say((select(3, mc:get("e"))))
}
--- request
--- response
he|l
nilnilclosed
nilniltimeout
nilnilSERVER_ERROR out of memory
connection reset by peer
