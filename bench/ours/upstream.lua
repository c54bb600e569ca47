-- Messages of 10 bytes go to another server and back, by connections of a pool.
local upstream = require "upstream"
local tcp = ngx.socket.tcp

while true do
    local data = ngx.receive(10)
    if not data then
        return
    end
    local sock = tcp()
    assert(sock:connect(upstream.host, upstream.echo))
    assert(sock:send(data))
    local answer = assert(sock:receive(10))
    sock:setkeepalive(60000, 100)
    ngx.print(answer)
end
