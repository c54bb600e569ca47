-- A client of MySQL and MariaDB with the interface of lua-resty-mysql.
--
--     local db = mysql.new()
--     db:connect { host = "127.0.0.1", user = "me", password = "secret",
--                  database = "shop" }
--     local rows, err, errno, sqlstate = db:query("SELECT 1 AS one")
--     db:set_keepalive(60000, 10)
--
-- An error with errno is the server's and leaves the connection as it was. All
-- others (a timeout, a lost connection, nonsense) close it, because what comes
-- next on it would answer something else.

local login = require "tcp_lua.mysql_login"
local packet = require "tcp_lua.mysql_packet"
local result = require "tcp_lua.mysql_result"

local concat = table.concat
local find, sub = string.find, string.sub
local error, setmetatable, tostring, type = error, setmetatable, tostring, type

-- self.state: nil, or one of these.
local CONNECTED, COMMAND_SENT = 1, 2

local QUIT, QUERY = "\1", "\3"
local MAX_PACKET = 1024 * 1024
local PORT = 3306

-- Pool's name -> the version of the server that its connections lead to.
local versions = {}

local mysql = { _VERSION = "1.0" }
local metatable = { __index = mysql }


function mysql.new()
    local sock, err = ngx.socket.tcp()
    if not sock then
        return nil, err
    end
    return setmetatable({ sock = sock }, metatable)
end

function mysql.set_timeout(self, ...)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    return sock:settimeout(...)
end

function mysql.set_timeouts(self, connect, send, read)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    return sock:settimeouts(connect, send, read)
end


-- What stands for a password in the name of a pool: whoever has a wrong one
-- must not get a connection that somebody has logged in on with the right one.
-- The salt keeps it from being guessed where the name is shown.
local salt = tostring({}) .. os.time() .. math.random()
local last_password, last_digest

local function digest_of(password)
    if password ~= last_password then
        last_digest = sub(ngx.md5(salt .. password), 1, 16)
        last_password = password
    end
    return last_digest
end


-- Connections of one pool are interchangeable.
local function pool_name(opts)
    local name = (opts.user or "") .. ":" .. (opts.database or "") .. ":"
        .. (opts.path or opts.host .. ":" .. (opts.port or PORT)) .. ":"
        .. digest_of(opts.password or "")
    if opts.charset then
        name = name .. ":" .. opts.charset
    end
    if opts.ssl then
        name = name .. ":ssl:" .. (opts.ssl_server_name or "")
            .. (opts.ssl_verify and ":verified" or "")
    end
    return name
end


-- What is wrong with the options of connect().
local function check_options(opts)
    if type(opts) ~= "table" then
        return "no options"
    elseif not opts.host and not opts.path then
        return "no host"
    elseif opts.charset and not login.charset(opts.charset) then
        return "charset '" .. tostring(opts.charset) .. "' is not supported"
    end
    for _, name in ipairs { "user", "database", "password" } do
        local value = opts[name]
        if value ~= nil and type(value) ~= "string" then
            return name .. " is not a string"
        elseif value and name ~= "password" and find(value, "%z") then
            return name .. " has a zero byte"
        end
    end
end


-- Gives the connection up.
local function fail(self, err, ...)
    self.state = nil
    self.stream = nil
    self.sock:close()
    return nil, err, ...
end


local function pool_options(opts, name)
    if not opts.pool_size and not opts.backlog then
        return name
    end
    return { pool = name, pool_size = opts.pool_size, backlog = opts.backlog }
end


function mysql.connect(self, opts)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    local err = check_options(opts)
    if err then
        return nil, err
    end
    self.state = nil
    self.compact = opts.compact_arrays
    self.status = 0
    local pool = opts.pool or pool_name(opts)
    local ok
    if opts.path then
        local path = opts.path
        path = find(path, "^unix:") and path or "unix:" .. path
        ok, err = sock:connect(path, 0, pool_options(opts, pool))
    else
        ok, err = sock:connect(opts.host, opts.port or PORT,
            pool_options(opts, pool))
    end
    if not ok then
        return nil, "failed to connect: " .. (err or "")
    end

    self.stream = packet.stream(sock, opts.max_packet_size or MAX_PACKET)
    local reused = sock:getreusedtimes()
    if reused and reused > 0 then
        self.version = versions[pool]
        self.state = CONNECTED
        return 1
    end
    local version, errno, sqlstate
    ok, version, errno, sqlstate = login.login(self.stream, opts)
    if not ok then
        return fail(self, version, errno, sqlstate)
    end
    self.status = ok.server_status
    self.version = version
    versions[pool] = version
    self.state = CONNECTED
    return 1
end

function mysql.server_ver(self)
    return self.version
end

function mysql.set_compact_arrays(self, value)
    self.compact = value
end


-- The bytes of a query: a string, a number, or an array of them.
local function text_of(query)
    local kind = type(query)
    if kind == "string" then
        return query
    elseif kind == "number" then
        return tostring(query)
    elseif kind == "table" then
        return concat(query)
    end
    error("bad argument #1 to 'query' (string expected, got " .. kind .. ")", 3)
end


local function send_query(self, text)
    if not self.sock then
        return nil, "not initialized"
    elseif self.state ~= CONNECTED then
        return nil, "cannot send query in the current context: "
            .. (self.state or "nil")
    end
    local n, err = self.stream:command(QUERY .. text)
    if not n then
        return fail(self, err)
    end
    self.state = COMMAND_SENT
    return n
end


function mysql.send_query(self, query)
    return send_query(self, text_of(query))
end

function mysql.read_result(self, nrows)
    if not self.sock then
        return nil, "not initialized"
    elseif self.state ~= COMMAND_SENT then
        return nil, "cannot read result in the current context: "
            .. (self.state or "nil")
    end
    local res, status, errno, sqlstate =
        result.read(self.stream, nrows, self.compact)
    if not res then
        -- The status is an error then.
        if not errno then
            return fail(self, status)
        end
        self.state = CONNECTED
        return nil, status, errno, sqlstate
    end
    self.status = status
    if result.has_more(status) then
        return res, "again"
    end
    self.state = CONNECTED
    return res
end

function mysql.query(self, query, nrows)
    local n, err = send_query(self, text_of(query))
    if not n then
        return nil, err
    end
    return self:read_result(nrows)
end

function mysql.get_reused_times(self)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    return sock:getreusedtimes()
end


-- Nobody else may go on in a transaction that this one has left open.
local function end_transaction(self)
    if not result.in_transaction(self.status) then
        return true
    end
    local ok, err = self:query("ROLLBACK")
    if not ok then
        return nil, err
    end
    return true
end


function mysql.set_keepalive(self, ...)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    elseif self.state ~= CONNECTED then
        return nil, "cannot be reused in the current connection state: "
            .. (self.state or "nil")
    elseif self.stream:has_more() then
        return fail(self, "connection in dubious state")
    end
    local ok, err = end_transaction(self)
    if not ok then
        return nil, err
    end
    self.state = nil
    self.stream = nil
    return sock:setkeepalive(...)
end

function mysql.close(self)
    local sock = self.sock
    if not sock then
        return nil, "not initialized"
    end
    if self.state == CONNECTED then
        self.stream:command(QUIT)
    end
    self.state = nil
    self.stream = nil
    return sock:close()
end

-- Scripts of the original use the global, too.
getfenv(0).mysql = mysql

return mysql
