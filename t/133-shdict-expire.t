# ngx.shared.DICT: ttl, expire, get_stale, flush_all, flush_expired, get_keys.

use lib 't/lib';
use Test::Nginx::TCP;

our $DICTS = <<'END';
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 1m;
lua_shared_dict cats 1m;
END

run_tests();

__DATA__

=== exptime: the value is there before, and gone after
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("long", 1, 1000)
    dogs:set("short", 1, 0.02)
    dogs:set("ever", 1, 0)
    dogs:set("nil", 1, nil)
    dogs:set("false", 1, false)
    show(dogs:get("long"))
    ngx.sleep(0.06)
    show(dogs:get("short"))
    show(dogs:get("long"))
    ngx.say(t.keys(dogs))
    ngx.say(dogs:ttl("ever"), " ", dogs:ttl("nil"), " ", dogs:ttl("false"))
}
--- response
1: 1
1: nil
1: 1
ever false long nil
0 0 0
--- no_error_log
[error]


=== exptime: a set without one takes it away
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("k", 1, 0.02)
    dogs:set("k", 2)
    dogs:set("r", 1, 0.02)
    dogs:replace("r", 2, 0)
    dogs:set("s", 1)
    dogs:set("s", 2, 0.02)
    ngx.sleep(0.06)
    show(dogs:get("k"))
    show(dogs:get("r"))
    show(dogs:get("s"))
}
--- response
1: 2
1: 2
1: nil
--- no_error_log
[error]


=== exptime: parts of a millisecond do not mean never
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("k", 1, 0.0001)
    ngx.sleep(0.01)
    show(dogs:get("k"))
    dogs:incr("k", 1, 0, 0.0009)
    ngx.sleep(0.01)
    show(dogs:get("k"))
    dogs:set("k", 1)
    dogs:expire("k", 1e-9)
    ngx.sleep(0.01)
    show(dogs:get("k"))
}
--- response
1: nil
1: nil
1: nil
--- no_error_log
[error]


=== exptime: years and thousands of years
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    for _, seconds in ipairs{ 86400, 2 ^ 31, 2 ^ 32, 1e10 } do
        dogs:set("k", 1, seconds)
        local ttl = dogs:ttl("k")
        ngx.say(ttl <= seconds and ttl > seconds - 60)
    end
    -- Or as long as can be.
    dogs:set("k", 1, 1e15)
    ngx.say(dogs:ttl("k") > 1e10 or dogs:ttl("k") == 0)
    ngx.sleep(0.01)
    show(dogs:get("k"))
}
--- response
true
true
true
true
true
1: 1
--- no_error_log
[error]


=== ttl: seconds that are left, 0 for ever
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("k", 1, 1000)
    local first = dogs:ttl("k")
    ngx.sleep(0.05)
    local second = dogs:ttl("k")
    ngx.say(first <= 1000 and first > 900, " ", first - second >= 0.04)
    dogs:set("e", 1)
    show(dogs:ttl("e"))
    show(dogs:ttl("none"))
    dogs:set("f", 1, 0.5)
    ngx.say(dogs:ttl("f") <= 0.5)
}
--- response
true true
1: 0
2: nil, not found
true
--- no_error_log
[error]


=== ttl, expire: what has expired is not found
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("k", 1, 0.01)
    dogs:lpush("l", 1)
    dogs:expire("l", 0.01)
    ngx.sleep(0.05)
    show(dogs:ttl("k"))
    show(dogs:expire("k", 10))
    show(dogs:get("k"))
    show(dogs:ttl("l"))
    show(dogs:expire("l", 10))
    show(dogs:llen("l"))
    dogs:set("f", 1)
    dogs:flush_all()
    show(dogs:ttl("f"))
    show(dogs:expire("f", 10))
    show(dogs:get("f"))
}
--- response
2: nil, not found
2: nil, not found
1: nil
2: nil, not found
2: nil, not found
1: 0
2: nil, not found
2: nil, not found
1: nil
--- no_error_log
[error]


