-- How much fits into a dictionary: the same traces of keys and sizes in ours
-- and in http-lua, for bench/dict. Each gives the bytes of keys and values that
-- are there; the answer is in per cent of the dictionary's size.
local KEY = "%010d"
local KEY_LEN = 10

-- Times that the churn turns the contents over.
local TURNS = 10

local dict = ngx.shared.fit
local text = string.rep("0123456789abcdef", 4096)


-- The same numbers everywhere, from 0 up to 1.
local state

local function random()
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return math.floor(state / 256) / 2 ^ 23
end


local function between(low, high)
    return math.floor(low * (high / low) ^ random())
end


-- Sizes of values: evenly from small to large, so that most bytes are in large
-- ones and most values are small.
local function mixed()
    return between(10, 16384)
end

local function small()
    return between(10, 200)
end

local function large()
    return between(2000, 16384)
end


-- What is there, as far as the trace knows.
local Trace = {}
Trace.__index = Trace

local function new_trace()
    state = 4711
    dict:flush_all()
    dict:flush_expired()
    return setmetatable({ n = 0, bytes = 0, number = 0 }, Trace)
end


-- Puts one more in; false if there is no memory.
function Trace:put(size, method)
    self.number = self.number + 1
    local key = KEY:format(self.number)
    local ok, err, forcible = dict[method](dict, key, text:sub(1, size))
    if not ok then
        assert(err == "no memory", err)
        return false, forcible
    end
    self.n = self.n + 1
    self[self.n] = { key, size + KEY_LEN }
    self.bytes = self.bytes + size + KEY_LEN
    return true, forcible
end


function Trace:remove_some(share)
    for _ = 1, math.floor(self.n * share) do
        local i = math.floor(random() * self.n) + 1
        dict:delete(self[i][1])
        self.bytes = self.bytes - self[i][2]
        self[i], self[self.n] = self[self.n], nil
        self.n = self.n - 1
    end
end


function Trace:fill(size)
    while self:put(size(), "safe_set") do end
end


-- Of what was put, what is there.
function Trace:left()
    local bytes = 0
    for i = 1, self.n do
        if dict:get(self[i][1]) then bytes = bytes + self[i][2] end
    end
    return bytes
end


local traces = {}


-- Filled once, to the first "no memory".
local function fill(size)
    return function()
        local trace = new_trace()
        trace:fill(size)
        return trace.bytes
    end
end

traces.small = fill(small)
traces.large = fill(large)
traces.mixed = fill(mixed)


-- Filled, and then a tenth is deleted at random and filled again, many times.
function traces.churn()
    local trace = new_trace()
    trace:fill(mixed)
    for _ = 1, 10 * TURNS do
        trace:remove_some(0.1)
        trace:fill(mixed)
    end
    return trace.bytes
end


-- Filled with small values, most of which are deleted; then with large ones.
function traces.shift()
    local trace = new_trace()
    trace:fill(small)
    trace:remove_some(0.8)
    trace:fill(large)
    return trace.bytes
end


-- set() goes on when there is no room: what is left of all after many turns.
function traces.evict()
    local trace = new_trace()
    local size = 0
    while size < TURNS * dict:capacity() do
        local n = mixed()
        trace:put(n, "set")
        size = size + n
    end
    return trace:left()
end


-- How many of the values of this trace set() refuses, in per cent: large ones
-- when all memory is taken by small ones.
function traces.refused()
    local trace = new_trace()
    trace:fill(small)
    local refused = 0
    for _ = 1, 400 do
        if not trace:put(large(), "set") then refused = refused + 1 end
    end
    return refused / 400 * dict:capacity()
end


local _M = {}


function _M.run(request)
    local result = traces[request]()
    return string.format("%.1f", 100 * result / dict:capacity())
end


return _M
