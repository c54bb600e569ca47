-- Makes a connection of NATS of a socket that has just been connected: the
-- server's INFO, TLS, CONNECT, and the PONG that says that it has agreed. It
-- all may take as long as the connect timeout.

local core = require "resty.nats.core"
local dispatch = require "resty.nats.dispatch"
local read_frame = require("resty.nats.frames").read
local options = require "resty.nats.options"
local wire = require "resty.nats.wire"

local nats_push, nats_timeout = wire.nats_push, wire.nats_timeout
local msec = wire.msec
local json_decode = wire.json_decode
local match, next, type = string.match, next, type

-- Where the socket has its connect timeout.
local CONNECT_TIMEOUT = 3

-- Kinds of frames.
local INFO, PONG, ERR = 2, 3, 4

-- Decoded INFO of connections that came from a pool, by its text.
local MAX_KNOWN = 64
local known, n_known = {}, 0


-- A copy: programs get it, and may change it.
local function copy(from)
    local to = {}
    for key, value in next, from do
        to[key] = type(value) == "table" and copy(value) or value
    end
    return to
end


-- The table of an INFO that the connection had before.
local function old_info(text)
    local info = text and known[text]
    if not info then
        info = text and json_decode(text)
        if type(info) ~= "table" then
            return {}
        end
        if n_known >= MAX_KNOWN then
            known, n_known = {}, 0
        end
        known[text] = info
        n_known = n_known + 1
    end
    return copy(info)
end


-- Reads a frame; nil, err also for an error of the server's.
local function read(self, expires)
    local left = expires - msec()
    if left <= 0 then
        return nil, "timeout"
    end
    local kind, text = read_frame(self, self.sock, left)
    if kind == ERR then
        self.face.last_error = text
        return nil, text
    end
    return kind, text
end


-- The server's INFO, as a table.
local function read_info(self, expires)
    local kind, text = read(self, expires)
    if not kind then
        return nil, text
    end
    local info = kind == INFO and json_decode(text)
    if type(info) ~= "table" then
        return nil, "protocol error: no INFO"
    end
    return info
end


local function name_of(host)
    return match(host, "^%[(.*)%]$") or host
end


local function handshake(sock, host, tls)
    if type(tls) ~= "table" then
        tls = {}
    end
    if tls.cert then
        local ok, err = sock:setclientcert(tls.cert, tls.key)
        if not ok then
            return nil, err
        end
    end
    local verify = tls.verify ~= false
    if tls.ctx then
        return sock:sslhandshake(tls.ctx, verify)
    end
    local name = tls.server_name or name_of(host)
    if not tls.reuse then
        return sock:sslhandshake(false, name, verify)
    end
    local session, err = sock:sslhandshake(tls.session, name, verify)
    tls.session = session or tls.session
    return session, err
end


-- Whether the connection is to be made one of TLS now; nil, err if one side
-- wants what the other does not.
local function wants_tls(tls, info)
    if tls then
        if info.tls_required or info.tls_available then
            return true
        end
        return nil, "secure connection not available"
    elseif info.tls_required then
        if tls == false then
            return nil, "secure connection required"
        end
        return true
    end
    return false
end


-- Waits until the server has answered the first PING.
local function read_pong(self, expires)
    while true do
        local kind, text = read(self, expires)
        if kind == PONG then
            return true
        elseif kind == INFO then
            local info = json_decode(text)
            if type(info) == "table" then
                dispatch.set_info(self, info)
            end
        elseif not kind then
            return nil, text
        end
    end
end


local function introduce(self, host, opts)
    local sock, tls = self.sock, opts.tls
    local expires = msec() + nats_timeout(sock, CONNECT_TIMEOUT)
    local first = type(tls) == "table" and tls.handshake_first
    local ok, err
    if first then
        ok, err = handshake(sock, host, tls)
        if not ok then
            return nil, err
        end
    end
    local info
    info, err = read_info(self, expires)
    if not info then
        return nil, err
    end
    dispatch.set_info(self, info)
    local has_tls = first
    if not first then
        has_tls, err = wants_tls(tls, info)
        if has_tls == nil then
            return nil, err
        elseif has_tls then
            ok, err = handshake(sock, host, tls)
            if not ok then
                return nil, err
            end
        end
    end
    local line
    line, err = options.connect_line(opts, info, has_tls or nil)
    if not line then
        return nil, err
    end
    ok, err = nats_push(sock, line .. "PING\r\n")
    if not ok then
        return nil, err
    end
    return read_pong(self, expires)
end


-- A connection of `sock`, which is connected to `host`. nil, err: the socket is
-- closed.
return function(sock, face, host, opts)
    local self = core.new(sock, face, opts)
    if sock:getreusedtimes() > 0 then
        dispatch.set_info(self, old_info(wire.nats_info(sock)))
        return self
    end
    local ok, err = introduce(self, host, opts)
    if ok then
        return self
    end
    sock:close()
    return nil, err
end
