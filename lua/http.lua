-- A client of HTTP/1.1: one object for each connection to a server.
--
--     local h = http.new()
--     h:init { host = "127.0.0.1", port = 80 }
--     local response, err = h:http_request { method = "GET", uri = "/" }
--     h:done()

local extend = require "tcp_lua.http_object"

local tonumber, type = tonumber, type

local http = { _VERSION = "1.0" }
extend(http)


function http.init(self, opts)
    if not self.sock then
        return nil, "not initialized"
    end
    if type(opts) ~= "table" then
        return nil, "no options"
    elseif type(opts.host) ~= "string" or opts.host == "" then
        return nil, "no host"
    elseif not tonumber(opts.port) and not opts.host:find("^unix:") then
        return nil, "no port"
    end
    local ok, err = self:connect(opts)
    if not ok then
        return nil, err
    end
    return 1, "ok"
end

-- As the module() of the original did.
getfenv(0).http = http

return http
