-- What http, http_lb and db_ml tell nlog of the requests and queries they make:
-- to the one that scripts see as their global, else to the shipped one, which
-- sends nothing before it is set up.

local getfenv, type = getfenv, type
local loaded = package.loaded


return function(name, ...)
    local nlog = getfenv(0).nlog or loaded.nlog
    local log = type(nlog) == "table" and nlog[name]
    if log then
        log(...)
    end
end
