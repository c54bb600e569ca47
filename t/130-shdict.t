# ngx.shared.DICT: get, set, safe_set, add, safe_add, replace, delete.

use lib 't/lib';
use Test::Nginx::TCP;

our $DICTS = <<'END';
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 1m;
lua_shared_dict cats 1m;
END

run_tests();

__DATA__

=== shared: ngx.shared has the dictionaries, and nothing else
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local names = {}
    for name, dict in pairs(ngx.shared) do
        names[#names + 1] = name .. " " .. tostring(dict == ngx.shared[name])
    end
    table.sort(names)
    ngx.say(table.concat(names, ", "))
    ngx.say(tostring(ngx.shared.birds), " ", ngx.shared.dogs == ngx.shared.cats)
}
--- response
cats true, dogs true
nil false
--- no_error_log
[error]


=== shared: empty where no dictionary is configured
--- tcp_server_config
process_by_lua_block {
    ngx.say(type(ngx.shared), " ", tostring(next(ngx.shared)), " ",
            tostring(ngx.shared.dogs))
}
--- response
table nil nil
--- no_error_log
[error]


=== shared: every method is there
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    for name in ([[get get_stale set safe_set add safe_add replace delete incr
                   lpush rpush lpop rpop llen ttl expire flush_all flush_expired
                   get_keys capacity free_space]]):gmatch("%S+") do
        if type(ngx.shared.dogs[name]) ~= "function" then
            ngx.say(name)
        end
    end
    ngx.say(tostring(ngx.shared.dogs.no_such_method))
}
--- response
nil
--- no_error_log
[error]


=== set, get: strings, numbers, booleans
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    for _, value in ipairs{ "Bernese", "", "10", 10, 0, -1.5, true, false } do
        show(dogs:set("Tom", value))
        local got = dogs:get("Tom")
        ngx.say(type(got), " ", tostring(got), " ", got == value)
    end
    show(dogs:get("Tom"))
}
--- response
3: true, nil, false
string Bernese true
3: true, nil, false
string  true
3: true, nil, false
string 10 true
3: true, nil, false
number 10 true
3: true, nil, false
number 0 true
3: true, nil, false
number -1.5 true
3: true, nil, false
boolean true true
3: true, nil, false
boolean false true
1: false
--- no_error_log
[error]


=== set, get: each double comes back bit by bit
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local ffi = require "ffi"
    local dogs = require "dict".empty("dogs")
    local function bits(number)
        return ffi.string(ffi.new("double[1]", number), 8)
    end
    local numbers = {
        0.1, 1 / 3, -1 / 3, math.pi, 1e308, -1e308, 5e-324, 2.2250738585072014e-308,
        2 ^ 53, 2 ^ 53 - 1, -2 ^ 63, 2 ^ 64, 1e15 + 0.5, 1 / 0, -1 / 0, -0.0,
        4294967295, 4294967296, -2147483649,
    }
    math.randomseed(1)
    for _ = 1, 500 do
        numbers[#numbers + 1] =
            (math.random() - 0.5) * 2 ^ math.random(-1000, 1000)
    end
    for _, number in ipairs(numbers) do
        dogs:set("n", number)
        if bits(dogs:get("n")) ~= bits(number) then
            ngx.say(("%.17g"):format(number), " ", tostring(dogs:get("n")))
        end
    end
    dogs:set("n", 0 / 0)
    local nan = dogs:get("n")
    ngx.say(nan ~= nan)
}
--- response
true
--- no_error_log
[error]


=== get: nil alone for what is not there
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:get("Tom"))
    dogs:set("Tom", 1)
    show(dogs:get("To"))
    show(dogs:get("Tomm"))
    show(dogs:get("tom"))
    show(dogs:get("Tom\0"))
    show(ngx.shared.cats:get("Tom"))
}
--- response
1: nil
1: nil
1: nil
1: nil
1: nil
1: nil
--- no_error_log
[error]


