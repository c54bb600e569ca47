-- Echo of messages of 10 bytes.
while true do
    local data = ngx.receive(10)
    if not data then
        return
    end
    ngx.print(data)
end
