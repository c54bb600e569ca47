-- A request of ten digits: so many wake-ups, then it goes back.
while true do
    local wakes = ngx.receive(10)
    if not wakes then
        return
    end
    for _ = 1, tonumber(wakes) do
        ngx.sleep(0.001)
    end
    ngx.print(wakes)
end
