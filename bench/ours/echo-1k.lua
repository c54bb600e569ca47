-- Echo of messages of 1024 bytes.
while true do
    local data = ngx.receive(1024)
    if not data then
        return
    end
    ngx.print(data)
end
