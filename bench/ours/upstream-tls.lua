-- upstream.lua, by TLS: the handshake is done when the connection is new.
local upstream = require "upstream"
local receive, print, tcp = ngx.receive, ngx.print, ngx.socket.tcp
local host, port = upstream.host, upstream.tls

while true do
    local data = receive(10)
    if not data then
        return
    end
    local sock = tcp()
    local ok, err = sock:connect(host, port)
    if not ok then
        error(err)
    end
    if sock:getreusedtimes() == 0 then
        ok, err = sock:sslhandshake()
        if not ok then
            error(err)
        end
    end
    ok, err = sock:send(data)
    if not ok then
        error(err)
    end
    data, err = sock:receive(10)
    if not data then
        error(err)
    end
    sock:setkeepalive(60000, 100)
    print(data)
end
