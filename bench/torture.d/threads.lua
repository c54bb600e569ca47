-- Operations on threads, coroutines and timers, and errors.

local clock = require "clock"
local handler = require "handler"
local ledger = require "ledger"

local add, fail = handler.add_operation, ledger.fail

-- Timers of timers, and so on.
local MAX_GENERATION = 1
local MAX_DEPTH = 5
local NESTED = 200

-- How many have been made and not called back.
local pending = 0

local errors = { "torture: on purpose", {}, 424242, false }


local function work(scope)
    scope:steps(scope.thread.random:number(12))
end

local function may_spawn(scope)
    local thread = scope.thread
    return thread.depth < MAX_DEPTH and thread.host:may_spawn()
end


-- Makes one if there is none and may be one.
local function some_child(scope)
    local children = scope.thread.children
    -- The first of an entry thread releases what others wait for.
    local first = scope.thread.entry and 2 or 1
    if #children < first and may_spawn(scope) then
        scope:spawn(work)
    end
    if #children >= first then
        return children[scope.thread.random:number(#children - first + 1)
            + first - 1]
    end
end


add(14, "spawn", function(scope)
    if not may_spawn(scope) then
        return "enough"
    end
    local child = scope:spawn(work)
    return child.ended and "ended at once" or "waits"
end)


add(1, "spawn, of many", function(scope)
    local thread = scope.thread
    if not thread.host:may_spawn() or not thread.random:once_in(4) then
        return "enough"
    end
    -- So many that those that nobody holds are looked for.
    local children = {}
    for i = 1, 70 do
        children[i] = scope:spawn(i % 5 == 0 and function(own)
            coroutine.yield()
            own.thread.tired = true
        end or function() end)
    end
    for i, child in ipairs(children) do
        if i % 3 ~= 0 then
            scope:wait{ child }
        end
    end
    thread.children = {}
    return "70"
end)


add(8, "wait", function(scope)
    local list = {}
    for i = 1, scope.thread.random:number(4) do
        list[i] = some_child(scope)
    end
    if #list == 0 then
        return "nobody"
    end
    return scope:wait(list)
end)


add(8, "kill", function(scope)
    local thread = scope.thread
    local child = some_child(scope)
    if not child then
        return "nobody"
    end
    local status = child:status()
    local ok, err = ngx.thread.kill(child.co)
    local expected
    if status == "zombie" then
        expected = "already terminated"
    elseif status == "dead" then
        expected = "already waited or killed"
    end
    if err ~= expected or ok ~= (not expected and 1 or nil) then
        fail(thread, "killing one that is ", status, " gave ", ok, ", ", err)
    end
    child.killed = true
    if status == "suspended" then
        child:gone()
    end
    if coroutine.status(child.co) ~= "dead" then
        fail(thread, "a killed thread is ", coroutine.status(child.co))
    end
    return err or "1"
end)


add(3, "status, resume", function(scope)
    local thread = scope.thread
    local child = some_child(scope)
    if not child then
        return "nobody"
    end
    local status = coroutine.status(child.co)
    if status ~= child:status() then
        fail(thread, "a thread is ", status, ", not ", child:status())
    end
    local ok, err = coroutine.resume(child.co)
    local expected = status == "dead" and "cannot resume dead coroutine"
        or "cannot resume running coroutine"
    if ok ~= false or err ~= expected then
        fail(thread, "resuming one that is ", status, " gave ", ok, ", ", err)
    end
    return status
end)


add(1, "wait, kill: not a child", function(scope)
    local thread = scope.thread
    local own = coroutine.running()
    local ok, err = pcall(ngx.thread.wait, own)
    if ok or type(err) ~= "string" or not (
        err == "only the parent coroutine can wait on the thread"
        or err == "attempt to wait on a coroutine that is not a user thread")
    then
        fail(thread, "waiting for oneself gave ", ok, ", ", err)
    end
    local killed, why = ngx.thread.kill(own)
    if killed ~= nil
        or why ~= "killer not parent" and why ~= "not user thread"
    then
        fail(thread, "killing oneself gave ", killed, ", ", why)
    end
    return why
end)


add(6, "yield", function(scope)
    if scope.inside then
        return "in a coroutine"
    end
    local n = select("#", coroutine.yield())
    if n ~= 0 then
        fail(scope.thread, "yield() has returned ", n, " values")
    end
    return "turn"
end)


-- Calls ngx.deadline(), with the scope's deadline as it is then. Errors pass.
local function below(scope, seconds, f, ...)
    local outer, deadline = scope.own, clock() + math.max(seconds, 0)
    scope.own = math.min(deadline, outer or deadline)
    local function check(ok, ...)
        scope.own = outer
        if not ok then
            error((...), 0)
        end
        return ...
    end
    return check(pcall(ngx.deadline, seconds, f, ...))
end

local function some_seconds(random)
    return random:one_of{
        -1, 0, random:seconds(20), random:seconds(20), random:seconds(100), 30,
    }
end


-- Takes a value and gives one at each turn, with some work between, some of it
-- below a deadline that is in force again at the next turn.
local function generator(scope, marks)
    local function turn(i, mark)
        if mark ~= marks[i] then
            fail(scope.thread, "a value for a coroutine is lost")
        end
        scope:steps(scope.thread.random:number(3))
        mark = coroutine.yield(i, nil, marks[i])
        scope:steps(scope.thread.random:number(2) - 1)
        return mark
    end
    return function(mark)
        for i = 1, #marks do
            local random = scope.thread.random
            if random:once_in(3) then
                mark = below(scope, some_seconds(random), turn, i, mark)
            else
                mark = turn(i, mark)
            end
        end
        return "end"
    end
end

local function new_generator(scope)
    local own, marks = handler.new_scope(scope.thread), {}
    own.inside = true
    for i = 1, scope.thread.random:number(4) do
        marks[i] = {}
    end
    local co = coroutine.create(generator(own, marks))
    handler.watch(co)
    return { co = co, scope = own, marks = marks, turn = 0 }
end

-- Whether it goes on.
local function check_turn(scope, it, ok, a, b, c)
    local thread = scope.thread
    if not ok then
        if thread:is_raised(a) then
            error(a, 0)
        end
        fail(thread, "a coroutine failed: ", a)
    elseif it.turn > #it.marks then
        if a ~= "end" or coroutine.status(it.co) ~= "dead" then
            fail(thread, "a coroutine ended with ", a)
        end
    else
        if a ~= it.turn or b ~= nil or c ~= it.marks[it.turn] then
            fail(thread, "a value of a coroutine is lost")
        end
        return true
    end
    return false
end

-- A new one, or one that another thread or coroutine has left; for some turns.
add(6, "coroutine", function(scope)
    local thread = scope.thread
    local unfinished = thread.host.unfinished
    local it
    if #unfinished > 0 and thread.random:once_in(2) then
        it = table.remove(unfinished, thread.random:number(#unfinished))
    else
        it = new_generator(scope)
    end
    for _ = 1, thread.random:number(5) do
        it.turn = it.turn + 1
        it.scope.thread, it.scope.base = thread, scope:deadline()
        local mark = it.marks[it.turn]
        if not check_turn(scope, it, coroutine.resume(it.co, mark)) then
            return "end"
        end
    end
    if thread.random:once_in(3) then
        -- For the collector.
        return "dropped"
    end
    unfinished[#unfinished + 1] = it
    return "left"
end)


local function nest(n, scope)
    if n == 0 then
        return scope:step() or "inside"
    end
    local co = coroutine.wrap(function(...)
        local ok, result = pcall(nest, ...)
        if not ok then
            error(result, 0)
        end
        return result
    end)
    return co(n - 1, scope)
end

add(1, "coroutines, nested", function(scope)
    if scope.inside or not scope.thread.random:once_in(8) then
        return "enough"
    end
    local own = handler.new_scope(scope.thread, scope:deadline())
    own.inside = true
    return nest(NESTED, own)
end)


local function spawn_nested(n)
    return function(scope)
        if n > 0 then
            local child = scope:spawn(spawn_nested(n - 1))
            if n % 2 == 0 then
                scope:wait{ child }
            end
        else
            coroutine.yield()
        end
    end
end

add(1, "spawn, nested", function(scope)
    local thread = scope.thread
    if scope.inside or thread.depth > 1 or not thread.random:once_in(60) then
        return "enough"
    end
    scope:wait{ scope:spawn(spawn_nested(NESTED)) }
    return "true"
end)


add(3, "pcall", function(scope)
    local thread = scope.thread
    local err = thread.random:one_of(errors)
    local ok = thread:pcall(function()
        scope:steps(thread.random:number(2))
        thread:raise(err)
    end)
    if ok then
        fail(thread, "pcall() caught nothing")
    end
    return type(err)
end)


add(1, "error", function(scope)
    local thread = scope.thread
    if thread.entry or thread.random:once_in(2) then
        return "not now"
    end
    ledger.count("error", "uncaught, or caught further out")
    thread:raise(thread.random:one_of(errors))
end)


add(1, "exit", function(scope)
    local thread = scope.thread
    if not thread.random:once_in(40) then
        return "not now"
    end
    ledger.count("exit", "exit")
    thread.host:exit(thread)
end)


add(6, "deadline", function(scope)
    local thread = scope.thread
    local random = thread.random
    local seconds = some_seconds(random)
    local mark = {}

    local function check(...)
        local a, b, c, d = ...
        if select("#", ...) ~= 4 or a ~= mark or b ~= nil or c ~= 1 or d ~= nil
        then
            fail(thread, "results of deadline() are lost")
        end
        return seconds <= 0 and "at once" or "later"
    end
    return check(below(scope, seconds, function(a, b)
        if a ~= mark or b ~= nil then
            fail(thread, "arguments of deadline() are lost")
        end
        scope:steps(random:number(4))
        return mark, nil, 1, nil
    end, mark, nil))
end)


local function on_timer(premature, made, hole, host, delay, name)
    pending = pending - 1
    local child = handler.new_host(name, "timer", made)
    child.generation = host.generation + 1
    if hole ~= nil or type(name) ~= "string" then
        fail(child, "arguments of a timer are lost")
    end
    if premature then
        return
    end
    if clock() - host.began < delay - handler.CLOCK_SLACK then
        fail(child, "called before its time")
    end
    if not pcall(ngx.print, "x") then
        return child:run()
    end
    fail(child, "ngx.print() works in a timer")
end

add(2, "timer", function(scope)
    local thread = scope.thread
    local random = thread.random
    local host = thread.host
    if host.generation >= MAX_GENERATION then
        return "enough"
    end
    local n = ngx.timer.pending_count()
    if n ~= pending then
        fail(thread, n, " timers are pending, not ", pending)
    end
    local delay = random:one_of{ 0, 0.001, random:seconds(50) }
    local name = host.name .. ", timer " .. thread.path
    pending = pending + 1
    local began = { began = clock(), generation = host.generation }
    local ok, err = ngx.timer.at(delay, on_timer, random:number(2 ^ 30), nil,
        began, delay, name)
    if ok ~= 1 then
        pending = pending - 1
        if ok ~= nil or err ~= "process exiting" or not ngx.worker.exiting()
        then
            fail(thread, "timer.at() gave ", ok, ", ", err)
        end
    end
    return err or "1"
end)


add(1, "collectgarbage", function(scope)
    if scope.thread.random:once_in(30) then
        collectgarbage()
        return "all"
    end
    collectgarbage("step", 100)
    return "step"
end)
