# ngx.shared.DICT: what no script should do to it. Errors, never a crash, and
# afterwards it works as before.

use lib 't/lib';
use Test::Nginx::TCP;

our $DICTS = <<'END';
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 1m;
lua_shared_dict cats 64k;
END

our $ROUNDS = $ENV{TEST_NGINX_USE_VALGRIND} ? 200 : 5000;

run_tests();

__DATA__

=== hostile: every method with every kind of self
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local copy = setmetatable({}, getmetatable(dogs))
    local filled = {}
    if type(dogs) == "table" then
        for k, v in pairs(dogs) do filled[k] = v end
        for k in pairs(filled) do
            if type(k) == "number" then filled[k] = newproxy() end
        end
    end
    local forged = newproxy(true)
    getmetatable(forged).__index = getmetatable(dogs)
    local selfs = {
        false, true, 0, -1, 2 ^ 53, "", "dogs", {}, { {} }, { 1 }, { "dogs" },
        { newproxy() }, copy, filled, setmetatable(filled, getmetatable(dogs)),
        newproxy(), forged, ngx.null, ngx.shared, ngx, print, function() end,
        coroutine.create(function() end), require "ngx.semaphore".new(),
        io.stdout, 1LL, require "ffi".new("char[1000]"), require "ffi".C,
        setmetatable({}, { __index = dogs }),
        setmetatable({}, { __index = function() error("index") end }),
    }
    local methods = {}
    for name in ([[get get_stale set safe_set add safe_add replace delete incr
                   lpush rpush lpop rpop llen ttl expire flush_all flush_expired
                   get_keys capacity free_space]]):gmatch("%S+") do
        methods[#methods + 1] = name
    end
    local wrong = {}
    for _, name in ipairs(methods) do
        for i = 0, #selfs do
            local self = selfs[i]
            for _, arguments in ipairs{ {}, { "k" }, { "k", 1 }, { "k", 1, 0, 1 } } do
                local ok, err = pcall(dogs[name], self, unpack(arguments))
                if ok or type(err) ~= "string"
                   or not err:find('bad "zone" argument', 1, true)
                then
                    wrong[#wrong + 1] = name .. " with " .. type(self) .. " "
                        .. i .. ": " .. tostring(err)
                end
            end
        end
        if pcall(dogs[name]) then wrong[#wrong + 1] = name .. " without" end
    end
    ngx.say(#wrong, table.concat(wrong, "\n"))
    ngx.say("keys: ", t.keys(dogs))
}
--- response
0
keys: 
--- no_error_log
[error]


=== hostile: a method of one dictionary works on another
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, cats = t.empty("dogs"), t.empty("cats")
    dogs.set(cats, "k", "cat")
    ngx.say(tostring(dogs:get("k")), " ", dogs.get(cats, "k"))
}
--- response
nil cat
--- no_error_log
[error]


=== hostile: what scripts put into ngx.shared, a dictionary, its methods
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, show = t.empty("dogs"), t.show
    pcall(function() ngx.shared.other = {} end)
    pcall(function() ngx.shared.other = nil end)
    pcall(function() dogs.other = 1 end)
    pcall(function() dogs[1] = nil end)
    pcall(function() dogs[1] = "x" end)
    pcall(function() dogs[1] = newproxy() end)
    pcall(function() dogs[0] = {} end)
    pcall(setmetatable, dogs, nil)
    pcall(dogs.set, dogs, "k", 1)
    pcall(dogs.get, dogs, "k")
    pcall(dogs.flush_all, dogs)
    ngx.say("alive")
}
--- no_reload: it breaks its dictionaries
--- repeat: 1
--- response
alive
--- no_error_log
[error]


=== hostile: with debug.setmetatable and upvalues of the methods
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local dogs = ngx.shared.dogs
    local mt = debug.getmetatable(dogs)
    local userdata = newproxy()
    debug.setmetatable(userdata, mt)
    local ok, err = pcall(dogs.get, userdata, "k")
    ngx.say(ok, " ", type(err))
    ok, err = pcall(dogs.set, userdata, "k", 1)
    ngx.say(ok, " ", type(err))
    ok, err = pcall(dogs.get_keys, userdata)
    ngx.say(ok, " ", type(err))
    ok, err = pcall(dogs.lpush, userdata, "k", 1)
    ngx.say(ok, " ", type(err))
    local stdout = io.stdout
    local own = debug.getmetatable(stdout)
    debug.setmetatable(stdout, mt)
    ok, err = pcall(dogs.free_space, stdout)
    debug.setmetatable(stdout, own)
    ngx.say(ok, " ", type(err))
}
--- response
false string
false string
false string
false string
false string
--- no_error_log
[error]


