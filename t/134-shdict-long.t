# ngx.shared.DICT: long values that are stored over one another, which get blocks
# of their own as long as there is plenty of memory.

use lib 't/lib';
use Test::Nginx::TCP;

# Steps of the block on all sizes.
my $rounds = $ENV{TEST_NGINX_USE_VALGRIND} ? 3000 : 40000;

our $DICTS = <<"END";
lua_package_path "\$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 8m;
init_by_lua_block { rounds = $rounds }
END

run_tests();

__DATA__

=== set: over one of the same size, with its flags
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local wrong = 0
    for size = 500, 2100, 4 do
        for i = 1, 6 do
            local value = string.char(96 + i):rep(size)
            local ok, err, forcible = dogs:set("k" .. size, value, 0, size + i)
            local got, flags = dogs:get("k" .. size)
            if not ok or err or forcible or got ~= value or flags ~= size + i then
                wrong = wrong + 1
            end
        end
    end
    local all = ("f"):rep(2100)
    for size = 500, 2100, 4 do
        if dogs:get("k" .. size) ~= all:sub(1, size) then wrong = wrong + 1 end
    end
    ngx.say(wrong, " ", #dogs:get_keys(0), " ", dogs:_check())
}
--- response
0 401 true
--- no_error_log
[error]


=== every method: where a long value was stored over others
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local function is(text)
        local value, flags = dogs:get("dog")
        ngx.say(value == text:rep(1024), " ", tostring(flags))
    end
    for i = 1, 5 do dogs:set("dog", ("v"):rep(1024)) end
    is "v"
    show(dogs:add("dog", ("w"):rep(1024)))
    show(dogs:replace("dog", ("w"):rep(1024), 0, 7))
    is "w"
    show(dogs:safe_set("dog", ("x"):rep(1024)))
    is "x"
    show(dogs:incr("dog", 1))
    show(dogs:lpush("dog", 1))
    show(dogs:lpop("dog"))
    show(dogs:llen("dog"))
    show(dogs:ttl("dog"))
    show(dogs:expire("dog", 1000))
    show(dogs:ttl("dog") > 990)
    -- Again, with a time, and without.
    show(dogs:set("dog", ("y"):rep(1024), 1000, 9))
    is "y"
    show(dogs:ttl("dog") > 990)
    show(dogs:set("dog", ("z"):rep(1024)))
    is "z"
    show(dogs:ttl("dog"))
    show(dogs:set("dog", ("z"):rep(1024), 0.001, 3))
    ngx.sleep(0.01)
    show(dogs:get("dog"))
    local value, flags, stale = dogs:get_stale("dog")
    show(#value, flags, stale)
    show(dogs:replace("dog", ("a"):rep(1024)))
    show(dogs:add("dog", ("a"):rep(1024)))
    is "a"
    -- Of other kinds and sizes, and back.
    for _, value in ipairs{ 1, true, "short", ("l"):rep(100000), "" } do
        dogs:set("dog", value)
        if dogs:get("dog") ~= value then ngx.say("not ", value) end
        for i = 1, 4 do dogs:set("dog", ("b"):rep(1024)) end
        is "b"
    end
    dogs:flush_all()
    show(dogs:get("dog"))
    show((dogs:set("dog", ("c"):rep(1024))))
    is "c"
    show(t.keys(dogs), dogs:_check())
    dogs:delete("dog")
    show(dogs:get("dog"), (dogs:rpush("dog", 1)), dogs:llen("dog"))
}
--- response
true nil
3: false, exists, false
3: true, nil, false
true 7
3: true, nil, false
true nil
2: nil, not a number
2: nil, value not a list
2: nil, value not a list
2: nil, value not a list
1: 0
1: true
1: true
3: true, nil, false
true 9
1: true
3: true, nil, false
true nil
1: 0
3: true, nil, false
1: nil
3: 1024, 3, true
3: false, not found, false
3: true, nil, false
true nil
true nil
true nil
true nil
true nil
true nil
1: nil
1: true
true nil
2: dog, true
3: nil, 1, 1
--- no_error_log
[error]


=== set: over one of its size nobody has to go, however little is free
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local free = dogs:free_space()
    local text = ("0123456789abcdef"):rep(128)
    local n, wrong = 0, 0
    for i = 1, 100 do dogs:set("k" .. i, text:sub(1, 1000 + i)) end
    for i = 1, 100 do dogs:set("k" .. i, text:sub(1, 1000 + i)) end
    for i = 1, 50 do dogs:set("k" .. i, text:sub(1, 1000 + i)) end
    -- All that is in stock goes to these.
    while dogs:safe_set("f" .. n, text:sub(1, 700)) do n = n + 1 end
    ngx.say(n > 9000)
    for round = 1, 4 do
        for i = 1, 100 do
            local value = text:sub(round, 999 + round + i)
            local ok, err, forcible = dogs:set("k" .. i, value, 0, round)
            if not ok or err or forcible or dogs:get("k" .. i) ~= value then
                wrong = wrong + 1
            end
        end
    end
    ngx.say(wrong, " ", #dogs:get_keys(0) == n + 100, " ", dogs:_check())
    t.empty("dogs")
    ngx.say(dogs:free_space() == free)
}
--- response
true
0 true true
true
--- no_error_log
[error]


=== set: all sizes over each other, while memory comes and goes
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local free = dogs:free_space()
    local text = ("0123456789abcdef"):rep(256)
    local random, held, wrong = math.random, {}, 0
    math.randomseed(8)
    for i = 1, rounds do
        -- At times all memory is in use.
        local key = "k" .. random(i % 10000 < 5000 and 1000 or 9000)
        local size = random(4) == 1 and random(2100) or 700 + 100 * random(6)
        local first, flags = random(16), random(100)
        local expires = random(20) == 1 and 1000 or 0
        local ok = dogs:set(key, text:sub(first, first + size - 1), expires, flags)
        if not ok then wrong = wrong + 1 end
        held[key] = { first, size, flags }
        key = "k" .. random(9000)
        local value, seen = dogs:get(key)
        first, size, flags = unpack(held[key] or {})
        if value and (value ~= text:sub(first, first + size - 1)
                      or seen ~= flags)
        then
            wrong = wrong + 1
        end
        if random(10) == 1 then dogs:delete("k" .. random(9000)) end
        if i % 10000 == 0 then
            dogs:flush_all()
            dogs:flush_expired(5000)
        end
    end
    ngx.say(wrong, " ", dogs:_check())
    t.empty("dogs")
    ngx.say(dogs:free_space() == free)
}
--- response
0 true
true
--- timeout: 30
--- no_error_log
[error]
