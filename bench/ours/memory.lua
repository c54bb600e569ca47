-- What memory a worker uses, for bench/leftovers and bench/torture.

local ffi = require "ffi"

ffi.cdef [[
    int malloc_trim(size_t pad);

    struct mallinfo2 {
        size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks,
            uordblks, fordblks, keepcost;
    };
    struct mallinfo2 mallinfo2(void);
]]

local _M = {}


-- Collects until the heap no longer shrinks: each collection halves a stack
-- that has grown. Returns the heap's bytes.
function _M.collect()
    -- Newer LuaJITs keep the coroutine that has used the FFI last: this one.
    ffi.new("char[1]")
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


-- The heap's bytes, malloc()'s, what is still in the weak table `alive`,
-- coroutines in the registry: those that the module keeps for the next
-- connections, and ours.
function _M.figures(alive)
    -- nginx's timer of the scheduler stays armed for what was waited for last;
    -- when it fires and there is nothing to wait for it is gone.
    ngx.sleep(0.001)
    local heap = _M.collect()
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
function _M.trim()
    return ffi.C.malloc_trim(0)
end


return _M
