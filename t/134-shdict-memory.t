# ngx.shared.DICT: capacity, free_space, and what happens when memory is short.

use lib 't/lib';
use Test::Nginx::TCP;

# Steps of the blocks on churn.
my $rounds = $ENV{TEST_NGINX_USE_VALGRIND} ? 2000 : 20000;

our $DICTS = <<"END";
lua_package_path "\$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 1m;
lua_shared_dict cats 300k;
init_by_lua_block { rounds = $rounds }
END

our $TINY = $DICTS =~ s/dogs 1m/dogs 64k/r;

run_tests();

__DATA__

=== capacity: the size of the configuration
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    ngx.say(ngx.shared.dogs:capacity(), " ", ngx.shared.cats:capacity())
}
--- response
1048576 307200
--- no_error_log
[error]


=== free_space: most of an empty dictionary, less with each value
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local free = dogs:free_space()
    ngx.say(free <= dogs:capacity(), " ", free > 0.9 * dogs:capacity())
    local value, last = ("v"):rep(1000), free
    for i = 1, 500 do
        dogs:set(i, value)
        local now = dogs:free_space()
        if now > last then ngx.say("more after set ", i) end
        last = now
    end
    ngx.say(free - last >= 500 * 1000, " ", free - last < 1.3 * 500 * 1000)
    for i = 1, 500 do
        dogs:delete(i)
        local now = dogs:free_space()
        if now < last then ngx.say("less after delete ", i) end
        last = now
    end
    ngx.say(last == free)
}
--- response
true true
true true
true
--- no_error_log
[error]


=== free_space: what it says fits
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    for _, size in ipairs{ 10, 100, 1000, 10000 } do
        local value, n = ("v"):rep(size), 0
        local free = dogs:free_space()
        while dogs:safe_set(("%010d"):format(n), value) do n = n + 1 end
        -- With its key, and at most 100 bytes that are the dictionary's own.
        local used = free - dogs:free_space()
        if used < n * (size + 10) or used > n * (1.25 * size + 110) then
            ngx.say(size, ": ", n, " values in ", used)
        end
        if dogs:free_space() > 0.1 * free + size then
            ngx.say(size, ": ", dogs:free_space(), " free and no memory")
        end
        t.empty("dogs")
        if dogs:free_space() ~= free then
            ngx.say(size, ": ", dogs:free_space(), " of ", free)
        end
    end
    ngx.say("done")
}
--- response
done
--- no_error_log
[error]


=== set: evicts the least recently used, and says so
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local value, n = ("v"):rep(1000), 0
    local function add_one()
        n = n + 1
        return dogs:set(n, value)
    end
    local ok, err, forcible
    repeat ok, err, forcible = add_one() until forcible or not ok
    show(ok, err, forcible)
    ngx.say(n > 700, " ", tostring(dogs:get(1)), " ", dogs:get(n) == value)

    -- Each new one from now on needs the room of the oldest.
    local full = n
    for _ = 1, 200 do
        ok, err, forcible = add_one()
        if not ok or err or not forcible then show(ok, err, forcible) end
    end
    -- Room for one is that of one, more or less: what is larger than the value
    -- has been set by no one else.
    local gone, kept = 0, 0
    for i = 1, n do
        if dogs:get(i) == nil then gone = gone + 1 else kept = kept + 1 end
    end
    ngx.say(gone >= 200, " ", gone <= 240, " ", kept >= full - 40)
    -- In their order.
    local first
    for i = 1, n do
        if dogs:get(i) ~= nil then
            first = first or i
        elseif first then
            ngx.say(i, " is gone, but not ", first)
        end
    end
    ngx.say(first > 200)
}
--- response
3: true, nil, true
true nil true
true true true
true
--- no_error_log
[error]


=== set: what is read now and then stays
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local value = ("v"):rep(500)
    local often = {}
    for i = 1, 50 do
        often[i] = "often" .. i
        dogs:set(often[i], i)
    end
    local forcible = 0
    for i = 1, rounds do
        local _, _, forced = dogs:set(i, value)
        if forced then forcible = forcible + 1 end
        local key = often[i % 50 + 1]
        if dogs:get(key) == nil then
            ngx.say("lost ", key, " at ", i)
            break
        end
    end
    ngx.say(forcible > rounds - 3000)
}
--- response
true
--- timeout: 20
--- no_error_log
[error]