=== set: over a value of another kind and size
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local values = {
        "x", ("long"):rep(1000), 1, ("y"):rep(9), true, "", ("z"):rep(100000),
        false, 2.5, ("w"):rep(8), ("w"):rep(7),
    }
    local bad = 0
    for _ = 1, 20 do
        for i, value in ipairs(values) do
            dogs:set("Tom", value)
            dogs:set("Tim", values[#values + 1 - i])
            if dogs:get("Tom") ~= value
               or dogs:get("Tim") ~= values[#values + 1 - i]
            then
                bad = bad + 1
            end
        end
    end
    ngx.say(bad, " ", t.keys(dogs))
}
--- response
0 Tim Tom
--- no_error_log
[error]


=== set: nil deletes
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("Tom", 1)
    show(dogs:set("Tom", nil))
    show(dogs:get("Tom"))
    show(dogs:set("Tom", nil))
    dogs:set("Tim", 1)
    show(dogs:set("Tim"))
    show(dogs:get_stale("Tim"))
    ngx.say("keys: ", t.keys(dogs))
}
--- response
3: true, nil, false
1: nil
3: true, nil, false
3: true, nil, false
1: nil
keys: 
--- no_error_log
[error]


=== delete: what is there, and what is not
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("Tom", 1)
    dogs:set("Tim", 2)
    show(dogs:delete("Tom"))
    show(dogs:get("Tom"))
    show(dogs:delete("Tom"))
    show(dogs:get("Tim"))
}
--- response
3: true, nil, false
1: nil
3: true, nil, false
1: 2
--- no_error_log
[error]


=== add: only what is not there, or has expired
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:add("Tom", 1))
    show(dogs:add("Tom", 2))
    show(dogs:get("Tom"))
    dogs:delete("Tom")
    show(dogs:add("Tom", 3, 0.01))
    ngx.sleep(0.05)
    show(dogs:add("Tom", 4))
    show(dogs:get("Tom"))
    dogs:set("Tim", false)
    show(dogs:add("Tim", 1))
    dogs:lpush("list", 1)
    show(dogs:add("list", 1))
}
--- response
3: true, nil, false
3: false, exists, false
1: 1
3: true, nil, false
3: true, nil, false
1: 4
3: false, exists, false
3: false, exists, false
--- no_error_log
[error]


=== replace: only what is there, and has not expired
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:replace("Tom", 1))
    show(dogs:get("Tom"))
    dogs:set("Tom", 1, 0, 5)
    show(dogs:replace("Tom", "two"))
    show(dogs:get("Tom"))
    dogs:set("Tom", 3, 0.01)
    ngx.sleep(0.05)
    show(dogs:replace("Tom", 4))
    show(dogs:get("Tom"))
    dogs:lpush("list", 1)
    show(dogs:replace("list", 5))
    show(dogs:get("list"))
}
--- response
3: false, not found, false
1: nil
3: true, nil, false
1: two
3: false, not found, false
1: nil
3: true, nil, false
1: 5
--- no_error_log
[error]


=== add, safe_add, replace: nil is no value
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:add("Tom", nil))
    show(dogs:safe_add("Tom", nil))
    show(dogs:replace("Tom", nil))
    dogs:set("Tom", 1)
    show(dogs:add("Tom"))
    show(dogs:safe_add("Tom"))
    show(dogs:replace("Tom"))
    show(dogs:get("Tom"))
}
--- response
3: false, attempt to add or replace nil values, false
3: false, attempt to add or replace nil values, false
3: false, attempt to add or replace nil values, false
3: false, attempt to add or replace nil values, false
3: false, attempt to add or replace nil values, false
3: false, attempt to add or replace nil values, false
1: 1
--- no_error_log
[error]


=== safe_set, safe_add: as set and add, where there is room
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    show(dogs:safe_set("Tom", 1))
    show(dogs:safe_set("Tom", "two", 0, 3))
    show(dogs:get("Tom"))
    show(dogs:safe_add("Tom", 3))
    show(dogs:safe_add("Tim", 3))
    show(dogs:get("Tim"))
    show(dogs:safe_set("Tim", nil))
    show(dogs:get("Tim"))
}
--- response
3: true, nil, false
3: true, nil, false
2: two, 3
3: false, exists, false
3: true, nil, false
1: 3
3: true, nil, false
1: nil
--- no_error_log
[error]


