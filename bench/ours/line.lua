-- Echo of lines.
while true do
    local line = ngx.receive("*l")
    if not line then
        return
    end
    ngx.say(line)
end
