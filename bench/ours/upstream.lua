-- Messages of 10 bytes go to another server and back, by connections of a pool.
local upstream = require "upstream"
local tcp = ngx.socket.tcp

while true do
    local data = ngx.receive(10)
    if not data then
        return
    end
    local sock = tcp()
    local ok, err = sock:connect(upstream.host, upstream.echo)
    if not ok then
        error(err)
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
