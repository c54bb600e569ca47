# ngx.shared.DICT between workers: operations are atomic, values whole, and long
# ones of one worker do not hold up the others.

use lib 't/lib';
use Test::Nginx::TCP;

my $slow = $ENV{TEST_NGINX_USE_VALGRIND};

# Operations of each worker.
my $n = $slow ? 200 : 20000;

# Keys where many are wanted.
my $keys = $slow ? 2000 : 1000000;
my $room = $slow ? '4m' : '256m';

our $CREW = <<"END";
lua_package_path "\$TEST_ROOT/t/lib/lua/?.lua;;";
lua_shared_dict crew 100k;
lua_shared_dict dogs 4m;
lua_shared_dict tiny 64k;
init_by_lua_block {
    crew = require "crew"
    crew.init()
    rounds, keys = $n, $keys
}
init_worker_by_lua_file jobs.lua;
END

our $LARGE = $CREW =~ s/dogs 4m/dogs $room/r;

run_tests();

__DATA__

=== workers: incr loses nothing
--- workers: 4
--- tcp_config eval
$main::CREW
--- user_files
>>> jobs.lua
local dogs = ngx.shared.dogs
crew.hire{
    incr = function()
        local last = 0
        for _ = 1, rounds do
            local value = dogs:incr("n", 1)
            if value <= last then return value .. " after " .. last end
            last = value
        end
    end,
    init = function()
        for i = 1, rounds do dogs:incr("key" .. i % 100, 1, 0) end
    end,
}
--- tcp_server_config
process_by_lua_block {
    local dogs = require "dict".empty("dogs")
    dogs:set("n", 0)
    crew.complain(crew.run("incr"))
    ngx.say(dogs:get("n") == 4 * rounds)
    dogs:delete("n")
    crew.complain(crew.run("init"))
    local total = 0
    for _, key in ipairs(dogs:get_keys(0)) do total = total + dogs:get(key) end
    ngx.say(total == 4 * rounds)
}
--- response
true
true
--- timeout: 60
--- no_error_log
[error]


