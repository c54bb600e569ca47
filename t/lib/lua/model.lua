-- What the scheduler does, in plain Lua: threads are coroutines, those that can
-- go on are in a list.  Nothing here takes time: a wait has no end of its own
-- (or does not wait at all), and a deadline is over at once or never.  Has the
-- functions that programs.lua has for the real one: a program can run on both.
--
--     local api = model.new()
--     api.run(main)        -- until nothing can go on any more


local co_create, co_resume = coroutine.create, coroutine.resume
local co_status, co_yield = coroutine.status, coroutine.yield
local insert, remove = table.insert, table.remove

-- What a coroutine yields when its whole thread waits.
local WAIT = {}

local DEAD = "already waited or killed"


local function stop_waiting(thread)
    for _, queue in ipairs(thread.queues) do
        for i = #queue, 1, -1 do
            if queue[i].thread == thread then remove(queue, i) end
        end
    end
    for _, other in ipairs(thread.awaited) do other.on_end = nil end
    thread.queues, thread.awaited = {}, {}
end


local _M = {}


function _M.new()
    -- Threads to be run soon, and those that have given their turn away.
    local soon, later = {}, {}
    local current, over
    -- `turns`: how often those that gave their turn away have had it again.
    local api = { turns = 0 }


    -- Deadlines: of a coroutine's own, and where it was resumed.

    local function is_over()
        local level = current.level
        return level.own or level.base
    end


    -- Waiting.

    -- The thread goes on later with what `f` returns; `undo` is called instead
    -- if it never does.
    local function make_ready(thread, f, undo)
        stop_waiting(thread)
        thread.ready, thread.undo = f, undo
        insert(soon, thread)
    end

    -- Suspends the running thread until somebody makes it ready.
    local function suspend()
        local thread = current
        co_yield(WAIT)
        local f = thread.ready
        thread.ready, thread.undo = nil, nil
        return f()
    end

    local function join(queue, on_grant, on_close)
        insert(queue, { thread = current, grant = on_grant, close = on_close })
        insert(current.queues, queue)
    end

    -- The first who waits in the queue gets a grant; false if nobody does.
    -- `undo` is what becomes of it if he does not live to see it.
    local function grant_first(queue, undo)
        local waiter = queue[1]
        if not waiter then return false end
        make_ready(waiter.thread, waiter.grant, function()
            if not grant_first(queue, undo) then undo() end
        end)
        return true
    end

    local function close_queue(queue)
        while queue[1] do
            local waiter = queue[1]
            make_ready(waiter.thread, waiter.close)
        end
    end


    -- Threads.

    local function bury(thread)
        thread.state = "dead"
        for _, child in ipairs(thread.children) do
            if child.state == "zombie" then child.state = "dead" end
        end
    end

    local function finish(thread, ...)
        local parent = thread.parent
        bury(thread)
        thread.results = { n = select("#", ...), ... }
        -- An entry thread that fails takes all others with it.
        over = over or not parent and not (...)
        if not parent or parent.state ~= "alive" then return end
        thread.state = "zombie"
        if thread.on_end then thread.on_end() end
    end

    local function results_of(thread)
        thread.state = "dead"
        return unpack(thread.results, 1, thread.results.n)
    end

    local function run(thread, ...)
        local before = current
        current = thread
        local function after(ok, ...)
            current = before
            if co_status(thread.co) ~= "dead" then return end
            finish(thread, ok, ...)
        end
        after(co_resume(thread.co, ...))
    end

    local function new_thread(parent, f)
        local level = { own = false, base = parent and is_over() or false }
        return {
            co = co_create(f), parent = parent, state = "alive", queues = {},
            awaited = {}, children = {}, level = level,
        }
    end

    local function is_alive(thread)
        return thread.state == "alive"
    end

    -- The first of some threads to end will make the running one ready, which
    -- then returns f(number, thread).
    local function await(threads, f)
        local waiter = current
        for i, thread in ipairs(threads) do
            if is_alive(thread) then
                insert(waiter.awaited, thread)
                thread.on_end = function()
                    make_ready(waiter, function() return f(i, thread) end)
                end
            end
        end
    end

    local function check_children(threads)
        for _, thread in ipairs(threads) do
            if thread.state ~= "dead" and thread.parent ~= current then
                error("only the parent coroutine can wait on the thread", 0)
            end
        end
    end

    -- It will never go on.
    local function drop(thread)
        bury(thread)
        stop_waiting(thread)
        local undo = thread.undo
        thread.ready, thread.undo = nil, nil
        if undo then undo() end
    end

    function api.spawn(f, ...)
        local parent = current
        local thread = new_thread(parent, f)
        insert(parent.children, thread)
        run(thread, ...)
        if over then co_yield(WAIT) end
        return thread
    end

    function api.wait(...)
        local threads = { ... }
        check_children(threads)
        local some_alive = false
        for _, thread in ipairs(threads) do
            if thread.state == "zombie" then return results_of(thread) end
            some_alive = some_alive or is_alive(thread)
        end
        if not some_alive then return nil, DEAD end
        if is_over() then return nil, "deadline" end
        await(threads, function(_, thread) return results_of(thread) end)
        return suspend()
    end

    function api.kill(thread)
        if thread.state == "dead" then return nil, DEAD end
        if thread.parent ~= current then return nil, "killer not parent" end
        if thread.state == "zombie" then
            thread.state = "dead"
            return nil, "already terminated"
        end
        drop(thread)
        return 1
    end

    function api.status(thread)
        if thread.state ~= "alive" then return thread.state end
        -- One that is spawning is not suspended for that.
        return (thread == current or co_status(thread.co) == "normal")
            and "running" or "suspended"
    end

    function api.yield()
        local thread = current
        thread.ready = function() end
        insert(later, thread)
        return suspend()
    end

    function api.exit()
        over = true
        co_yield(WAIT)
    end


    -- Coroutines.

    function api.create(f)
        return { co = co_create(f), level = { own = false } }
    end

    local function after_resume(it, outer, ok, ...)
        if ok and (...) == WAIT then
            current.level = outer
            co_yield(WAIT)
            current.level = it.level
            return after_resume(it, outer, co_resume(it.co))
        end
        current.level = outer
        return ok, ...
    end

    function api.resume(it, ...)
        local outer = current.level
        if co_status(it.co) == "suspended" then
            it.level.base = outer.own or outer.base
            current.level = it.level
        end
        return after_resume(it, outer, co_resume(it.co, ...))
    end

    function api.give(...)
        return co_yield(...)
    end

    function api.deadline(seconds, f)
        local level = current.level
        local outer = level.own
        level.own = outer or seconds <= 0
        local function after(ok, ...)
            level.own = outer
            if ok then return ... end
            return error((...), 0)
        end
        return after(pcall(f))
    end


    -- Semaphores.

    function api.semaphore(n)
        return { free = n, queue = {} }
    end

    local function give_back(s)
        return function() s.free = s.free + 1 end
    end

    function api.sem_wait(s, timeout)
        if s.free > 0 then
            s.free = s.free - 1
            return true
        end
        if timeout == 0 then return nil, "timeout" end
        if is_over() then return nil, "deadline" end
        join(s.queue, function() return true end)
        return suspend()
    end

    function api.sem_post(s, n)
        for _ = 1, n do
            if not grant_first(s.queue, give_back(s)) then
                s.free = s.free + 1
            end
        end
        return true
    end

    function api.sem_count(s)
        return s.free - #s.queue
    end


    -- Channels: what is in one, how much of that is for somebody who has been
    -- woken, and how many places are.

    function api.channel(size)
        return {
            size = size, values = {}, reserved = 0, places = 0, closed = false,
            receivers = {}, senders = {},
        }
    end

    local function put(c, value)
        insert(c.values, value)
        if c.receivers[1] then
            c.reserved = c.reserved + 1
            grant_first(c.receivers, function() c.reserved = c.reserved - 1 end)
        end
        return true
    end

    local function take(c)
        local value = remove(c.values, 1)
        if c.senders[1] then
            c.places = c.places + 1
            grant_first(c.senders, function() c.places = c.places - 1 end)
        end
        return value
    end

    local function closed()
        return nil, "closed"
    end

    -- What a woken sender, or receiver, does.
    local function put_in_place(c, value)
        return function()
            c.places = c.places - 1
            if c.closed then return closed() end
            return put(c, value)
        end
    end

    local function take_reserved(c)
        return function()
            c.reserved = c.reserved - 1
            return take(c)
        end
    end

    -- Whether it need not wait, and what comes of it.
    local function try_send(c, value)
        if c.closed then return true, closed() end
        if #c.values + c.places < c.size then return true, put(c, value) end
        return false
    end

    local function try_receive(c)
        if #c.values > c.reserved then return true, take(c) end
        if c.closed then return true, closed() end
        return false
    end

    local function or_wait(timeout, enqueue, ready, ...)
        if ready then return ... end
        if timeout == 0 then return nil, "timeout" end
        if is_over() then return nil, "deadline" end
        enqueue()
        return suspend()
    end

    function api.send(c, value, timeout)
        return or_wait(timeout, function()
            join(c.senders, put_in_place(c, value), closed)
        end, try_send(c, value))
    end

    function api.receive(c, timeout)
        return or_wait(timeout, function()
            join(c.receivers, take_reserved(c), closed)
        end, try_receive(c))
    end

    local function or_nothing(err, ready, ...)
        if ready then return ... end
        return nil, err
    end

    function api.try_send(c, value)
        return or_nothing("full", try_send(c, value))
    end

    function api.try_receive(c)
        return or_nothing("empty", try_receive(c))
    end

    function api.close(c)
        if not c.closed then
            c.closed = true
            close_queue(c.receivers)
            close_queue(c.senders)
        end
        return true
    end

    function api.count(c)
        return #c.values
    end


    -- Select: each item is { kind, object, value }.

    local function try_item(item)
        local kind, object = item[1], item[2]
        if kind == "thread" then
            if object.state == "zombie" then return true, results_of(object) end
            return false
        elseif kind == "semaphore" then
            if object.free > 0 then
                object.free = object.free - 1
                return true, true
            end
            return false
        elseif kind == "receive" then
            return try_receive(object)
        end
        return try_send(object, item[3])
    end

    local function numbered(i, f)
        return function() return i, f() end
    end

    local function enqueue(item, i)
        local kind, object = item[1], item[2]
        if kind == "semaphore" then
            join(object.queue, numbered(i, function() return true end))
        elseif kind == "receive" then
            join(object.receivers, numbered(i, take_reserved(object)),
                numbered(i, closed))
        elseif kind == "send" then
            join(object.senders, numbered(i, put_in_place(object, item[3])),
                numbered(i, closed))
        end
    end

    function api.select(items, timeout)
        local threads, numbers, first_dead, can_wait = {}, {}, nil, #items == 0
        for i, item in ipairs(items) do
            if item[1] == "thread" then
                insert(threads, item[2])
                numbers[#threads] = i
            end
        end
        check_children(threads)

        local i = 0
        local function go_on(ready, ...)
            if ready then return true, i, ... end
            i = i + 1
            local item = items[i]
            if not item then return false end
            if item[1] == "thread" and item[2].state == "dead" then
                first_dead = first_dead or i
            else
                can_wait = true
            end
            return go_on(try_item(item))
        end
        local function finally(ready, ...)
            if ready then return ... end
            if not can_wait then return first_dead, nil, DEAD end
            if timeout == 0 then return nil, "timeout" end
            if is_over() then return nil, "deadline" end
            for n, item in ipairs(items) do enqueue(item, n) end
            await(threads, function(n, thread)
                return numbers[n], results_of(thread)
            end)
            return suspend()
        end
        return finally(go_on(false))
    end


    -- Running.

    local function run_ready(thread)
        if is_alive(thread) and thread.ready then run(thread) end
    end

    local function run_soon()
        while soon[1] and not over do run_ready(remove(soon, 1)) end
    end

    local function drop_all(thread)
        if is_alive(thread) then drop(thread) end
        for _, child in ipairs(thread.children) do drop_all(child) end
    end

    -- Runs `main` and all that it spawns, until nothing can go on.  Returns
    -- what failed, if it is main that did.
    function api.run(main)
        local entry = new_thread(nil, main)
        run(entry)
        run_soon()
        while later[1] and not over do
            api.turns = api.turns + 1
            for _ = 1, #later do
                run_ready(remove(later, 1))
                run_soon()
                if over then break end
            end
        end
        drop_all(entry)
        local results = entry.results
        return results and not results[1] and results[2] or nil
    end

    return api
end


return _M
