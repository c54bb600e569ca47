-- Messages of 10 bytes go to another server and back, by connections of a pool.
local upstream = require "upstream"
local receive, print, tcp = ngx.receive, ngx.print, ngx.socket.tcp
local host, port = upstream.host, upstream.echo

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