=== workers: add has one winner, and incr with init one first
--- workers: 4
--- tcp_config eval
$main::CREW
--- user_files
>>> jobs.lua
local dogs = ngx.shared.dogs
crew.hire{
    add = function(id)
        local wins = 0
        for i = 1, rounds / 2 do
            local ok, err = dogs:add(i, id)
            if ok then
                wins = wins + 1
            elseif err ~= "exists" then
                return "error: " .. err
            end
            ok, err = dogs:safe_add("safe" .. i, id)
            if ok then
                wins = wins + 1
            elseif err ~= "exists" then
                return "error: " .. err
            end
        end
        return wins
    end,
    init = function()
        local first = 0
        for i = 1, rounds / 2 do
            if dogs:incr("i" .. i, 1, 0) == 1 then first = first + 1 end
        end
        return first
    end,
}
--- tcp_server_config
process_by_lua_block {
    local dogs = require "dict".empty("dogs")
    local function total(results)
        local sum = 0
        for _, result in ipairs(results) do
            sum = sum + (tonumber(result) or ngx.say(result) or 0)
        end
        return sum
    end
    ngx.say(total(crew.run("add")) == rounds)
    ngx.say(#dogs:get_keys(0) == rounds)
    ngx.say(total(crew.run("init")) == rounds / 2)
}
--- response
true
true
true
--- timeout: 60
--- no_error_log
[error]


=== workers: each value of a list is popped once, in the order of its sender
--- workers: 4
--- tcp_config eval
$main::CREW
--- user_files
>>> jobs.lua
local dogs = ngx.shared.dogs
-- Pushes and pops as it goes; what is left is popped in the end.
crew.hire{
    queue = function(id, n)
        local seen, last = {}, {}
        local function take()
            local value, err = dogs:lpop("queue")
            if not value then return not err end
            local sender, number = value:match("^(%d+) (%d+)$")
            number = tonumber(number)
            if number <= (last[sender] or 0) then
                error(value .. " after " .. last[sender])
            end
            last[sender] = number
            if not dogs:add("seen " .. value, true) then
                error(value .. " a second time")
            end
            return true
        end
        for i = 1, rounds / 20 do
            assert(dogs:rpush("queue", id .. " " .. i))
            if i % 3 > 0 then assert(take()) end
        end
        while dogs:llen("queue") > 0 do assert(take()) end
    end,
}
--- tcp_server_config
process_by_lua_block {
    local dogs = require "dict".empty("dogs")
    crew.complain(crew.run("queue"))
    while dogs:llen("queue") > 0 do
        if not dogs:add("seen " .. dogs:rpop("queue"), true) then
            ngx.say("a second time")
        end
    end
    ngx.say(#dogs:get_keys(0) == 4 * rounds / 20)
}
--- response
true
--- timeout: 60
--- no_error_log
[error]


=== workers: a value is that of one set, with its flags and its length
--- workers: 4
--- tcp_config eval
$main::CREW
--- user_files
>>> jobs.lua
local dogs = ngx.shared.dogs
local LETTERS = { "a", "b", "c", "d" }
crew.hire{
    mixed = function(id)
        local letter = LETTERS[id + 1]
        local random = math.random
        math.randomseed(id)
        for _ = 1, rounds do
            local key = "key" .. random(5)
            local kind = random(10)
            if kind <= 4 then
                local size = random(3) == 1 and random(3000) or random(40)
                assert(dogs:set(key, letter:rep(size), random(3), size))
            elseif kind == 5 then
                local number = random(1000)
                assert(dogs:set(key, number, 0, number))
            elseif kind == 6 then
                dogs:delete(key)
            else
                local value, flags
                if kind == 7 then
                    value, flags = dogs:get_stale(key)
                else
                    value, flags = dogs:get(key)
                end
                if type(value) == "string" then
                    local first = value:sub(1, 1)
                    if #value ~= flags or value ~= first:rep(#value)
                       or not first:find("[abcd]")
                    then
                        return #value .. " bytes, flags " .. tostring(flags)
                    end
                elseif value ~= flags then
                    return tostring(value) .. ", flags " .. tostring(flags)
                end
            end
        end
    end,
}
--- tcp_server_config
process_by_lua_block {
    require "dict".empty("dogs")
    crew.complain(crew.run("mixed"))
    ngx.say("done")
}
--- response
done
--- timeout: 60
--- no_error_log
[error]


=== workers: all operations at once in a small dictionary, with evictions
--- workers: 4
--- tcp_config eval
$main::CREW
--- user_files
>>> jobs.lua
local tiny = ngx.shared.tiny
crew.hire{
    all = function(id)
        local random = math.random
        math.randomseed(id + 10)
        local text = ("0123456789"):rep(300)
        local function value_of(key)
            return key .. " " .. text:sub(1, random(random(3) == 1 and 2000 or 50))
        end
        local function check(key, value)
            if type(value) == "string"
               and value:sub(1, #key + 1) ~= key .. " "
            then
                error(key .. " has " .. value:sub(1, 20))
            end
        end
        local function known(err, words)
            if err and not words:find(err, 1, true) then error(err) end
        end
        for i = 1, rounds do
            local key, kind = "k" .. random(150), random(20)
            local ok, err
            if kind <= 5 then
                ok, err = tiny:set(key, value_of(key), random(4) == 1 and 0.001 or 0)
                known(not ok and err, "no memory")
            elseif kind == 6 then
                ok, err = tiny:safe_set(key, value_of(key))
                known(not ok and err, "no memory")
            elseif kind == 7 then
                ok, err = tiny:add(key, value_of(key))
                known(not ok and err, "no memory, exists")
            elseif kind == 8 then
                ok, err = tiny:replace(key, value_of(key), 0.002)
                known(not ok and err, "no memory, not found")
            elseif kind <= 13 then
                ok, err = tiny:get(key)
                check(key, ok)
                known(ok == nil and err, "value is a list")
            elseif kind == 14 then
                ok, err = tiny:get_stale(key)
                check(key, ok)
                known(ok == nil and err, "value is a list")
            elseif kind == 15 then
                ok, err = tiny:incr(key, 1, 0)
                known(ok == nil and err, "not a number, no memory")
            elseif kind == 16 then
                ok, err = tiny:lpush("l" .. random(3), "l " .. i)
                known(ok == nil and err, "value not a list, no memory")
            elseif kind == 17 then
                ok, err = tiny:rpop("l" .. random(3))
                check("l", ok)
                known(ok == nil and err, "value not a list")
            elseif kind == 18 then
                ok, err = tiny:expire(key, random(3) - 1)
                known(not ok and err, "not found")
            elseif kind == 19 then
                tiny:delete(key)
            elseif i % 50 == 0 then
                if #tiny:get_keys(0) > 200 then error("too many keys") end
                tiny:flush_expired(random(5))
            elseif i % 555 == 0 then
                tiny:flush_all()
            elseif i % 20 == 0 then
                ngx.sleep(0.001)
            end
        end
    end,
}
--- tcp_server_config
process_by_lua_block {
    local tiny = require "dict".empty("tiny")
    local free = tiny:free_space()
    crew.complain(crew.run("all"))
    local keys, seen = tiny:get_keys(0), {}
    for _, key in ipairs(keys) do
        if seen[key] then ngx.say("twice: ", key) end
        seen[key] = true
    end
    require "dict".empty("tiny")
    ngx.say(tiny:free_space() == free, " ", #tiny:get_keys(0))
}
--- response
true 0
--- timeout: 60
--- no_error_log
[error]


=== many keys: all there, counted, and flushed; other workers go on meanwhile
--- workers: 2
--- tcp_config eval
$main::LARGE
--- user_files
>>> jobs.lua
local dogs, board = ngx.shared.dogs, ngx.shared.crew
local function key_of(i) return ("%010d"):format(i) end

local function now()
    ngx.update_time()
    return ngx.now()
end

-- One does it, the other does small things meanwhile and tells how much of the
-- time it had to wait for a single one of them, in per cent. Without a second
-- CPU for it that may be much: some attempts.
local function beside(action)
    return function(id)
        local start = now()
        if id == 0 then
            board:set("busy", 1)
            local result = action()
            return result()
        end
        while board:get("busy") ~= 1 do
            if now() - start > 20 then return 0 end
        end
        local longest, n = 0, 0
        start = now()
        local last = start
        while board:get("busy") == 1 do
            dogs:set("own", n)
            if dogs:get("own") ~= n then error("not set") end
            n = n + 1
            local time = now()
            longest = math.max(longest, time - last)
            last = time
        end
        dogs:delete("own")
        local duration = last - start
        return duration < 0.05 and 0 or math.floor(100 * longest / duration)
    end
end

local function count(found)
    local rest, seen = keys, {}
    for _, key in ipairs(found) do
        if key ~= "own" then
            if seen[key] then return "twice: " .. key end
            seen[key] = true
            rest = rest - 1
        end
    end
    return rest == 0 and "all" or rest .. " keys more or less"
end

crew.hire{
    fill = function(id, n)
        for i = id + 1, keys, n do
            local ok, err, forcible = dogs:set(key_of(i), "0123456789", 0, i)
            if not ok or forcible then return i .. " " .. tostring(err) end
        end
    end,
    check = function(id, n)
        for i = id + 1, keys, n do
            local value, flags = dogs:get(key_of(i))
            if value ~= "0123456789" or flags ~= i then return "key " .. i end
        end
    end,
    keys = beside(function()
        local found = dogs:get_keys(0)
        board:set("busy", 0)
        return function() return count(found) end
    end),
    flush_all = beside(function()
        dogs:flush_all()
        board:set("busy", 0)
        return function() return "all" end
    end),
    flush_expired = beside(function()
        local n = dogs:flush_expired()
        board:set("busy", 0)
        return function()
            return n >= keys - 10000 and "all" or n .. " flushed"
        end
    end),
}
--- tcp_server_config
process_by_lua_block {
    local dogs, board = require "dict".empty("dogs"), ngx.shared.crew
    local free = dogs:free_space()
    crew.complain(crew.run("fill"))
    crew.complain(crew.run("check"))
    local function try(job)
        board:delete("busy")
        return unpack(crew.run(job))
    end
    local result, beside
    for _ = 1, 5 do
        result, beside = try("keys")
        if tonumber(beside) < 50 then break end
    end
    ngx.say("get_keys: ", result, " ", tonumber(beside) < 50 or beside)
    ngx.say("flush_all: ", (try("flush_all")))
    for i = 1, 5 do
        result, beside = try("flush_expired")
        if tonumber(beside) < 50 or i == 5 then break end
        crew.complain(crew.run("fill"))
        dogs:flush_all()
    end
    ngx.say("flush_expired: ", result, " ", tonumber(beside) < 50 or beside)
    dogs:flush_all()
    dogs:flush_expired()
    ngx.say(dogs:free_space() == free)
}
--- response
get_keys: all true
flush_all: all
flush_expired: all true
true
--- timeout: 120
--- no_error_log
[error]
