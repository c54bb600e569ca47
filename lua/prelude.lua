-- What Lua does better than Rust: the coroutine library over coroutines that
-- wait for events, the frame around a connection's script, and the text of
-- uncaught errors. Runs once per VM; `native` are functions of src/lua and
-- src/tcp that only this file calls.
--
-- A native that waits yields WAIT. In a user coroutine that reaches the
-- resume() below, which waits in turn by yielding WAIT from its own coroutine,
-- down to the connection's entry coroutine, whose yield Rust sees. The event
-- resumes the entry coroutine, and each level passes the values on: so
-- ngx.sleep() inside of coroutine.wrap() suspends the whole chain.

local native, WAIT, ngx = ...

-- Scripts share the library tables and may put something else into them: what
-- is used below is taken from them here.
local coroutine = coroutine
local co_create = coroutine.create
local co_resume = coroutine.resume
local co_running = coroutine.running
local co_status = coroutine.status
local co_yield = coroutine.yield
local is_yieldable = native.is_yieldable
local traceback, get_metatable = debug.traceback, debug.getmetatable
local error, getfenv, pcall, xpcall = error, getfenv, pcall, xpcall
local rawequal, rawget, rawset = rawequal, rawget, rawset
local setfenv, setmetatable, tostring = setfenv, setmetatable, tostring
local loadstring, next, type = loadstring, next, type
local select, tonumber, unpack = select, tonumber, unpack
local concat, find, gsub = table.concat, string.find, string.gsub
local loaded, preload = package.loaded, package.preload
local finalizing = native.finalizing
local registry_add, registry_drop = native.registry_add, native.registry_drop
local is_light, thread_status = native.is_light, native.thread_status

-- Coroutines nested deeper than this would run into the end of the C stack.
local MAX_DEPTH = 1000

-- How deep resume() is nested now. Waiting unwinds all levels, so it is the
-- same counter for all connections, and 0 while Rust runs.
local depth = 0

-- Coroutines that wait for an event, or are entry coroutines: nobody but
-- their event may resume them.
local waiting = setmetatable({}, { __mode = "k" })

-- What a coroutine that waits goes on with: the one that resumed it.
local resumed_by = setmetatable({}, { __mode = "kv" })

-- The tracebacks of the coroutines that the last error came through, from
-- the innermost on; that error, and the coroutine that it was raised in last.
-- Weak: a script may have caught it, and nobody needs them any more.
local trail = {}
local last = setmetatable({}, { __mode = "v" })

-- ngx.deadline() below: the time at which the waits of a coroutine end is the
-- earliest of its own deadlines and of that which was in force where it was
-- resumed last. What is in force now is known to Rust; in a coroutine that has
-- resumed another one it is put back afterwards.
local deadline, set_deadline = native.deadline, native.set_deadline
local own_deadline = setmetatable({}, { __mode = "k" })
local resumer_deadline = setmetatable({}, { __mode = "k" })
local set_aside = setmetatable({}, { __mode = "k" })
-- Nobody has used ngx.deadline() yet.
local plainly = true

local function earlier(a, b)
    if a and b then
        return a < b and a or b
    end
    return a or b
end

local function change_deadline(co)
    local outer, running = deadline(), co_running()
    if running then
        set_aside[running] = outer
    end
    if co_status(co) == "suspended" then
        resumer_deadline[co] = outer
        if own_deadline[co] then
            set_deadline(earlier(own_deadline[co], outer))
        end
    end
end

-- An entry coroutine may have ended below a deadline, and is used again.
local function forget_deadline()
    if not plainly then
        own_deadline[co_running()] = nil
    end
end

local function put_back_deadline()
    local co = co_running()
    if co then
        set_deadline(set_aside[co])
    end
end


local settle


local function woken(co, ...)
    waiting[co] = nil
    depth = depth + 1
    return settle(co, co_resume(co, ...))
end


function settle(co, ok, ...)
    depth = depth - 1
    if (...) ~= WAIT then
        if not plainly then
            put_back_deadline()
        end
        return ok, ...
    end
    waiting[co] = true
    resumed_by[co] = co_running()
    if not is_yieldable() then
        native.abandon()
        if not plainly then
            put_back_deadline()
        end
        return false, "attempt to yield across C-call boundary"
    end
    return woken(co, co_yield(WAIT))
end


local function resume(co, ...)
    if waiting[co] or is_light(co) then
        local kind = coroutine.status(co) == "dead" and "dead" or "running"
        return false, "cannot resume " .. kind .. " coroutine"
    end
    if depth >= MAX_DEPTH then
        return false, "C stack overflow"
    end
    depth = depth + 1
    if not plainly then
        change_deadline(co)
    end
    return settle(co, co_resume(co, ...))