=== hostile: numbers of every kind as exptime, flags, init, init_ttl, counts
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local numbers = {
        0, -0.0, 1, -1, 0.5, -0.5, 1e-9, 1e-300, 5e-324, 2 ^ 31 - 1, 2 ^ 31,
        -2 ^ 31, -2 ^ 31 - 1, 2 ^ 32 - 1, 2 ^ 32, 2 ^ 32 + 1, 2 ^ 53, -2 ^ 53,
        2 ^ 63, -2 ^ 63, 2 ^ 64, 1e19, -1e19, 1e300, -1e300, 1 / 0, -1 / 0,
        0 / 0, 9.2e15, 9.3e15, 1.8e16, 1.9e19, 9223372036854774, 9223372036854776,
        "1", "-1", "x", "", "nan", "inf", "1e999", true, {}, print, 1LL, ngx.null,
    }
    local bad = {}
    local function check(call, ok, ...)
        local first, second = ...
        if not ok and type(first) ~= "string" then bad[#bad + 1] = call end
        if ok and first == nil and second ~= nil and type(second) ~= "string" then
            bad[#bad + 1] = call
        end
    end
    for _, number in pairs(numbers) do
        local text = tostring(number)
        for _, name in ipairs{ "set", "safe_set", "add", "safe_add", "replace" } do
            check(name, pcall(dogs[name], dogs, name, "v", number))
            check("flags", pcall(dogs[name], dogs, name, "v", 0, number))
            check("both", pcall(dogs[name], dogs, name, "v", number, number))
        end
        dogs:set("n", 1)
        check("incr", pcall(dogs.incr, dogs, "n", number))
        check("init", pcall(dogs.incr, dogs, "i" .. text, 1, number))
        check("init_ttl", pcall(dogs.incr, dogs, "t" .. text, 1, 1, number))
        check("expire", pcall(dogs.expire, dogs, "n", number))
        check("ttl", pcall(dogs.ttl, dogs, "n"))
        check("set", pcall(dogs.set, dogs, "v", number))
        check("lpush", pcall(dogs.lpush, dogs, "l", number))
        local ok, keys = pcall(dogs.get_keys, dogs, number)
        check("get_keys", ok, keys)
        if ok and type(keys) ~= "table" then bad[#bad + 1] = "keys" end
        check("flush_expired", pcall(dogs.flush_expired, dogs, number))
        check("get", pcall(dogs.get, dogs, number))
        -- What came of it is nothing strange.
        for _, key in ipairs(dogs:get_keys(0)) do
            local ttl = dogs:ttl(key)
            if ttl and not (ttl >= 0 and ttl < math.huge) then
                bad[#bad + 1] = key .. " ttl " .. ttl .. " by " .. text
            end
            local _, flags = dogs:get(key)
            if type(flags) == "number" and not (flags > 0 and flags < 2 ^ 32)
               and flags % 1 ~= 0
            then
                bad[#bad + 1] = key .. " flags " .. flags .. " by " .. text
            end
        end
    end
    ngx.say(#bad, table.concat(bad, "\n"))
    t.empty("dogs")
    t.show(dogs:set("k", 1), dogs:get("k"))
}
--- response
0
2: true, 1
--- no_error_log
[error]


=== hostile: no exptime that is not a number means anything else
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs, raises = t.empty("dogs"), t.raises
    raises(function() dogs:set("k", 1, 0 / 0) end)
    raises(function() dogs:add("k", 1, -(0 / 0)) end)
    raises(function() dogs:incr("k", 1, 1, 0 / 0) end)
    dogs:set("k", 1)
    raises(function() dogs:expire("k", 0 / 0) end)
    raises(function() dogs:expire("k", -1) end)
    t.show(dogs:get("k"))
    t.show(dogs:ttl("k"))
}
--- response
4: bad "exptime" argument
5: bad "exptime" argument
6: bad "init_ttl" argument
8: bad "exptime" argument
9: bad "exptime" argument
1: 1
1: 0
--- no_error_log
[error]


=== hostile: keys whose __tostring raises, yields, returns no string, recurses
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local function key(f) return setmetatable({}, { __tostring = f }) end
    local keys = {
        key(function() error("no key") end),
        key(function() error({}) end),
        key(function() return 1 end),
        key(function() return nil end),
        key(function() return {} end),
        key(function() ngx.sleep(0.001) return "slept" end),
        key(function() coroutine.yield() return "yielded" end),
        key(function(self) return tostring(self) .. "" end),
        key(function() dogs:flush_all() return "flushed" end),
        key(function() return ("k"):rep(70000) end),
        key(function() return "" end),
    }
    local strange = 0
    for _, k in ipairs(keys) do
        for _, name in ipairs{ "get", "set", "incr", "lpush", "lpop", "ttl" } do
            local ok, _, err = pcall(dogs[name], dogs, k, 1, 1)
            if ok and err ~= nil and type(err) ~= "string" then
                strange = strange + 1
            end
        end
    end
    ngx.say(strange)
    t.show(dogs:set("k", 1), dogs:get("k"))
}
--- response
0
2: true, 1
--- no_error_log
[error]


=== hostile: more arguments than there are
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local many = {}
    for i = 1, 5000 do many[i] = i end
    for name in ([[get get_stale set safe_set add safe_add replace delete incr
                   lpush rpush lpop rpop llen ttl expire flush_all flush_expired
                   get_keys capacity free_space]]):gmatch("%S+") do
        pcall(dogs[name], dogs, "k", 1, 0, 0, unpack(many))
        pcall(dogs[name], dogs, unpack(many))
        pcall(dogs[name], unpack(many))
    end
    t.empty("dogs")
    t.show(dogs:set("k", 1), dogs:get("k"))
}
--- response
2: true, 1
--- no_error_log
[error]


=== hostile: values of many MiB
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 40m;
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local free = dogs:free_space()
    local value = ("0123456789abcdef"):rep(2 ^ 20)
    ngx.say(tostring(dogs:set("a", value)), " ", dogs:get("a") == value)
    ngx.say(tostring(dogs:set("b", value)), " ", dogs:get("b") == value)
    local ok, err, forcible = dogs:safe_set("c", value)
    ngx.say(tostring(ok), " ", err, " ", forcible)
    ok, err, forcible = dogs:set("c", value)
    ngx.say(tostring(ok), " ", tostring(err), " ", tostring(forcible))
    ngx.say(tostring(dogs:get("a") == nil), " ", dogs:get("c") == value)
    ngx.say(tostring(dogs:lpush("l", value)), " ", dogs:llen("l"))
    dogs:delete("b")
    ngx.say(dogs:lpush("l", value), " ", dogs:rpop("l") == value)
    t.empty("dogs")
    ngx.say(dogs:free_space() == free)
}
--- response
true true
true true
false no memory false
true nil true
true true
nil 0
1 true
true
--- timeout: 20
--- no_error_log
[error]


=== hostile: 65,535 bytes of key in a small dictionary
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local cats, show = t.empty("cats"), t.show
    local long = ("k"):rep(65535)
    cats:set("k", 1)
    show(cats:safe_set(long, 1))
    show(select(2, cats:incr(long, 1, 0)))
    show(select(2, cats:lpush(long, 1)))
    show(cats:get(long))
    show(cats:llen(long))
    cats:set("k", 2)
    show(cats:get("k"))
}
--- response
3: false, no memory, false
1: no memory
1: no memory
1: nil
1: 0
1: 2
--- no_error_log
[error]


