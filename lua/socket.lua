-- ngx.socket.tcp: the objects of scripts and their methods.
--
-- An object is a table: [1] is the number of its connection, or false before it
-- has one, [2] the name of its pool, [3] to [5] are its timeouts in
-- milliseconds (connect, send, read), [6] is the address to connect from, [7]
-- and [8] are its certificate and key, [9] is true after sslhandshake().

local native, ngx = ...

local reuse, learn = native.tcp_reuse, native.tcp_learn
local no_thread = native.no_thread
local connect, receive_until = native.tcp_connect, native.tcp_receive_until
local keep, setkeepalive = native.tcp_keep, native.tcp_setkeepalive
local get_option, set_option = native.tcp_get_option, native.tcp_set_option
local address, bindable = native.tcp_address, native.tcp_bindable
local error, floor, select = error, math.floor, select
local find = string.find
local getinfo = debug.getinfo
local getmetatable, setmetatable = getmetatable, setmetatable
local tonumber, tostring, type = tonumber, tostring, type

local PLACES = 2 ^ 24

-- The object of each connection, by its place. Before them are the names of the
-- pools that reuse() knows.
local FIRST = 17
local objects = setmetatable({}, { __mode = "v" })

-- What a new object has. A table of constants would be copied from a template,
-- which costs twice as much as to make it.
local NO_NUMBER, NONE = false, nil

local tcp = {
    send = native.tcp_send,
    receive = native.tcp_receive,
    receiveany = native.tcp_receiveany,
    peek = native.tcp_peek,
    close = native.tcp_close,
    getreusedtimes = native.tcp_getreusedtimes,
    getfd = native.tcp_fd,
    receive_http = native.receive_http,
}
local tcp_metatable = { __index = tcp }

-- Raises at the line of whoever has called a function of this file.
local function raise(text)
    local level = 2
    while true do
        local info = getinfo(level, "S")
        local source = info and info.source
        if source ~= "=socket" and source ~= "=ssl" and source ~= "=udp" then
            break
        end
        level = level + 1
    end
    error(text, level)
end

local function bad_argument(n, name, text)
    raise("bad argument #" .. n .. " to '" .. name .. "' (" .. text .. ")")
end

local function check_thread()
    local text = no_thread()
    if text then
        raise(text)
    end
end

local function check_object(self, name)
    if getmetatable(self) ~= tcp_metatable then
        raise("bad argument #1 to '" .. name .. "' (socket expected, got "
            .. type(self) .. ")")
    end
end

-- Closes the connections whose object was collected.
local function sweep()
    local id, place = native.tcp_next(0)
    while id do
        if objects[id % PLACES + FIRST] == nil then
            native.tcp_drop(id)
        end
        id, place = native.tcp_next(place)
    end
    native.tcp_swept()
end

local function connected(self, name, id, crowded)
    if not id then
        return nil, crowded
    end
    self[1], self[2] = id, name
    objects[id % PLACES + FIRST] = self
    if crowded then
        sweep()
    end
    return 1
end

-- A whole number that is `min` at least, or nil.
local function count(options, key, min)
    local value = options[key]
    if value == nil then
        return nil
    end
    local n = tonumber(value)
    if not n or n < min or n ~= n then
        bad_argument(3, "connect",
            'bad "' .. key .. '" option value: ' .. tostring(value))
    end
    return floor(n)
end

local function check_port(port, name)
    local n = tonumber(port)
    if not n then
        bad_argument(2, name, "number expected, got " .. type(port))
    elseif n < 0 or n > 65535 or n ~= floor(n) then
        raise("bad port number, need [0,65535]")
    end
    return n
end

local function is_unix(host)
    return find(host, "unix:", 1, true) == 1
end

-- Both, checked; the port is 0 where the host is a Unix path.
local function host_and_port(host, port, name)
    if type(host) ~= "string" then
        if type(host) ~= "number" then
            bad_argument(1, name, "string expected, got " .. type(host))
        end
        host = tostring(host)
    end
    if is_unix(host) then
        return host, 0
    end
    return host, check_port(port, name)
end

function tcp.connect(self, host, port, options, extra)
    -- What is usual needs no more.
    if options == nil and reuse(self, host, port, objects) then
        return 1
    end
    check_object(self, "connect")
    check_thread()
    if host == nil or extra ~= nil then
        raise("ngx.socket connect: expecting 3 or 4 arguments (including the "
            .. "object), but seen " .. (host == nil and 1 or 5))
    end
    -- The port may be left out.
    if type(port) == "table" and options == nil then
        options = port
    end
    host, port = host_and_port(host, port, "connect")
    local name = is_unix(host) and host or host .. ":" .. port
    local size, backlog
    if options == nil then
        -- So that reuse() finds the pool, if there is one by now.
        local place, pool_name = learn(host, port)
        if place then
            objects[place] = pool_name
        end
    else
        local kind = type(options)
        if kind == "table" then
            local pool = options.pool
            if pool ~= nil then
                if type(pool) ~= "string" and type(pool) ~= "number" then
                    bad_argument(3, "connect",
                        'bad "pool" option type: ' .. type(pool))
                end
                name = tostring(pool)
            end
            size = count(options, "pool_size", 1)
            backlog = count(options, "backlog", 0)
            if backlog and not size then
                size = native.tcp_pool_size()
            end
        elseif kind == "string" or kind == "number" then
            name = tostring(options)
        else
            bad_argument(3, "connect", "string expected, got " .. kind)
        end
    end
    return connected(self, name,
        connect(self, name, host, port, size, backlog, self[6]))
