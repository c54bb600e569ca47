-- Whom http, http_lb and db_ml tell of their requests and queries: nlog, the
-- one that scripts see as their global, else the shipped one, which sends
-- nothing before it is set up.

local getfenv, type = getfenv, type
local loaded = package.loaded


-- The function of nlog with this name, if there is one.
return function(name)
    local nlog = getfenv(0).nlog or loaded.nlog
    return type(nlog) == "table" and nlog[name]
end
