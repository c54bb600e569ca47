-- Operations that wait for a time, a semaphore, a channel, or the first of
-- several.

local clock = require "clock"
local handler = require "handler"
local ledger = require "ledger"

local add, fail = handler.add_operation, ledger.fail


-- One of the handler's own, or of all; only the own may be waited for without
-- an end.
local function pick(scope, kind)
    local thread = scope.thread
    if thread.random:once_in(2) then
        return thread.random:one_of(thread.host[kind])
    end
    return thread.random:one_of(ledger.shared[kind])
end

local function pick_timeout(scope, object)
    local random = scope.thread.random
    local n = random:number(4)
    if n == 1 then
        return 0
    elseif n == 2 and not object.shared then
        return 3600
    end
    return random:seconds(60)
end


-- What a call may give that waits for this object.
local function check_wait(scope, what, began, n, err, timeout)
    if n ~= 2 or err ~= "timeout" and err ~= "deadline" then
        fail(scope.thread, what, ": ", n, " values: nil, ", err)
    end
    scope:after(began, what, err, timeout)
    return err
end


add(12, "sleep", function(scope)
    local thread = scope.thread
    local seconds = thread.random:seconds(60)
    local over = scope:is_over()
    local began = clock()
    local function check(...)
        local n, ok, err = select("#", ...), ...
        if n == 0 then
            if over then
                fail(thread, "slept after the deadline")
            end
            scope:after(began, "sleep", "timeout", seconds)
            return "slept"
        end
        if n ~= 2 or ok ~= nil or err ~= "deadline" then
            fail(thread, "sleep() gave ", ok, ", ", err)
        end
        scope:after(began, "sleep", err)
        return err
    end
    return check(ngx.sleep(seconds))
end)


add(8, "semaphore wait", function(scope)
    local thread = scope.thread
    local s = pick(scope, "semaphores")
    local timeout = pick_timeout(scope, s)
    local ready, over = s.semaphore:count() > 0, scope:is_over()
    local may_be_over = scope:may_be_over()
    local began = clock()
    local function check(...)
        local n, ok, err = select("#", ...), ...
        if ok then
            s.taken = s.taken + 1
            if n ~= 1 or ok ~= true then
                fail(thread, "semaphore wait gave ", n, " values")
            elseif over and not ready then
                fail(thread, "semaphore waited after the deadline")
            end
            return "true"
        end
        local late = may_be_over and err == "deadline"
        if ready or s.semaphore:count() > 0 and not late then
            fail(thread, "semaphore wait gave ", err, " for a free resource")
        end
        return check_wait(scope, "semaphore", began, n, err, timeout)
    end
    return check(s.semaphore:wait(timeout))
end)


add(8, "semaphore post", function(scope)
    local s = pick(scope, "semaphores")
    if s.semaphore:count() > 3 then
        return "enough"
    end
    local n = scope.thread.random:number(3)
    s.posted = s.posted + n
    if s.semaphore:post(n) ~= true then
        fail(scope.thread, "post() gave no true")
    end
    return "true"
end)


local function check_sent(scope, value, was_closed, may_be_over, began,
                          timeout, ...)
    local thread, channel = scope.thread, value.channel
    local n, ok, err = select("#", ...), ...
    if ok then
        ledger.put(thread, value)
        if n ~= 1 or ok ~= true then
            fail(thread, "send() gave ", n, " values")
        elseif channel.closed then
            fail(thread, "sent to a closed channel")
        end
        return "true"
    end
    if err == "closed" then
        if n ~= 2 or not channel.closed then
            fail(thread, "send() to an open channel gave closed")
        end
        return err
    end
    local late = may_be_over and err == "deadline"
    if channel.closed and (was_closed or not late) then
        fail(thread, "send() to a closed channel gave ", err,
            was_closed and ", at once" or ", later")
    end
    return check_wait(scope, "send", began, n, err, timeout)
end

local function check_received(scope, channel, was_closed, may_be_over, began,
                              timeout, ...)
    local thread = scope.thread
    local n, value, err = select("#", ...), ...
    if value ~= nil then
        ledger.got(thread, channel, value)
        if n ~= 1 then
            fail(thread, "receive() gave ", n, " values")
        end
        return "value"
    end
    if err == "closed" then
        if n ~= 2 or not channel.closed then
            fail(thread, "receive() from an open channel gave closed")
        end
        return err
    end
    local late = may_be_over and err == "deadline"
    if channel.closed and (was_closed or not late) then
        fail(thread, "receive() from a closed channel gave ", err,
            was_closed and ", at once" or ", later")
    end
    return check_wait(scope, "channel receive", began, n, err, timeout)
end


add(8, "channel send", function(scope)
    local channel = pick(scope, "channels")
    local timeout = pick_timeout(scope, channel)
    if timeout == 3600 then
        timeout = nil
    end
    local value = ledger.new_value(channel)
    return check_sent(scope, value, channel.closed, scope:may_be_over(),
        clock(), timeout, channel.channel:send(value, timeout))
end)


