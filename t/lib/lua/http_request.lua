-- So much of HTTP in a tcp {} server that lua-nginx-websocket's server finds
-- what it asks for: the head of the request, and a head in reply. To be loaded
-- in init_by_lua, before nginx.websocket.server; read() comes first in a
-- script.

local _M = {}


function _M.read()
    local head = assert(ngx.req.socket():receiveuntil("\r\n\r\n")())
    local request = {headers = {}, out = {}}
    request.version = tonumber(head:match("^%u+ %S+ HTTP/(%d%.%d)\r"))
    for name, value in head:gmatch("\r\n([^:\r]+): *([^\r]*)") do
        request.headers[name:lower()] = value
    end
    ngx.ctx.request = request
    return request
end


function ngx.req.http_version() return ngx.ctx.request.version end

function ngx.req.get_headers() return ngx.ctx.request.headers end

function ngx.req.read_body() end


ngx.header = setmetatable({}, {
    __newindex = function(_, name, value)
        ngx.ctx.request.out[name] = value
    end,
})


function ngx.send_headers()
    local lines = {"HTTP/1.1 101 Switching Protocols\r\n",
                   "Connection: upgrade\r\n"}
    for name, value in pairs(ngx.ctx.request.out) do
        lines[#lines + 1] = name .. ": " .. value .. "\r\n"
    end
    return ngx.print(lines, "\r\n")
end


return _M
