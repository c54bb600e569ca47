-- A shared dictionary as a table of plain Lua, and random operations whose
-- results must be the same on both.  For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
--
-- Time passes only where the operations say so: a worker's time stands still
-- until it waits.


local _M = {}


-- Seconds: what expires with the next pause, and what does not in a test.
local SOON, LATER = 0.003, 5000
local PAUSE = 0.03


local KEYS = {
    "a", "b", "c", "key", "\0", "a\0", "ab", ("k"):rep(40), ("k"):rep(41),
    ("k"):rep(1000), 7, 0.5,
}

local VALUES = {
    "", "x", "text", "10", ("v"):rep(50), ("w"):rep(300), ("x"):rep(5000),
    "\0\0", 0, 1, -1, 2.5, 1e300, 2 ^ 53, true, false,
}


local Random = {}
Random.__index = Random

function Random.new(seed)
    return setmetatable({ state = seed * 7919 % 2 ^ 31 }, Random)
end

-- 1 to n.
function Random:number(n)
    self.state = (self.state * 1103515245 % 2 ^ 31 + 12345) % 2 ^ 31
    return math.floor(self.state / 2 ^ 8) % n + 1
end

function Random:one_of(list)
    return list[self:number(#list)]
end


-- The model: key -> { value =, list =, flags =, ends = SOON or LATER or nil,
-- stale = }.
local Model = {}
Model.__index = Model

-- What is there and has not expired.
function Model:live(key)
    local entry = self[tostring(key)]
    return entry and not entry.stale and entry
end

function Model:store(key, value, exptime, flags)
    self[tostring(key)] = value ~= nil and {
        value = value, flags = flags or 0,
        ends = exptime ~= 0 and exptime or nil,
    } or nil
    return true, nil, false
end

-- Gives "stale" where an expired entry may have been removed or not.
local does = {}

function does.get(model, key)
    local entry = model:live(key)
    if not entry then return nil end
    if entry.list then return nil, "value is a list" end
    if entry.flags ~= 0 then return entry.value, entry.flags end
    return entry.value
end

function does.get_stale(model, key)
    local entry = model[tostring(key)]
    if not entry then return nil end
    if entry.stale then return "stale" end
    if entry.list then return nil, "value is a list" end
    return entry.value, entry.flags ~= 0 and entry.flags or nil, false
end

function does.set(model, key, value, exptime, flags)
    return model:store(key, value, exptime, flags)
end

does.safe_set = does.set

function does.delete(model, key)
    return model:store(key, nil)
end

function does.add(model, key, value, exptime, flags)
    if value == nil then
        return false, "attempt to add or replace nil values", false
    end
    if model:live(key) then return false, "exists", false end
    return model:store(key, value, exptime, flags)
end

does.safe_add = does.add

function does.replace(model, key, value, exptime, flags)
    if value == nil then
        return false, "attempt to add or replace nil values", false
    end
    if not model:live(key) then return false, "not found", false end
    return model:store(key, value, exptime, flags)
end

function does.incr(model, key, by, init, init_ttl)
    local entry = model:live(key)
    if not entry then
        if not init then return nil, "not found" end
        model:store(key, init + by, init_ttl)
        return init + by, nil, false
    end
    if type(entry.value) ~= "number" then return nil, "not a number" end
    entry.value = entry.value + by
    if not init then return entry.value end
    return entry.value, nil, false
end

local function push(at_front)
    return function(model, key, value)
        if type(value) ~= "string" and type(value) ~= "number" then
            return nil, "bad value type"
        end
        local entry = model:live(key)
        if not entry then
            entry = { list = {} }
            model[tostring(key)] = entry
        end
        if not entry.list then return nil, "value not a list" end
        table.insert(entry.list, at_front and 1 or #entry.list + 1, value)
        return #entry.list
    end
end

local function pop(at_front)
    return function(model, key)
        local entry = model:live(key)
        if not entry then return nil end
        if not entry.list then return nil, "value not a list" end
        local value = table.remove(entry.list, at_front and 1 or nil)
        if #entry.list == 0 then model[tostring(key)] = nil end
        return value
    end
end

does.lpush, does.rpush = push(true), push(false)
does.lpop, does.rpop = pop(true), pop(false)

function does.llen(model, key)
    local entry = model:live(key)
    if not entry then return 0 end
    if not entry.list then return nil, "value not a list" end
    return #entry.list
end

function does.ttl(model, key)
    local entry = model:live(key)
    if not entry then return nil, "not found" end
    return entry.ends or 0
end

function does.expire(model, key, exptime)
    local entry = model:live(key)
    if not entry then return nil, "not found" end
    entry.ends = exptime ~= 0 and exptime or nil
    return true
end

function does.flush_all(model)
    for _, entry in pairs(model) do entry.stale = true end
end

function does.keys(model)
    local keys = {}
    for key in pairs(model) do
        if model:live(key) then keys[#keys + 1] = key end
    end
    return #keys, keys
end


-- Random arguments: { method, key, ... }.
local KINDS = {
    { 10, "get" }, { 3, "get_stale" }, { 12, "set" }, { 4, "safe_set" },
    { 5, "add" }, { 3, "safe_add" }, { 5, "replace" }, { 5, "delete" },
    { 9, "incr" }, { 6, "lpush" }, { 6, "rpush" }, { 4, "lpop" },
    { 4, "rpop" }, { 3, "llen" }, { 4, "ttl" }, { 5, "expire" },
    { 1, "flush_all" }, { 1, "flush_expired" }, { 2, "keys" }, { 1, "pause" },
}

local TOTAL = 0
for _, kind in ipairs(KINDS) do TOTAL = TOTAL + kind[1] end

local STORES = {
    set = true, safe_set = true, add = true, safe_add = true, replace = true,
}

local function exptime_of(random)
    return random:one_of{ 0, 0, SOON, LATER }
end

local function make(random)
    local n, name = random:number(TOTAL), nil
    for _, kind in ipairs(KINDS) do
        n = n - kind[1]
        if n <= 0 then
            name = kind[2]
            break
        end
    end
    local key = random:one_of(KEYS)
    if STORES[name] then
        local value = random:number(30) > 1 and random:one_of(VALUES) or nil
        if value == nil and name == "safe_set" then name = "set" end
        return name, key, value, exptime_of(random),
            random:number(3) == 1 and random:number(2 ^ 31 - 1) or 0
    elseif name == "incr" then
        local init = random:number(2) == 1 and random:number(100) or nil
        return name, key, random:number(10) - 5, init,
            init and random:number(2) == 1 and exptime_of(random) or nil
    elseif name == "lpush" or name == "rpush" then
        return name, key, random:one_of(VALUES)
    elseif name == "expire" then
        return name, key, exptime_of(random)
    end
    return name, key
end


local function text_of(...)
    local texts = {}
    for i = 1, select("#", ...) do
        local value = select(i, ...)
        texts[i] = type(value) == "string"
            and (#value > 60 and "string of " .. #value or ("%q"):format(value))
            or type(value) == "number" and ("%.17g"):format(value)
            or tostring(value)
    end
    return table.concat(texts, ", ")
end


-- What is done on both, with results that are compared as texts.
local both = {}

function both.pause(_, model)
    ngx.sleep(PAUSE)
    for _, entry in pairs(model) do
        if entry.ends == SOON then entry.stale = true end
    end
end

function both.keys(dict, model)
    local n, keys = does.keys(model)
    local seen = dict:get_keys(0)
    table.sort(keys)
    table.sort(seen)
    return text_of(n, unpack(keys)), text_of(#seen, unpack(seen))
end

function both.flush_expired(dict, model)
    local stale = 0
    for key, entry in pairs(model) do
        if entry.stale then
            stale = stale + 1
            model[key] = nil
        end
    end
    -- Some may have gone before.
    local n = dict:flush_expired()
    return "", n > stale and n .. " of " .. stale or ""
end

function both.get_stale(dict, model, key)
    local expected = text_of(does.get_stale(model, key))
    if expected ~= '"stale"' then
        return expected, text_of(dict:get_stale(key))
    end
    local entry, value, flags, stale = model[tostring(key)], dict:get_stale(key)
    if value == nil then return "", "" end
    return text_of(entry.value, entry.flags ~= 0 and entry.flags or nil, true),
        text_of(value, flags, stale)
end

function both.ttl(dict, model, key)
    local expected, seen = does.ttl(model, key), { dict:ttl(key) }
    if expected and expected > 0 and seen[1] and seen[1] > 0
       and seen[1] <= expected and seen[1] > expected - 1000
    then
        return "", ""
    end
    return text_of(does.ttl(model, key)), text_of(unpack(seen, 1, 2 - (seen[2] and 0 or 1)))
end


-- Does `n` random operations. Returns what differs as text, or nil.
function _M.compare(dict, seed, n)
    dict:flush_all()
    dict:flush_expired()
    local free = dict:free_space()
    local random, model = Random.new(seed), setmetatable({}, Model)
    local trace = {}

    local function step(name, ...)
        local call = name .. "(" .. text_of(...) .. ")"
        local expected, seen
        if both[name] then
            expected, seen = both[name](dict, model, ...)
        else
            expected = text_of(does[name](model, ...))
            seen = text_of(dict[name](dict, ...))
        end
        trace[#trace + 1] = call .. " = " .. tostring(seen)
        return expected == seen or ("seed %d: %s: expected %s, seen %s\n%s")
            :format(seed, call, expected, seen,
                    table.concat(trace, "\n", math.max(1, #trace - 20)))
    end

    for _ = 1, n do
        local result = step(make(random))
        if result ~= true then return result end
    end
    dict:flush_all()
    dict:flush_expired()
    if dict:free_space() ~= free then
        return ("seed %d: %d bytes free before, %d after")
            :format(seed, free, dict:free_space())
    end
end


return _M
