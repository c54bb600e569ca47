-- TLS for ngx.socket.tcp: sslhandshake, setclientcert, and ngx.new_ssl_ctx.
--
-- Sessions and contexts are userdata without methods. Each stands for a number
-- of Rust's, which learns when it is collected.

local native, ngx, socket = ...

local handshake = native.tcp_sslhandshake
local check_identity = native.ssl_check_identity
local new_context, in_init = native.ssl_ctx_new, native.ssl_in_init
local check_object, raise = socket.check_object, socket.raise
local bad_argument = socket.bad_argument
local getmetatable, ipairs, next = getmetatable, ipairs, next
local pairs = pairs
local newproxy, select, setmetatable = newproxy, select, setmetatable
local concat, type = table.concat, type

-- A maker of opaque objects, and the table of their numbers.
local function opaque(name, drop)
    local numbers = setmetatable({}, { __mode = "k" })
    local first = newproxy(true)
    local metatable = getmetatable(first)
    metatable.__metatable = name
    metatable.__gc = function(object)
        local number = numbers[object]
        if number then
            numbers[object] = nil
            drop(number)
        end
    end
    return function(number)
        local object = newproxy(first)
        numbers[object] = number
        return object
    end, numbers
end

local new_session, sessions = opaque("ssl session", native.ssl_session_drop)
local new_ctx, contexts = opaque("ssl ctx", native.ssl_ctx_drop)


-- More methods of ngx.socket.tcp.
local tcp = {}

local function check_count(n, min, max, text)
    if n < min or n > max then
        raise("ngx.socket sslhandshake: expecting " .. text
            .. " (including the object), but seen " .. n)
    end
end

-- With a context in place of a session it is the original's, whose second
-- argument says whether to verify.
function tcp.sslhandshake(self, session, name, verify, status, ...)
    check_object(self, "sslhandshake")
    self[9] = true
    local certificate, key = self[7], self[8]
    local context = contexts[session]
    if context then
        local more = select("#", ...) + (status ~= nil and 1 or 0)
            + (verify ~= nil and 1 or 0)
        if more > 0 then
            raise("expecting 2 or 3 arguments (including the object), but got "
                .. 3 + more)
        end
        return handshake(self, "one", nil, nil, name and true or false, false,
            context, certificate, key)
    end
    check_count(5 + select("#", ...), 1, 5, "1 ~ 5 arguments")
    local number
    if session ~= nil and type(session) ~= "boolean" then
        number = sessions[session]
        if not number then
            bad_argument(1, "sslhandshake", "session or ssl_ctx expected, got "
                .. type(session))
        end
    end
    if name ~= nil and type(name) ~= "string" then
        bad_argument(2, "sslhandshake", "string expected, got " .. type(name))
    end
    local returns = session == false and "true" or "session"
    local result, err = handshake(self, returns, number, name,
        verify and true or false, status and true or false, nil,
        certificate, key)
    if not result then
        return nil, err
    elseif session == false then
        return true
    end
    return new_session(result)
end

function tcp.setclientcert(self, certificate, key)
    check_object(self, "setclientcert")
    if certificate == nil and key == nil then
        self[7], self[8] = nil, nil
        return true
    end
    if type(certificate) ~= "string" then
        bad_argument(1, "setclientcert", "string expected, got "
            .. type(certificate))
    elseif type(key) ~= "string" then
        bad_argument(2, "setclientcert", "string expected, got " .. type(key))
    end
    local ok, err = check_identity(certificate, key)
    if not ok then
        return nil, err
    end
    self[7], self[8] = certificate, key
    return true
end

for name, method in pairs(tcp) do
    socket.tcp[name] = method
end


-- The names of an array, or nil.
local function names(list)
    local found = {}
    for i, name in ipairs(list) do
        if type(name) ~= "string" then
            return nil
        end
        found[i] = name
    end
    for key in next, list do
        if not found[key] then
            return nil
        end
    end
    return #found > 0 and #found <= 20 and concat(found, ",") or nil
end

local function option(options, key, kind)
    local value = options[key]
    if value ~= nil and type(value) ~= kind then
        raise("key " .. key .. " must " .. kind)
    end
    return value
end

function ngx.new_ssl_ctx(...)
    if not in_init() then
        raise("only use in init_by_lua")
    end
    local n, options = select("#", ...), ...
    if n ~= 1 then
        raise("expecting 1 arguments, but got " .. n)
    elseif type(options) ~= "table" then
        raise("bad argument, table expected")
    end
    local protocols = options.ssl_protocols
    if protocols ~= nil then
        protocols = type(protocols) == "table" and names(protocols)
        if not protocols then
            raise("key ssl_protocols must be array, such as "
                .. "{\"TLSv1\", \"TLSv1.1\",\"TLSv1.2\"}")
        end
    end
    return new_ctx(new_context(protocols,
        option(options, "ssl_ciphers", "string"),
        option(options, "ssl_verify_depth", "number"),
        option(options, "ssl_trusted_certificate", "string"),
        option(options, "ssl_crl", "string")))
end
