-- Which of several servers is next: weighted round robin over those that are
-- up. What is known of them is each worker's own; a configuration that is
-- checked in init_by_lua* is known to all of them.

local error, pairs, tostring, type = error, pairs, tostring, type
local ngx = ngx

-- Option of a server -> its default and the smallest value.
local SERVER_NUMBERS = {
    connect_timeout = { 5000, 1 },
    send_timeout = { 5000, 1 },
    read_timeout = { 5000, 1 },
    pool_size = { 50, 1 },
    keepalive_timeout = { 0, 0 },
    max_head_size = { 512, 64 },
    max_body_size = { 4096, 64 },
}

-- backend_name -> servers 1 to n, each `ok`, how many `hits` in a row it has
-- had, and, if it is down, the time `ok_tm` when it is tried again; `i`, whose
-- turn it is; `n_down`; what `ok` is of a server that is up.
local backends = {}


local function check_number(options, name, default, least)
    local value = options[name]
    if value == nil then
        options[name] = default
        return true
    end
    return type(value) == "number" and value >= least
end


local function check_string(value)
    return type(value) == "string" and value ~= ""
end


local function check_server(server)
    if type(server) ~= "table" then
        return false, "no server table"
    elseif not check_string(server.host) then
        return false, 'wrong server["host"]'
    elseif type(server.port) ~= "number" or server.port < 0
        or server.port > 65535
    then
        return false, 'wrong server["port"]'
    elseif type(server.weight) ~= "number" or server.weight < 1 then
        return false, 'wrong server["weight"]'
    elseif server.pool_name ~= nil and not check_string(server.pool_name) then
        return false, 'wrong server["pool_name"]'
    end
    for name, range in pairs(SERVER_NUMBERS) do
        if not check_number(server, name, range[1], range[2]) then
            return false, 'wrong server["' .. name .. '"]'
        end
    end
    if not server.ssl then
        server.pool_name = server.pool_name or server.host .. ":" .. server.port
    end
    return true
end


local function new_backend(n)
    local backend = { n = n, i = 1, n_down = 0, ok_flag = true }
    for i = 1, n do
        backend[i] = { ok = true, hits = 0, ok_tm = 0 }
    end
    return backend
end


local function backend_of(conf, name)
    local backend = backends[conf.backend_name]
    if not backend then
        error("bad argument #1 to '" .. name .. "' (configuration was not "
            .. "checked)", 3)
    end
    return backend
end


local function advance(backend)
    backend[backend.i].hits = 0
    backend.i = backend.i % backend.n + 1
end


local load_balance = {}

function load_balance.check_config(conf)
    if type(conf) ~= "table" then
        return false, "no configuration table"
    end
    local name = conf.backend_name
    if conf.is_checked then
        -- By a worker's master, or before lua_code_cache forgot this module.
        backends[name] = backends[name] or new_backend(#conf.server)
        return true, "checked"
    end
    local servers = conf.server
    if type(servers) ~= "table" then
        return false, "no server table"
    elseif #servers == 0 then
        return false, "no server array"
    end
    for i = 1, #servers do
        local ok, err = check_server(servers[i])
        if not ok then
            return false, err
        end
    end
    if not check_number(conf, "failed_time", 60, 0)
        or conf.failed_time == 0
    then
        return false, 'wrong conf_tb["failed_time"]'
    elseif not check_number(conf, "max_tries", 3, 1) then
        return false, 'wrong conf_tb["max_tries"]'
    elseif not check_string(name) then
        return false, 'wrong conf_tb["backend_name"]'
    elseif backends[name] then
        return false, "duplicated backend_name " .. name
    end
    backends[name] = new_backend(#servers)
    conf.is_checked = true
    return true, "ok"
end

function load_balance.check_config_all(confs)
    for _, conf in pairs(confs) do
        local ok, err = load_balance.check_config(conf)
        if not ok then
            error("check_config_all: " .. tostring(err), 2)
        end
    end
end

function load_balance.calculate_server(conf)
    local backend = backend_of(conf, "calculate_server")
    -- They are never all down: set_status() sees to that.
    while true do
        local i = backend.i
        local server = backend[i]
        if not server.ok and server.ok_tm <= ngx.time() then
            server.ok = true
            backend.n_down = backend.n_down - 1
        end
        if server.ok then
            server.hits = server.hits + 1
            if server.hits >= conf.server[i].weight then
                advance(backend)
            end
            return i
        end
        advance(backend)
    end
end

function load_balance.set_status(conf, i, is_ok)
    local backend = backend_of(conf, "set_status")
    local server = backend[i]
    if not server then
        error("bad argument #2 to 'set_status' (no server " .. tostring(i)
            .. ")", 2)
    end
    if is_ok then
        if not server.ok then
            server.ok = true
            backend.n_down = backend.n_down - 1
        end
        return
    end
    if not server.ok then
        return
    end
    server.ok = false
    server.ok_tm = ngx.time() + conf.failed_time
    backend.n_down = backend.n_down + 1
    if backend.i == i then
        advance(backend)
    end
    if backend.n_down == backend.n then
        -- There is nothing better than to try them all again.
        for k = 1, backend.n do
            backend[k].ok = true
        end
        backend.n_down = 0
    end
end

function load_balance.get_status(name)
    return name and backends[name] or backends
end

-- Scripts of the original use the global.
getfenv(0).load_balance = load_balance

return load_balance
