-- One echo, then the connection parks until there is a next request.
while true do
    local data = ngx.receive(10)
    if not data then
        return
    end
    ngx.print(data)
    ngx.wait_next_request()
end