=== flags: come back with the value, unless 0
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("Tom", "x", 0, 7)
    show(dogs:get("Tom"))
    dogs:set("Tom", "x", nil, 1)
    show(dogs:get("Tom"))
    dogs:set("Tom", "x", 0, 0)
    show(dogs:get("Tom"))
    dogs:set("Tom", "x", 0, nil)
    show(dogs:get("Tom"))
    dogs:add("Tim", 1, 100, 2147483647)
    show(dogs:get("Tim"))
    dogs:replace("Tim", false, 0, 3)
    show(dogs:get("Tim"))
    dogs:set("Tim", 5)
    show(dogs:get("Tim"))
    dogs:safe_set("Tim", "", 0, 8)
    show(dogs:get("Tim"))
}
--- response
2: x, 7
2: x, 1
1: x
1: x
2: 1, 2147483647
2: false, 3
1: 5
2: , 8
--- no_error_log
[error]


=== flags: 32 bits without a sign
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("Tom", 1, 0, 2147483648)
    show(dogs:get("Tom"))
    dogs:set("Tom", 1, 0, 4294967295)
    show(dogs:get("Tom"))
    show(dogs:get_stale("Tom"))
}
--- response
2: 1, 2147483648
2: 1, 4294967295
3: 1, 4294967295, false
--- no_error_log
[error]


=== keys: numbers, booleans and others as tostring() has them
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set(1, "one")
    dogs:set(1.5, "half")
    dogs:set(true, "true")
    dogs:set(setmetatable({}, { __tostring = function() return "named" end }),
             "table")
    show(dogs:get("1"))
    show(dogs:get(1.0))
    show(dogs:get("1.5"))
    show(dogs:get(true))
    show(dogs:get("named"))
    show(dogs:incr(2, 1, 0))
    show(dogs:lpush(3, "x"))
    show(dogs:llen("3"))
    show(dogs:ttl(2))
    show(dogs:expire(2, 0))
    show(dogs:delete(1.5))
    ngx.say(t.keys(dogs))
}
--- response
1: one
1: one
1: half
1: true
1: table
3: 1, nil, false
1: 1
1: 1
1: 0
1: true
3: true, nil, false
1 2 3 named true
--- no_error_log
[error]


=== keys: nil, empty, too long, in every method
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local long = ("k"):rep(65536)
    local function results(...)
        return select("#", ...) .. " " .. tostring((...)) .. " "
            .. tostring((select(2, ...)))
    end
    for _, call in ipairs{
        { "get" }, { "get_stale" }, { "set", 1 }, { "safe_set", 1 },
        { "add", 1 }, { "safe_add", 1 }, { "replace", 1 }, { "delete" },
        { "incr", 1 }, { "incr", 1, 0 }, { "incr", 1, 0, 10 }, { "lpush", 1 },
        { "rpush", 1 }, { "lpop" }, { "rpop" }, { "llen" }, { "ttl" },
        { "expire", 1 },
    } do
        local method = dogs[call[1]]
        local function with(key)
            return results(method(dogs, key, unpack(call, 2)))
        end
        ngx.say(call[1], ": ", with(nil), ", ", with(""), ", ", with(long))
    end
    ngx.say("keys: ", t.keys(dogs))
}
--- response
get: 2 nil nil key, 2 nil empty key, 2 nil key too long
get_stale: 2 nil nil key, 2 nil empty key, 2 nil key too long
set: 2 nil nil key, 2 nil empty key, 2 nil key too long
safe_set: 2 nil nil key, 2 nil empty key, 2 nil key too long
add: 2 nil nil key, 2 nil empty key, 2 nil key too long
safe_add: 2 nil nil key, 2 nil empty key, 2 nil key too long
replace: 2 nil nil key, 2 nil empty key, 2 nil key too long
delete: 2 nil nil key, 2 nil empty key, 2 nil key too long
incr: 2 nil nil key, 2 nil empty key, 2 nil key too long
incr: 2 nil nil key, 2 nil empty key, 2 nil key too long
incr: 2 nil nil key, 2 nil empty key, 2 nil key too long
lpush: 2 nil nil key, 2 nil empty key, 2 nil key too long
rpush: 2 nil nil key, 2 nil empty key, 2 nil key too long
lpop: 2 nil nil key, 2 nil empty key, 2 nil key too long
rpop: 2 nil nil key, 2 nil empty key, 2 nil key too long
llen: 2 nil nil key, 2 nil empty key, 2 nil key too long
ttl: 2 nil nil key, 2 nil empty key, 2 nil key too long
expire: 2 nil nil key, 2 nil empty key, 2 nil key too long
keys: 
--- no_error_log
[error]