=== forcible: no eviction where there is room, also after there was none
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local value, n = ("v"):rep(1000), 0
    repeat
        n = n + 1
        local _, _, forcible = dogs:set(n, value)
    until forcible
    for i = 1, 100 do dogs:delete(n - i) end
    for i = 1, 80 do
        local ok, err, forcible = dogs:set("new" .. i, value)
        if not ok or forcible then show(ok, err, forcible) end
    end
    -- Over a value of the same size.
    show(dogs:set("new1", value))
    show(dogs:replace("new1", value))
    show(dogs:incr("new81", 1, 0))
    show(dogs:incr("new81", 1))
}
--- response
3: true, nil, false
3: true, nil, false
3: 1, nil, false
1: 2
--- no_error_log
[error]


=== safe_set, safe_add: no memory, and nobody is evicted
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local value, n = ("v"):rep(1000), 0
    local ok, err, forcible
    repeat
        n = n + 1
        ok, err, forcible = dogs:safe_set(n, value)
        if ok and forcible then ngx.say("forcible at ", n) end
    until not ok
    show(ok, err, forcible)
    show(dogs:safe_add("other", value))
    show(dogs:get(n))
    show(dogs:get("other"))
    local lost = 0
    for i = 1, n - 1 do
        if dogs:get(i) ~= value then lost = lost + 1 end
    end
    ngx.say(lost, " ", #dogs:get_keys(0) == n - 1)
    dogs:delete(1)
    show(dogs:safe_set("other", value))
    -- A value over one of the same size needs nothing.
    show(dogs:safe_set(2, value))
}
--- response
3: false, no memory, false
3: false, no memory, false
1: nil
1: nil
0 true
3: true, nil, false
3: true, nil, false
--- no_error_log
[error]


=== safe_set: where there is no memory the value of before stays
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("Tom", "small", 0, 7)
    local value, n = ("v"):rep(1000), 0
    while dogs:safe_set(n, value) do n = n + 1 end
    show(dogs:safe_set("Tom", ("big"):rep(5000)))
    show(dogs:get("Tom"))
    show(dogs:safe_add("Tim", ("big"):rep(5000)))
    show(dogs:get("Tim"))
    ngx.say(#dogs:get_keys(0) == n + 1)
}
--- response
3: false, no memory, false
2: small, 7
3: false, no memory, false
1: nil
true
--- no_error_log
[error]


=== expired values go before live ones
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local value, n = ("v"):rep(1000), 0
    -- Every other one expires soon; the oldest ones do not expire.
    for i = 1, 100 do dogs:set("old" .. i, value) end
    while true do
        n = n + 1
        local ok = dogs:safe_set(n, value, n % 2 == 0 and 0.02 or 1000)
        if not ok then break end
    end
    n = n - 1
    ngx.sleep(0.1)
    for i = 1, math.floor(n / 2) - 30 do
        local ok, err, forcible = dogs:set("new" .. i, value)
        if not ok or forcible then
            show(i, ok, err, forcible)
            break
        end
    end
    local lost = 0
    for i = 1, 100 do
        if dogs:get("old" .. i) ~= value then lost = lost + 1 end
    end
    for i = 1, n, 2 do
        if dogs:get(i) ~= value then lost = lost + 1 end
    end
    ngx.say(lost)
}
--- response
0
--- no_error_log
[error]


=== safe_set: makes use of what has expired
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local value, n = ("v"):rep(1000), 0
    while dogs:safe_set(n, value, 0.05) do n = n + 1 end
    ngx.sleep(0.2)
    for i = 1, n - 30 do
        local ok, err, forcible = dogs:safe_set("new" .. i, value)
        if not ok or forcible then
            show(i, ok, err, forcible)
            break
        end
    end
    ngx.say(#dogs:get_keys(0) == n - 30)

    -- Lists, too.
    dogs:flush_all()
    for i = 1, n - 60 do
        local length, err = dogs:rpush("l", value)
        if not length then
            show(i, length, err)
            break
        end
    end
    ngx.say(dogs:llen("l") == n - 60)
}
--- response
true
true
--- no_error_log
[error]


