-- A client of NATS: one object for each connection to a server.
--
--     local n = nats:new()
--     n:connect("127.0.0.1", 4222)
--     n:publish("news.weather", "rain")
--     n:set_keepalive(60000, 10)
--
-- The interface of lua-resty-nats, and more. This is its face: arguments are
-- checked here, and failures become false and a text; resty/nats/core.lua does
-- the work.

local new_connection = require "resty.nats.connect"
local dispatch = require "resty.nats.dispatch"
local options = require "resty.nats.options"

local error, setmetatable = error, setmetatable
local match = string.match
local pcall, tonumber, type = pcall, tonumber, type
local nats_close = require("resty.nats.wire").nats_close

-- How long a wait() sleeps that fails at once again and again, in seconds.
local FIRST_DELAY, MAX_DELAY = 0.001, 0.1

-- Another light thread waits for what may come.
local BUSY = "socket busy reading"

local HEARTBEAT = { heartbeat = "nats" }

local nats = { _VERSION = "1.0" }
local metatable = { __index = nats }


-- Success has an empty text, as in lua-resty-nats.
local function result(ok, err)
    if ok then
        return ok, ""
    end
    return false, err
end


function nats.new(self, opts)
    if opts == nil and self ~= nats then
        opts = self
    end
    if opts ~= nil then
        if type(opts) ~= "table" then
            error("bad argument #1 to 'new' (table expected, got "
                .. type(opts) .. ")", 2)
        end
        local wrong = options.check(opts)
        if wrong then
            error("bad argument #1 to 'new' (" .. wrong .. ")", 2)
        end
    end
    return setmetatable({
        sock = ngx.socket.tcp(),
        connected = false,
        subscribed = false,
        last_error = nil,
        info = nil,
        opts = opts,
        -- The connection, and why there is none.
        core = false,
        gone = "not connected",
        delay = 0,
    }, metatable)
end


local function set_timeouts(sock, opts)
    local all = opts.timeout
    local connect, send = opts.connect_timeout or all, opts.send_timeout or all
    local read = opts.read_timeout or all
    if connect or send or read then
        -- Of several arguments nil leaves one as it is.
        sock:settimeout(connect, send, read)
    end
end


function nats.connect(self, host, port, opts)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    local all, mistake, for_socket
    all, host, port, for_socket, mistake = options.resolve(self.opts, host,
        port, opts)
    if mistake then
        error(mistake, 2)
    elseif not all then
        return false, host
    end
    set_timeouts(sock, all)
    if self.core then
        dispatch.fail(self.core, "closed")
    end
    self.core, self.gone, self.delay = false, "not connected", 0
    self.connected, self.subscribed, self.last_error = false, false, nil
    local ok, err = sock:connect(host, port, for_socket)
    if not ok then
        return false, err
    end
    local core
    core, err = new_connection(sock, self, host, all)
    if not core then
        return false, err
    end
    self.core, self.connected = core, true
    return true, ""
end


function nats.publish(self, subject, payload, reply_to, headers)
    local core = self.core
    if not core then
        return false, self.gone
    end
    if type(reply_to) == "table" then
        reply_to, headers = reply_to.reply, reply_to.headers
    end
    local ok, err = core:publish(subject, payload, reply_to, headers)
    if ok then
        return true, ""
    end
    return false, err
end


-- A whole number of 1 or more.
local function is_count(n)
    return type(n) == "number" and n >= 1 and n % 1 == 0 and n < 2 ^ 53
end


function nats.subscribe(self, subject, callback, opts)
    local core = self.core
    if not core then
        return false, self.gone
    elseif type(subject) ~= "string" then
        return false, "subject is not a string"
    elseif type(callback) ~= "function" then
        return false, "callback is not a function"
    end
    local group, max
    if opts ~= nil then
        if type(opts) ~= "table" then
            return false, "options are not a table"
        end
        group, max = opts.queue, opts.max
        if max ~= nil and not is_count(max) then
            return false, "max is not a positive integer"
        end
    end
    if not group then
        -- "SUBJECT QUEUE" in one string.
        local first, second = match(subject, "^(%S+) +(%S+)$")
        if first then
            subject, group = first, second
        end
    end
    return result(core:subscribe(subject, callback, group, max))
end


