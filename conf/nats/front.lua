-- A request to the service for each line. Its connection to NATS comes from a
-- pool of the worker, so a few of them serve many clients; the server's
-- heartbeats are answered while it waits there.

local nats = require "resty.nats"

local TIMEOUT = 2000    -- ms; for an answer


local function ask(number)
    local n = nats:new()
    local ok, err = n:connect(nats_server[1], nats_server[2])
    if not ok then
        return nil, err
    end

    local answer
    answer, err = n:request_sync("roman", number, { timeout = TIMEOUT })
    if not n:set_keepalive(pool.idle_ms, pool.size) then
        n:close()
    end
    return answer, err
end


while true do
    local line = ngx.receive("*l")
    if not line then
        return
    end

    local answer, err = ask(line)
    if not answer then
        -- "no responders" comes at once when nobody has subscribed.
        ngx.log(ngx.ERR, "roman: ", err)
        ngx.say("-try again later")
    elseif answer.headers and answer.headers["Error"] then
        ngx.say("-", answer.headers["Error"])
    else
        ngx.say("+", answer.payload)
    end

    ngx.wait_next_request()
end
