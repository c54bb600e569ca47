-- LOCK name, UNLOCK name and STATS. A lock is held for two seconds at most: the
-- timer that ends it runs whether its owner is still connected or not.

local LEASE = 2

local commands = {}


-- Compares the lock, not its name: somebody may hold another of that name by
-- now.
local function expire(_, name, lock)
    if locks[name] == lock then
        locks[name] = nil
        stats.expired = stats.expired + 1
    end
end


function commands.LOCK(name)
    if locks[name] then
        return "-LOCKED"
    end

    local lock = {}
    local ok, err = ngx.timer.at(LEASE, expire, name, lock)
    if not ok then
        return "-ERR " .. err
    end
    locks[name] = lock
    return "+OK"
end


function commands.UNLOCK(name)
    locks[name] = nil
    return "+OK"
end


function commands.STATS()
    return string.format("+%d requests, %d in the last second, "
                         .. "%d locks expired",
                         stats.requests, stats.rate, stats.expired)
end


while true do
    local line = ngx.receive("*l")
    if not line then
        return
    end

    stats.requests = stats.requests + 1
    local name, argument = line:match("^(%u+) ?(.*)$")
    local command = commands[name or ""]
    ngx.say(command and command(argument) or "-ERR unknown command")
    ngx.wait_next_request()
end
