-- The client of http, for several servers: init() takes a configuration of
-- load_balance, and goes on to the next server when one cannot be connected to.

local load_balance = require "load_balance"
local extend = require "tcp_lua.http_object"
local log_of = require "tcp_lua.record"

local tostring = tostring

local http_lb = { _VERSION = "1.0" }
extend(http_lb)


function http_lb.init(self, conf)
    if not self.sock then
        return nil, "not initialized"
    end
    local ok, err = load_balance.check_config(conf)
    if not ok then
        return nil, err
    end
    for _ = 1, conf.max_tries do
        local i = load_balance.calculate_server(conf)
        local server = conf.server[i]
        ok, err = self:connect(server)
        load_balance.set_status(conf, i, ok and true or false)
        if ok then
            return 1, "ok"
        end
        local log = log_of("derror")
        if log then
            log("connect " .. server.host .. ":" .. server.port .. " failed : "
                .. tostring(err))
        end
    end
    return nil, "exceed max tries", err
end

-- As the module() of the original did.
getfenv(0).http_lb = http_lb

return http_lb
