-- ngx.socket.udp, and ngx.nlog of the original.
--
-- An object is a table as those of ngx.socket.tcp: [1] is the number of its
-- socket, [5] its read timeout in milliseconds, [6] the address to send from.

local native, ngx, common = ...

local setpeername = native.udp_setpeername
local address, bindable = native.udp_address, native.tcp_bindable
local nlog_open, nlog_send = native.nlog_open, native.nlog_send
local raise, bad_argument = common.raise, common.bad_argument
local check_thread, host_and_port = common.check_thread, common.host_and_port
local msec = common.msec
local getmetatable, setmetatable = getmetatable, setmetatable
local select, tostring, type = select, tostring, type

local PLACES = 2 ^ 24

-- The object of each socket, by its place.
local objects = setmetatable({}, { __mode = "v" })

local udp = {
    send = native.udp_send,
    receive = native.udp_receive,
    close = native.udp_close,
}
local udp_metatable = { __index = udp }

local function check_object(self, name)
    if getmetatable(self) ~= udp_metatable then
        raise("bad argument #1 to '" .. name .. "' (socket expected, got "
            .. type(self) .. ")")
    end
end

local function sweep()
    local id, place = native.udp_next(0)
    while id do
        if objects[id % PLACES] == nil then
            native.udp_drop(id)
        end
        id, place = native.udp_next(place)
    end
    native.udp_swept()
end

local function connected(self, id, crowded)
    if not id then
        return nil, crowded
    end
    self[1] = id
    objects[id % PLACES] = self
    if crowded then
        sweep()
    end
    return 1
end

function udp.setpeername(self, host, port)
    check_object(self, "setpeername")
    host, port = host_and_port(host, port, "setpeername")
    return connected(self, setpeername(self, host, port, self[6]))
end

function udp.settimeout(self, time)
    check_object(self, "settimeout")
    self[5] = msec(time, 1, "settimeout")
end

function udp.bind(self, from)
    check_object(self, "bind")
    if type(from) ~= "string" or not bindable(from) then
        return nil, "bad address"
    end
    self[6] = from
    return 1
end

function udp.getpeername(self)
    check_object(self, "getpeername")
    return address(self, true)
end

function udp.getsockname(self)
    check_object(self, "getsockname")
    return address(self, false)
end

function ngx.socket.udp(...)
    local n = select("#", ...)
    if n > 0 then
        raise("expecting zero arguments, but got " .. n)
    end
    check_thread()
    return setmetatable({ false, nil, nil, nil, nil, nil }, udp_metatable)
end

-- For ngx.select().
function native.is_datagram_socket(item)
    return getmetatable(item) == udp_metatable
end


local log = {}
local log_metatable = { __index = log }

-- [1] of an object is its socket.
function log.send(self, ...)
    local n = select("#", ...)
    if n ~= 1 then
        raise("expecting 1 arguments, but got " .. n)
    elseif getmetatable(self) ~= log_metatable then
        raise("wrong nlog object")
    end
    local line = ...
    if type(line) == "number" then
        line = tostring(line)
    elseif type(line) ~= "string" or line == "" then
        raise("nlog only send string")
    end
    return nlog_send(self[1], line)
end

function ngx.nlog(...)
    local n = select("#", ...)
    if ngx.get_phase() ~= "init" then
        raise("only use in init_by_lua")
    elseif n ~= 2 then
        raise("expecting 2 arguments, but got " .. n)
    end
    local from, to = ...
    if type(from) ~= "string" then
        bad_argument(1, "nlog", "string expected, got " .. type(from))
    elseif type(to) ~= "string" then
        bad_argument(2, "nlog", "string expected, got " .. type(to))
    end
    local socket, err = nlog_open(from, to)
    if not socket then
        raise(err)
    end
    return setmetatable({ socket }, log_metatable)
end
