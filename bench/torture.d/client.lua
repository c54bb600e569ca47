-- Operations on the client's connection. What the client sends is part of one
-- endless text, and what is printed are records that it can tell apart:
-- "THREAD NUMBER LENGTH xxx...\n".

local clock = require "clock"
local handler = require "handler"
local ledger = require "ledger"

local add, fail = handler.add_operation, ledger.fail

-- `largest` is how many bytes a print may be.
local _M = { largest = 262144 }

-- Seconds; as in the configuration.
local READ_TIMEOUT = 0.4

-- The text is this again and again, from a place that depends on the client.
local piece = {}
for i = 1, 251 do
    piece[i] = i % 83 == 0 and "\n" or string.char(97 + i * 7 % 26)
end
piece = table.concat(piece)
local text = string.rep(piece, 600)

local filling = string.rep("0123456789abcdef", 16384)

local receive_errors = {
    closed = true, timeout = true, deadline = true,
    ["connection reset by peer"] = true,
}

local print_errors = {
    closed = true, timeout = true, deadline = true,
    ["connection reset by peer"] = true, ["broken pipe"] = true,
    -- From eof(), to a client that has reset.
    ["transport endpoint is not connected"] = true,
}


-- The next n bytes from the client.
local function expected(host, n)
    local from = host.received % #piece
    return text:sub(from + 1, from + n)
end


-- Data that has come, without its line feed if it is a line.
local function check_data(thread, host, data, is_line)
    if expected(host, #data) ~= data then
        fail(thread, "received \"", data:sub(1, 60), "\", not \"",
            expected(host, math.min(#data, 60)), "\"")
    end
    host.received = host.received + #data
    if is_line then
        if expected(host, 1) ~= "\n" or data:find("\n", 1, true) then
            fail(thread, "received what is no line: ", data:sub(1, 100))
        end
        host.received = host.received + 1
    end
end


local function check_receive(scope, began, first, least, n, data, err, part)
    local thread = scope.thread
    local host = thread.host
    if host.reader == thread then
        host.reader = nil
    end
    if data then
        if n ~= 1 then
            fail(thread, "receive() gave ", n, " values")
        end
        if type(first) == "number" and (#data > first or #data < least) then
            fail(thread, "received ", #data, " bytes, not ", least, " to ",
                first)
        end
        check_data(thread, host, data, first == "*l")
        return "data"
    end
    if not receive_errors[err] or n ~= (part and 3 or 2) or part == "" then
        fail(thread, "receive() gave ", n, " values: ", err, ", ", part)
    end
    if part then
        if type(first) == "number" and #part >= least
            or first == "*l" and part:find("\n", 1, true)
        then
            fail(thread, "receive() gave ", err, " and all it should")
        end
        check_data(thread, host, part, false)
    end
    scope:after(began, "receive", err, READ_TIMEOUT)
    return err
end

add(10, "receive", function(scope)
    local thread = scope.thread
    local host = thread.host
    local random = thread.random
    if host.phase ~= "content" then
        return "no client"
    end
    local first, least = random:number(random:one_of{ 10, 100, 3000 }), nil
    local kind = random:number(10)
    if kind > 6 then
        first = "*l"
    elseif kind == 1 and random:once_in(4) then
        first = "*a"
    elseif kind > 4 then
        least = random:number(first)
    end

    if host.reader then
        local data, err, part = ngx.receive(first, least)
        if data ~= nil or err ~= "socket busy reading" or part ~= nil then
            fail(thread, "receive() beside another gave ", err)
        end
        return err
    end
    host.reader = thread
    local began = clock()
    local function check(...)
        local n, data, err, part = select("#", ...), ...
        return check_receive(scope, began, first, least or first, n, data, err,
            part)
    end
    return check(ngx.receive(first, least))
end)


add(1, "wait_next_request", function(scope)
    local thread = scope.thread
    local host = thread.host
    if host.phase ~= "content" or not thread.random:once_in(3) then
        return "not now"
    end
    local busy = host.reader
    host.reader = busy or thread
    local began = clock()
    local function check(...)
        local n, ok, err = select("#", ...), ...
        if host.reader == thread then
            host.reader = nil
        end
        if n == 0 and not busy then
            return "request"
        elseif n ~= 2 or ok ~= nil
            or err ~= (busy and "socket busy reading" or "deadline")
        then
            fail(thread, "wait_next_request() gave ", n, " values: ", err)
        end
        scope:after(began, "wait_next_request", err)
        return err
    end
    return check(ngx.wait_next_request())
end)


add(8, "print", function(scope)
    local thread = scope.thread
    local host = thread.host
    local random = thread.random
    if host.phase ~= "content" then
        return "no client"
    end
    local size = random:number(100)
    if random:once_in(25) then
        size = random:number(_M.largest)
    end
    thread.printed = thread.printed + 1
    local head = thread.path .. " " .. thread.printed .. " " .. size .. " "
    local body = filling:sub(1, size)
    local began, had_eof = clock(), host.had_eof

    local function check(...)
        local n, sent, err, part = select("#", ...), ...
        if sent then
            if n ~= 2 or sent ~= #head + size + 1 or err ~= nil then
                fail(thread, "print() gave ", n, " values: ", sent, ", ", err)
            elseif had_eof then
                fail(thread, "printed after eof()")
            end
            return "bytes"
        end
        if had_eof and err ~= "seen eof"
            or not had_eof and not print_errors[err]
            or n ~= (err == "timeout" and 3 or 2)
            or part and (part < 0 or part > #head + size + 1)
        then
            fail(thread, "print() gave ", n, " values: ", err, ", ", part)
        end
        if err == "deadline" then
            scope:after(began, "print", err)
        end
        return err
    end
    local way = random:number(3)
    if way == 1 then
        return check(ngx.print(head, body, "\n"))
    elseif way == 2 then
        return check(ngx.say{ head, { body } })
    end
    return check(ngx.print(head .. body .. "\n"))
end)


local function check_flush(scope, began, what, ...)
    local n, ok, err = select("#", ...), ...
    if ok == 1 and n == 1 then
        return "1"
    elseif n ~= 2 or ok ~= nil or not print_errors[err] then
        fail(scope.thread, what, " gave ", n, " values: ", ok, ", ", err)
    elseif err == "deadline" then
        scope:after(began, what, err)
    end
    return err
end

add(2, "flush", function(scope)
    if scope.thread.host.phase ~= "content" then
        return "no client"
    end
    return check_flush(scope, clock(), "flush", ngx.flush(true))
end)


add(1, "eof", function(scope)
    local host = scope.thread.host
    if host.phase ~= "content" or host.had_eof
        or not scope.thread.random:once_in(30)
    then
        return "not now"
    end
    host.had_eof = true
    return check_flush(scope, clock(), "eof", ngx.eof())
end)


-- Serves a client, whose first line says what its program follows from.
function _M.serve()
    local line = ngx.receive("*l")
    local seed, number = (line or ""):match("^(%d+) (%d+)$")
    if not seed then
        return
    end
    seed, number = tonumber(seed), tonumber(number)
    local name = "connection " .. number .. " of seed " .. seed
    local host = handler.new_host(name, "content", seed, number)
    host.received = number % #piece
    host:run()
end


return _M