=== hostile: keys of the same hash, or nearly so
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 4m;
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    -- Differ in few bits, in the first or the last bytes, or in length only;
    -- pairs of CRC-32's best known collisions.
    local keys = { "plumless", "buckeroo", "codding", "gnu", "exhibiters", "schlager" }
    for i = 0, 255 do
        keys[#keys + 1] = string.char(i):rep(40)
        keys[#keys + 1] = ("\0"):rep(i)
            .. "\1"
        keys[#keys + 1] = ("x"):rep(31) .. string.char(i) .. ("x"):rep(31)
        keys[#keys + 1] = string.char(i) .. ("\0"):rep(63)
        keys[#keys + 1] = ("\0"):rep(63) .. string.char(i) .. "\255"
    end
    local place, n = {}, 0
    for i, key in ipairs(keys) do
        if not place[key] then n = n + 1 end
        place[key] = i
        dogs:set(key, i)
    end
    local wrong = 0
    for key, i in pairs(place) do
        if dogs:get(key) ~= i then wrong = wrong + 1 end
    end
    ngx.say(wrong, " ", #dogs:get_keys(0) == n)
}
--- response
0 true
--- no_error_log
[error]


=== hostile: keys chosen to meet in one bucket
--- tcp_config eval
$main::DICTS =~ s/dogs 1m/dogs 4m/r . "init_by_lua_block { rounds = $main::ROUNDS }"
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local n = rounds
    -- Processor time for a family of keys, at its best.
    local function time(key)
        local best = 1e9
        for _ = 1, 2 do
            t.empty("dogs")
            local start = os.clock()
            for i = 1, n do
                dogs:set(key(i), i)
                if i % 1000 == 0 and os.clock() - start > 1 then return 1 end
            end
            best = math.min(best, os.clock() - start)
        end
        return best
    end
    -- Numbers that hashes by multiplication are often made of, as the bytes
    -- before, after, and around what differs.
    local words = {
        "2f64bd78641d76a0", "db42b4a1d7e703e7", "8c3c7b1d5bc6e78e",
        "59650c2b4f2d6458", "157c4a7fb979379e", "87caeb85e3b95af2",
        "0000000000000000", "ffffffffffffffff", "0100000000000000",
    }
    local usual = time(function(i) return ("%016d"):format(i) end)
    for _, word in ipairs(words) do
        local bytes = word:gsub("%x%x", function(hex)
            return string.char(tonumber(hex, 16))
        end)
        for j, key in ipairs{
            function(i) return bytes .. ("%08d"):format(i) end,
            function(i) return ("%08d"):format(i) .. bytes end,
            function(i) return bytes .. ("%08d"):format(i) .. bytes .. bytes end,
            function(i) return ("%016d"):format(i) .. bytes .. bytes end,
        } do
            local taken = time(key)
            if taken > 10 * usual + 0.03 then
                ngx.say(word, " ", j, ": ", taken, " s, usually ", usual)
            end
        end
    end
    ngx.say("done")
}
--- response
done
--- timeout: 60
--- no_error_log
[error]


=== hostile: operations in collections of garbage during operations
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    collectgarbage("setpause", 100)
    collectgarbage("setstepmul", 1000)
    local function finalizer()
        dogs:set("from gc", ("x"):rep(1000))
        dogs:get("from gc")
        dogs:get_keys(10)
        dogs:incr("collected", 1, 0)
        dogs:lpush("gc list", "x")
    end
    local wrong = 0
    for i = 1, 500 do
        local proxy = newproxy(true)
        getmetatable(proxy).__gc = finalizer
        proxy = nil
        local value = ("v"):rep(i * 7) .. i
        dogs:set("k" .. i % 10, value)
        if dogs:get("k" .. i % 10) ~= value then wrong = wrong + 1 end
        if i % 20 == 0 then
            dogs:get_keys(0)
            collectgarbage("step", 100)
        end
    end
    collectgarbage()
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
    ngx.say(wrong, " ", dogs:get("collected") > 0)
}
--- response
0 true
--- no_error_log
[error]


=== hostile: finalizers between an answer and what is made of it
LuaJIT runs them where compiled code ends, too, right behind the call.
--- tcp_config eval
$main::DICTS =~ s/dogs 1m/dogs 8m/r . "init_by_lua_block { rounds = $main::ROUNDS }"
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    local values = {}
    for i = 1, 64 do
        local kind = i % 8
        local value = i
        if kind == 1 then
            value = ("s"):rep(i) .. i
        elseif kind == 2 then
            value = ("l"):rep(70000 + i)
        elseif kind == 3 then
            value = i % 16 == 3
        elseif kind == 4 then
            value = ("b"):rep(60000) .. i
        elseif kind == 5 then
            value = nil
        end
        values[i] = value
        dogs:set("k" .. i, value, 0, i % 3)
    end
    dogs:set("long", ("x"):rep(66000))
    dogs:set("short", "from gc")
    local n, collected = 0, 0
    local function finalizer()
        collected = collected + 1
        dogs:get(collected % 3 == 0 and "long" or "short")
        dogs:get_stale(collected % 5 == 0 and "long" or "n")
        dogs:incr("n", 1000, 0)
        dogs:get_keys(2)
    end
    collectgarbage("setpause", 100)
    collectgarbage("setstepmul", 400)
    local wrong = 0
    for i = 1, rounds * 8 do
        local k = i * 7 % 64 + 1
        local proxy = newproxy(true)
        getmetatable(proxy).__gc = finalizer
        proxy = nil
        local get = i % 3 == 0 and dogs.get_stale or dogs.get
        local value, flags = get(dogs, "k" .. k)
        if value ~= values[k] then wrong = wrong + 1 end
        if value and (flags or 0) ~= k % 3 then wrong = wrong + 1 end
        if k % 8 == 0 then
            n = n + 1
            if dogs:incr("count", 1, 0) ~= n then wrong = wrong + 1 end
        end
        if i % 50 == 0 then collectgarbage("step", 10) end
    end
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
    ngx.say(wrong, " wrong, ", collected > rounds)
}
--- response
0 wrong, true
--- timeout: 60
--- no_error_log
[error]


=== hostile: a handler that goes away in the middle of its work
--- tcp_config eval
$main::DICTS
--- tcp_server_config
process_by_lua_block {
    local dogs = ngx.shared.dogs
    dogs:set("k", 1)
    ngx.receive(1)
    for i = 1, 100 do dogs:incr("n", 1, 0) end
    error(setmetatable({}, { __tostring = function() return dogs:get("k") end }))
}
--- request_parts
A: send "x"
A: expect_close
B: reset
C: close
D: send "x"
D: expect_close


=== hostile: memory of Lua does not run out by get_keys and values
--- skip_mode: valgrind: it is slow, and the operations are those of other blocks
--- tcp_config
lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict dogs 8m;
--- tcp_server_config
process_by_lua_block {
    local t = require "dict"
    local dogs = t.empty("dogs")
    for i = 1, 20000 do dogs:set("key" .. i, ("v"):rep(100) .. i) end
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    for _ = 1, 20 do
        dogs:get_keys(0)
        for i = 1, 20000, 10 do dogs:get("key" .. i) end
    end
    collectgarbage()
    collectgarbage()
    local after = collectgarbage("count")
    ngx.say(after < before + 500 or after - before)
}
--- response
true
--- timeout: 20
--- no_error_log
[error]
