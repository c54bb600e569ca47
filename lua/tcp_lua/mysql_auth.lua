-- How a client proves to the server that it knows the password, by each of the
-- plugins that servers ask for: the first answer, and what follows it.

local bit = require "bit"
local crypto = require "tcp_lua.crypto"
local ed25519 = require "tcp_lua.ed25519"

local byte, char, find, sub = string.byte, string.char, string.find, string.sub
local concat = table.concat
local bxor, setmetatable = bit.bxor, setmetatable
local sha1 = ngx.sha1_bin

-- Of caching_sha2_password and sha256_password.
local FAST_AUTH_OK, FULL_AUTH = 3, 4
local REQUEST_KEY = { caching_sha2_password = "\2", sha256_password = "\1" }


-- Each byte of `a` with that of `b`, which is repeated as often as needed.
local function xor(a, b)
    local out, size = {}, #b
    for i = 1, #a do
        out[i] = char(bxor(byte(a, i), byte(b, (i - 1) % size + 1)))
    end
    return concat(out)
end


-- Of plugin's name -> what answers its challenge. `auth` has the password and
-- whether nobody can listen.
local answers = {}

function answers.mysql_native_password(auth, challenge)
    if auth.password == "" then
        return ""
    end
    local once = sha1(auth.password)
    return xor(once, sha1(sub(challenge, 1, 20) .. sha1(once)))
end

function answers.caching_sha2_password(auth, challenge)
    if auth.password == "" then
        return ""
    end
    local once, err = crypto.sha256(auth.password)
    if not once then
        return nil, err
    end
    local twice = crypto.sha256(once)
    return xor(once, crypto.sha256(twice .. sub(challenge, 1, 20)))
end

function answers.sha256_password(auth)
    if auth.password == "" then
        return "\0"
    elseif auth.is_private then
        return auth.password .. "\0"
    elseif auth.public_key then
        return auth:encrypted()
    end
    return REQUEST_KEY.sha256_password
end

function answers.client_ed25519(auth, challenge)
    return ed25519(auth.password, sub(challenge, 1, 32))
end


local auth_methods = {}
local metatable = { __index = auth_methods }

-- The login with `opts` on a stream of packets. On a private connection, one
-- with TLS or over a unix socket, the password itself may be sent.
local function new(stream, opts, is_private)
    local self = {
        stream = stream,
        password = opts.password or "",
        is_private = is_private,
        public_key = opts.server_public_key,
        may_ask_for_key = opts.get_server_public_key ~= false,
        plugin = nil,
        challenge = nil,
    }
    return setmetatable(self, metatable)
end

-- What to send for the challenge of `plugin`; nil and why not.
function auth_methods.answer(self, plugin, challenge)
    local f = answers[plugin]
    if not f then
        return nil, "unsupported authentication plugin: " .. plugin
    end
    self.plugin, self.challenge = plugin, challenge
    return f(self, challenge)
end

-- The password for the owner of the server's key only.
function auth_methods.encrypted(self)
    return crypto.rsa_encrypt(self.public_key,
        xor(self.password .. "\0", sub(self.challenge, 1, 20)))
end


-- The password where the server has to see it itself.
local function full_answer(self)
    if self.is_private then
        return self.password .. "\0"
    elseif self.public_key then
        return self:encrypted()
    elseif not self.may_ask_for_key then
        return nil, "authentication requires a secure connection"
    end
    return REQUEST_KEY[self.plugin]
end


-- What to send for the data of a packet 0x01: nil if nothing; nil and why not.
function auth_methods.more(self, data)
    local first = byte(data)
    if self.plugin == "caching_sha2_password" and #data == 1 then
        if first == FAST_AUTH_OK then
            return nil
        elseif first == FULL_AUTH then
            return full_answer(self)
        end
    elseif REQUEST_KEY[self.plugin] and self.may_ask_for_key
        and not self.is_private and not self.public_key
        and find(data, "^%-%-%-%-%-BEGIN ")
    then
        self.public_key = data
        return self:encrypted()
    end
    return nil, "unexpected data while authenticating"
end

return new
