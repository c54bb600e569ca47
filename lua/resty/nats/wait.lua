-- wait(): calls back for messages and answers, in the coroutine of its caller.

local queue = require "resty.nats.queue"
local reader = require "resty.nats.reader"
local requests = require "resty.nats.requests"
local role = require "resty.nats.role"
local wire = require "resty.nats.wire"

local msec, nats_timeout, queued = wire.msec, wire.nats_timeout, wire.queued
local park, pass, step = role.park, role.pass, reader.step

-- Where the socket has its read timeout.
local READ_TIMEOUT = 5

local BUSY = role.BUSY


-- Reads, or waits while somebody else does; but only one at a time waits for
-- messages.
local function read_or_park(self, left)
    local waiting = self.waiting
    if waiting.own and queued(waiting.own) > 0 then
        return nil, BUSY
    end
    if not self.granted then
        local target, msg = step(self, left, true)
        if target or msg ~= BUSY or self.wait_reads then
            return target, msg
        end
    end
    return park(self, waiting, left)
end


-- The next message: whose it is, and the message; true for nothing yet;
-- nil, err.
local function next_message(self, left)
    local at = self.next_expiry
    if not at then
        return read_or_park(self, left)
    end
    local rest = at - msec()
    if rest <= 0 then
        requests.expire(self)
        return true
    elseif rest >= left then
        return read_or_park(self, left)
    end
    local target, msg = read_or_park(self, rest)
    if not target and msg == "timeout" then
        return true
    end
    return target, msg
end


-- Calls back for `count` messages, each of which may take the read timeout, or
-- all of them `timeout`; without a count until something fails.
return function(self, count, timeout)
    local n = 0
    local expires = timeout and msec() + timeout
    local limit = timeout or nats_timeout(self.sock, READ_TIMEOUT)
    local left = limit
    while true do
        local target, msg = queue.pop(self.queue)
        if target == nil then
            if self.closed then
                return nil, self.closed
            elseif self.expired > 0 then
                self.expired = self.expired - 1
                return nil, "timeout"
            end
            target, msg = next_message(self, left)
        end
        if target == true then
            expires = expires or msec() + limit
            left = expires - msec()
        elseif target then
            n = n + 1
            pass(self)
            target.callback(msg)
            if n == count then
                return true
            end
            left = limit
            if timeout then
                left = expires - msec()
            else
                expires = nil
            end
        else
            pass(self)
            return nil, msg
        end
        if left <= 0 then
            pass(self)
            return nil, "timeout"
        end
    end
end