end

-- A timeout for a place of the object, or nil for the default.
local function msec(value, n, name)
    if value == nil then
        return nil
    end
    local time = tonumber(value)
    if not time then
        return nil
    elseif time >= 2 ^ 31 then
        bad_argument(n, name, "bad timeout value")
    end
    return time > 0 and time or nil
end

-- One argument is for all three; of more each is for its own, and those that
-- are nil, or no positive numbers, change nothing.
function tcp.settimeout(self, ...)
    local n = select("#", ...)
    if type(self) ~= "table" then
        raise("expecting at least 1 arguments (including the object) but got "
            .. (self == nil and 0 or n + 1))
    end
    local first, second, third = ...
    if n == 1 then
        local time = msec(first, 1, "settimeout")
        self[3], self[4], self[5] = time, time, time
        return
    end
    self[3] = msec(first, 1, "settimeout") or self[3]
    self[4] = msec(second, 2, "settimeout") or self[4]
    self[5] = msec(third, 3, "settimeout") or self[5]
end

function tcp.settimeouts(self, connect_timeout, send_timeout, read_timeout)
    check_object(self, "settimeouts")
    self[3] = msec(connect_timeout, 1, "settimeouts")
    self[4] = msec(send_timeout, 2, "settimeouts")
    self[5] = msec(read_timeout, 3, "settimeouts")
end

-- A number that is not negative, or nil.
local function unsigned(value, n, text)
    if value ~= nil then
        local number = tonumber(value)
        if not number or number < 0 or number ~= number then
            bad_argument(n, "setkeepalive", text)
        end
        return number
    end
end

function tcp.setkeepalive(self, timeout, size, options, extra)
    -- What is usual needs no more.
    if options == nil and extra == nil and keep(self, timeout, size) then
        return 1
    end
    check_object(self, "setkeepalive")
    timeout = unsigned(timeout, 1, "bad timeout value")
    size = unsigned(size, 2, "bad pool size")
    if options == nil and extra == nil then
        return setkeepalive(self, timeout, size)
    elseif extra ~= nil then
        raise("expecting 1 to 3 arguments (including the object), but got 5")
    elseif type(options) ~= "table" then
        bad_argument(3, "setkeepalive",
            "table expected, got " .. type(options))
    end
    local heartbeat = options.heartbeat
    if heartbeat ~= nil and heartbeat ~= "nats" then
        bad_argument(3, "setkeepalive",
            'unknown heartbeat "' .. tostring(heartbeat) .. '"')
    end
    return setkeepalive(self, timeout, size, heartbeat)
end

function tcp.setkeepalive_nats(self, timeout, size)
    return tcp.setkeepalive(self, timeout, size, { heartbeat = "nats" })
end

local function check_direction(direction)
    if direction ~= "send" then
        raise("bad argument #1 to 'shutdown' (only \"send\" is supported)")
    end
end

function tcp.shutdown(self, direction)
    check_object(self, "shutdown")
    check_direction(direction)
    return native.tcp_shutdown(self)
end

function tcp.bind(self, from)
    check_object(self, "bind")
    if type(from) ~= "string" or not bindable(from) then
        return nil, "bad address"
    end
    self[6] = from
    return 1
end

function tcp.getpeername(self)
    check_object(self, "getpeername")
    return address(self, true)
end

function tcp.getsockname(self)
    check_object(self, "getsockname")
    return address(self, false)
end

-- A number, or what true and false are as one.
local function option_value(value)
    if type(value) == "boolean" then
        return value and 1 or 0
    end
    return tonumber(value)
end

-- The original's took anything and did nothing.
local function setoption(self, set, name, value)
    if name == nil then
        return
    elseif type(name) ~= "string" then
        bad_argument(1, "setoption", "string expected, got " .. type(name))
    end
    if name == "linger" then
        local on, seconds = value, 0
        if type(value) == "table" then
            on, seconds = value.on, tonumber(value.timeout) or 0
        end
        return set(self, name, seconds, on and on ~= 0 and true or false)
    end
    local n = option_value(value)
    if not n then
        return nil, "bad option value"
    end
    return set(self, name, n)
end

function tcp.setoption(self, name, value)
    check_object(self, "setoption")
    return setoption(self, set_option, name, value)
end

local function getoption(self, get, name)
    if type(name) ~= "string" then
        bad_argument(1, "getoption", "string expected, got " .. type(name))
    end
    return get(self, name)
