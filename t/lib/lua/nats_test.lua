-- What the NATS suites have in common. For blocks with
--     lua_package_path "$TEST_ROOT/t/lib/lua/?.lua;;";


local nats = require "resty.nats"


local _M = {}


-- A connected client; who waits longer than any test lasts waits in vain.
function _M.client(port, opts)
    local n = assert(nats:new())
    n:set_timeouts(60000, 60000, 60000)
    local ok, err = n:connect("127.0.0.1", port, opts)
    if not ok then error("cannot connect: " .. tostring(err), 2) end
    return n
end


-- A line with all that a call returned: '' is what it stands for in Lua.
function _M.show(...)
    local words = {}
    for i = 1, select("#", ...) do
        local value = select(i, ...)
        words[i] = value == "" and "''" or tostring(value)
    end
    ngx.say(table.concat(words, " "))
end


-- What the server's monitor says: monitor(port, "/connz?subs=1").
function _M.monitor(port, path)
    local sock = assert(ngx.socket.connect("127.0.0.1", port))
    sock:send("GET " .. path .. " HTTP/1.0\r\n\r\n")
    local answer = assert(sock:receive("*a"))
    sock:close()
    return require "cjson".decode(answer:match("\r\n\r\n(.*)"))
end


-- How often a line like this is in a file.
function _M.count(path, pattern)
    local n = 0
    for line in io.lines(path) do
        if line:find(pattern) then n = n + 1 end
    end
    return n
end


return _M
