# ngx.shared.DICT: lpush, rpush, lpop, rpop, llen.

use lib 't/lib';
use Test::Nginx::TCP;

our $DICTS = <<'END';
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 1m;
END

run_tests();

__DATA__

=== list: a queue and a stack, from both ends
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:lpush("l", "b"))
    show(dogs:lpush("l", "a"))
    show(dogs:rpush("l", "c"))
    show(dogs:rpush("l", "d"))
    show(dogs:llen("l"))
    show(dogs:lpop("l"))
    show(dogs:rpop("l"))
    show(dogs:llen("l"))
    show(dogs:lpop("l"))
    show(dogs:lpop("l"))
    show(dogs:lpop("l"))
    show(dogs:rpop("l"))
    show(dogs:llen("l"))
}
--- response
1: 1
1: 2
1: 3
1: 4
1: 4
1: a
1: d
1: 2
1: b
1: c
1: nil
1: nil
1: 0
--- no_error_log
[error]


=== list: strings and numbers come back as they were
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local values = {
        "", "x", "10", 10, 0.1, -1 / 3, 1 / 0, "\0\1\255\0", ("long"):rep(5000),
        2 ^ 53, 5e-324, "y",
    }
    for i, value in ipairs(values) do
        if dogs:rpush("l", value) ~= i then ngx.say("length at ", i) end
        if dogs:lpush("r", value) ~= i then ngx.say("length at ", i) end
    end
    for i, value in ipairs(values) do
        local left, right = dogs:lpop("l"), dogs:rpop("r")
        if left ~= value or right ~= value then ngx.say("value ", i) end
    end
    ngx.say(dogs:llen("l"), " ", dogs:llen("r"))
}
--- response
0 0
--- no_error_log
[error]


=== list: other values are none
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:lpush("l", true))
    show(dogs:lpush("l", false))
    show(dogs:rpush("l", nil))
    show(dogs:rpush("l", {}))
    show(dogs:rpush("l", print))
    show(dogs:rpush("l", ngx.null))
    show(dogs:llen("l"))
    ngx.say("keys: ", t.keys(dogs))
    dogs:lpush("l", 1)
    show(dogs:lpush("l", {}))
    show(dogs:llen("l"))
}
--- response
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
1: 0
keys: 
2: nil, bad value type
1: 1
--- no_error_log
[error]


=== list: a value that is no list
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    for _, value in ipairs{ "x", 1, true } do
        dogs:set("s", value, 0, 3)
        show(dogs:lpush("s", 1))
        show(dogs:rpush("s", 1))
        show(dogs:lpop("s"))
        show(dogs:rpop("s"))
        show(dogs:llen("s"))
        show(dogs:get("s"))
    end
}
--- response
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
2: x, 3
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
2: 1, 3
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
2: true, 3
--- no_error_log
[error]


=== list: get and get_stale refuse one
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:lpush("l", "x")
    show(dogs:get("l"))
    show(dogs:get_stale("l"))
    show(dogs:llen("l"))
}
--- response
2: nil, value is a list
2: nil, value is a list
1: 1
--- no_error_log
[error]


=== list: set replaces it, delete deletes it
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local free = dogs:free_space()
    for i = 1, 1000 do dogs:rpush("l", "value " .. i) end
    show(dogs:set("l", 1))
    show(dogs:get("l"))
    show(dogs:delete("l"))
    for i = 1, 1000 do dogs:rpush("l", "value " .. i) end
    show(dogs:delete("l"))
    show(dogs:llen("l"))
    show(dogs:rpush("l", "new"))
    show(dogs:replace("l", "text"))
    show(dogs:get("l"))
    dogs:delete("l")
    ngx.say(dogs:free_space() == free, " ", #dogs:get_keys(0))
}
--- response
3: true, nil, false
1: 1
3: true, nil, false
3: true, nil, false
1: 0
1: 1
3: true, nil, false
1: text
true 0
--- no_error_log
[error]


=== list: with the last value its key goes
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:lpush("l", "x")
    ngx.say("keys: ", t.keys(dogs))
    show(dogs:rpop("l"))
    ngx.say("keys: ", t.keys(dogs))
    show(dogs:ttl("l"))
    show(dogs:add("l", 5))
    show(dogs:get("l"))
}
--- response
keys: l
1: x
keys: 
2: nil, not found
3: true, nil, false
1: 5
--- no_error_log
[error]


