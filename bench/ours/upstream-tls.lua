-- upstream.lua, by TLS: the handshake is done when the connection is new.
local upstream = require "upstream"
local tcp = ngx.socket.tcp

while true do
    local data = ngx.receive(10)
    if not data then
        return
    end
    local sock = tcp()
    assert(sock:connect(upstream.host, upstream.tls))
    if sock:getreusedtimes() == 0 then
        assert(sock:sslhandshake())
    end
    assert(sock:send(data))
    local answer = assert(sock:receive(10))
    sock:setkeepalive(60000, 100)
    ngx.print(answer)
end