=== set: a value that can never fit
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local free = dogs:free_space()
    local huge = ("x"):rep(1048576)
    dogs:set("Tom", 1)
    for _, method in ipairs{ "set", "safe_set", "replace" } do
        local ok, err = dogs[method](dogs, "Tom", huge)
        ngx.say(tostring(ok), " ", err)
        dogs:set("Tom", 1)
    end
    for _, method in ipairs{ "add", "safe_add" } do
        local ok, err = dogs[method](dogs, "Tim", huge)
        ngx.say(tostring(ok), " ", err, " ", tostring(dogs:get("Tim")))
    end
    ngx.say(select(2, dogs:lpush("l", huge)), " ", dogs:llen("l"))
    ngx.say(select(2, dogs:rpush("l", huge)))
    t.show(dogs:set("Tom", 2))
    t.show(dogs:get("Tom"))
    t.empty("dogs")
    ngx.say(dogs:free_space() == free)
}
--- response
false no memory
false no memory
false no memory
false no memory nil
false no memory nil
no memory 0
no memory
3: true, nil, false
1: 2
true
--- no_error_log
[error]


=== set: one large value takes the place of many small ones
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local value, n = ("v"):rep(100), 0
    repeat
        n = n + 1
        local _, _, forcible = dogs:set(n, value)
    until forcible
    local large = ("L"):rep(8000)
    for i = 1, 20 do
        local ok, err, forcible = dogs:set("large" .. i, large)
        if not ok then ngx.say(i, " ", err) end
        if i == 1 and not forcible then ngx.say("not forcible") end
        if dogs:get("large" .. i) ~= large then ngx.say("lost ", i) end
    end
    ngx.say(dogs:get(n) == value)
}
--- response
true
--- no_error_log
[error]


=== incr with init: evicts as set does
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local n, value, err, forcible = 0, nil, nil, nil
    repeat
        n = n + 1
        value, err, forcible = dogs:incr("counter" .. n, n, 1)
    until forcible or not value
    ngx.say(value == n + 1, " ", tostring(err), " ", forcible)
    show(dogs:get("counter1"))
    ngx.say(dogs:get("counter" .. n) == n + 1)
    ngx.say(dogs:incr("counter" .. n, 1) == n + 2)
}
--- response
true nil true
1: nil
true
true
--- no_error_log
[error]


=== add, replace: evict as set does
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local value, n = ("v"):rep(1000), 0
    dogs:set("first", 1)
    while dogs:safe_set(n, value) do n = n + 1 end
    dogs:get("first")
    show(dogs:add("new", value))
    show(dogs:get("first"))
    show(dogs:replace("first", ("w"):rep(5000)))
    ngx.say(#dogs:get("first"), " ", #dogs:get("new"), " ", tostring(dogs:get(0)))
}
--- response
3: true, nil, true
1: 1
3: true, nil, true
5000 1000 nil
--- no_error_log
[error]