=== list: expires as a whole, and a push begins another
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:rpush("l", "a"))
    show(dogs:rpush("l", "b"))
    show(dogs:ttl("l"))
    show(dogs:expire("l", 1000))
    show(dogs:rpush("l", "c"))
    ngx.say(dogs:ttl("l") > 900)
    show(dogs:lpop("l"))
    ngx.say(dogs:ttl("l") > 900)
    show(dogs:expire("l", 0.01))
    ngx.sleep(0.05)
    show(dogs:llen("l"))
    show(dogs:lpop("l"))
    show(dogs:rpop("l"))
    show(dogs:get("l"))
    show(dogs:rpush("l", "d"))
    show(dogs:ttl("l"))
    show(dogs:lpop("l"))
}
--- response
1: 1
1: 2
1: 0
1: true
1: 3
true
1: a
true
1: true
1: 0
1: nil
1: nil
1: nil
1: 1
1: 0
1: d
--- no_error_log
[error]


=== list: a push over an expired value of another kind
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("s", "text", 0.01, 7)
    dogs:set("n", 1, 0.01, 7)
    ngx.sleep(0.05)
    show(dogs:lpop("s"))
    show(dogs:llen("s"))
    show(dogs:lpush("s", 1))
    show(dogs:rpush("n", 1))
    show(dogs:llen("s"))
    show(dogs:ttl("s"))
    show(dogs:lpop("n"))
}
--- response
1: nil
1: 0
1: 1
1: 1
1: 1
1: 0
1: 1
--- no_error_log
[error]


=== list: flush_all ends it
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    for i = 1, 100 do dogs:rpush("l", i) end
    dogs:flush_all()
    show(dogs:llen("l"))
    show(dogs:lpop("l"))
    show(dogs:rpush("l", "x"))
    show(dogs:lpop("l"))
    for i = 1, 100 do dogs:rpush("l", i) end
    for i = 1, 100 do dogs:rpush("m", i) end
    dogs:flush_all()
    show(dogs:flush_expired())
    show(dogs:llen("l"))
}
--- response
1: 0
1: nil
1: 1
1: x
1: 2
1: 0
--- no_error_log
[error]


=== list: 5,000 values in order, between other keys
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local free = dogs:free_space()
    for i = 1, 5000 do
        local n, err = dogs:rpush("l", i % 2 == 0 and i or "v" .. i)
        if n ~= i then ngx.say(i, " ", n, " ", err) end
        if i % 5 == 0 then dogs:set("k" .. i, i) end
    end
    for i = 1, 5000 do
        if dogs:lpop("l") ~= (i % 2 == 0 and i or "v" .. i) then
            ngx.say("value ", i)
        end
        if i % 5 == 0 and dogs:get("k" .. i) ~= i then ngx.say("key ", i) end
        if i % 5 == 0 then dogs:delete("k" .. i) end
    end
    ngx.say(dogs:llen("l"), " ", dogs:free_space() == free)
}
--- response
0 true
--- no_error_log
[error]


=== list: as a ring, ten times around
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    for i = 1, 100 do dogs:lpush("l", i) end
    for _ = 1, 1000 do
        if dogs:lpush("l", dogs:rpop("l")) ~= 100 then ngx.say("length") end
    end
    local texts = {}
    for i = 1, 100 do texts[i] = dogs:rpop("l") end
    ngx.say(texts[1], " ", texts[50], " ", texts[100])
}
--- response
1 50 100
--- no_error_log
[error]


=== list: a push where there is no room says so, and evicts nobody
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("first", 1)
    local value, n = ("v"):rep(1000), 0
    while true do
        local length, err = dogs:rpush("l", value)
        if not length then
            show(length, err)
            break
        end
        n = n + 1
    end
    ngx.say(n > 300, " ", dogs:llen("l") == n)
    show(dogs:get("first"))
    show(dogs:lpush("other", value))
    show(dogs:llen("other"))
    ngx.say(t.keys(dogs))
    for _ = 1, 10 do dogs:lpop("l") end
    show(dogs:lpush("other", value))
    local bad = 0
    for _ = 1, n - 10 do
        if dogs:lpop("l") ~= value then bad = bad + 1 end
    end
    ngx.say(bad, " ", dogs:llen("l"))
}
--- response
2: nil, no memory
true true
1: 1
2: nil, no memory
1: 0
first l
1: 1
0 0
--- no_error_log
[error]
