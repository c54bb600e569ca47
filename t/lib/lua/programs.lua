-- Random programs for the scheduler, whose course does not depend on time: they
-- run on nginx and on model.lua, and must do the same in the same order.  For
-- blocks with
--     lua_package_path
--         "$TEST_ROOT/t/lib/lua/?.lua;$TEST_ROOT/bench/torture.d/?.lua;;";


local Random = require "random"
local model = require "model"
local semaphore = require "ngx.semaphore"


local _M = {}


-- A wait without an end of its own.
local LONG = 1000

-- A program does not more than this: what nginx does in one go, is less than
-- what it stops after to look for events.
local MAX_STEPS = 120


-- The functions of model.new(), of nginx.
local real = {
    spawn = ngx.thread.spawn, wait = ngx.thread.wait, kill = ngx.thread.kill,
    status = coroutine.status, yield = coroutine.yield, exit = ngx.exit,
    create = coroutine.create, resume = coroutine.resume,
    give = coroutine.yield, deadline = ngx.deadline,
    semaphore = semaphore.new, channel = ngx.channel.new,
}

function real.sem_wait(s, timeout) return s:wait(timeout or LONG) end
function real.sem_post(s, n) return s:post(n) end
function real.sem_count(s) return s:count() end
function real.send(c, value, timeout) return c:send(value, timeout) end
function real.receive(c, timeout) return c:receive(timeout) end
function real.try_send(c, value) return c:try_send(value) end
function real.try_receive(c) return c:try_receive() end
function real.close(c) return c:close() end
function real.count(c) return c:count() end

function real.select(items, timeout)
    local list = { timeout = timeout }
    for i, item in ipairs(items) do
        list[i] = item[1] == "send" and { item[2], item[3] } or item[2]
    end
    return ngx.select(list)
end


-- What an operation does.  `at` is where it runs: `env` of the program, the
-- `thread`, and whether that is `inside` of a coroutine.  What it returns is
-- what is compared.
local does = {}

local exec


