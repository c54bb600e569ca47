-- ngx.ssl: what a script may know of its client's TLS.

local native, _, socket = ...

local get_version = native.client_ssl_version
local get_variable = native.client_ssl_var
local bad_argument = socket.bad_argument
local type = type

-- As lua-resty-core has them.
local NAMES = {
    [0x0002] = "SSLv2",
    [0x0300] = "SSLv3",
    [0x0301] = "TLSv1",
    [0x0302] = "TLSv1.1",
    [0x0303] = "TLSv1.2",
    [0x0304] = "TLSv1.3",
}

local ssl = {}

function ssl.server_name()
    return get_variable("ssl_server_name")
end

function ssl.get_tls1_version()
    return get_version()
end

function ssl.get_tls1_version_str()
    local version, err = get_version()
    if not version then
        return nil, err
    end
    return NAMES[version] or "unknown"
end

function ssl.var(name)
    if type(name) ~= "string" then
        bad_argument(1, "var", "string expected, got " .. type(name))
    end
    local value, err, unknown = get_variable(name)
    if unknown then
        bad_argument(1, "var", 'unknown variable "' .. name .. '"')
    end
    if err then
        return nil, err
    end
    return value
end

package.loaded["ngx.ssl"] = ssl
