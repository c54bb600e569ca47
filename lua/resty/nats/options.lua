-- The options of new() and connect(): checked, with their defaults, and what
-- follows from them: whom to connect to, the name of the pool, the text of
-- CONNECT.

local wire = require "resty.nats.wire"

local json_encode = wire.json_encode
local concat = table.concat
local find, gsub, match = string.find, string.gsub, string.match
local char, lower = string.char, string.lower
local next, pairs, setmetatable = next, pairs, setmetatable
local tonumber, tostring, type = tonumber, tostring, type

local PORT = 4222

local DEFAULTS = {
    echo = true,
    verbose = false,
    pedantic = false,
    headers = true,
    no_responders = true,
    ping_interval = 120,
    max_pings_out = 2,
    inbox_prefix = "_INBOX",
    max_pending = 65536,
    max_pending_bytes = 64 * 1024 * 1024,
}

local TYPES = {
    pool = "string", pool_size = "number", backlog = "number",
    user = "string", pass = "string", token = "string", name = "string",
    echo = "boolean", verbose = "boolean", pedantic = "boolean",
    headers = "boolean", no_responders = "boolean",
    ping_interval = "number", max_pings_out = "number",
    inbox_prefix = "string", max_pending = "number",
    max_pending_bytes = "number",
    timeout = "number", connect_timeout = "number", send_timeout = "number",
    read_timeout = "number", on_error = "function",
}

local TLS_TYPES = {
    verify = "boolean", server_name = "string", handshake_first = "boolean",
    cert = "string", key = "string", reuse = "boolean", ctx = "userdata",
    session = "userdata",
}

-- Those that the server is told: connections that differ in them are not each
-- other's substitutes.
local TOLD = {
    "echo", "headers", "name", "no_responders", "pass", "pedantic", "token",
    "user", "verbose",
}

local TLS_TOLD = { "cert", "handshake_first", "server_name", "verify" }

local options = {}


local function unescape(text)
    return (gsub(text, "%%(%x%x)", function(hex)
        return char(tonumber(hex, 16))
    end))
end


-- The parts of a URL: `{ host, port, user, pass, token, tls }`; nil, err.
local function parse_url(url)
    local scheme, rest = match(url, "^(%a[%w+.-]*)://([^/?#]*)")
    scheme = scheme and lower(scheme)
    if scheme ~= "nats" and scheme ~= "tls" then
        return nil, "invalid URL"
    end
    local userinfo, address = match(rest, "^(.*)@([^@]*)$")
    address = address or rest
    local host, port = match(address, "^(%[.-%]):?(%d*)$")
    if not host then
        host, port = match(address, "^([^:]+):?(%d*)$")
    end
    if not host then
        return nil, "invalid URL"
    end
    local parts = { host = host, port = tonumber(port) or PORT }
    if scheme == "tls" then
        parts.tls = true
    end
    if userinfo then
        local user, pass = match(userinfo, "^([^:]*):(.*)$")
        if user then
            parts.user, parts.pass = unescape(user), unescape(pass)
        else
            parts.token = unescape(userinfo)
        end
    end
    return parts
end


-- Raised at the line of whoever has called the client.
local function check(opts, types, prefix)
    for key, kind in next, types do
        local value = opts[key]
        if value ~= nil and type(value) ~= kind
            and not (key == "pool" and type(value) == "number")
        then
            return 'bad option "' .. prefix .. key .. '" (' .. kind
                .. " expected, got " .. type(value) .. ")"
        end
    end
end


-- What is wrong with a table of options, or nil.
function options.check(opts)
    local tls = opts.tls
    if tls ~= nil and type(tls) ~= "boolean" and type(tls) ~= "table" then
        return 'bad option "tls" (table expected, got ' .. type(tls) .. ")"
    end
    return check(opts, TYPES, "")
        or type(tls) == "table" and check(tls, TLS_TYPES, "tls.") or nil
end


