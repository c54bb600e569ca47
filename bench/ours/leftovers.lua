-- init_by_lua of bench/leftovers: counts the connections that have reached the
-- state to die in, and what of their scripts is still alive.
local ffi = require "ffi"

ffi.cdef [[
    int malloc_trim(size_t pad);

    struct mallinfo2 {
        size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks,
            uordblks, fordblks, keepcost;
    };
    struct mallinfo2 mallinfo2(void);
]]

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


-- Collects until the heap no longer shrinks: each collection halves a stack
-- that has grown.
local function collect()
    local heap = math.huge
    for _ = 1, 10 do
        collectgarbage()
        local now = collectgarbage("count") * 1024
        if now >= heap then
            break
        end
        heap = now
    end
    return heap
end


-- The heap's bytes, malloc()'s, marks and coroutines still alive, coroutines in
-- the registry: those that the module keeps for the next connections, and ours.
function answers.memory()
    local heap = collect()
    local left, kept = 0, 0
    for _ in pairs(alive) do
        left = left + 1
    end
    for _, value in pairs(debug.getregistry()) do
        if type(value) == "thread" then
            kept = kept + 1
        end
    end
    local malloc = ffi.C.mallinfo2()
    local allocated = tonumber(malloc.uordblks + malloc.hblkhd)
    return string.format("%d %d %d %d", heap, allocated, left, kept)
end


-- Gives the memory that malloc() holds free back to the system.
function answers.trim()
    return ffi.C.malloc_trim(0)
end


function _M.control()
    ngx.say(answers[ngx.receive("*l")]())
end


rawset(_G, "leftovers", _M)