end

function tcp.getoption(self, name)
    check_object(self, "getoption")
    return getoption(self, get_option, name)
end

-- The iterator of tcp:receiveuntil().
local function until_reader(self, receive, delimiter, inclusive)
    -- Whether the last call of a reader with a size came to the delimiter.
    local over = false
    return function(size)
        if over then
            over = false
            return nil, nil, nil
        end
        if size ~= nil then
            local n = tonumber(size)
            if not n then
                bad_argument(1, "receiveuntil iterator", "number expected, got "
                    .. type(size))
            elseif n < 1 then
                bad_argument(1, "receiveuntil iterator", "bad argument <= 0")
            end
            size = n
        end
        local data, err, partial = receive(self, delimiter, inclusive, size)
        if data then
            over = err and size ~= nil
            return data
        end
        return nil, err, partial
    end
end

local function receiveuntil(self, receive, delimiter, options)
    if type(delimiter) == "number" then
        delimiter = tostring(delimiter)
    elseif type(delimiter) ~= "string" then
        bad_argument(1, "receiveuntil",
            "string expected, got " .. type(delimiter))
    end
    if delimiter == "" then
        return nil, "pattern is empty"
    end
    local inclusive = false
    if options ~= nil then
        if type(options) ~= "table" then
            bad_argument(2, "receiveuntil",
                "table expected, got " .. type(options))
        end
        inclusive = options.inclusive
        if inclusive ~= nil and type(inclusive) ~= "boolean" then
            bad_argument(2, "receiveuntil",
                'bad "inclusive" option value type: ' .. type(inclusive))
        end
    end
    return until_reader(self, receive, delimiter, inclusive or false)
end

function tcp.receiveuntil(self, delimiter, options)
    check_object(self, "receiveuntil")
    return receiveuntil(self, receive_until, delimiter, options)
end


-- The client's connection.
local req = {
    send = native.req_send,
    receive = native.req_receive,
    receiveany = native.req_receiveany,
    peek = native.req_peek,
    getfd = native.req_fd,
}
local req_metatable = { __index = req }

local function check_request(self, name)
    if getmetatable(self) ~= req_metatable then
        raise("bad argument #1 to '" .. name .. "' (socket expected, got "
            .. type(self) .. ")")
    end
end

local function set_timeouts(self, connect_timeout, send_timeout, read_timeout)
    self[3], self[4], self[5] = connect_timeout, send_timeout, read_timeout
    native.req_send_timeout(self, send_timeout)
end

function req.settimeout(self, time)
    check_request(self, "settimeout")
    time = msec(time, 1, "settimeout")
    set_timeouts(self, time, time, time)
end

function req.settimeouts(self, connect_timeout, send_timeout, read_timeout)
    check_request(self, "settimeouts")
    set_timeouts(self, msec(connect_timeout, 1, "settimeouts"),
        msec(send_timeout, 2, "settimeouts"),
        msec(read_timeout, 3, "settimeouts"))
end

function req.shutdown(self, direction)
    check_request(self, "shutdown")
    check_direction(direction)
    return native.req_shutdown(self)
end

function req.getpeername(self)
    check_request(self, "getpeername")
    return native.req_address(self, true)
end

function req.getsockname(self)
    check_request(self, "getsockname")
    return native.req_address(self, false)
end

function req.setoption(self, name, value)
    check_request(self, "setoption")
    return setoption(self, native.req_set_option, name, value)
end

function req.getoption(self, name)
    check_request(self, "getoption")
    return getoption(self, native.req_get_option, name)
end

function req.receiveuntil(self, delimiter, options)
    check_request(self, "receiveuntil")
    return receiveuntil(self, native.req_receive_until, delimiter, options)
end

ngx.req = {}

-- The argument asks for a raw socket in OpenResty; here it is always one.
function ngx.req.socket(raw)
    if raw ~= nil and type(raw) ~= "boolean" then
        bad_argument(1, "socket", "boolean expected, got " .. type(raw))
    end
    local number = native.req_number()
    return setmetatable({ number, nil, nil, nil, nil }, req_metatable)
end


local socket = {}

function socket.tcp(...)
    local n = select("#", ...)
    if n > 0 then
        raise("expecting zero arguments, but got " .. n)
    end
    return setmetatable({ NO_NUMBER, NONE, NONE, NONE, NONE, NONE },
        tcp_metatable)
end

socket.stream = socket.tcp

function socket.connect(...)
    local self = socket.tcp()
    local ok, err = self:connect(...)
    if not ok then
        return nil, err
    end
    return self
end

ngx.socket = socket

-- For ngx.select().
function native.is_socket(item)
    local mt = getmetatable(item)
    return mt == tcp_metatable or mt == req_metatable
end

return {
    raise = raise,
    check_thread = check_thread,
    bad_argument = bad_argument,
    host_and_port = host_and_port,
    msec = msec,
    tcp = tcp,
    check_object = check_object,
}
