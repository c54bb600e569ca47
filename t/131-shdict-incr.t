# ngx.shared.DICT: incr, with init and init_ttl.

use lib 't/lib';
use Test::Nginx::TCP;

our $DICTS = <<'END';
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 1m;
END

run_tests();

__DATA__

=== incr: of a number, by any number
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("n", 10)
    show(dogs:incr("n", 1))
    show(dogs:incr("n", -20))
    show(dogs:incr("n", 0))
    show(dogs:incr("n", 0.5))
    show(dogs:incr("n", 1e300))
    show(dogs:get("n"))
    show(dogs:set("n", 2 ^ 53 - 1))
    show(dogs:incr("n", 1))
    show(dogs:incr("n", 1 / 0))
    show(dogs:get("n"))
}
--- response
1: 11
1: -9
1: -9
1: -8.5
1: 1.0000000000000001e+300
1: 1.0000000000000001e+300
3: true, nil, false
1: 9007199254740992
1: inf
1: inf
--- no_error_log
[error]


=== incr: not found without init
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:incr("n", 1))
    show(dogs:incr("n", 1, nil))
    dogs:set("n", 1, 0.01)
    ngx.sleep(0.05)
    show(dogs:incr("n", 1))
    show(dogs:get("n"))
}
--- response
2: nil, not found
2: nil, not found
2: nil, not found
1: nil
--- no_error_log
[error]


=== incr: strings, booleans and lists are no numbers
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("s", "10")
    dogs:set("b", true)
    dogs:lpush("l", 1)
    for _, key in ipairs{ "s", "b", "l" } do
        show(dogs:incr(key, 1))
        show(dogs:incr(key, 1, 5))
        show(dogs:incr(key, 1, 5, 10))
    end
    show(dogs:get("s"))
    show(dogs:get("b"))
    show(dogs:llen("l"))
}
--- response
2: nil, not a number
2: nil, not a number
2: nil, not a number
2: nil, not a number
2: nil, not a number
2: nil, not a number
2: nil, not a number
2: nil, not a number
2: nil, not a number
1: 10
1: true
1: 1
--- no_error_log
[error]


=== incr: init where there is nothing, or something expired
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:incr("n", 1, 10))
    show(dogs:incr("n", 1, 10))
    show(dogs:incr("n", 1))
    show(dogs:incr("z", 0, 0))
    show(dogs:incr("f", 0.25, -0.5))
    dogs:set("e", "text", 0.01, 7)
    ngx.sleep(0.05)
    show(dogs:incr("e", 1, 10))
    show(dogs:get("e"))
    show(dogs:ttl("e"))
    dogs:lpush("l", 1)
    dogs:expire("l", 0.01)
    ngx.sleep(0.05)
    show(dogs:incr("l", 1, 20))
    show(dogs:get("l"))
}
--- response
3: 11, nil, false
3: 12, nil, false
1: 13
3: 0, nil, false
3: -0.25, nil, false
3: 11, nil, false
1: 11
1: 0
3: 21, nil, false
1: 21
--- no_error_log
[error]


=== incr: keeps flags and ttl
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("n", 1, 1000, 7)
    dogs:incr("n", 1)
    dogs:incr("n", 1, 100)
    dogs:incr("n", 1, 100, 5)
    show(dogs:get("n"))
    local ttl = dogs:ttl("n")
    ngx.say(ttl > 900 and ttl <= 1000)
}
--- response
2: 4, 7
true
--- no_error_log
[error]


=== incr: init_ttl is for the first time only
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:incr("n", 1, 0, 1000))
    local ttl = dogs:ttl("n")
    ngx.say(ttl > 900 and ttl <= 1000)
    show(dogs:incr("n", 1, 0, 5))
    ngx.say(dogs:ttl("n") > 900)
    show(dogs:incr("m", 1, 0, 0))
    show(dogs:ttl("m"))
    show(dogs:incr("s", 1, 0, 0.01))
    ngx.sleep(0.05)
    show(dogs:get("s"))
    show(dogs:incr("s", 1))
    show(dogs:incr("s", 1, 5, 0.01))
}
--- response
3: 1, nil, false
true
3: 2, nil, false
true
3: 1, nil, false
1: 0
3: 1, nil, false
1: nil
2: nil, not found
3: 6, nil, false
--- no_error_log
[error]


=== incr: numbers may be strings
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:incr("n", "5", "2"))
    show(dogs:incr("n", "0x10"))
    show(dogs:incr("n", " 1e1 "))
    show(dogs:incr("m", 1, 1, "1000"))
    ngx.say(dogs:ttl("m") > 900)
}
--- response
3: 7, nil, false
1: 23
1: 33
3: 2, nil, false
true
--- no_error_log
[error]


=== incr: what is wrong raises, at the line of the caller
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, raises = t.empty("dogs"), t.raises
    dogs:set("n", 1)
    raises(function() dogs:incr("n", 1, "x") end)
    raises(function() dogs:incr("n", 1, {}) end)
    raises(function() dogs:incr("n", 1, true) end)
    raises(function() dogs:incr("n", 1, 1, "x") end)
    raises(function() dogs:incr("n", 1, 1, {}) end)
    raises(function() dogs:incr("n", 1, 1, false) end)
    raises(function() dogs:incr("n", 1, 1, -1) end)
    raises(function() dogs:incr("n", 1, 1, -0.001) end)
    raises(function() dogs:incr("n", 1, nil, 1) end)
    raises(function() dogs:incr("n", 1, false, 1) end)
    t.show(dogs:get("n"))
}
--- response
5: bad init arg: number expected, got string
6: bad init arg: number expected, got table
7: bad init arg: number expected, got boolean
8: bad init_ttl arg: number expected, got string
9: bad init_ttl arg: number expected, got table
10: bad init_ttl arg: number expected, got boolean
11: bad "init_ttl" argument
12: bad "init_ttl" argument
13: must provide "init" when providing "init_ttl"
14: must provide "init" when providing "init_ttl"
1: 1
--- no_error_log
[error]


=== incr: a value that is no number raises
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    dogs:set("n", 1)
    for _, value in ipairs{ "x", {}, true, print, "" } do
        local ok, err = pcall(function() return dogs:incr("n", value) end)
        ngx.say(ok, " ", type(err))
        ok, err = pcall(function() return dogs:incr("none", value, 1) end)
        ngx.say(ok, " ", type(err))
    end
    ngx.say(pcall(function() return dogs:incr("n") end) == false)
    t.show(dogs:get("n"))
    t.show(dogs:get("none"))
}
--- response
false string
false string
false string
false string
false string
false string
false string
false string
false string
false string
true
1: 1
1: nil
--- no_error_log
[error]


=== incr: 5,000 keys, each many times
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local n = 5000
    for round = 1, 4 do
        for i = 1, n do
            if dogs:incr("key:" .. i, i, 0) ~= round * i then
                ngx.say("round ", round, ", key ", i)
            end
        end
    end
    ngx.say(#dogs:get_keys(0))
}
--- response
5000
--- no_error_log
[error]