add(8, "channel receive", function(scope)
    local channel = pick(scope, "channels")
    local timeout = pick_timeout(scope, channel)
    if timeout == 3600 then
        timeout = nil
    end
    return check_received(scope, channel, channel.closed, scope:may_be_over(),
        clock(), timeout, channel.channel:receive(timeout))
end)


add(4, "channel try_send", function(scope)
    local thread = scope.thread
    local channel = pick(scope, "channels")
    local value = ledger.new_value(channel)
    local function check(...)
        local n, ok, err = select("#", ...), ...
        if ok then
            ledger.put(thread, value)
        end
        if n ~= (ok and 1 or 2) or ok and channel.closed
            or not ok and err ~= (channel.closed and "closed" or "full")
        then
            fail(thread, "try_send() gave ", n, " values: ", ok, ", ", err)
        end
        return err or "true"
    end
    return check(channel.channel:try_send(value))
end)


add(4, "channel try_receive", function(scope)
    local thread = scope.thread
    local channel = pick(scope, "channels")
    local function check(...)
        local n, value, err = select("#", ...), ...
        if value ~= nil then
            ledger.got(thread, channel, value)
        end
        if n ~= (value ~= nil and 1 or 2)
            or value == nil and err ~= (channel.closed and "closed" or "empty")
        then
            fail(thread, "try_receive() gave ", n, " values: ", value, ", ",
                err)
        end
        return err or "value"
    end
    return check(channel.channel:try_receive())
end)


add(2, "channel close", function(scope)
    local thread = scope.thread
    local channel = pick(scope, "channels")
    if not thread.random:once_in(channel.shared and 10 or 3) then
        return "not now"
    end
    -- Somebody else may have replaced it, but not closed it for good.
    channel.closed = true
    if channel.channel:close() ~= true or channel.channel:close() ~= true then
        fail(thread, "close() gave no true")
    end
    if channel.shared then
        ledger.replace(thread, channel)
    end
    return "true"
end)


-- Items for select(): what is waited for, whether it is ready for sure, the
-- check of what comes after the item's number, and what it is.
local items = {}

function items.thread(scope)
    local child = scope.thread.random:one_of(scope.thread.children)
    if not child then
        return items.semaphore(scope)
    end
    local status = child:status()
    return child.co, status == "zombie", function(_, ...)
        local n, ok, err = select("#", ...), ...
        if status ~= "dead" then
            handler.check_results(scope.thread, child, n, ...)
            return "thread"
        end
        if n ~= 2 or ok ~= nil or err ~= "already waited or killed" then
            fail(scope.thread, "select() of the dead gave ", ok, ", ", err)
        end
        return "dead thread"
    end, status
end

function items.semaphore(scope)
    local s = pick(scope, "semaphores")
    local ready = s.semaphore:count() > 0
    return s.semaphore, ready, function(_, ...)
        if select("#", ...) ~= 1 or (...) ~= true then
            fail(scope.thread, "select() of a semaphore gave ", ...)
        end
        s.taken = s.taken + 1
        return "semaphore"
    end, s.shared and "shared"
end

function items.channel(scope)
    local channel = pick(scope, "channels")
    local was_closed, may_be_over = channel.closed, scope:may_be_over()
    return channel.channel, was_closed, function(began, ...)
        return "receive: " .. check_received(scope, channel, was_closed,
            may_be_over, began, nil, ...)
    end, channel.shared and "shared"
end

function items.send(scope)
    local channel = pick(scope, "channels")
    local was_closed, may_be_over = channel.closed, scope:may_be_over()
    local value = ledger.new_value(channel)
    return { channel.channel, value }, was_closed, function(began, ...)
        return "send: " .. check_sent(scope, value, was_closed, may_be_over,
            began, nil, ...)
    end, channel.shared and "shared"
end


add(10, "select", function(scope)
    local thread = scope.thread
    local random = thread.random
    local list, checks = {}, {}
    local first_ready, any_shared, all_dead = nil, false, true
    for i = 1, random:number(5) do
        local kind = random:one_of{ "thread", "semaphore", "channel", "send" }
        local ready, what
        list[i], ready, checks[i], what = items[kind](scope)
        first_ready = first_ready or ready and i
        any_shared = any_shared or what == "shared"
        all_dead = all_dead and what == "dead"
    end
    if all_dead then
        first_ready = 1
    end
    local n = random:number(4)
    if n == 1 then
        list.timeout = 0
    elseif n > 2 or any_shared then
        list.timeout = random:seconds(60)
    end
    local timeout = list.timeout

    local began = clock()
    local function check(i, ...)
        if not i then
            if first_ready then
                fail(thread, "select() gave ", (...), " with a ready item")
            end
            return check_wait(scope, "select", began, select("#", ...) + 1,
                (...), timeout)
        end
        if not checks[i] or first_ready and i > first_ready then
            fail(thread, "select() gave item ", i, ", ready is ", first_ready)
        end
        local result = checks[i](began, ...)
        if result == "dead thread" and not all_dead then
            fail(thread, "select() gave a dead thread among others")
        end
        return result
    end
    return check(ngx.select(list))
end)
