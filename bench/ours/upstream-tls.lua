-- upstream.lua, by TLS: the handshake is done when the connection is new.
local upstream = require "upstream"
local tcp = ngx.socket.tcp

while true do
    local data = ngx.receive(10)
    if not data then
        return
    end
    local sock = tcp()
    local ok, err = sock:connect(upstream.host, upstream.tls)
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
    ngx.print(data)
end
