-- What a test asks of the worker that it runs in, from /proc.  For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";


local _M = {}


-- Processor time used so far, in ticks of 10 ms.
function _M.ticks()
    local f = assert(io.open("/proc/self/stat"))
    local stat = f:read("*a")
    f:close()
    -- After the command's name come fields 3 and on; 14 and 15 are wanted.
    local fields = {}
    for field in stat:match("^.*%) (.*)"):gmatch("%S+") do
        fields[#fields + 1] = field
    end
    return fields[12] + fields[13]
end


-- "idle" if the worker uses hardly any time in so many seconds, else how much.
function _M.busy(seconds)
    local before = _M.ticks()
    ngx.sleep(seconds)
    local used = _M.ticks() - before
    return used <= 25 * seconds and "idle" or used .. " ticks"
end


-- How many bytes of it are in memory.
function _M.resident()
    local f = assert(io.open("/proc/self/statm"))
    local pages = f:read("*a"):match("^%d+ (%d+)")
    f:close()
    return pages * 4096
end


-- How many file descriptors are open.
function _M.fds()
    local n = 0
    for fd = 0, 1023 do
        local f = io.open("/proc/self/fdinfo/" .. fd)
        if f then
            n = n + 1
            f:close()
        end
    end
    -- The one that counted was none of them.
    return n
end


-- Lua's memory in KiB, after all garbage is gone. Each collection halves
-- LuaJIT's buffer for string operations.
function _M.memory()
    for _ = 1, 16 do collectgarbage() end
    return collectgarbage("count")
end


-- Does nothing else until a file is there, for a step write_file, and so many
-- seconds are over, and removes it: all that comes meanwhile and the timers that
-- are due then are for one turn of the event loop.
function _M.spin(path, seconds)
    local start = os.time()
    local f, passed
    repeat
        f = f or io.open(path)
        passed = os.time() - start
        assert(passed < 60, "no such file in time")
    until f and passed >= seconds
    f:close()
    os.remove(path)
end


return _M
