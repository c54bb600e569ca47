-- Who reads a connection, and what becomes of what is read.
--
-- Any number of light threads may wait for something of one connection: wait()
-- for messages, request_sync() for its answer, flush() for a PONG. One of them
-- reads, and gives to all. The others are parked in two queues, their own and
-- that of the reader's role. Who is given the role tries to read: when the
-- reader has what it wants, or its time is over, it passes the role on, and
-- read() of frames.lua does so for one that is killed in it. Nobody but a call
-- of read() that waits has the role: what runs between two reads may itself
-- wait.
--
-- A waiter is a table: `done`, `own` (the number of its queue, once it was
-- parked), and what it is for.

local read = require("resty.nats.frames").read
local queue = require "resty.nats.queue"
local new_message = require "resty.nats.message"
local requests = require "resty.nats.requests"
local subscriptions = require "resty.nats.subscriptions"
local semaphore = require "ngx.semaphore"
local wire = require "resty.nats.wire"

local nats_close, nats_push = wire.nats_close, wire.nats_push
local nats_queue = wire.nats_queue
local park, queued, unpark = wire.park, wire.queued, wire.unpark
local can_read, wait_for_first = wire.can_read, wire.first
local json_decode, msec = wire.json_decode, wire.msec
local find, lower = string.find, string.lower
local next, pcall, tostring, type = next, pcall, tostring, type

-- Somebody else reads.
local BUSY = "socket busy reading"

-- Kinds of frames.
local MESSAGE, INFO, PONG = 1, 2, 3

-- The status of an answer that says that there is nobody to answer.
local NO_RESPONDERS = 503

-- What servers say and go on.
local HARMLESS = {
    "^permissions violation", "^invalid subject", "^invalid publish subject",
    "^maximum subscriptions exceeded",
}

local reader = {}


-- Wakes a waiter, if it is parked.
local function wake(waiter)
    local own = waiter.own
    if own then
        unpark(own, 1)
    end
end


local function finish(waiter, msg, err)
    waiter.done, waiter.msg, waiter.err = true, msg, err
    wake(waiter)
end


-- Lets another one read, if anybody waits for that. To be called before what
-- may wait, and by those that have read and wait no longer.
function reader.pass(core)
    if core.parked then
        local woken
        woken, core.parked = unpark(core.role_number, 1)
        core.granted = woken > 0
    end
end


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
function reader.fail(core, text)
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
        reader.pass(core)
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
local function on_error(core, text)
    local known = lower(text)
    if not is_harmless(known) then
        reader.fail(core, text)
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
function reader.set_info(core, info)
    local face = core.face
    core.info, face.info = info, info
    core.max_payload = type(info.max_payload) == "number" and info.max_payload
        or core.max_payload
    core.has_headers = core.headers and info.headers == true
end


local function on_info(core, text)
    local info = json_decode(text)
    if type(info) == "table" then
        reader.set_info(core, info)
    end
    return true
end


local function on_pong(core)
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


local function on_message(core, subject, sid, reply, payload, headers)
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


-- Sends a PING of which nobody waits for the PONG.
local function ping(core)
    core.silent = 0
    if core.pings_out >= core.max_pings_out then
        reader.fail(core, "stale connection")
        return nil, "stale connection"
    end
    core.pings_out = core.pings_out + 1
    local pongs = core.pongs
    pongs.last = pongs.last + 1
    pongs[pongs.last] = false
    nats_push(core.sock, "PING\r\n")
    return true
end


local function on_frame(core, limit, left, was, kind, a, b, c, d, e)
    if kind == MESSAGE then
        core.silent = 0
        return on_message(core, a, b, c, d, e)
    elseif kind then
        core.silent = 0
        if kind == PONG then
            return on_pong(core)
        elseif kind == INFO then
            return on_info(core, a)
        end
        return on_error(core, a)
    elseif a == "timeout" then
        core.silent = core.silent + limit
        if core.silent >= core.ping_ms then
            local ok, err = ping(core)
            if not ok then
                return nil, err
            end
        end
        if limit < left then
            return true
        end
        return nil, "timeout"
    elseif a == BUSY then
        core.wait_reads = was
    elseif a ~= "deadline" then
        reader.fail(core, a)
        return nil, core.closed
    end
    return nil, a
end


-- Reads one frame, for `left` milliseconds at most, and gives it to whom it
-- concerns. For a message to be called back with: whose it is, and the message;
-- else true. nil, err: "timeout", "deadline", "socket busy reading", or why the
-- connection has failed. `for_wait`: it is wait() that reads.
function reader.step(core, left, for_wait)
    local limit = core.ping_ms - core.silent
    if left < limit then
        limit = left
    end
    local was = core.wait_reads
    core.wait_reads = for_wait
    return on_frame(core, limit, left, was, read(core, core.sock, limit))
end


-- Keeps a message for wait().
local function keep(core, target, msg)
    local kept, is_news = queue.push(core.queue, target, msg)
    if is_news then
        queue_error(core, "slow consumer")
        report(core, "slow consumer")
    elseif kept then
        wake(core.waiting)
    end
end


-- Reads one frame for whom it concerns. True; nil, err as step().
function reader.take_in(core, left)
    local target, msg = reader.step(core, left, false)
    if target and target ~= true then
        keep(core, target, msg)
        return true
    end
    return target, msg
end


-- The queue of the reader's role. What is left in it by those that were killed
-- is kept for the next as long as the semaphore lives.
local function open_role(core)
    local role = semaphore.new()
    role:wait(0)
    core.role, core.role_number = role, role.number
    nats_queue(core.sock, role.number)
end


-- Waits, while somebody else reads, until the waiter is woken or may read.
-- True, and whether it may read; nil, err.
function reader.park(core, waiter, left)
    if not core.role then
        open_role(core)
    end
    local role = core.role_number
    if park(role, 0) then
        core.granted = false
        return true, true
    end
    local own, spare = waiter.own, core.spare
    if not own then
        own = spare[#spare]
        if own then
            spare[#spare] = nil
        else
            own = semaphore.new().number
        end
        waiter.own = own
    end
    core.parked = true
    local i, err = wait_for_first(left / 1000, own, role)
    if i == 2 then
        core.granted = false
        return true, true
    elseif i then
        return true, false
    end
    return nil, err
end


-- Whether somebody waits for what may come.
function reader.is_busy(core)
    local role = core.role_number
    if role and core.granted and park(role, 0) then
        -- The one that had it was killed.
        core.granted = false
    end
    local _, err = can_read(core.sock)
    return err == BUSY or core.granted or role and queued(role) > 0
end


-- Waits until the waiter is done; nil, err if it is not when it expires, in
-- `left` milliseconds.
function reader.await(core, waiter, left)
    local ok, err, may_read
    repeat
        -- The role may be on its way to somebody.
        ok, err, may_read = nil, BUSY, false
        if not core.granted then
            ok, err = reader.take_in(core, left)
            may_read = true
        end
        if not ok and err == BUSY then
            ok, may_read = reader.park(core, waiter, left)
            err = not ok and may_read or nil
        end
        if ok and not waiter.done then
            left = waiter.expires - msec()
            if left <= 0 then
                ok, err = nil, "timeout"
            end
        end
    until waiter.done or not ok
    if waiter.own then
        local spare = core.spare
        spare[#spare + 1] = waiter.own
        waiter.own = false
    end
    if may_read then
        reader.pass(core)
    end
    if waiter.done then
        return true
    end
    return nil, err
end


return reader
