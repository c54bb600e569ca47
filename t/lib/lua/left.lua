-- Whether connections that came and went left something in their worker: open
-- descriptors or Lua's memory.  For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";
-- whose last server calls check() after each of several equal rounds.  A table
-- that is kept may double its size in one round and again in another, so only
-- what grows in every round counts as left.


local worker = require "worker"


local _M = {}


local fds, memory
local least = math.huge


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
    local m = worker.memory()
    least = memory and math.min(least, m - memory) or least
    memory = m
    if not last then return "counted" end
    if now ~= fds then return now - fds .. " descriptors more" end
    if least > 16 then return least .. " KiB more in each round" end
    return "nothing left"
end


return _M
