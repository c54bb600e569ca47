-- The bytes of an HTTP/1.1 request. Nothing that it is made of can end a line
-- or add one: what cannot stand where it is put is refused.

local concat = table.concat
local find, format, gsub, byte = string.find, string.format, string.gsub,
    string.byte
local lower, tostring, type = string.lower, tostring, type
local pairs, ipairs = pairs, ipairs
local escape_uri = ngx.escape_uri

local BEFORE_LENGTH = "\r\nUser-Agent: resty-agent\r\nContent-Length: "
local TOKEN = "^[%w!#$%%&'*+.^_`|~-]+$"
-- What would end the target; what would end a header's line.
local NO_TARGET = "[%c #]"
local NO_VALUE = "[%z\1-\8\10-\31\127]"

local KNOWN_METHODS = {
    GET = true, HEAD = true, POST = true, PUT = true, DELETE = true,
    PATCH = true, OPTIONS = true,
}

-- Headers that say where the message ends and what becomes of the connection.
local OURS = {
    ["content-length"] = true,
    ["transfer-encoding"] = true,
    ["connection"] = true,
    ["keep-alive"] = true,
    ["user-agent"] = true,
}


local function percent(c)
    return format("%%%02X", byte(c))
end


-- A name in the query. The original took it as it was, so that scripts have
-- escaped names themselves: a percent sign stays.
local function escape_name(name)
    return (gsub(tostring(name), "[^%w%%%-._~!$'()*,/:;?@%[%]]", percent))
end


local function add_argument(query, name, value)
    if type(value) == "table" then
        for _, v in ipairs(value) do
            add_argument(query, name, v)
        end
        return
    end
    query[#query + 1] = escape_name(name) .. "=" .. escape_uri(tostring(value))
end


-- The last one that was good: many are asked for again and again.
local good_uri

local function target(req)
    local uri = req.uri
    if uri ~= good_uri or uri == nil then
        if type(uri) ~= "string" or uri == "" or find(uri, NO_TARGET) then
            return nil, "wrong request: uri"
        end
        good_uri = uri
    end
    local args = req.args
    if args == nil then
        return uri
    end
    if type(args) ~= "table" then
        return nil, "wrong request: args"
    end
    local query = {}
    for name, value in pairs(args) do
        add_argument(query, name, value)
    end
    if #query == 0 then
        return uri
    end
    local separator = find(uri, "?", 1, true) and "&" or "?"
    return uri .. separator .. concat(query, "&")
end


local function body_of(req, method)
    local body = req.body
    local kind = type(body)
    if kind == "number" then
        return tostring(body)
    elseif kind == "string" then
        return body
    elseif kind == "table" then
        return concat(body)
    elseif kind ~= "nil" or method == "POST" then
        return nil, "wrong request"
    end
    return ""
end


-- Appends the headers of the script; says whether there was a Host.
local function add_headers(lines, headers)
    local has_host = false
    if type(headers) ~= "table" then
        return nil, "wrong request: headers"
    end
    for name, value in pairs(headers) do
        local kind = type(value)
        if type(name) ~= "string" or not find(name, TOKEN)
            or kind ~= "string" and kind ~= "number"
            or find(value, "%c") and find(value, NO_VALUE)
        then
            return nil, "wrong request: headers"
        end
        local known = lower(name)
        if not OURS[known] then
            if known == "host" then
                if has_host then
                    return nil, "wrong request: headers"
                end
                has_host = true
            end
            lines[#lines + 1] = name .. ": " .. value
        end
    end
    return true, has_host
end


-- The request `req` to the server that is known as `host`; nil and why not.
return function(req, host)
    if type(req) ~= "table" then
        return nil, "wrong request"
    end
    local method = req.method
    if not KNOWN_METHODS[method] and (type(method) ~= "string"
        or not find(method, TOKEN) or method == "CONNECT")
    then
        return nil, "wrong request: method"
    end
    local uri, err = target(req)
    if not uri then
        return nil, err
    end
    local body
    body, err = body_of(req, method)
    if not body then
        return nil, err
    end

    if req.headers == nil then
        return method .. " " .. uri .. " HTTP/1.1\r\nHost: " .. host
            .. BEFORE_LENGTH .. #body .. "\r\n\r\n" .. body
    end
    local lines = { method .. " " .. uri .. " HTTP/1.1" }
    local ok, has_host = add_headers(lines, req.headers)
    if not ok then
        return nil, has_host
    end
    if not has_host then
        lines[#lines + 1] = "Host: " .. host
    end
    return concat(lines, "\r\n") .. BEFORE_LENGTH .. #body .. "\r\n\r\n"
        .. body
end
