-- Whether connections that came and went left something in their worker: open
-- descriptors or Lua's memory.  For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
-- whose last server calls check() after each of several equal rounds.  Memory
-- goes up and down by 100 KiB, as weak tables change their size: something is
-- left if it grew in at least half of the rounds and never came back to where it
-- was at first.


local worker = require "worker"


local _M = {}


local fds
local memory = {}


-- "counted"; with last "nothing left", or what is.
function _M.check(last)
    local now, same = worker.fds(), 0
    for _ = 1, 500 do
        -- The first has nothing to compare with: until none closes for a while.
        if fds and now <= fds or not fds and same > 10 then break end
        ngx.sleep(0.02)
        local n = worker.fds()
        same = n == now and same + 1 or 0
        now = n
    end
    fds = fds or now
    memory[#memory + 1] = worker.memory()
    if not last then return "counted" end
    if now ~= fds then return now - fds .. " descriptors more" end

    -- The first third makes what is kept for the next.
    local n, growth = #memory, {}
    local warm = math.floor(n / 3)
    for i = warm + 1, n - 1 do
        growth[i - warm] = memory[i + 1] - memory[i]
    end
    table.sort(growth)
    local half = math.floor((n - warm) / 2)
    local more = math.min(unpack(memory, n - half + 1))
                 - math.min(unpack(memory, warm + 1, warm + half))
    if more > 160 and growth[half] > 6 then
        return more .. " KiB more: " .. table.concat(memory, " ")
    end
    return "nothing left"
end


return _M
