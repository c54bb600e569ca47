-- Log lines as UDP datagrams, one each: to csock by error(), warn(), info() and
-- debug(), to dsock by the same names with a d in front, to hsock, as hex
-- digits, by those with an h; sql() and http() write a line for each query and
-- request to hsock. Set up by init() in init_by_lua*; until then nothing is
-- sent.

local byte, format, gsub = string.byte, string.format, string.gsub
local concat = table.concat
local error, ipairs, pairs, pcall = error, ipairs, pairs, pcall
local tonumber, tostring, type = tonumber, tostring, type
local ngx = ngx

local ESC = "\27["
local RESET = ESC .. "0m"
local YELLOW, MAGENTA, GREEN = ESC .. "1;33m", ESC .. "1;35m", ESC .. "1;32m"
local COLOURS = {
    error = YELLOW, warn = MAGENTA, info = GREEN, debug = ESC .. "0;00m",
}

-- Socket's name -> the object that sends.
local sockets = {}


local function send(name, line)
    local sock = sockets[name]
    if not sock then
        return nil, "not initialized"
    end
    local n = sock:send(line)
    if n < 0 then
        return nil, "failed to send"
    end
    return n
end


local function hex(c)
    return format("%02X", byte(c))
end


-- The function that logs at `level` to the socket `name`, called `prefix` ..
-- `level` by scripts.
local function logger(name, level, prefix)
    local start, label = COLOURS[level], " " .. level:upper() .. " "
    return function(str)
        local kind = type(str)
        if kind ~= "string" and kind ~= "number" then
            error("bad argument #1 to '" .. prefix .. level
                .. "' (string expected, got " .. kind .. ")", 2)
        end
        if prefix == "h" then
            str = gsub(str, ".", hex)
        end
        return send(name,
            concat({ start, ngx.localtime(), label, str, RESET, "\n" }))
    end
end


-- Seconds, in the more striking a colour the more they are.
local function coloured(elapsed)
    local seconds = tonumber(elapsed) or 0
    if seconds < 0.01 then
        return tostring(seconds)
    end
    local colour = seconds < 0.1 and GREEN
        or seconds < 0.5 and MAGENTA or YELLOW
    return colour .. seconds .. RESET
end


local nlog = {}

function nlog.init(conf)
    if type(conf) ~= "table" then
        error("bad argument #1 to 'init' (table expected, got " .. type(conf)
            .. ")", 2)
    end
    if not ngx.nlog then
        error("ngx.nlog is not there", 2)
    end
    local made = {}
    for _, name in ipairs({ "csock", "dsock", "hsock" }) do
        local addresses = conf[name]
        if type(addresses) ~= "table" or type(addresses[1]) ~= "string"
            or type(addresses[2]) ~= "string"
        then
            error("bad argument #1 to 'init' (" .. name
                .. " is no table of two addresses)", 2)
        end
        local ok, sock = pcall(ngx.nlog, addresses[1], addresses[2])
        if not ok then
            error("bad argument #1 to 'init' (" .. name .. ": " .. sock .. ")",
                2)
        end
        made[name] = sock
    end
    sockets = made
end

for name, prefix in pairs({ csock = "", dsock = "d", hsock = "h" }) do
    for level in pairs(COLOURS) do
        nlog[prefix .. level] = logger(name, level, prefix)
    end
end

function nlog.sql(host, elapsed, sql)
    return send("hsock", concat({ ngx.localtime(), " ", tostring(host), " ",
        coloured(elapsed), " [sql] ", tostring(sql), "\n" }))
end

function nlog.http(host, uri, elapsed, errmsg)
    return send("hsock", concat({ ngx.localtime(), " ", tostring(host), " ",
        coloured(elapsed), " [http] ", tostring(uri), " ",
        errmsg and YELLOW .. tostring(errmsg) .. RESET or "", "\n" }))
end

-- As the module() of the original did.
getfenv(0).nlog = nlog

return nlog