function nats.unsubscribe(self, sid, max)
    local core = self.core
    if not core then
        return false, self.gone
    elseif type(sid) ~= "string" then
        return false, "sid is not a string"
    end
    if max == nil or max == "" then
        -- What subscribe() has returned; or "SID MAX" in one string.
        max = nil
        local first, second = match(sid, "^(%S+) +(%d+)$")
        if first then
            sid, max = first, tonumber(second)
        end
    end
    if max ~= nil and not is_count(max) then
        return false, "max is not a positive integer"
    end
    return result(core:unsubscribe(sid, max))
end


local function check_request(opts)
    if opts == nil then
        return
    elseif type(opts) ~= "table" then
        return "options are not a table"
    end
    local timeout = opts.timeout
    if timeout ~= nil and not (type(timeout) == "number" and timeout > 0) then
        return "timeout is not a positive number"
    end
end


function nats.request(self, subject, payload, callback, opts)
    local core = self.core
    if not core then
        return false, self.gone
    elseif type(subject) ~= "string" then
        return false, "subject is not a string"
    elseif type(callback) ~= "function" then
        return false, "callback is not a function"
    end
    local wrong = check_request(opts)
    if wrong then
        return false, wrong
    end
    return result(core:request(subject, payload, callback,
        opts and opts.timeout, opts and opts.headers))
end


function nats.request_sync(self, subject, payload, opts)
    local core = self.core
    if not core then
        return nil, self.gone
    end
    local wrong = check_request(opts)
    if wrong then
        return nil, wrong
    end
    if opts then
        return core:request_sync(subject, payload, opts.timeout, opts.headers)
    end
    return core:request_sync(subject, payload)
end


-- What fails at once must not be tried at once again, by whoever does not look
-- at what wait() returns.
local function pause(self)
    local delay = self.delay
    if delay > 0 then
        pcall(ngx.sleep, delay)
        self.delay = delay * 2 < MAX_DELAY and delay * 2 or MAX_DELAY
    else
        self.delay = FIRST_DELAY
    end
end


local function is_time(timeout)
    return timeout == nil or type(timeout) == "number" and timeout >= 0
end


function nats.wait(self, count, timeout)
    local core = self.core
    local err
    if not is_time(timeout) then
        err = "timeout is not a number"
    elseif core then
        local ok
        count = tonumber(count)
        ok, err = core:wait(count, timeout)
        if ok then
            self.delay = 0
            return true, ""
        elseif err ~= BUSY and not core.closed then
            self.delay = 0
            return false, err
        end
    end
    pause(self)
    return false, err or "closed"
end


function nats.flush(self, timeout)
    local core = self.core
    if not core then
        return false, self.gone
    elseif not is_time(timeout) then
        return false, "timeout is not a number"
    end
    return result(core:flush(timeout))
end


function nats.drain(self, timeout)
    local core = self.core
    if not core then
        return false, self.gone
    elseif not is_time(timeout) then
        return false, "timeout is not a number"
    end
    local ok, err = core:drain(timeout)
    self:close()
    return result(ok, err)
end


function nats.set_keepalive(self, idle, size)
    local sock, core = self.sock, self.core
    if not sock then
        return nil, "not initialized"
    elseif not core then
        return nil, "closed"
    elseif core.closed then
        return nil, core.closed
    elseif core:is_awaited() then
        return nil, "subscribed state"
    elseif core.info.ldm then
        -- The server is about to leave.
        return self:close()
    end
    local ok, err = core:leave()
    if not ok then
        if err ~= BUSY then
            dispatch.fail(core, err)
        end
        return nil, err
    end
    ok, err = sock:setkeepalive(idle, size, HEARTBEAT)
    if not ok and sock[1] then
        return nil, err
    end
    self.core, self.gone, self.connected = false, "closed", false
    if ok then
        return 1
    end
    return nil, err
end


function nats.get_reused_times(self)
    if not self.sock then
        return nil, "not initialized"
    end
    return self.sock:getreusedtimes()
end


function nats.close(self)
    local core = self.core
    if not core then
        return false, "not connected"
    end
    self.core, self.gone = false, "not connected"
    local closed = core.closed
    if not closed then
        nats_close(self.sock)
        dispatch.fail(core, "closed")
    end
    self.connected = false
    return 1
end


function nats.set_timeout(self, ms)
    if not self.sock then
        return nil, "not initialized"
    end
    return self.sock:settimeout(ms)
end


function nats.set_timeouts(self, connect, send, read)
    if not self.sock then
        return nil, "not initialized"
    end
    return self.sock:settimeouts(connect, send, read)
end


return nats
