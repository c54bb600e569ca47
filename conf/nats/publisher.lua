-- Publishes a line's text under its first word, and says when the server has
-- it: publish() alone only puts the message into what is sent next.

local nats = require "resty.nats"


local function publish(subject, text)
    local n = nats:new()
    local ok, err = n:connect(nats_server[1], nats_server[2])
    if not ok then
        return nil, err
    end

    ok, err = n:publish(subject, text)
    if ok then
        ok, err = n:flush()
    end
    if not n:set_keepalive(pool.idle_ms, pool.size) then
        n:close()
    end
    return ok, err
end


while true do
    local line = ngx.receive("*l")
    if not line then
        return
    end

    local subject, text = line:match("^(%S+) (.*)$")
    if not subject then
        ngx.say("-SUBJECT TEXT")
    else
        local ok, err = publish(subject, text)
        ngx.say(ok and "+OK" or "-" .. err)
    end

    ngx.wait_next_request()
end
