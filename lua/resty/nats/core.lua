-- A connection to a server, and what can be done with it. It knows nothing of
-- who uses it: `face` is the table whose fields (connected, subscribed,
-- last_error, info) follow its state.
--
-- All functions return nil, err where they fail.

local dispatch = require "resty.nats.dispatch"
local encode = require("resty.nats.headers").encode
local publish = require("resty.nats.frames").publish
local queue = require "resty.nats.queue"
local reader = require "resty.nats.reader"
local requests = require "resty.nats.requests"
local role = require "resty.nats.role"
local subscriptions = require "resty.nats.subscriptions"
local wire = require "resty.nats.wire"

local nats_limit, nats_push = wire.nats_limit, wire.nats_push
local nats_timeout = wire.nats_timeout
local msec = wire.msec
local random_token = wire.random_token
local is_name = subscriptions.is_name
local huge, isyieldable = math.huge, coroutine.isyieldable
local concat = table.concat
local next, setmetatable, tonumber = next, setmetatable, tonumber
local tostring, type = tostring, type

-- Where the socket has its timeouts.
local CONNECT_TIMEOUT, READ_TIMEOUT = 3, 5

-- What may come in one message when the server has said nothing of it.
local MAX_PAYLOAD = 1024 * 1024

local BUSY = role.BUSY

local core = {}
local metatable = { __index = core }

core.msec = msec


-- A connection that has just been made or taken from a pool, with the options
-- of options.lua.
function core.new(sock, face, options)
    local interval = options.ping_interval
    -- What nobody waits for is in the socket, or in the queue.
    nats_limit(sock, options.max_pending_bytes)
    return setmetatable({
        sock = sock,
        face = face,
        -- Those of the last message, for frames.lua.
        subject = "",
        sid = "",
        -- Why it is of no use any more.
        closed = false,
        -- What the server has said of itself, and what follows from it.
        info = false,
        max_payload = MAX_PAYLOAD,
        headers = options.headers,
        has_headers = false,
        -- By number, and how many there are that wait() has to do with.
        subs = {},
        live = 0,
        requests = requests.new(),
        -- When the next one of wait()'s is to be given up, and how many were
        -- that it has not told.
        next_expiry = false,
        expired = 0,
        -- Where the answers come to.
        inbox_prefix = options.inbox_prefix,
        inbox = false,
        inbox_sid = false,
        -- Messages may still come of subscriptions that are no more; and how
        -- many answers that nobody waits for.
        unsettled = false,
        owed = 0,
        -- What wait() has to hand out, and whether it is wait() that reads.
        queue = queue.new(options.max_pending, options.max_pending_bytes),
        waiting = { own = false },
        wait_reads = false,
        -- Those that wait for a PONG, or false for one of our own, in order.
        pongs = { first = 1, last = 0 },
        pings_out = 0,
        max_pings_out = options.max_pings_out,
        ping_ms = interval > 0 and interval * 1000 or huge,
        -- For how many milliseconds nothing has come while somebody read.
        silent = 0,
        -- The semaphore of the reader's role, whether somebody may wait for it,
        -- and whether it was given to one that has not run since.
        role = false,
        role_number = false,
        parked = false,
        granted = false,
        -- Numbers of queues for waiters.
        spare = {},
        on_error = options.on_error,
        of_messages = false,
    }, metatable)
end


-- So many subscriptions more.
function core.count(self, n)
    local live = self.live + n
    self.live = live
    self.face.subscribed = live > 0
end


-- Why a call on the socket has failed, as far as the server has told. A failed
-- write may be explained by what has come before.
local function failure(self, err)
    if err == "closed" and isyieldable() then
        local more, why = true, nil
        while more do
            more, why = reader.take_in(self, 1)
        end
        if why ~= BUSY and why ~= "deadline" then
            dispatch.fail(self, err)
        end
    end
    return nil, self.closed or err
end


-- What is published as `payload`, and the block of its headers; nil, err.
local function prepare(self, payload, headers)
    if payload == nil then
        payload = ""
    elseif type(payload) == "number" then
        payload = tostring(payload)
    elseif type(payload) ~= "string" then
        return nil, "payload is not a string"
    end
    local size, block = #payload, nil
    if headers then
        if not self.has_headers then
            return nil, "headers not supported by the server"
        end
        local err
        block, err = encode(headers)
        if not block then
            return nil, err
        end
        size = size + #block
    end
    if size > self.max_payload then
        return nil, "maximum payload exceeded"
    end
    return payload, block
end


-- `reply` may end in a number of its own.
function core.publish(self, subject, payload, reply, headers, number)
    local block
    if type(payload) ~= "string" or headers or #payload > self.max_payload then
        payload, block = prepare(self, payload, headers)
        if not payload then
            return nil, block
        end
    end
    local ok, err = publish(self.sock, subject, reply, payload, block, number)
    if ok then
        return true
    end
    return failure(self, err)
end


local function push(self, line)
    local ok, err = nats_push(self.sock, line)
    if ok then
        return true
    end
    return failure(self, err)
end


