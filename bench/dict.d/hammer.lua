-- What workers do to two dictionaries until they are killed, for
-- bench/dict-kill and t/137-shdict-kill.t: all operations, so that another
-- worker can see later whether something that was done is lost or done twice.
-- `roomy` never evicts, `tight` always does.
local ffi = require "ffi"

ffi.cdef [[
    int kill(int pid, int sig);
]]

local SIGKILL = 9

-- Values that go around between lists; a worker that dies may take one with it.
local TOKENS, TOKEN_LISTS = 200, 4

-- Operations between two looks at the clients.
local BATCH = 50

local TEXT = string.rep("0123456789abcdef", 512)

local roomy, tight = ngx.shared.roomy, ngx.shared.tight
local random = math.random


local _M = {}


-- What has gone wrong, for wrong().
local function complain(...)
    local text = table.concat({ ... }, " ")
    ngx.log(ngx.ERR, "hammer: ", text)
    if not roomy:get("stop") then
        roomy:rpush("complaints", text)
    end
end


local function expect(what, seen, expected)
    if seen ~= expected then
        complain(what .. ":", tostring(expected), "expected,", tostring(seen),
                 "seen")
    end
end


-- Steps of a worker with its name, each with keys that nobody else has. What a
-- step has promised when the worker dies, check_dead() looks at.
local own = {}


-- `b` is never more than one behind `a`.
function own.pair(id)
    roomy:incr(id .. ":a", 1, 0)
    roomy:incr(id .. ":b", 1, 0)
end


-- Numbers in their order; how many were pushed and popped.
function own.queue(id, state)
    state.pushed = state.pushed + 1
    expect("incr", roomy:incr(id .. ":pushed", 1, 0), state.pushed)
    expect("rpush", roomy:rpush(id .. ":queue", state.pushed),
           state.pushed - state.popped)
    if random(3) == 1 or state.pushed - state.popped > 30 then
        state.popped = state.popped + 1
        expect("lpop", roomy:lpop(id .. ":queue"), state.popped)
        expect("incr", roomy:incr(id .. ":popped", 1, 0), state.popped)
    end
end


-- One in so many is long.
local function some_text(n, long, short)
    return TEXT:sub(1, random(n) == 1 and random(long) or random(short))
end


