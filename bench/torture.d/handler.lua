-- Handlers (a connection, a timer's callback) and their trees of threads, and
-- the scope that a piece of code runs in: its thread and its deadline. What the
-- pieces do is in the operations.

local Random = require "random"
local clock = require "clock"
local ledger = require "ledger"

local min = math.min

local _M = {}

-- Handlers, threads and coroutines: what is in here after a collection is
-- alive.
local alive

-- Times are cut off, or rounded up, to milliseconds.
local CLOCK_SLACK = 0.003

-- A handler has no more threads than this, and no more operations.
local MAX_THREADS = 50
local MAX_OPERATIONS = 400

-- Name, weight and function of everything a thread can do.
local operations = {}
local total_weight = 0

local threads_ended = 0


-- How many there are, and what some of them are.
function _M.count_alive()
    local n, texts = 0, {}
    for object in pairs(alive) do
        n = n + 1
        if n <= 10 then
            texts[n] = type(object) == "thread"
                and "a coroutine, " .. coroutine.status(object)
                or object.host and object.host.name .. ", thread "
                    .. object.path .. ", " .. object:status()
                or object.name .. " with " .. object.live .. " threads"
        end
    end
    return n, texts
end


function _M.watch(object)
    alive[object] = true
end

-- Begins anew: a table that was full once stays large.
function _M.renew()
    alive = setmetatable({}, { __mode = "k" })
    _M.alive = alive
end

_M.renew()


-- `f(scope)` does it, and returns what it came to in a word or two.
function _M.add_operation(weight, name, f)
    total_weight = total_weight + weight
    operations[#operations + 1] = { upto = total_weight, name = name, f = f }
end


local Scope = {}
Scope.__index = Scope

local function new_scope(thread, base)
    return setmetatable({ thread = thread, base = base }, Scope)
end

_M.new_scope = new_scope


-- When all waits end: by a deadline of the scope's own, and by the one in force
-- where its coroutine was resumed.
function Scope:deadline()
    local own, base = self.own, self.base
    return own and base and min(own, base) or own or base
end


-- To be called after a call that waited, or might have. `began` was clock()
-- before it, `err` is what it gave, `timeout` is its own, nil if it has none.
function Scope:after(began, what, err, timeout)
    local deadline = self:deadline()
    if err == "deadline" then
        if not deadline or clock() < deadline - CLOCK_SLACK then
            ledger.fail(self.thread, what, ": deadline before its time")
        end
    elseif err == "timeout" then
        if not timeout or clock() - began < timeout - CLOCK_SLACK then
            ledger.fail(self.thread, what, ": timeout before its time")
        elseif timeout > 0 and deadline
            and began + timeout > deadline + CLOCK_SLACK
        then
            ledger.fail(self.thread, what, ": timeout after the deadline")
        end
    end
end


-- Whether every wait that begins now gives "deadline".
function Scope:is_over()
    local deadline = self:deadline()
    return deadline and clock() > deadline + CLOCK_SLACK
end

-- Whether it may. That is decided when the call begins; what it would have
-- waited for may come before it returns.
function Scope:may_be_over()
    local deadline = self:deadline()
    return deadline and clock() >= deadline - CLOCK_SLACK
end


-- An operation by chance.
function Scope:step()
    local thread = self.thread
    local host = thread.host
    local context = ngx.ctx
    if context.host ~= host then
        ledger.fail(thread, "ngx.ctx is somebody else's")
    end
    if ngx.get_phase() ~= host.phase then
        ledger.fail(thread, "the phase is ", ngx.get_phase())
    end
    host.operations = host.operations + 1
    local n = thread.random:number(total_weight)
    for i = 1, #operations do
        local operation = operations[i]
        if n <= operation.upto then
            ledger.count(operation.name, operation.f(self))
            return
        end
    end
end


-- Up to n operations; fewer when the handler has had its time.
function Scope:steps(n)
    local host = self.thread.host
    for _ = 1, n do
        if host.released or host.operations >= MAX_OPERATIONS then
            return
        end
        self:step()
    end
end


local Thread = {}
Thread.__index = Thread

-- `body(scope)` is what it does.
local function new_thread(host, parent, body)
    local random = parent and parent.random:fork() or host.random
    local thread = setmetatable({
        host = host, parent = parent, random = random, body = body,
        depth = parent and parent.depth + 1 or 0, children = {}, printed = 0,
    }, Thread)
    if parent then
        thread.path = parent.path .. "." .. host.made
    else
        thread.path = tostring(host.made)
    end
    host.made = host.made + 1
    host.live = host.live + 1
    alive[thread] = true
    return thread
end


-- What coroutine.status() must say of it, when another one asks.
function Thread:status()
    if self.killed or self.waited then
        return "dead"
    end
    return self.ended and "zombie" or "suspended"
end


-- Raises an error that somebody expects.
function Thread:raise(err)
    self.raised = { err }
    error(err, 0)
end


-- Whether this is the error that raise() raised. Each coroutine.wrap() on its
-- way puts a position in front of a string.
function Thread:is_raised(err)
    local raised = self.raised
    if not raised then
        return false
    end
    local own = raised[1]
    return rawequal(err, own)
        or type(err) == "string" and type(own) == "string"
        and err:sub(-#own) == own
end


-- pcall() that lets errors pass which nobody expects.
function Thread:pcall(f, ...)
    local function check(ok, err, ...)
        if not ok then
            if not self:is_raised(err) then
                error(err, 0)
            end
            self.raised = nil
        end
        return ok, err, ...
    end
    return check(pcall(f, ...))
end


-- Its handler has one less.
function Thread:gone()
    local host = self.host
    host.live = host.live - 1
    if host.reader == self then
        host.reader = nil
    end
    if host.live == 0 and not host.over then
        host:finish()
    end
end


local function run_thread(self, scope, hole, mark, ...)
    local n = select("#", ...)
    if hole ~= nil or mark ~= self.children or n ~= 1 or (...) ~= nil then
        ledger.fail(self, "arguments of a thread are lost")
    end
    self.co = coroutine.running()
    alive[self.co] = true
    local ok, err = xpcall(self.body, function(err)
        if not self:is_raised(err) then
            ledger.fail(self, "error: ", err)
        end
        return err
    end, scope)
    threads_ended = threads_ended + 1
    self.ended, self.end_number = true, threads_ended
    self:gone()
    if not ok then
        self.failed, self.err = true, err
        error(err, 0)
    end
    return self.path, nil, self, nil
end


-- Starts a thread that does `body(scope)`.
function Scope:spawn(body)
    local parent = self.thread
    local child = new_thread(parent.host, parent, body)
    -- A deadline goes on for what is spawned below it.
    local scope = new_scope(child, self:deadline())
    local co = ngx.thread.spawn(run_thread, child, scope, nil, child.children,
        nil)
    if type(co) ~= "thread" or co ~= (child.co or co) then
        ledger.fail(parent, "spawn() gave ", co, ", not ", child.co)
    end
    child.co = co
    parent.children[#parent.children + 1] = child
    local status = coroutine.status(co)
    if status ~= child:status() then
        ledger.fail(parent, "a thread just spawned is ", status, ", not ",
            child:status())
    end
    return child
end


-- Whether this is what waiting for the child gives.
local function check_results(thread, child, n, ok, a, b, c, d)
    if child.failed then
        if n ~= 2 or ok ~= false or not rawequal(a, child.err) then
            ledger.fail(thread, "waiting for a failed thread gave ", n,
                " values: ", ok, ", ", a)
        end
    elseif n ~= 5 or ok ~= true or a ~= child.path or b ~= nil
        or c ~= child or d ~= nil
    then
        ledger.fail(thread, "waiting for thread ", child.path, " gave ", n,
            " values: ", ok, ", ", a, ", ", b, ", ", c)
    end
    child.waited = true
end


local function first_of(children, is)
    for i = 1, #children do
        if is(children[i]) then
            return children[i], i
        end
    end
end

local function is_alive(child)
    return not child.ended and not child.killed
end

local function is_zombie(child)
    return child:status() == "zombie"
end


-- Of those that were alive, the one that ended first.
local function first_to_end(children, were_alive)
    local first
    for i, child in ipairs(children) do
        if were_alive[i] and child.ended
            and not (first and first.end_number <= child.end_number)
        then
            first = child
        end
    end
    return first
end

_M.first_of, _M.first_to_end = first_of, first_to_end
_M.is_alive, _M.is_zombie = is_alive, is_zombie
_M.check_results = check_results


-- Waits for one of some children, whatever has become of them.
function Scope:wait(children)
    local thread = self.thread
    local zombie, alive_one = first_of(children, is_zombie),
        first_of(children, is_alive)
    local over, may_be_over = self:is_over(), self:may_be_over()
    local cos, were_alive = {}, {}
    for i, child in ipairs(children) do
        cos[i], were_alive[i] = child.co, is_alive(child)
    end

    local began = clock()
    local function check(...)
        local n, ok, err = select("#", ...), ...
        local ended = first_to_end(children, were_alive)
        if zombie then
            check_results(thread, zombie, n, ...)
            return "zombie"
        elseif not alive_one then
            if n ~= 2 or ok ~= nil or err ~= "already waited or killed" then
                ledger.fail(thread, "waiting for the dead gave ", ok, ", ", err)
            end
            return "dead"
        elseif over and err ~= "deadline" then
            ledger.fail(thread, "wait() below an old deadline gave ", ok)
        elseif not ended or may_be_over and err == "deadline" then
            if n ~= 2 or ok ~= nil or err ~= "deadline" then
                ledger.fail(thread, "waiting for the living gave ", ok, ", ",
                    err)
            end
            self:after(began, "wait", err)
            return "deadline"
        end
        check_results(thread, ended, n, ...)
        return ended.failed and "failed" or "true"
    end
    return check(ngx.thread.wait(unpack(cos)))
end


local Host = {}
Host.__index = Host

-- `words` are what its program follows from.
function _M.new_host(name, phase, ...)
    local random = Random.new(...)
    local host = setmetatable({
        name = name, phase = phase, random = random, operations = 0,
        made = 0, live = 0, generation = 0,
        -- Coroutines that anybody may resume.
        unfinished = {},
        semaphores = { ledger.new_semaphore(0), ledger.new_semaphore(2) },
        channels = {
            ledger.new_channel(1), ledger.new_channel(random:number(4)),
        },
    }, Host)
    alive[host] = true
    return host
end


function Host:may_spawn()
    return self.made < MAX_THREADS and not self.released
end


-- From now on nobody waits for something of the handler's own for ever.
function Host:release()
    self.released = true
    for _, channel in ipairs(self.channels) do
        channel.closed = true
        channel.channel:close()
    end
    for _, s in ipairs(self.semaphores) do
        s.posted = s.posted + 10000
        s.semaphore:post(10000)
    end
end


-- All its threads have ended.
function Host:finish()
    for _, s in ipairs(self.semaphores) do
        ledger.check_semaphore(self, s)
    end
    for _, channel in ipairs(self.channels) do
        ledger.check_channel(self, channel)
    end
end


-- Ends all at once.
function Host:exit(thread)
    self.over = true
    ngx.exit()
    ledger.fail(thread, "ngx.exit() has returned")
end


-- Runs the whole program, in the entry thread.
function Host:run()
    local thread = new_thread(self, nil)
    local scope = new_scope(thread)
    thread.entry = true
    alive[coroutine.running()] = true
    if next(ngx.ctx) ~= nil then
        ledger.fail(thread, "ngx.ctx is not empty at the start")
    end
    ngx.ctx.host = self

    local random = thread.random
    local seconds = random:number(12) * random:number(100) / 1000
    self.keeper = scope:spawn(function()
        ngx.sleep(seconds)
        self:release()
    end)

    local ending = random:number(20)
    scope:steps(random:number(16))
    if ending == 1 then
        self:exit(thread)
    elseif ending == 2 then
        self.over = true
        error(random:once_in(2) and {} or "torture: on purpose", 0)
    elseif ending > 12 then
        for _, child in ipairs(thread.children) do
            scope:wait{ child }
        end
    end
    thread.ended = true
    thread:gone()
end


_M.CLOCK_SLACK = CLOCK_SLACK
return _M