-- The number of a new subscription.
function core.subscribe(self, subject, callback, group, max)
    if not subscriptions.is_subject(subject) then
        return nil, "invalid subject"
    elseif group and not subscriptions.is_queue(group) then
        return nil, "invalid queue"
    end
    local sid = subscriptions.next_sid()
    local line = "SUB " .. subject .. (group and " " .. group or "") .. " "
        .. sid .. "\r\n"
    if max then
        line = line .. "UNSUB " .. sid .. " " .. max .. "\r\n"
    end
    local ok, err = push(self, line)
    if not ok then
        return nil, err
    end
    self.subs[sid] = {
        sid = sid,
        number = tonumber(sid),
        subject = subject,
        queue = group,
        callback = callback,
        max = max,
        count = 0,
        dropped = false,
    }
    self:count(1)
    return sid
end


-- At once, or after so many messages since the beginning.
function core.unsubscribe(self, sid, max)
    local sub = self.subs[sid]
    if not sub then
        return not self.closed, self.closed or nil
    end
    local later = max and max > sub.count
    local ok, err = push(self, "UNSUB " .. sid .. (later and " " .. max or "")
        .. "\r\n")
    if not ok then
        return nil, err
    end
    if later then
        sub.max = max
    else
        self.unsettled = true
        subscriptions.remove(self, sid, not max)
    end
    return true
end


-- Where answers come to.
local function open_inbox(self)
    if not is_name(self.inbox_prefix) then
        return nil, "invalid reply subject"
    end
    local sid = subscriptions.next_sid()
    local inbox = self.inbox_prefix .. "." .. random_token(22) .. "."
    local ok, err = push(self, "SUB " .. inbox .. "* " .. sid .. "\r\n")
    if not ok then
        return nil, err
    end
    self.inbox, self.inbox_sid = inbox, sid
    return true
end


-- Sends a request. What cannot be sent opens no inbox.
local function send_request(self, request, payload, headers)
    if not self.inbox then
        if not is_name(request.subject) then
            return nil, "invalid subject"
        end
        local ok, err = prepare(self, payload, headers)
        if ok then
            ok, err = open_inbox(self)
        end
        if not ok then
            return nil, err
        end
    end
    requests.add(self, request)
    local ok, err = self:publish(request.subject, payload, self.inbox, headers,
        request.token)
    if not ok then
        requests.remove(self, request)
        return nil, err
    end
    return true
end


-- The answer is for wait().
function core.request(self, subject, payload, callback, timeout, headers)
    return send_request(self, {
        token = 0,
        number = 0,
        subject = subject,
        callback = callback,
        expires = timeout and msec() + timeout or false,
        dropped = false,
    }, payload, headers)
end


-- Waits for the answer.
function core.request_sync(self, subject, payload, timeout, headers)
    timeout = timeout or nats_timeout(self.sock, READ_TIMEOUT)
    local request = {
        token = 0,
        number = 0,
        subject = subject,
        expires = msec() + timeout,
        done = false,
        msg = nil,
        err = nil,
        own = false,
    }
    local ok, err = send_request(self, request, payload, headers)
    if not ok then
        return nil, err
    end
    ok, err = reader.await(self, request, timeout)
    if ok then
        return request.msg, request.err
    end
    requests.give_up(self, request)
    return nil, err
end


-- Waits until the server has seen all that was sent before.
function core.flush(self, timeout)
    timeout = timeout or nats_timeout(self.sock, READ_TIMEOUT)
    local ok, err = push(self, "PING\r\n")
    if not ok then
        return nil, err
    end
    local was = self.unsettled
    self.unsettled = false
    local waiter = { expires = msec() + timeout, done = false, err = nil,
        own = false }
    local pongs = self.pongs
    pongs.last = pongs.last + 1
    pongs[pongs.last] = waiter
    ok, err = reader.await(self, waiter, timeout)
    if ok and not waiter.err then
        return true
    end
    self.unsettled = self.unsettled or was
    return nil, waiter.err or err
end


core.wait = require "resty.nats.wait"


-- Ends all subscriptions, calls back for what has come of them until then, and
-- sees that what was published is with the server.
function core.drain(self, timeout)
    local lines, n = {}, 0
    for sid in next, self.subs do
        n = n + 1
        lines[n] = "UNSUB " .. sid .. "\r\n"
    end
    local ok, err = push(self, concat(lines))
    if ok then
        ok, err = self:flush(timeout)
    end
    for sid in next, self.subs do
        subscriptions.remove(self, sid)
    end
    while true do
        local target, msg = queue.pop(self.queue)
        if target then
            target.callback(msg)
        elseif target == nil then
            return ok, err
        end
    end
end


-- Whether there are subscriptions, or requests that wait() has to answer.
function core.is_awaited(self)
    if self.next_expiry then
        requests.expire(self)
    end
    return self.live > 0
end


-- Before the connection goes to a pool: sees that nothing more will come of
-- what was asked for. Nothing happens while somebody waits.
function core.leave(self)
    if role.is_busy(self) then
        return nil, BUSY
    end
    local ok, err = true, nil
    if self.inbox then
        ok, err = push(self, "UNSUB " .. self.inbox_sid .. "\r\n")
        self.inbox, self.inbox_sid = false, false
    end
    local pongs = self.pongs
    if ok and (self.unsettled or self.owed > 0 or pongs.first <= pongs.last)
    then
        ok, err = self:flush(nats_timeout(self.sock, CONNECT_TIMEOUT))
    end
    return ok, err
end


return core