=== add and delete: locks that come and go leave nothing
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local free = dogs:free_space()
    -- Some are kept a while, as by handlers that wait.
    local held, failed = {}, 0
    for i = 1, rounds do
        local key = "lock" .. i % 97
        if held[key] then
            dogs:delete(key)
            held[key] = nil
        elseif dogs:add(key, i % 3 == 0 or ("x"):rep(i % 5 * 20), i % 2 * 60) then
            held[key] = true
        else
            failed = failed + 1
        end
    end
    local n = 0
    for _ in pairs(held) do n = n + 1 end
    ngx.say(failed, " ", n > 0, " ", #dogs:get_keys() == n, " ", dogs:_check())
    for key in pairs(held) do dogs:delete(key) end
    ngx.say(#dogs:get_keys(), " ", dogs:free_space() == free, " ", dogs:_check())
}
--- response
0 true true true
0 true true
--- timeout: 30
--- no_error_log
[error]


=== delete, then add: the new ones count as used last
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    for i = 1, 9 do dogs:set(i, "a value") end
    for _, key in ipairs{ 4, 2, 7 } do
        dogs:delete(key)
        dogs:add(key, "a value", key)
        dogs:delete(key)
        dogs:add(key, "another")
        ngx.say(#dogs:get_keys())
    end
    ngx.say(table.concat(dogs:get_keys(), " ", 7))
    -- Dead ones are not listed.
    dogs:delete(9)
    dogs:add(9, "another", 0.001)
    ngx.sleep(0.02)
    ngx.say(#dogs:get_keys(), " ", dogs:get(9))
    ngx.say(dogs:flush_expired(), " ", dogs:_check())
}
--- response
9
9
9
4 2 7
8 nil
1 true
--- no_error_log
[error]


=== delete: its memory is there for values of every size
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local n = 0
    while dogs:safe_set("key" .. n + 1, ("s"):rep(500)) do n = n + 1 end
    for i = 1, n do
        dogs:delete("key" .. i)
        if i % 7 == 0 then dogs:add("key" .. i, ("s"):rep(501)) end
    end
    ngx.say(n > 1000, " ", #dogs:get_keys(0) == math.floor(n / 7))
    -- All that is free, but for what it takes to hold it together.
    local len = math.floor(dogs:free_space() * 0.95)
    ngx.say(dogs:safe_set("large", ("l"):rep(len)))
    ngx.say(#dogs:get("large") == len, " ", dogs:_check())
    dogs:delete("large")
    for i = 7, n, 7 do dogs:delete("key" .. i) end
    t.empty("dogs")
    ngx.say(dogs:_check())
}
--- response
true true
truenilfalse
true true
true
--- no_error_log
[error]


=== _check: of what is no dictionary
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local check = ngx.shared.dogs._check
    ngx.say(pcall(check, {}))
    ngx.say(pcall(check))
}
--- response
falsebad "zone" argument
falsebad "zone" argument
--- no_error_log
[error]


=== churn: mixed sizes, half of the memory in use, and never out of it
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local free = dogs:free_space()
    local random, live, total, n = math.random, {}, 0, 0
    math.randomseed(3)
    local text = ("0123456789abcdef"):rep(1024)
    for i = 1, rounds do
        -- From 10 bytes to 10 KiB, as many small as large ones.
        local size = math.floor(10 * 1024 ^ random())
        while total + size > 0.5 * free and n > 0 do
            local k = random(n)
            local victim = live[k]
            live[k], live[n] = live[n], nil
            n = n - 1
            total = total - victim.size
            dogs:delete(victim.key)
        end
        local ok, err, forcible = dogs:set("key" .. i, text:sub(1, size))
        if not ok or forcible then
            ngx.say(i, ": ", tostring(ok), " ", tostring(err), " ",
                    tostring(forcible), ", in use ", total, ", free ",
                    dogs:free_space())
            break
        end
        n = n + 1
        total = total + size
        live[n] = { key = "key" .. i, size = size }
    end
    local bad = 0
    for i = 1, n do
        if dogs:get(live[i].key) ~= text:sub(1, live[i].size) then
            bad = bad + 1
        end
    end
    ngx.say(bad, " ", #dogs:get_keys(0) == n)
    t.empty("dogs")
    ngx.say(dogs:free_space() == free)
}
--- response
0 true
true
--- timeout: 30
--- no_error_log
[error]


=== churn: in 64 KiB, with evictions; what is there is right, and all comes back
--- tcp_config eval
$main::TINY
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local free = dogs:free_space()
    local random, set = math.random, {}
    math.randomseed(5)
    local text = ("0123456789abcdef"):rep(1024)
    local wrong, refused, forced = 0, 0, 0
    local function check(key)
        local value = dogs:get(key)
        if value ~= nil and value ~= set[key] then wrong = wrong + 1 end
        return value
    end
    for i = 1, rounds do
        local key, kind = "key" .. random(400), random(10)
        if kind <= 5 then
            local value = text:sub(1, random(4) == 1 and random(3000) or random(100))
            local ok, _, forcible = dogs:set(key, value, random(5) == 1 and 0.001 or 0)
            if ok then set[key] = value else refused = refused + 1 end
            if forcible then forced = forced + 1 end
            if ok and dogs:get(key) ~= value then wrong = wrong + 1 end
        elseif kind <= 8 then
            check(key)
        elseif kind == 9 then
            dogs:delete(key)
            set[key] = nil
        elseif i % 100 == 0 then
            ngx.sleep(0.003)
        else
            local value = ("w"):rep(random(50))
            if dogs:safe_set(key, value) then set[key] = value end
        end
    end
    local there = 0
    for i = 1, 400 do
        if check("key" .. i) ~= nil then there = there + 1 end
    end
    ngx.say(wrong, " ", forced > 10, " ", there == #dogs:get_keys(0))
    ngx.say(there > 20, " ", refused)
    t.empty("dogs")
    ngx.say(dogs:free_space() == free)
}
--- response
0 true true
true 0
true
--- timeout: 30
--- no_error_log
[error]