-- What tells connections apart that lead to the same place, or nil where it is
-- all as usual.
local function signature(opts)
    local parts, n = {}, 0
    local function add(from, keys, prefix)
        for i = 1, #keys do
            local key = keys[i]
            local value = from[key]
            if value ~= nil and value ~= DEFAULTS[key] then
                local text = tostring(value)
                n = n + 1
                parts[n] = prefix .. key .. "=" .. #text .. ":" .. text
            end
        end
    end
    add(opts, TOLD, "")
    local tls = opts.tls
    if tls ~= nil then
        n = n + 1
        parts[n] = "tls=" .. (tls and "1" or "0")
        if type(tls) == "table" then
            add(tls, TLS_TOLD, "tls.")
            if tls.ctx then
                n = n + 1
                parts[n] = "tls.ctx"
            end
        end
    end
    if n == 0 then
        return nil
    end
    return ngx.encode_base64url(ngx.sha1_bin(concat(parts, ",")))
end


-- For sock:connect().
local function pool_of(host, port, opts)
    local pool, told = opts.pool, signature(opts)
    if told then
        if not pool then
            pool = find(host, "^unix:") and host or host .. ":" .. port
        end
        pool = pool .. "#" .. told
    end
    if not pool and not opts.pool_size and not opts.backlog then
        return nil
    end
    return { pool = pool, pool_size = opts.pool_size, backlog = opts.backlog }
end


local function merged(first, second)
    if not first or not next(first) then
        return second or {}
    elseif not second then
        return first
    end
    local all = {}
    for key, value in pairs(first) do
        all[key] = value
    end
    for key, value in pairs(second) do
        all[key] = value
    end
    return all
end


local defaults_metatable = { __index = DEFAULTS }

-- What most programs use.
local plain = setmetatable({}, defaults_metatable)


-- The options in force for connect(host, port, opts) after new(first): a table
-- of all, and the arguments of sock:connect(). nil, err for what is no URL; the
-- fifth result is the text of a mistake of the program.
function options.resolve(first, host, port, opts)
    if type(port) == "table" and opts == nil then
        port, opts = nil, port
    end
    if type(host) ~= "string" then
        return nil, nil, nil, nil,
            "bad argument #1 to 'connect' (string expected, got " .. type(host)
            .. ")"
    end
    if type(opts) == "string" or type(opts) == "number" then
        opts = { pool = opts }
    elseif opts ~= nil and type(opts) ~= "table" then
        return nil, nil, nil, nil,
            "bad argument #3 to 'connect' (table expected, got " .. type(opts)
            .. ")"
    end
    local wrong = opts and options.check(opts)
    if wrong then
        return nil, nil, nil, nil,
            "bad argument #3 to 'connect' (" .. wrong .. ")"
    end
    local url
    if find(host, "://", 1, true) then
        local err
        url, err = parse_url(host)
        if not url then
            return nil, err
        end
        host, port = url.host, url.port
    end
    port = port or PORT
    if not opts and not first and not url then
        return plain, host, port
    end
    local all = merged(first, opts)
    if url then
        all = merged(url, all)
        all.host, all.port = nil, nil
    end
    all = setmetatable(merged(all, {}), defaults_metatable)
    return all, host, port, pool_of(host, port, all)
end


-- The line with which a client introduces himself; nil, err for a text that is
-- no UTF-8.
function options.connect_line(opts, info, has_tls)
    local headers = opts.headers and info.headers == true
    local text, err = json_encode({
        verbose = opts.verbose,
        pedantic = opts.pedantic,
        echo = opts.echo,
        tls_required = has_tls,
        name = opts.name,
        lang = "lua",
        version = "1.0",
        protocol = 1,
        headers = headers,
        no_responders = headers and opts.no_responders,
        user = opts.user,
        pass = opts.pass,
        auth_token = opts.token,
    })
    if not text then
        return nil, err
    end
    return "CONNECT " .. text .. "\r\n"
end


return options
