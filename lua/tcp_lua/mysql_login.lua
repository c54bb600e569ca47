-- Logs in to a MySQL or MariaDB server on a fresh connection: its greeting, TLS
-- if asked for, the client's answer, and what the authentication plugins have
-- to say to each other.

local new_auth = require "tcp_lua.mysql_auth"
local packet = require "tcp_lua.mysql_packet"
local result = require "tcp_lua.mysql_result"

local bit = require "bit"
local byte, char, rep, sub = string.byte, string.char, string.rep, string.sub
local band, bor = bit.band, bit.bor
local uint32, read_uint16 = packet.uint32, packet.read_uint16
local read_zero_string = packet.read_zero_string

local OK, MORE, SWITCH, ERR = 0x00, 0x01, 0xfe, 0xff
-- A server that goes on like this does not mean it.
local MAX_ROUNDS = 10
local DEFAULT_PLUGIN = "mysql_native_password"

-- Capabilities. Of what lua-resty-mysql asks for all but LOCAL_FILES, which is
-- the server's right to read the client's; FOUND_ROWS makes affected_rows of an
-- UPDATE the rows that match.
local PLAIN = 0x3f7cf - 0x00080 - 0x00008
local CONNECT_WITH_DB = 0x00008
local TLS = 0x00800
local PROTOCOL_41 = 0x00200
local SECURE_CONNECTION = 0x08000
local PLUGIN_AUTH = 0x80000
local PLUGIN_AUTH_LENENC = 0x200000

-- Character set -> its default collation's number. Those whose characters have
-- two bytes at least (ucs2, utf16, utf32) cannot be a client's.
local CHARSETS = {
    armscii8 = 32, ascii = 11, big5 = 1, binary = 63, cp1250 = 26,
    cp1251 = 51, cp1256 = 57, cp1257 = 59, cp850 = 4, cp852 = 40, cp866 = 36,
    cp932 = 95, dec8 = 3, eucjpms = 97, euckr = 19, gb18030 = 248,
    gb2312 = 24, gbk = 28, geostd8 = 92, greek = 25, hebrew = 16, hp8 = 6,
    keybcs2 = 37, koi8r = 7, koi8u = 22, latin1 = 8, latin2 = 9, latin5 = 30,
    latin7 = 41, macce = 38, macroman = 39, sjis = 13, swe7 = 10,
    tis620 = 18, ujis = 12, utf8 = 33, utf8mb3 = 33, utf8mb4 = 45,
}


-- What the server says of itself.
local function read_greeting(data)
    local version, at = read_zero_string(data, 2)
    if byte(data) ~= 10 or not version or #data < at + 30 then
        return nil, "unsupported protocol version: " .. byte(data)
    end
    -- The connection's number, then the first 8 bytes of the challenge.
    local challenge = sub(data, at + 4, at + 11)
    local capabilities = read_uint16(data, at + 13)
    capabilities = capabilities + read_uint16(data, at + 18) * 0x10000
    local size = byte(data, at + 20) - 8
    if size < 13 then
        size = 13
    end
    challenge = challenge .. sub(data, at + 31, at + 30 + size - 1)
    return {
        version = version,
        capabilities = capabilities,
        challenge = challenge,
        plugin = read_zero_string(data, at + 31 + size),
    }
end


local function capabilities_for(greeting, opts)
    local theirs = greeting.capabilities
    local ours = bor(PLAIN, PROTOCOL_41, SECURE_CONNECTION)
    ours = bor(ours, band(theirs, PLUGIN_AUTH + PLUGIN_AUTH_LENENC))
    if opts.database and opts.database ~= "" then
        ours = bor(ours, CONNECT_WITH_DB)
    end
    if opts.ssl then
        ours = bor(ours, TLS)
    end
    return ours
end


