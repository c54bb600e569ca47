-- init_by_lua of bench/leftovers: counts the connections that have reached the
-- state to die in, and what of their scripts is still alive.
local memory = require "memory"

local alive = setmetatable({}, { __mode = "k" })
local reached = 0

-- What the scripts of the servers see as the global `leftovers`. One large
-- print is more than the module keeps a buffer for.
local _M = { alive = alive, large = string.rep("0123456789abcdef", 32768) }


-- The mark lives as long as the coroutine that holds it on its stack.
function _M.here()
    local mark = {}
    alive[mark] = true
    reached = reached + 1
    return mark
end


-- Calls `f` inside of `depth` coroutines, each with a pcall around it. Errors
-- come through if `raise` is true.
function _M.nested(depth, f, raise)
    if depth == 0 then
        local mark = _M.here()
        f()
        return mark
    end
    local inner = coroutine.wrap(function()
        alive[coroutine.running()] = true
        local ok, err = pcall(_M.nested, depth - 1, f, raise)
        if not ok and raise then
            error(err, 0)
        end
    end)
    return inner()
end


-- A coroutine of its own that nobody resumes any more.
function _M.left_in_yield()
    alive[coroutine.running()] = true
    coroutine.yield()
end


local answers = {}


function answers.reached()
    return reached
end


function answers.memory()
    return memory.figures(alive)
end


answers.trim = memory.trim


function _M.control()
    ngx.say(answers[ngx.receive("*l")]())
end


rawset(_G, "leftovers", _M)
