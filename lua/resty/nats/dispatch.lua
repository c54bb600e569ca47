-- What becomes of the frames of a connection: whom each is for.

local queue = require "resty.nats.queue"
local new_message = require "resty.nats.message"
local requests = require "resty.nats.requests"
local role = require "resty.nats.role"
local subscriptions = require "resty.nats.subscriptions"
local wire = require "resty.nats.wire"

local nats_close, json_decode = wire.nats_close, wire.json_decode
local finish, wake = role.finish, role.wake
local find, lower = string.find, string.lower
local next, pcall, tostring, type = next, pcall, tostring, type

-- The status of an answer that says that there is nobody to answer.
local NO_RESPONDERS = 503

-- What servers say and go on.
local HARMLESS = {
    "^permissions violation", "^invalid subject", "^invalid publish subject",
    "^maximum subscriptions exceeded",
}

local dispatch = {}


-- Tells wait() an error, that of a subscription or a request of its.
local function queue_error(core, text)
    queue.push_error(core.queue, text)
    wake(core.waiting)
end


-- No answer will come to the request.
local function refuse(core, request, text)
    requests.remove(core, request)
    if request.callback then
        queue_error(core, text)
    else
        finish(request, nil, text)
    end
end


-- For a connection that has failed wait() has one error for all.
local function fail_request(core, request, text)
    requests.remove(core, request)
    if not request.callback then
        finish(request, nil, text)
    end
end


-- The connection is of no use any more: everybody gets the reason.
function dispatch.fail(core, text)
    if core.closed then
        return
    end
    core.closed = text
    nats_close(core.sock)
    requests.each(core, fail_request, text)
    local pongs = core.pongs
    for i = pongs.first, pongs.last do
        if pongs[i] then
            finish(pongs[i], nil, text)
        end
    end
    core.subs, core.pongs = {}, { first = 1, last = 0 }
    core:count(-core.live)
    core.face.connected = false
    wake(core.waiting)
end


-- Tells the program. Its function may do whatever it likes.
local function report(core, text)
    core.face.last_error = text
    local on_error = core.on_error
    if on_error then
        role.pass(core)
        local ok, err = pcall(on_error, text)
        if not ok then
            ngx.log(ngx.ERR, "error in on_error: ", tostring(err))
        end
    end
end


local function is_harmless(text)
    for _, pattern in next, HARMLESS do
        if find(text, pattern) then
            return true
        end
    end
end


local function refuse_request(core, text)
    local request = requests.refused(core, text)
    if request then
        refuse(core, request, text)
    end
end


-- No answer will come to the inbox.
local function refuse_inbox(core, text)
    core.inbox = false
    requests.each(core, refuse, text)
end


-- An -ERR of the server's. Returns nil, err if it ends the connection.
function dispatch.on_error(core, text)
    local known = lower(text)
    if not is_harmless(known) then
        dispatch.fail(core, text)
        report(core, text)
        return nil, text
    elseif find(known, "^permissions violation for publish") then
        refuse_request(core, text)
    elseif core.inbox and find(text, '"' .. core.inbox .. '*"', 1, true) then
        refuse_inbox(core, text)
    elseif not find(known, "^invalid publish subject") then
        subscriptions.refuse(core, text)
        queue_error(core, text)
    end
    report(core, text)
    return true
end


-- What the server says of itself, at the beginning or later.
function dispatch.set_info(core, info)
    local face = core.face
    core.info, face.info = info, info
    core.max_payload = type(info.max_payload) == "number" and info.max_payload
        or core.max_payload
    core.has_headers = core.headers and info.headers == true
end


function dispatch.on_info(core, text)
    local info = json_decode(text)
    if type(info) == "table" then
        dispatch.set_info(core, info)
    end
    return true
end


function dispatch.on_pong(core)
    core.pings_out = 0
    local pongs = core.pongs
    local first = pongs.first
    if first <= pongs.last then
        local waiter = pongs[first]
        pongs[first], pongs.first = nil, first + 1
        if first == pongs.last then
            pongs.first, pongs.last = 1, 0
        end
        if waiter then
            finish(waiter)
        end
    end
    return true
end


-- An answer to one of our requests.
local function on_answer(core, request, msg)
    local refused = msg.status == NO_RESPONDERS and msg.len == 0
    if request.callback then
        if refused then
            queue_error(core, "no responders")
            return true
        end
        return request, msg
    elseif refused then
        finish(request, nil, "no responders")
    else
        finish(request, msg)
    end
    return true
end


-- A message: returns whose it is and the message where it is to be called back
-- with, else true.
function dispatch.on_message(core, subject, sid, reply, payload, headers)
    local sub = core.subs[sid]
    if sub then
        local count = sub.count + 1
        sub.count = count
        if sub.max and count >= sub.max then
            subscriptions.remove(core, sid)
        end
        return sub, new_message(core, subject, sid, reply, payload, headers)
    elseif sid == core.inbox_sid and core.inbox then
        local request = requests.answered(core, subject)
        if request then
            return on_answer(core, request,
                new_message(core, subject, sid, reply, payload, headers))
        elseif core.owed > 0 then
            core.owed = core.owed - 1
        end
    end
    return true
end


-- Keeps a message for wait().
function dispatch.keep(core, target, msg)
    local kept, is_news = queue.push(core.queue, target, msg)
    if is_news then
        queue_error(core, "slow consumer")
        report(core, "slow consumer")
    elseif kept then
        wake(core.waiting)
    end
end


return dispatch
