-- What http and http_lb share: new() and the methods of objects, which make one
-- request after the other on one connection. init(), which connects, is each
-- one's own; it calls connect().

local request_bytes = require "tcp_lua.http_request"
local read_response = require "tcp_lua.http_response"
local log_of = require "tcp_lua.record"

local format, find = string.format, string.find
local pairs, setmetatable, tostring, type = pairs, setmetatable, tostring, type
local new_table = require "table.new"
local ngx = ngx

-- self.state: nil, or one of these.
local CONNECTED, REQUEST_SENT = 1, 2

local MAX_HEAD, MAX_BODY, POOL_SIZE = 512, 4096, 50
-- Where a socket has the name of its pool, and whether sslhandshake was called:
-- after that we could not make a script's connection again, and what was to be
-- encrypted would go out plain.
local POOL_NAME, TLS = 2, 9

-- Requests that can be made once more if the server was just closing the
-- pooled connection that they were sent on.
local REPEATABLE = { GET = true, HEAD = true, OPTIONS = true }

local object = {}


-- The pool of a server's connections; nil is the usual one of its address. One
-- that is encrypted, or whose server has been verified as somebody, must not be
-- taken for another one.
local function pool_name(opts)
    if opts.pool_name then
        return opts.pool_name
    elseif not opts.ssl and type(opts.port) == "number"
        and not find(opts.host, ":", 1, true)
    then
        return nil
    end
    -- That of a unix socket needs no port.
    local name = opts.port and opts.host .. ":" .. opts.port or opts.host
    if opts.ssl then
        name = name .. ":ssl:" .. (opts.ssl_server_name or "") .. ":"
            .. tostring(opts.ssl_ctx or "") .. ":"
            .. tostring(opts.ssl_verify ~= false)
    end
    return name
end


-- The server's name for Host, with its port unless it is the usual one.
local function host_header(host, port, is_tls)
    if find(host, ":", 1, true) then
        if find(host, "^unix:") then
            return "localhost"
        elseif not find(host, "[", 1, true) then
            host = "[" .. host .. "]"
        end
    end
    if port == (is_tls and 443 or 80) then
        return host
    end
    return host .. ":" .. port
end


-- The last answer of that, as most ask for the same.
local last_host, last_port, last_tls, last_header

local function known_host_header(opts)
    local host, port, is_tls = opts.host, opts.port, opts.ssl
    if host ~= last_host or port ~= last_port or is_tls ~= last_tls then
        last_header = host_header(host, port, is_tls)
        last_host, last_port, last_tls = host, port, is_tls
    end
    return last_header
end


local function handshake(sock, opts)
    local verify = opts.ssl_verify ~= false
    local ok, err
    if opts.ssl_ctx then
        ok, err = sock:sslhandshake(opts.ssl_ctx, verify)
    else
        ok, err = sock:sslhandshake(
            false, opts.ssl_server_name or opts.host, verify)
    end
    sock[TLS] = nil
    return ok, err
end


-- Connects to the server that `opts` describes; 1, or nil and the error.
function object.connect(self, opts)
    local sock = self.sock
    self.state = nil
    if sock[TLS] then
        sock[TLS] = nil
    end
    local connect, send, read =
        opts.connect_timeout, opts.send_timeout, opts.read_timeout
    if connect or send or read then
        sock:settimeout(connect, send, read)
    end
    local ok, err = sock:connect(opts.host, opts.port, pool_name(opts))
    if ok and opts.ssl then
        ok, err = handshake(sock, opts)
        if not ok then
            sock:close()
        end
    end
    if not ok then
        return nil, err
    end
    self.opts = opts
    self.host = known_host_header(opts)
    self.state = CONNECTED
    self.reusable, self.is_over = true, false
    return 1
end

function object.send_request(self, req)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    if self.state ~= CONNECTED then
        return nil, "cannot send query in the current context: "
            .. (self.state or "nil")
    end
    local bytes, err = request_bytes(req, self.host)
    if not bytes then
        return nil, err
    end
    if self.is_over and not sock[TLS] then
        -- The server has closed the connection behind the last response.
        local ok
        ok, err = self:connect(self.opts)
        if not ok then
            return nil, err
        end
    end
    local n
    n, err = sock:send(bytes)
    if not n then
        self.reusable = false
        return nil, err
    end
    self.state = REQUEST_SENT
    self.method = req.method
    return n
end

function object.receive_response(self)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    if self.state ~= REQUEST_SENT then
        return nil, "cannot send query in the current context: "
            .. (self.state or "nil")
    end
    local opts = self.opts
    local response, err, reusable, is_empty = read_response(sock, self.method,
        opts.max_head_size or MAX_HEAD, opts.max_body_size or MAX_BODY)
    self.state = CONNECTED
    self.reusable, self.is_over = reusable, not reusable and not err
    self.is_empty = is_empty
    if err then
        -- What the server sends now is no answer to anything.
        sock:close()
    end
    return response, err
end


-- Sends the request and reads the response, once.
local function exchange(self, req)
    local n, err = self:send_request(req)
    if not n then
        return nil, err, "send_request", not self.reusable and err ~= "timeout"
    end
    local response
    response, err = self:receive_response()
    if err then
        return nil, err, "receive_response", self.is_empty and err ~= "timeout"
    end
    return response
end


function object.http_request(self, req)
    local log = log_of("http")
    local start = log and ngx.now()
    local sock = self.sock
    local reused = sock and self.state == CONNECTED
        and not sock[TLS] and sock:getreusedtimes()
    local response, err, what, stale = exchange(self, req)
    -- Each try takes a connection out of the pool, and a fresh one is the last.
    while stale and reused and reused > 0 and REPEATABLE[req.method] do
        local ok
        ok, err = self:connect(self.opts)
        if not ok then
            what = "connect"
            break
        end
        reused = sock:getreusedtimes()
        response, err, what, stale = exchange(self, req)
    end

    if what == "send_request" then
        self:done(true)
    end
    if log then
        log(sock and sock[POOL_NAME], type(req) == "table" and req.uri,
            format("%.3f", ngx.now() - start),
            err and "[" .. what .. " error: " .. tostring(err) .. "]")
    end
    if err then
        return nil, err
    end
    return response
end

function object.done(self, close)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    if self.state ~= CONNECTED then
        return nil, "cannot be reused in the current connection state: "
            .. (self.state or "nil")
    end
    self.state = nil
    if close or not self.reusable then
        return sock:close()
    end
    local opts = self.opts
    return sock:setkeepalive(opts.keepalive_timeout or 0,
        opts.pool_size or POOL_SIZE)
end

function object.sslhandshake(self, ...)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    return sock:sslhandshake(...)
end


-- Makes `class` a class of such objects.
return function(class)
    for name, method in pairs(object) do
        class[name] = method
    end
    local metatable = { __index = class }

    function class.new()
        -- With room for all that it will have.
        local self = new_table(0, 8)
        self.sock = ngx.socket.tcp()
        return setmetatable(self, metatable)
    end
end