-- A value that is whole: its length is in the flags.
function own.value(id)
    local value = id .. " " .. some_text(4, 8000, 60)
    local ok, err = roomy:set(id .. ":value", value, random(2) * 1000, #value)
    if not ok then complain("set:", err) end
    local got, flags = roomy:get(id .. ":value")
    expect("get", got, value)
    expect("flags", flags, #value)
end


-- Values of a few long sizes, which all workers store over those of others:
-- each is one text again and again, and its flags are its length.
local LENGTHS = { 504, 600, 1024, 1040, 2000 }
local LARGE_KEYS, LARGE = {}, {}
for i = 1, 61 do
    LARGE_KEYS[i] = "large" .. i
    LARGE[i] = {}
    for j = 1, 20 do
        -- Most often a key has the same length.
        local length = LENGTHS[(j == 1 and 1 or i) % 5 + 1]
        LARGE[i][j] = string.format("%08x", 100 * i + j):rep(length / 8)
    end
end


function own.large(_, state)
    -- A long loop of little but sets: there a kill hits.
    local sets, failure = state.most == "large" and 5000 or 20, nil
    local first = random(10000)
    for i = first, first + sets do
        local key = i % 61 + 1
        local value = LARGE[key][i % 20 + 1]
        local ok, err = roomy:set(LARGE_KEYS[key], value,
                                  i % 41 == 0 and 1000 or 0, #value)
        if not ok then failure = err end
    end
    expect("large", failure, nil)
    for _ = 1, 5 do
        local value, flags = roomy:get("large" .. random(61))
        if value and (#value ~= flags
                      or value ~= value:sub(1, 8):rep(#value / 8))
        then
            complain("large:", #value, "bytes, flags", flags)
        end
    end
end


function own.add(id)
    expect("add", (roomy:add(id .. ":once", 1)), true)
    expect("add again", (roomy:add(id .. ":once", 2)), false)
    expect("replace", (roomy:replace(id .. ":once", 3)), true)
    expect("get", (roomy:get(id .. ":once")), 3)
    expect("delete", (roomy:delete(id .. ":once")), true)
    expect("get deleted", (roomy:get(id .. ":once")), nil)
end


-- Keys in numbers, some of which expire.
function own.many(id)
    local key = id .. ":many" .. random(100)
    if random(2) == 1 then
        roomy:set(key, random(), random(3) == 1 and 0.005 or 0)
    elseif random(3) == 1 then
        roomy:expire(key, 0.002)
    else
        roomy:delete(key)
    end
end


function own.token()
    local token, err = roomy:lpop("tokens" .. random(TOKEN_LISTS))
    if token then
        local ok
        ok, err = roomy:rpush("tokens" .. random(TOKEN_LISTS), token)
        if not ok then complain("rpush:", err) end
    elseif err then
        complain("lpop:", err)
    end
end


-- Anything, where there is never enough memory.
function own.tight()
    local key, kind = "k" .. random(300), random(16)
    local value = key .. " " .. some_text(5, 3000, 80)
    if kind <= 5 then
        tight:set(key, value, random(4) == 1 and 0.003 or 0)
    elseif kind <= 9 then
        local got = tight:get(key)
        if type(got) == "string" and got:sub(1, #key + 1) ~= key .. " " then
            complain("tight:", key, "has", got:sub(1, 20))
        end
    elseif kind == 10 then
        tight:incr("n" .. random(50), 1, 0, random(3) - 1)
    elseif kind == 11 then
        tight:lpush("l" .. random(5), value)
    elseif kind == 12 then
        tight:rpop("l" .. random(5))
    elseif kind == 13 then
        tight:safe_set(key, value)
    elseif kind == 14 then
        tight:delete(key)
    elseif kind == 15 then
        tight:expire(key, 0.002)
    elseif random(40) == 1 then
        tight:flush_all()
    else
        tight:flush_expired(5)
        tight:get_keys(20)
        tight:get_stale(key)
    end
end


local steps = {}
for _, step in pairs(own) do
    steps[#steps + 1] = step
end


-- A worker's life; `most` is what it does nearly all the time, if it is given.
function _M.start(most)
    assert(ngx.timer.at(0, function()
        local id = ngx.worker.pid() .. "-" .. roomy:incr("workers", 1, 0)
        roomy:rpush("ids", id)
        math.randomseed(ngx.worker.pid())
        local state = { pushed = 0, popped = 0, most = most }
        while not ngx.worker.exiting() and not roomy:get("stop") do
            for _ = 1, BATCH do
                local step = own[most]
                if not step or random(20) == 1 then
                    step = steps[random(#steps)]
                end
                step(id, state)
            end
            roomy:incr("operations", BATCH, 0)
            coroutine.yield()
        end
        roomy:set(id .. ":rests", true)
    end))
end


-- What a worker has left that is no more; takes it away.
local function check_dead(id)
    local function number(name)
        return roomy:get(id .. ":" .. name) or 0
    end
    local a, b = number("a"), number("b")
    if a ~= b and a ~= b + 1 then complain(id, "a", a, "b", b) end

    local pushed, popped = number("pushed"), number("popped")
    local length = roomy:llen(id .. ":queue")
    local first, last, n = nil, nil, 0
    while true do
        local value = roomy:lpop(id .. ":queue")
        if not value then break end
        if last and value ~= last + 1 then
            complain(id, "queue", last, "before", value)
        end
        first, last, n = first or value, value, n + 1
    end
    if n ~= length then complain(id, "llen", length, "values", n) end
    -- The number may be one ahead of the push, or behind the pop.
    if last and last ~= pushed and last ~= pushed - 1
       or first and first ~= popped + 1 and first ~= popped + 2
       or not last and pushed - popped > 2
    then
        complain(id, "pushed", pushed, "popped", popped, "queue from",
                 tostring(first), "to", tostring(last))
    end

    local value, flags = roomy:get(id .. ":value")
    if value and (#value ~= flags or value:sub(1, #id + 1) ~= id .. " ") then
        complain(id, "value of", #value, "bytes, flags", flags)
    end
    for name in ("a b pushed popped value once rests"):gmatch("%a+") do
        roomy:delete(id .. ":" .. name)
    end
    for i = 1, 100 do
        roomy:delete(id .. ":many" .. i)
    end
end


local function is_alive(id)
    return ffi.C.kill(tonumber(id:match("^%d+")), 0) == 0
end


-- Calls f for each worker that there was; for those of which it gives true
-- no more.
local function each_worker(f)
    for _ = 1, roomy:llen("ids") do
        local id = roomy:lpop("ids")
        if not id then break end
        if not f(id) then
            roomy:rpush("ids", id)
        end
    end
end


-- Looks at all workers that have died.
local function check_all_dead()
    each_worker(function(id)
        if is_alive(id) then return false end
        check_dead(id)
        return true
    end)
end


-- At each load of the configuration; only the first finds nothing there.
function _M.set_up()
    if roomy:get("free") then return end
    for _, dict in ipairs{ roomy, tight } do
        dict:flush_all()
        dict:flush_expired()
    end
    -- What an empty one has; whichever worker finishes compares with it.
    local free = { roomy:free_space(), tight:free_space() }
    roomy:set("free", table.concat(free, " "))
    for i = 1, TOKENS do
        roomy:rpush("tokens" .. i % TOKEN_LISTS + 1, i)
    end
end


-- Kills a worker that hammers, not this one; true if there is one.
function _M.kill()
    for _ = 1, 1000 do
        local ids = {}
        each_worker(function(id) ids[#ids + 1] = id end)
        local id = ids[random(math.max(1, #ids))]
        local pid = id and tonumber(id:match("^%d+"))
        if pid and pid ~= ngx.worker.pid()
           and ffi.C.kill(pid, SIGKILL) == 0
        then
            return "true"
        end
        ngx.sleep(0.01)
    end
    return "false"
end


-- What is wrong so far, one a line; looks at the structure of both, too.
function _M.wrong()
    check_all_dead()
    local lines = {}
    for name, dict in pairs{ roomy = roomy, tight = tight } do
        local ok, err = dict:_check()
        if not ok then
            lines[#lines + 1] = name .. ": " .. err
        end
    end
    for _ = 1, 20 do
        local text = roomy:lpop("complaints")
        if not text then break end
        lines[#lines + 1] = text
    end
    return table.concat(lines, "\n")
end


-- Has the workers stop, looks at everything, and takes all away; `kills` is how
-- many were killed.
function _M.finish(kills)
    roomy:set("stop", true)
    repeat
        ngx.sleep(0.1)
        local resting = 0
        each_worker(function(id)
            if is_alive(id) and roomy:get(id .. ":rests") then
                resting = resting + 1
            end
        end)
    until resting >= ngx.worker.count()
    local lines = {}
    local wrong = _M.wrong()
    if wrong ~= "" then lines[1] = wrong end
    local function check(ok, ...)
        if not ok then lines[#lines + 1] = table.concat({ ... }, " ") end
    end

    local seen, tokens = {}, 0
    for i = 1, TOKEN_LISTS do
        for token in function() return roomy:lpop("tokens" .. i) end do
            check(not seen[token], "token", token, "twice")
            seen[token] = true
            tokens = tokens + 1
        end
    end
    check(tokens >= TOKENS - kills, TOKENS - tokens, "tokens are lost after",
          kills, "kills")

    local free = {}
    for number in roomy:get("free"):gmatch("%d+") do
        free[#free + 1] = tonumber(number)
    end
    for i, dict in ipairs{ roomy, tight } do
        local keys = {}
        for _, key in ipairs(dict:get_keys(0)) do
            check(not keys[key], "key", key, "twice")
            keys[key] = true
        end
        dict:flush_all()
        dict:flush_expired()
        check(dict:free_space() == free[i], dict:free_space(), "of", free[i],
              "bytes are free in the end")
        check(dict:_check())
    end
    return table.concat(lines, "\n")
end


-- Does what a client says, a method of `roomy` and its arguments in a line.
function _M.serve()
    while true do
        local line = ngx.receive("*l")
        if not line then
            return
        end
        local words = {}
        for word in line:gmatch("%S+") do
            words[#words + 1] = tonumber(word) or word
        end
        local name = table.remove(words, 1)
        if _M[name] then
            local text = _M[name](unpack(words))
            ngx.print(text == "" and "fine" or text, "\n\n")
        else
            local value, err = roomy[name](roomy, unpack(words))
            ngx.say(tostring(value), err and " " .. err or "")
        end
    end
end


return _M