local function some(list, n)
    return list[(n - 1) % #list + 1]
end

-- A child by its number, nothing if there is none.
local function child(at, n)
    local children = at.thread.children
    return #children > 0 and some(children, n).handle
end


local function thread_body(env, thread, sub)
    exec({ env = env, thread = thread }, sub)
    if sub.dies then error("died " .. thread.path, 0) end
    return thread.path, nil, "end"
end

function does.spawn(at, sub)
    local env, parent = at.env, at.thread
    local thread = {
        path = parent.path .. "." .. #parent.children + 1,
        children = {}, coroutines = {}, sent = 0,
    }
    parent.children[#parent.children + 1] = thread
    thread.handle = env.api.spawn(thread_body, env, thread, sub)
    env.threads[#env.threads + 1] = thread
    return thread.path, env.api.status(thread.handle)
end

function does.wait(at, ...)
    local handles, seen = {}, {}
    for i = 1, select("#", ...) do
        local handle = child(at, (select(i, ...)))
        if handle and not seen[handle] then
            handles[#handles + 1] = handle
            seen[handle] = true
        end
    end
    if #handles == 0 then return "nobody" end
    return at.env.api.wait(unpack(handles))
end

function does.kill(at, n)
    local handle = child(at, n)
    if not handle then return "nobody" end
    return at.env.api.kill(handle)
end

-- Threads of whomever.
local function anybody(f)
    return function(at, n)
        local threads = at.env.threads
        if #threads == 0 then return "nobody" end
        local thread = some(threads, n)
        return thread.path, f(at, thread.handle, thread)
    end
end

does.status = anybody(function(at, handle)
    return at.env.api.status(handle)
end)

does.kill_any = anybody(function(at, handle, thread)
    for _, own in ipairs(at.thread.children) do
        if own == thread then return "own" end
    end
    return at.env.api.kill(handle)
end)

does.wait_any = anybody(function(at, handle, thread)
    for _, own in ipairs(at.thread.children) do
        if own == thread then return "own" end
    end
    return pcall(at.env.api.wait, handle)
end)

function does.turn(at)
    if at.inside then return at.env.api.give("given by " .. at.thread.path) end
    return at.env.api.yield()
end

function does.create(at, sub)
    local coroutines = at.thread.coroutines
    local it = {}
    it.co = at.env.api.create(function(...)
        exec({ env = at.env, thread = at.thread, inside = true }, sub)
        if sub.dies then error("died inside", 0) end
        return "returned", ...
    end)
    coroutines[#coroutines + 1] = it
    return #coroutines
end

function does.resume(at, n)
    local coroutines = at.thread.coroutines
    if #coroutines == 0 then return "none" end
    local it = some(coroutines, n)
    if it.busy then return "busy" end
    it.busy = true
    local function after(...)
        it.busy = false
        return ...
    end
    return after(at.env.api.resume(it.co, "value " .. n))
end

function does.deadline(at, seconds, sub)
    return at.env.api.deadline(seconds, function()
        exec(at, sub)
        if sub.dies then error("died below a deadline", 0) end
        return "done"
    end)
end

function does.pcall(at, sub)
    return pcall(function()
        exec(at, sub)
        error("caught", 0)
    end)
end

function does.exit(at) return at.env.api.exit() end

function does.take(at, s, timeout)
    return at.env.api.sem_wait(some(at.env.semaphores, s), timeout)
end

function does.post(at, s, n)
    return at.env.api.sem_post(some(at.env.semaphores, s), n)
end

function does.resources(at, s)
    return at.env.api.sem_count(some(at.env.semaphores, s))
end

local function new_value(at)
    local thread = at.thread
    thread.sent = thread.sent + 1
    return thread.path .. "#" .. thread.sent
end

function does.send(at, c, timeout)
    return at.env.api.send(some(at.env.channels, c), new_value(at), timeout)
end

function does.receive(at, c, timeout)
    return at.env.api.receive(some(at.env.channels, c), timeout)
end

function does.try_send(at, c)
    return at.env.api.try_send(some(at.env.channels, c), new_value(at))
end

function does.try_receive(at, c)
    return at.env.api.try_receive(some(at.env.channels, c))
end

function does.close(at, c)
    return at.env.api.close(some(at.env.channels, c))
end

function does.length(at, c)
    return at.env.api.count(some(at.env.channels, c))
end

function does.select(at, timeout, ...)
    local items, seen = {}, {}
    for i = 1, select("#", ...) do
        local kind, n = unpack((select(i, ...)))
        local object, value
        if kind == "thread" then
            object = child(at, n)
        elseif kind == "semaphore" then
            object = some(at.env.semaphores, n)
        else
            object = some(at.env.channels, n)
            value = kind == "send" and new_value(at) or nil
        end
        if object and not (kind == "thread" and seen[object]) then
            items[#items + 1] = { kind, object, value }
            seen[object] = true
        end
    end
    if #items == 0 then return "nothing" end
    return at.env.api.select(items, timeout)
end


-- Programs as texts, for whoever has to find out what is wrong.

local function text_of(value)
    if type(value) ~= "table" then return tostring(value) end
    if type(value[1]) == "string" then
        return "{" .. table.concat(value, " ") .. "}"
    end
    return "{...}"
end

local function words(op)
    local texts = {}
    for i = 1, op.n do texts[i] = text_of(op[i]) end
    return table.concat(texts, " ")
end

local function lines_of(ops, indent, lines)
    for _, op in ipairs(ops) do
        lines[#lines + 1] = indent .. words(op)
            .. (op.sub and op.sub.dies and " (dies)" or "")
        if op.sub then lines_of(op.sub, indent .. "    ", lines) end
    end
    return lines
end

local function program_text(program)
    return "semaphores: " .. table.concat(program.semaphores, ", ")
        .. "; channels: " .. table.concat(program.channels, ", ") .. "\n"
        .. table.concat(lines_of(program, "", {}), "\n")
end


-- Runs operations one after the other.
function exec(at, ops)
    local env, trace = at.env, at.env.trace
    local function record(words_of_op, ...)
        local texts = {}
        for i = 1, select("#", ...) do texts[i] = tostring((select(i, ...))) end
        trace[#trace + 1] = at.thread.path .. (at.inside and " inside" or "")
            .. ": " .. words_of_op .. " = " .. table.concat(texts, ", ")
    end
    for _, op in ipairs(ops) do
        env.steps = env.steps + 1
        if env.steps > MAX_STEPS then return end
        local text = words(op)
        trace[#trace + 1] = at.thread.path .. ": " .. text
        record(text, does[op[1]](at, unpack(op, 2, op.n)))
    end
end

local function new_env(api, program)
    local env = {
        api = api, trace = {}, steps = 0, threads = {},
        semaphores = {}, channels = {},
    }
    for i, n in ipairs(program.semaphores) do
        env.semaphores[i] = api.semaphore(n)
    end
    for i, size in ipairs(program.channels) do
        env.channels[i] = api.channel(size)
    end
    return env
end

local function run_entry(env, program)
    local thread = { path = "0", children = {}, coroutines = {}, sent = 0 }
    exec({ env = env, thread = thread }, program)
end

-- What is left when all is over.
local function record_rest(env)
    local trace, api = env.trace, env.api
    for i, s in ipairs(env.semaphores) do
        trace[#trace + 1] = "semaphore " .. i .. ": " .. api.sem_count(s)
    end
    for i, c in ipairs(env.channels) do
        trace[#trace + 1] = "channel " .. i .. ": " .. api.count(c)
    end
end


-- The trace of a program, and how many turns of the event loop it takes.
local function run_on_model(program)
    local api = model.new()
    local env = new_env(api, program)
    local failure = api.run(function() run_entry(env, program) end)
    if failure and not tostring(failure):find("^died") then
        error("the model fails: " .. tostring(failure), 0)
    end
    record_rest(env)
    return env.trace, api.turns
end

local function run_on_nginx(program, turns)
    local env = new_env(real, program)
    local over = semaphore.new(0)
    assert(ngx.timer.at(0, function()
        -- What still waits then goes with the handler.
        ngx.thread.spawn(function()
            over:wait(LONG)
            ngx.exit()
        end)
        run_entry(env, program)
    end))
    for _ = 1, turns + 4 do coroutine.yield() end
    over:post()
    for _ = 1, 2 do coroutine.yield() end
    record_rest(env)
    return env.trace
end


-- Where the traces differ, as text; nil if they do not.
local function difference(program)
    local expected, turns = run_on_model(program)
    local seen = run_on_nginx(program, turns)
    for i = 1, math.max(#expected, #seen) do
        if expected[i] ~= seen[i] then
            local lines = {}
            for j = math.max(1, i - 12), i - 1 do
                lines[#lines + 1] = "    " .. expected[j]
            end
            lines[#lines + 1] = "expected: " .. tostring(expected[i])
            lines[#lines + 1] = "seen:     " .. tostring(seen[i])
            return table.concat(lines, "\n"), expected
        end
    end
    return nil, expected
end


-- Leaves out all that can be left out, so that the rest still differs.
local function shrink(program)
    local function shrink_list(ops)
        local again = false
        for i = #ops, 1, -1 do
            local op = table.remove(ops, i)
            if difference(program) then
                again = true
            else
                table.insert(ops, i, op)
                again = op.sub and shrink_list(op.sub) or again
            end
        end
        return again
    end
    repeat until not shrink_list(program)
    return program
end


-- Making programs: each kind of operation with its weight.
local KINDS = {
    threads = {
        { 14, "spawn" }, { 8, "wait" }, { 7, "kill" }, { 3, "status" },
        { 1, "kill_any" }, { 1, "wait_any" }, { 8, "turn" },
    },
    semaphores = { { 10, "take" }, { 8, "post" }, { 2, "resources" } },
    channels = {
        { 9, "send" }, { 9, "receive" }, { 2, "try_send" },
        { 2, "try_receive" }, { 1, "close" }, { 2, "length" },
    },
    coroutines = { { 5, "create" }, { 10, "resume" }, { 3, "pcall" } },
    select = { { 14, "select" } },
    deadlines = { { 6, "deadline" } },
    exit = { { 1, "exit" } },
}

local make_ops

-- Arguments of an operation; how deep it is decides how much is below it.
local makes = {}

local function make_timeout(random)
    return random:once_in(4) and 0 or nil
end

local function sub_of(random, choice, depth, dies)
    local sub = make_ops(random, choice, depth + 1)
    sub.dies = random:once_in(dies)
    return sub
end

function makes.spawn(random, choice, depth)
    local sub = sub_of(random, choice, depth, 6)
    return sub, sub
end

makes.create = makes.spawn

function makes.pcall(random, choice, depth)
    local sub = sub_of(random, choice, depth, 1000)
    return sub, sub
end

function makes.deadline(random, choice, depth)
    local sub = sub_of(random, choice, depth, 8)
    return sub, random:one_of{ 0, 0, -1, LONG }, sub
end

function makes.wait(random)
    local n = random:number(3)
    return nil, random:number(4), n > 1 and random:number(4) or 1,
        n > 2 and random:number(4) or 1
end

local function one_number(random) return nil, random:number(6) end

for _, name in ipairs{
    "kill", "kill_any", "wait_any", "status", "resume", "resources",
    "try_send", "try_receive", "close", "length",
} do
    makes[name] = one_number
end

function makes.turn() end

makes.exit = makes.turn

function makes.take(random)
    return nil, random:number(2), make_timeout(random)
end

makes.send, makes.receive = makes.take, makes.take

function makes.post(random) return nil, random:number(2), random:number(2) end

function makes.select(random)
    local items = {}
    for i = 1, random:number(4) do
        items[i] = {
            random:one_of{ "thread", "semaphore", "receive", "send" },
            random:number(4),
        }
    end
    return nil, make_timeout(random), unpack(items)
end


local function make_op(random, choice, depth)
    local n = random:number(choice.total)
    local name
    for _, kind in ipairs(choice) do
        n = n - kind[1]
        if n <= 0 then
            name = kind[2]
            break
        end
    end
    if depth > 3 and (name == "spawn" or name == "create") then
        name = "turn"
    end
    local function pack(sub, ...)
        return { name, sub = sub, n = select("#", ...) + 1, ... }
    end
    return pack(makes[name](random, choice, depth))
end

function make_ops(random, choice, depth)
    local ops = {}
    for i = 1, depth == 1 and 12 or random:number(8 - depth) do
        ops[i] = make_op(random, choice, depth)
    end
    return ops
end

local function make_program(random, choice)
    local program = make_ops(random, choice, 1)
    program.semaphores = { random:number(2) - 1, random:number(3) - 1 }
    program.channels = { 1, random:number(3) }
    return program
end


-- Runs `n` programs, whose seeds begin with `seed`, of the kinds that are named
-- in `kinds`.  Returns what there is to say.
function _M.compare(seed, n, kinds)
    local choice = { total = 0 }
    for name in kinds:gmatch("%S+") do
        for _, kind in ipairs(KINDS[name]) do
            choice[#choice + 1] = kind
            choice.total = choice.total + kind[1]
        end
    end

    local seen = {}
    for number = seed, seed + n - 1 do
        local program = make_program(Random.new(number), choice)
        local differs, trace = difference(program)
        if differs then
            shrink(program)
            return "seed " .. number .. ": " .. (difference(program) or differs)
                .. "\n\n" .. program_text(program)
        end
        for _, line in ipairs(trace) do
            -- What came out of which operation, without what is different each
            -- time.
            local op, result = line:match("^[^:]*: (%a[%w_]*).* = (.*)$")
            if op then
                result = result:gsub("0%.[%d.#]+", "T"):gsub("%d+", "N")
                seen[op .. " = " .. result] = true
            end
        end
    end
    return "all alike", seen
end


-- Which of these results, one a line, have never come.
function _M.missing(seen, lines)
    local texts = {}
    for line in lines:gmatch("[^\n]+") do
        line = line:match("^%s*(.-)%s*$")
        if line ~= "" and not seen[line] then texts[#texts + 1] = line end
    end
    return table.concat(texts, "\n")
end


return _M