end


function coroutine.resume(co, ...)
    if type(co) ~= "thread" then
        error("bad argument #1 to 'resume' (coroutine expected)", 2)
    end
    if waiting[co] or is_light(co) or depth >= MAX_DEPTH or not plainly then
        return resume(co, ...)
    end
    depth = depth + 1
    return settle(co, co_resume(co, ...))
end


local function unwrap(co, ok, ...)
    if ok then
        return ...
    end
    local err = ...
    if last.owner ~= co or not rawequal(err, last.error) then
        trail = {}
    end
    trail[#trail + 1] = traceback(co)
    if type(err) == "string" then
        -- The position of wrap()'s caller in front, as Lua's own wrap does.
        local _, with_position = pcall(error, err, 3)
        err = with_position
    end
    last.error, last.owner = err, co_running()
    return error(err, 0)
end


local function unwrap_shortly(co, ok, ...)
    if ok and (...) ~= WAIT and plainly then
        depth = depth - 1
        return ...
    end
    return unwrap(co, settle(co, ok, ...))
end


function coroutine.wrap(f)
    if type(f) ~= "function" then
        error("bad argument #1 to 'wrap' (function expected)", 2)
    end
    local co = co_create(f)
    return function(...)
        if waiting[co] or depth >= MAX_DEPTH or not plainly then
            return unwrap(co, resume(co, ...))
        end
        depth = depth + 1
        return unwrap_shortly(co, co_resume(co, ...))
    end
end


function coroutine.status(co)
    local status = thread_status(co)
    if status then
        return status
    elseif not waiting[co] then
        return co_status(co)
    end
    -- It goes on with the one that resumed it, if that ever does.
    local below = resumed_by[co]
    while below do
        if thread_status(below) == "dead" then
            return "dead"
        end
        below = resumed_by[below]
    end
    return "running"
end


function coroutine.running()
    local co, main = co_running()
    if co and native.is_entry() then
        -- A script that has its entry coroutine in hand could resume it.
        waiting[co] = true
    end
    return co, main
end


-- The frame of a connection: a globals table of its own over the VM's, as the
-- environment of the coroutine and of a fresh closure of the script.
-- The metatable, too, is its own: scripts add __newindex and the like to it.
local main_globals = getfenv(0)

local function start(factory)
    forget_deadline()
    local globals = setmetatable({ _G = false }, { __index = main_globals })
    globals._G = globals
    setfenv(0, globals)
    setfenv(factory, globals)
    local script = factory()
    -- The factory outlives the connection, whose globals must not.
    setfenv(factory, main_globals)
    return script()
end


-- The script of a phase runs in the VM's globals.
local function run(factory)
    forget_deadline()
    return factory()()
end


-- A timer's callback, with its arguments if it has some. Code that it loads
-- has its globals.
local function call(job, premature)
    forget_deadline()
    if type(job) == "function" then
        setfenv(0, getfenv(job))
        return job(premature)
    end
    setfenv(0, getfenv(job[1]))
    return job[1](premature, unpack(job, 2, job.n))
end


-- Why no timer was made. Called as a tail: level 2 is the caller of
-- ngx.timer.at or every.
local function refuse_timer(name, every, n, delay, f)
    if n < 2 then
        error("expecting at least 2 arguments but got " .. n, 2)
    end
    local seconds = tonumber(delay)
    if not seconds then
        error("bad argument #1 to '" .. name .. "' (number expected, got "
            .. type(delay) .. ")", 2)
    end
    if seconds < 0 or seconds ~= seconds then
        error("bad argument #1 to '" .. name
            .. "' (delay must not be negative)", 2)
    end
    if every and seconds < 0.001 then
        error("delay cannot be zero", 2)
    end
    if type(f) ~= "function" or native.is_c_function(f) then
        error("bad argument #2 to '" .. name .. "' (Lua function expected)", 2)
    end
    local err, raised = native.refuse_timer(seconds)
    if raised then
        error(raised, 2)
    end
    return nil, err
end

local make_timer = native.make_timer

local function timer_function(name, least, every)
    return function(...)
        local delay, f = ...
        local seconds = tonumber(delay)
        if seconds and seconds >= least and type(f) == "function" then
            local n, job = select("#", ...), f
            if n > 2 then
                job = { select(2, ...) }
                job.n = n - 1
            end
            local number = registry_add(job)
            if make_timer(number, seconds, every, f) then
                return 1
            end
            registry_drop(number)
        end
        return refuse_timer(name, every, select("#", ...), ...)
    end
end

ngx.timer.at = timer_function("at", 0, false)
ngx.timer.every = timer_function("every", 0.001, true)


-- An error on its way through ngx.deadline(): its traceback ends here, as in
-- unwrap().
local function trace(err)
    local co = co_running()
    if last.owner ~= co or not rawequal(err, last.error) then
        trail = {}
    end
    trail[#trail + 1] = traceback()
    last.error, last.owner = err, co
    return err
end

local function end_deadline(co, outer, ok, ...)
    own_deadline[co] = outer
    set_deadline(earlier(outer, resumer_deadline[co]))
    if ok then
        return ...
    end
    return error((...), 0)
end

function ngx.deadline(seconds, f, ...)
    local number = tonumber(seconds)
    if not number then
        error("bad argument #1 to 'deadline' (number expected, got "
            .. type(seconds) .. ")", 2)
    end
    if type(f) ~= "function" then
        error("bad argument #2 to 'deadline' (function expected, got "
            .. type(f) .. ")", 2)
    end
    local at, err = native.deadline_in(number)
    if not at then
        error(err, 2)
    end
    local co, in_force = co_running(), deadline()
    if not co then
        -- In a finalizer between two turns: nothing can wait there.
        return f(...)
    end
    plainly = false
    local outer = own_deadline[co]
    if not outer then
        -- A thread's own coroutine has the deadline that it was spawned with.
        resumer_deadline[co] = in_force
    end
    own_deadline[co] = earlier(at, outer)
    set_deadline(earlier(at, in_force))
    return end_deadline(co, outer, xpcall(f, trace, ...))
end


-- ngx.ctx: a table for each connection, made when it is first used. Rust
-- keeps its number and lets it go with the session.
local context, set_context = native.context, native.set_context
local registry_get, registry_set = native.registry_get, native.registry_set

setmetatable(ngx, {
    __index = function(_, key)
        if key ~= "ctx" then
            return nil
        end
        local number, err = context()
        if number then
            return registry_get(number)
        end
        if err then
            error(err, 2)
        end
        local ctx = {}
        set_context(registry_add(ctx))
        return ctx
    end,

    __newindex = function(self, key, value)
        if key ~= "ctx" then
            rawset(self, key, value)
            return
        end
        if type(value) ~= "table" then
            error("bad argument #1 to 'ctx' (table expected, got "
                .. type(value) .. ")", 2)
        end
        local number, err = context()
        if number then
            registry_set(number, value)
        elseif err then
            error(err, 2)
        else
            set_context(registry_add(value))
        end
    end,
})


-- ngx.var: what access logs know of the connection, to be read only.
local has_variable = native.has_variable

ngx.var = setmetatable({}, {
    __index = native.variable,

    __newindex = function(self, name)
        name = tostring(name)
        if has_variable(self, name) then
            error('variable "' .. name .. '" not changeable', 2)
        end
        error('variable "' .. name .. '" not found for writing', 2)
    end,
})


print = native.print


function ngx.encode_args(args)
    if type(args) ~= "table" then
        error("bad argument #1 to 'encode_args' (table expected, got "
            .. type(args) .. ")", 2)
    end
    local text, err = native.encode_args(args)
    return text or error(err, 2)
end


function ngx.decode_args(text, max)
    if type(text) == "number" then
        text = tostring(text)
    end
    if type(text) ~= "string" then
        error("bad argument #1 to 'decode_args' (string expected, got "
            .. type(text) .. ")", 2)
    end
    if max ~= nil and type(max) ~= "number" then
        error("bad argument #2 to 'decode_args' (number expected, got "
            .. type(max) .. ")", 2)
    end
    local args, err = native.decode_args(text, max)
    if err then
        return args, err
    end
    return args
end


-- A factory for a script that is given as bytecode.
local function bytecode_factory(code, name)
    return function()
        local f, err = loadstring(code, name)
        return f or error(err, 0)
    end
end


-- The text of an error value, whatever it is.
local function text_of(err)
    local kind, text = type(err), "unknown reason"
    if kind == "string" or kind == "number" then
        text = tostring(err)
    elseif kind == "table" or kind == "userdata" then
        local mt = get_metatable(err)
        if mt and rawget(mt, "__tostring") ~= nil then
            local ok, s = pcall(tostring, err)
            text = ok and type(s) == "string" and s or text
        end
    end
    return text
end


-- The line for an uncaught error of the entry coroutine: the message and the
-- traceback of the whole chain of coroutines, the innermost first.
-- `nested`: another coroutine goes on after it, below which it ran.
local function report(co, err, nested)
    local lines = { text_of(err), "\nstack traceback:" }
    local n = 2
    local chain = {}
    if last.owner == co and rawequal(err, last.error) then
        chain = trail
    end
    chain[#chain + 1] = traceback(co)
    for i = 1, #chain do
        lines[n + 1] = "\ncoroutine " .. i - 1 .. ":"
        lines[n + 2] = gsub(chain[i], "^[^\n]*", "", 1)
        n = n + 2
    end
    trail, last.error, last.owner = {}, nil, nil
    if not nested then
        depth = 0
    end
    return concat(lines, "", 1, n)
end


-- An error in a finalizer would come out of whatever happens to allocate next,
-- of any connection; and LuaJIT crashes if that is compiled code. So it goes to
-- the log instead.
local guards = setmetatable({}, { __mode = "kv" })

local function log_finalizer(err)
    native.log_error("error in __gc: " .. text_of(err))
end

-- A finalizer runs wherever something is allocated: in a coroutine whose
-- deadline has been set aside, or where none runs, but a thread is about to.
-- Nothing in it can wait, and what was in force or set aside is so afterwards.
local function pcall_aside(finalizer, object)
    local at, co = deadline(), co_running()
    local aside = co and set_aside[co]
    local ok, err = pcall(finalizer, object)
    if co then
        set_aside[co] = aside
    end
    set_deadline(at)
    return ok, err
end

-- Finalizers, each with its object behind it, that came while a native's values
-- were pushed: they could call natives, which would change what is not pushed
-- yet. They run after that.
local put_off = {}

local function finalize(finalizer, object)
    if finalizing(true) then
        put_off[#put_off + 1] = finalizer
        put_off[#put_off + 1] = object
        return
    end
    -- What a dictionary has answered, which may not have been used yet.
    local answer, bytes
    if native.keep_answer then
        answer, bytes = native.keep_answer()
    end
    local ok, err
    if plainly then
        ok, err = pcall(finalizer, object)
    else
        ok, err = pcall_aside(finalizer, object)
    end
    if answer then
        native.put_back(answer, bytes)
    end
    finalizing(false)
    if not ok then
        pcall(log_finalizer, err)
    end
end

native.run_put_off(function()
    local list = put_off
    put_off = {}
    for i = 1, #list, 2 do
        finalize(list[i], list[i + 1])
    end
end)

local function guarded(finalizer)
    if type(finalizer) ~= "function" then
        return finalizer
    end
    local guard = guards[finalizer]
    if not guard then
        guard = function(object)
            if is_yieldable() then
                -- No finalizer: a script calls it.
                return finalizer(object)
            end
            finalize(finalizer, object)
        end
        guards[finalizer] = guard
    end
    return guard
end

local proxy_metatable = {
    __newindex = function(self, key, value)
        rawset(self, key, key == "__gc" and guarded(value) or value)
    end,
}
local lua_newproxy = newproxy

function newproxy(kind)
    if kind ~= true then
        return lua_newproxy(kind)
    end
    local proxy = lua_newproxy(true)
    setmetatable(get_metatable(proxy), proxy_metatable)
    return proxy
end

local load_ffi = preload.ffi

function preload.ffi(...)
    local ffi = load_ffi(...)
    local gc, metatype = ffi.gc, ffi.metatype

    function ffi.gc(cdata, finalizer)
        return gc(cdata, guarded(finalizer))
    end

    function ffi.metatype(ct, mt)
        if type(mt) == "table" then
            rawset(mt, "__gc", guarded(rawget(mt, "__gc")))
        end
        return metatype(ct, mt)
    end

    return ffi
end


-- The libraries inside of the module, where require() looks last. They live as
-- long as the worker and must not hold on to the globals of the connection that
-- happens to be the first to require them.
local loaders, library = package.loaders, native.library

loaders[#loaders + 1] = function(name)
    local source = library(name)
    if source then
        local chunk = loadstring(source, "=" .. name .. ".lua")
        setfenv(chunk, main_globals)
        -- A copy of the user's own has to do without the natives.
        return function(module)
            return chunk(module, native)
        end
    end
end


-- lua_code_cache off: the next require() of a module reads its file again.
-- What has no file stays; a second "ffi" would lose the C types of the first.
local kept = {
    -- Of files that come later.
    ["ngx.semaphore"] = true,
    ["ngx.ssl"] = true,
    ["ngx.channel"] = true,
}
for _, names in next, { loaded, preload } do
    for name in next, names do
        kept[name] = true
    end
end

local function forget_modules()
    for name in next, loaded do
        if not kept[name] and type(name) == "string"
            and not find(name, "^jit") and not find(name, "^luarocks")
        then
            loaded[name] = nil
        end
    end
end


return {
    start = start,
    run = run,
    call = call,
    bytecode_factory = bytecode_factory,
    report = report,
    forget_modules = forget_modules,
}
