-- Random numbers that follow from a seed alone, so that a connection's program
-- can be had again.

local bit = require "bit"
local bxor, lshift, rshift, tobit = bit.bxor, bit.lshift, bit.rshift, bit.tobit

local Random = {}
Random.__index = Random


-- From any whole numbers.
function Random.new(...)
    local state = 0x2545F491
    for i = 1, select("#", ...) do
        state = bxor(state, tobit(select(i, ...)))
        for _ = 1, 4 do
            state = bxor(state, lshift(state, 13))
            state = bxor(state, rshift(state, 17))
            state = bxor(state, lshift(state, 5))
            state = tobit(state + 0x6D2B79F5)
        end
    end
    return setmetatable({ state = state == 0 and 1 or state }, Random)
end


-- 1 to n.
function Random:number(n)
    local state = self.state
    state = bxor(state, lshift(state, 13))
    state = bxor(state, rshift(state, 17))
    state = bxor(state, lshift(state, 5))
    self.state = state
    return rshift(state, 1) % n + 1
end


-- Whether something happens that happens once in n times.
function Random:once_in(n)
    return self:number(n) == 1
end


function Random:one_of(list)
    return list[self:number(#list)]
end


-- Milliseconds as seconds: most are short.
function Random:seconds(max)
    local n = self:number(max)
    return math.ceil(n * self:number(100) / 100) / 1000
end


-- A generator of its own for somebody else.
function Random:fork()
    return Random.new(self:number(2 ^ 30))
end


return Random