local function start_tls(stream, head, opts)
    local n, err = stream:send(head)
    if not n then
        return nil, "failed to send the request for TLS: " .. err
    elseif stream:has_more() then
        -- Put there by somebody who wants it to be taken for encrypted.
        return nil, "data in front of the TLS handshake"
    end
    local ok
    ok, err = stream.sock:sslhandshake(false, opts.ssl_server_name or opts.host,
        opts.ssl_verify == true)
    if not ok then
        return nil, "failed to do ssl handshake: " .. (err or "")
    end
    return true
end


local function login_packet(head, opts, capabilities, answer, plugin)
    local proof = #answer < 251 and char(#answer) .. answer
        or "\252" .. packet.uint16(#answer) .. answer
    local text = head .. (opts.user or "") .. "\0" .. proof
    if band(capabilities, CONNECT_WITH_DB) ~= 0 then
        text = text .. opts.database .. "\0"
    end
    if band(capabilities, PLUGIN_AUTH) ~= 0 then
        text = text .. plugin .. "\0"
    end
    return text
end


-- Another plugin, or the same with another challenge.
local function switch(auth, data)
    local plugin, at = read_zero_string(data, 2)
    if not plugin then
        return nil, "old pre-4.1 authentication protocol not supported"
    end
    local challenge = sub(data, at)
    if byte(challenge, -1) == 0 then
        challenge = sub(challenge, 1, -2)
    end
    return auth:answer(plugin, challenge)
end


-- Talks until the server is content. Returns as login() does.
local function converse(stream, auth)
    for _ = 1, MAX_ROUNDS do
        local data, err = stream:receive()
        if not data then
            return nil, err
        end
        local first = byte(data)
        local answer
        if first == OK then
            local ok
            ok, err = result.ok(data)
            return ok, err
        elseif first == ERR then
            return nil, result.error(data)
        elseif first == SWITCH then
            answer, err = switch(auth, data)
        elseif first == MORE then
            answer, err = auth:more(sub(data, 2))
        else
            err = "unexpected packet while authenticating"
        end
        if err then
            return nil, err
        elseif answer then
            local n
            n, err = stream:send(answer)
            if not n then
                return nil, "failed to send the answer to the server: " .. err
            end
        end
    end
    return nil, "the server does not stop authenticating"
end


local login = {}

function login.charset(name)
    return CHARSETS[name]
end

-- Logs in. Returns the server's OK and its version; or nil, the error, and
-- errno and SQL state if it is the server that says no.
function login.login(stream, opts)
    local data, err = stream:receive()
    if not data then
        return nil, err
    elseif byte(data) == ERR then
        return nil, result.error(data)
    end
    local greeting
    greeting, err = read_greeting(data)
    if not greeting then
        return nil, err
    elseif opts.ssl and band(greeting.capabilities, TLS) == 0 then
        return nil, "ssl disabled on server"
    end

    local capabilities = capabilities_for(greeting, opts)
    local head = uint32(capabilities) .. uint32(stream.limit)
        .. char(CHARSETS[opts.charset] or 0) .. rep("\0", 23)
    if opts.ssl then
        local ok
        ok, err = start_tls(stream, head, opts)
        if not ok then
            return nil, err
        end
    end

    local is_private = opts.ssl or opts.path ~= nil
    local auth = new_auth(stream, opts, is_private)
    local plugin, challenge = greeting.plugin, greeting.challenge
    local answer = plugin and auth:answer(plugin, challenge)
    if not answer then
        -- One that we do not know: the server may know another one.
        plugin = DEFAULT_PLUGIN
        answer, err = auth:answer(plugin, challenge)
        if not answer then
            return nil, err
        end
    end
    local n
    n, err = stream:send(login_packet(head, opts, capabilities, answer, plugin))
    if not n then
        return nil, "failed to send client authentication packet: " .. err
    end
    local ok, errno, state
    ok, err, errno, state = converse(stream, auth)
    if not ok then
        return nil, err, errno, state
    end
    return ok, greeting.version
end

return login