=== keys: of 65,535 bytes, that differ in one
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    local long = ("k"):rep(65534)
    show(dogs:set(long .. "a", "A"))
    show(dogs:set(long .. "b", "B"))
    show(dogs:set("a" .. long, "C"))
    show(dogs:get(long .. "a"))
    show(dogs:get(long .. "b"))
    show(dogs:get("a" .. long))
    show(dogs:get(long))
    for _, key in ipairs(dogs:get_keys()) do ngx.say(#key) end
}
--- response
3: true, nil, false
3: true, nil, false
3: true, nil, false
1: A
1: B
1: C
1: nil
65535
65535
65535
--- no_error_log
[error]


=== keys and values: any bytes
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local all = {}
    for i = 0, 255 do all[i] = string.char(i) end
    all = table.concat(all, "", 0, 255)
    local bad = 0
    for i = 0, 255 do
        dogs:set(string.char(i), string.char(i) .. all)
        dogs:set("\0" .. string.char(i), all .. string.char(i))
        dogs:set("\0\0" .. string.char(i) .. "\0", i)
    end
    dogs:set(all, all)
    for i = 0, 255 do
        if dogs:get(string.char(i)) ~= string.char(i) .. all
           or dogs:get("\0" .. string.char(i)) ~= all .. string.char(i)
           or dogs:get("\0\0" .. string.char(i) .. "\0") ~= i
        then
            bad = bad + 1
        end
    end
    ngx.say(bad, " ", dogs:get(all) == all, " ", #dogs:get_keys(0))
}
--- response
0 true 769
--- no_error_log
[error]


=== keys: every length up to 300, prefixes of each other
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local text = ("abcdefg"):rep(50)
    for i = 1, 300 do dogs:set(text:sub(1, i), i) end
    for i = 1, 300, 3 do dogs:delete(text:sub(1, i)) end
    local bad = 0
    for i = 1, 300 do
        local expected = i
        if i % 3 == 1 then expected = nil end
        if dogs:get(text:sub(1, i)) ~= expected then bad = bad + 1 end
    end
    ngx.say(bad, " ", #dogs:get_keys(0))
}
--- response
0 200
--- no_error_log
[error]


=== values: every length up to 300, and powers of two with their neighbours
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local text = ("0123456789abcde"):rep(9000)
    local bad = 0
    local function try(n)
        if n < 0 then return end
        local value = text:sub(1, n)
        dogs:set("k", value)
        if dogs:get("k") ~= value then bad = bad + 1 end
    end
    for n = 0, 300 do try(n) end
    for i = 8, 17 do
        for n = 2 ^ i - 40, 2 ^ i + 3 do try(n) end
    end
    for n = 300, 0, -1 do try(n) end
    ngx.say(bad)
}
--- response
0
--- no_error_log
[error]


=== values: tables, functions and other things are none
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("Tom", 1)
    for _, method in ipairs{ "set", "safe_set", "add", "safe_add", "replace" } do
        show(dogs[method](dogs, "Tom", {}))
    end
    show(dogs:set("Tom", print))
    show(dogs:set("Tom", coroutine.create(function() end)))
    show(dogs:set("Tom", newproxy()))
    show(dogs:set("Tom", ngx.null))
    show(dogs:set("Tom", 1LL))
    show(dogs:set("Tom", setmetatable({}, { __tostring = function() return "x" end })))
    show(dogs:get("Tom"))
}
--- response
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
2: nil, bad value type
1: 1
--- no_error_log
[error]


=== methods: with another self they raise, at the line of the caller
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local raises = require "dict".raises
    local dogs = ngx.shared.dogs
    raises(function() dogs.get() end)
    raises(function() dogs.get("Tom") end)
    raises(function() dogs.get(nil, "Tom") end)
    raises(function() dogs.get({}, "Tom") end)
    raises(function() dogs.set(1, "Tom", 1) end)
    raises(function() dogs.delete(true, "Tom") end)
    raises(function() dogs.incr({}, "Tom", 1) end)
    raises(function() dogs.ttl("dogs", "Tom") end)
    raises(function() dogs.expire(print, "Tom", 1) end)
    raises(function() dogs.flush_all() end)
    raises(function() dogs.capacity({}) end)
    raises(function() dogs.free_space(ngx.shared) end)
}
--- response
4: bad "zone" argument
5: bad "zone" argument
6: bad "zone" argument
7: bad "zone" argument
8: bad "zone" argument
9: bad "zone" argument
10: bad "zone" argument
11: bad "zone" argument
12: bad "zone" argument
13: bad "zone" argument
14: bad "zone" argument
15: bad "zone" argument
--- no_error_log
[error]