=== expire: sooner, later, never
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("sooner", "x", 1000, 5)
    show(dogs:expire("sooner", 0.02))
    dogs:set("later", "x", 0.02, 5)
    show(dogs:expire("later", 1000))
    dogs:set("never", "x", 0.02, 5)
    show(dogs:expire("never", 0))
    show(dogs:get("sooner"))
    ngx.sleep(0.06)
    show(dogs:get("sooner"))
    show(dogs:get("later"))
    show(dogs:get("never"))
    show(dogs:ttl("never"))
    ngx.say(dogs:ttl("later") > 900)
    show(dogs:expire("none", 1))
}
--- response
1: true
1: true
1: true
2: x, 5
1: nil
2: x, 5
2: x, 5
1: 0
true
2: nil, not found
--- no_error_log
[error]


=== expire: needs a time
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, raises = t.empty("dogs"), t.raises
    dogs:set("k", 1)
    raises(function() dogs:expire("k") end)
    raises(function() dogs:expire("k", nil) end)
    raises(function() dogs:expire("k", false) end)
    ngx.say(pcall(function() return dogs:expire("k", "x") end) == false)
    ngx.say(pcall(function() return dogs:expire("k", {}) end) == false)
    t.show(dogs:ttl("k"))
}
--- response
5: bad "exptime" argument
6: bad "exptime" argument
7: bad "exptime" argument
true
true
1: 0
--- no_error_log
[error]


=== get_stale: says whether the value has expired
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:get_stale("none"))
    dogs:set("k", "x", 0.02, 7)
    dogs:set("n", 1.5, 0.02)
    dogs:set("b", false, 1000)
    show(dogs:get_stale("k"))
    show(dogs:get_stale("n"))
    show(dogs:get_stale("b"))
    ngx.sleep(0.06)
    show(dogs:get_stale("k"))
    show(dogs:get_stale("n"))
    show(dogs:get_stale("b"))
    dogs:set("k", "y")
    show(dogs:get_stale("k"))
    dogs:delete("k")
    show(dogs:get_stale("k"))
}
--- response
1: nil
3: x, 7, false
3: 1.5, nil, false
3: false, nil, false
3: x, 7, true
3: 1.5, nil, true
3: false, nil, false
3: y, nil, false
1: nil
--- no_error_log
[error]


=== get_stale: after flush_all the values are stale, after flush_expired gone
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("k", "x", 0, 7)
    dogs:flush_all()
    show(dogs:get("k"))
    show(dogs:get_stale("k"))
    show(dogs:flush_expired())
    show(dogs:get_stale("k"))
}
--- response
1: nil
3: x, 7, true
1: 1
1: nil
--- no_error_log
[error]


=== flush_all: returns nothing, and leaves other dictionaries alone
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, cats, show = t.empty("dogs"), t.empty("cats"), t.show
    for i = 1, 1000 do
        dogs:set(i, i, i % 3 == 0 and 1000 or 0)
        cats:set(i, i)
    end
    dogs:lpush("l", 1)
    show(dogs:flush_all())
    local left = 0
    for i = 1, 1000 do
        if dogs:get(i) ~= nil then left = left + 1 end
        if cats:get(i) ~= i then ngx.say("lost ", i) end
    end
    ngx.say(left, " ", #dogs:get_keys(0), " ", #cats:get_keys(0))
    show(dogs:add(1, "new"))
    show(dogs:replace(2, "new"))
    show(dogs:incr(3, 1))
    show(dogs:incr(4, 1, 0))
    ngx.say(t.keys(dogs))
    show(dogs:flush_expired())
    show(dogs:get(1))
}
--- response
0: 
0 0 1000
3: true, nil, false
3: false, not found, false
2: nil, not found
3: 1, nil, false
1 4
1: 999
1: new
--- no_error_log
[error]


=== flush_expired: removes what has expired, and counts it
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:flush_expired())
    for i = 1, 10 do
        dogs:set("s" .. i, i, 0.01)
        dogs:set("l" .. i, i, 1000)
        dogs:set("e" .. i, i)
    end
    show(dogs:flush_expired())
    ngx.sleep(0.05)
    show(dogs:flush_expired())
    show(dogs:flush_expired())
    ngx.say(#dogs:get_keys())
    show(dogs:get_stale("s1"))
    show(dogs:get("l10"))
}
--- response
1: 0
1: 0
1: 10
1: 0
20
1: nil
1: 10
--- no_error_log
[error]


