-- A connection to NATS for each client, as long as the client stays. One thread
-- waits for what the client says, another one for messages.

local nats = require "resty.nats"

local n = nats:new()
local ok, why = n:connect(nats_server[1], nats_server[2])
if not ok then
    ngx.log(ngx.ERR, "subscriber: ", why)
    ngx.say("-try again later")
    return
end


local sids = {}


-- A client that reads slowly holds up the messages of this connection only, and
-- the server ends it when too much is waiting.
local function forward(message)
    ngx.say(message.subject, " ", (message.payload:gsub("%c", " ")))
end


local function subscribe(subject)
    if sids[subject] then
        return nil, "subscribed already"
    end
    local sid, err = n:subscribe(subject, forward)
    if not sid then
        return nil, err
    end
    sids[subject] = sid
    return true
end


local function unsubscribe(subject)
    local sid = sids[subject]
    if not sid then
        return nil, "not subscribed"
    end
    sids[subject] = nil
    return n:unsubscribe(sid)
end


local function listen()
    while true do
        local line = ngx.receive("*l")
        if not line then
            return
        end
        local subject = line:match("^%-(.*)$")
        local done, err
        if subject then
            done, err = unsubscribe(subject)
        else
            done, err = subscribe(line)
        end
        if done then
            -- Whoever publishes from now on is heard.
            done, err = n:flush()
        end
        ngx.say(done and "+OK" or "-" .. err)
    end
end


-- Without a count wait() returns when nothing has come for the read timeout, or
-- with an error.
local function wait()
    local err
    repeat
        local _
        _, err = n:wait()
    until err ~= "timeout" and not n.connected
    return err
end


local listening = ngx.thread.spawn(listen)
local waiting = ngx.thread.spawn(wait)
local _, failure = ngx.thread.wait(listening, waiting)
if failure then
    ngx.log(ngx.ERR, "subscriber: ", failure)
    ngx.say("-gone")
end
ngx.thread.kill(listening)
ngx.thread.kill(waiting)
n:close()