=== exptime: negative ones and NaN raise, at the line of the caller
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, raises = t.empty("dogs"), t.raises
    dogs:set("Tom", 1)
    raises(function() dogs:set("Tom", 2, -1) end)
    raises(function() dogs:safe_set("Tom", 2, -0.001) end)
    raises(function() dogs:add("Tim", 2, -1e300) end)
    raises(function() dogs:safe_add("Tim", 2, -1 / 0) end)
    raises(function() dogs:replace("Tom", 2, -1) end)
    raises(function() dogs:set(nil, nil, -1) end)
    raises(function() dogs:set("Tom", {}, -1) end)
    t.show(dogs:get("Tom"))
    ngx.say(t.keys(dogs))
}
--- response
5: bad "exptime" argument
6: bad "exptime" argument
7: bad "exptime" argument
8: bad "exptime" argument
9: bad "exptime" argument
10: bad "exptime" argument
11: bad "exptime" argument
1: 1
Tom
--- no_error_log
[error]


=== one value under many names: nothing is shared between entries
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, cats = t.empty("dogs"), t.empty("cats")
    for i = 1, 1000 do dogs:set("k" .. i, "same") end
    for i = 1, 1000 do cats:set("k" .. i, "cat" .. i) end
    for i = 1, 1000, 2 do dogs:set("k" .. i, "other" .. i) end
    local bad = 0
    for i = 1, 1000 do
        local expected = i % 2 == 1 and "other" .. i or "same"
        if dogs:get("k" .. i) ~= expected
           or cats:get("k" .. i) ~= "cat" .. i
        then
            bad = bad + 1
        end
    end
    ngx.say(bad)
}
--- response
0
--- no_error_log
[error]


=== in a compiled loop: as in an interpreted one
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local function work()
        local bad = 0
        for i = 1, 2000 do
            local key, value = "k" .. i % 10, i % 3 == 0 and i or "v" .. i
            local ok, err, forcible = dogs:set(key, value, 0, i % 5)
            local got, flags = dogs:get(key)
            if not ok or err ~= nil or forcible ~= false or got ~= value
               or flags ~= (i % 5 ~= 0 and i % 5 or nil)
            then
                bad = bad + 1
            end
            local none, none_flags = dogs:get("none")
            if none ~= nil or none_flags ~= nil then bad = bad + 1 end
            dogs:delete(key)
            if dogs:incr(key, 1) ~= nil or dogs:incr(key, i, 1) ~= i + 1
               or dogs:incr(key, 1) ~= i + 2 or dogs:add(key, 1)
               or not dogs:replace(key, true) or dogs:get(key) ~= true
            then
                bad = bad + 1
            end
        end
        return bad
    end
    jit.off(work, true)
    ngx.say(work())
    jit.on(work, true)
    ngx.say(work())
}
--- response
0
0
--- no_error_log
[error]


=== get: errors and values of one call do not show in the next
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    dogs:set("flags", "x", 0, 9)
    dogs:set("plain", "y")
    dogs:set("long", ("z"):rep(100000))
    dogs:lpush("list", 1)
    for _ = 1, 2 do
        show(dogs:get("flags"))
        show(dogs:get("plain"))
        show(dogs:get("list"))
        show(dogs:get("none"))
        ngx.say(#dogs:get("long"))
        show(dogs:get("plain"))
        show(dogs:add("plain", 1))
        show(dogs:set("plain", "y"))
    end
}
--- response
2: x, 9
1: y
2: nil, value is a list
1: nil
100000
1: y
3: false, exists, false
3: true, nil, false
2: x, 9
1: y
2: nil, value is a list
1: nil
100000
1: y
3: false, exists, false
3: true, nil, false
--- no_error_log
[error]
