-- Echo of messages of 65536 bytes.
while true do
    local data = ngx.receive(65536)
    if not data then
        return
    end
    ngx.print(data)
end