=== flush_expired: at most so many
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    for i = 1, 100 do dogs:set(i, i, 0.01) end
    for i = 101, 200 do dogs:set(i, i) end
    ngx.sleep(0.05)
    show(dogs:flush_expired(1))
    show(dogs:flush_expired(30))
    show(dogs:flush_expired(69))
    show(dogs:flush_expired(5))
    dogs:flush_all()
    show(dogs:flush_expired(99))
    show(dogs:flush_expired(0))
    show(dogs:flush_expired(0))
}
--- response
1: 1
1: 30
1: 69
1: 0
1: 99
1: 1
1: 0
--- no_error_log
[error]


=== get_keys: each live key once
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    ngx.say(#dogs:get_keys())
    dogs:set("string", "x")
    dogs:set("number", 1)
    dogs:set("boolean", false)
    dogs:set("expires", 1, 0.01)
    dogs:set("later", 1, 1000)
    dogs:lpush("list", 1)
    dogs:lpush("list", 2)
    dogs:set("deleted", 1)
    dogs:delete("deleted")
    dogs:set("\0\1", 1)
    ngx.sleep(0.05)
    local keys = dogs:get_keys()
    table.sort(keys)
    ngx.say(#keys, " ", keys[1] == "\0\1", " ", table.concat(keys, " ", 2))
}
--- response
0
6 true boolean later list number string
--- no_error_log
[error]


=== get_keys: 1,024 of them, as many as one asks for, or all with 0
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    for i = 1, 3000 do dogs:set("key" .. i, i) end
    for i = 1, 3000, 3 do dogs:delete("key" .. i) end
    local function try(...)
        local seen, keys = {}, dogs:get_keys(...)
        for _, key in ipairs(keys) do
            local i = tonumber(key:match("^key(%d+)$"))
            if seen[key] or i % 3 == 1 then ngx.say("bad ", key) end
            seen[key] = true
        end
        ngx.print(#keys, " ")
    end
    try()
    try(1)
    try(2)
    try(1023)
    try(1999)
    try(2000)
    try(2001)
    try(1e6)
    try(0)
}
--- response chomp
1024 1 2 1023 1999 2000 2000 2000 2000 
--- no_error_log
[error]


=== get_keys, flush_expired: the count is a number
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local dogs = require "dict".empty("dogs")
    dogs:set("k", 1)
    local function try(method, count)
        local ok, err = pcall(function() return dogs[method](dogs, count) end)
        ngx.say(ok, " ", (tostring(err):match("number expected, got %a+")))
    end
    for _, method in ipairs{ "get_keys", "flush_expired" } do
        try(method, "x")
        try(method, {})
        try(method, true)
        try(method, print)
    end
    ngx.say(#dogs:get_keys("1"), " ", dogs:flush_expired("1"))
}
--- response
false number expected, got string
false number expected, got table
false number expected, got boolean
false number expected, got function
false number expected, got string
false number expected, got table
false number expected, got boolean
false number expected, got function
1 0
--- no_error_log
[error]


=== expiry: thousands at different times, in their order
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    -- Those that expire soon are set at random places among the others.
    local soon, n = {}, 2000
    math.randomseed(7)
    for i = 1, n do
        soon[i] = math.random() < 0.5
        dogs:set(i, i, soon[i] and 0.005 + 0.02 * math.random() or 500 + i % 100)
    end
    for i = 1, n, 7 do
        soon[i] = not soon[i]
        dogs:expire(i, soon[i] and 0.01 or i % 2 * 1000)
    end
    ngx.sleep(0.1)
    local wrong, expired = 0, 0
    for i = 1, n do
        if soon[i] then expired = expired + 1 end
        if (dogs:get(i) == nil) ~= soon[i] then wrong = wrong + 1 end
    end
    ngx.say(wrong, " ", #dogs:get_keys(0) == n - expired)
    -- A set has perhaps made use of some that had expired before.
    ngx.say(dogs:flush_expired() <= expired, " ", #dogs:get_keys(0) == n - expired)
    for i = 1, n do
        if (dogs:get_stale(i) == nil) ~= soon[i] then ngx.say("stale ", i) end
    end
}
--- response
0 true
true true
--- no_error_log
[error]


=== expiry: the time is the worker's, as ngx.now() has it
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local function pass(seconds)
        ngx.update_time()
        local start = ngx.now()
        while ngx.now() - start <= seconds do ngx.update_time() end
    end
    dogs:set("k", 1, 10)
    pass(0.03)
    t.show(dogs:get("k"))
    dogs:expire("k", 0.02)
    pass(0.03)
    t.show(dogs:get("k"))
}
--- response
1: 1
1: nil
--- no_error_log
[error]
