-- The protocol of redis: a command is an array of strings, or a line of words.
-- What has come is read at once and cut up here, so that commands may be sent
-- without waiting for the answers to those before.
--
--     *2\r\n  $3\r\nGET\r\n  $4\r\nname\r\n        GET name\r\n

local byte, find, sub = string.byte, string.find, string.sub
local print = ngx.print
local store = ngx.shared.store

local CHUNK = 16384
local MAX_WORDS, MAX_SIZE = 1024, 1024 * 1024

-- The words of the command that is read or answered. It is always this table:
-- `count` says how many they are, and what is behind them is old.
local words = {}


local commands = {}

function commands.PING(count, text)
    if count > 1 then
        print("$", #text, "\r\n", text, "\r\n")
    else
        print("+PONG\r\n")
    end
end


function commands.ECHO(_, text)
    print("$", #text, "\r\n", text, "\r\n")
end


function commands.GET(_, name)
    local value = store:get(name)
    if value then
        print("$", #value, "\r\n", value, "\r\n")
    else
        print("$-1\r\n")
    end
end


-- SET name value [EX seconds]
function commands.SET(count, name, value)
    local time = 0
    if count > 3 then
        time = count == 5 and tonumber(words[5]) or 0
        if words[4]:upper() ~= "EX" or time <= 0 then
            print("-ERR syntax error\r\n")
            return
        end
    end
    local ok, err = store:set(name, value, time)
    if ok then
        print("+OK\r\n")
    else
        print("-ERR ", err, "\r\n")
    end
end


function commands.DEL(count)
    local deleted = 0
    for i = 2, count do
        if store:get(words[i]) then
            store:delete(words[i])
            deleted = deleted + 1
        end
    end
    print(":", deleted, "\r\n")
end


function commands.EXISTS(count)
    local found = 0
    for i = 2, count do
        if store:get(words[i]) then
            found = found + 1
        end
    end
    print(":", found, "\r\n")
end


-- Whole seconds; -1: for ever, -2: there is no such name.
function commands.TTL(_, name)
    local left = store:ttl(name)
    if left then
        left = left > 0 and math.ceil(left) or -1
    end
    print(":", left or -2, "\r\n")
end


-- How many words each has: at least, and at most.
local counts = {
    PING = { 1, 2 }, ECHO = { 2, 2 }, GET = { 2, 2 }, SET = { 3, 5 },
    DEL = { 2, MAX_WORDS }, EXISTS = { 2, MAX_WORDS }, TTL = { 2, 2 },
}

local function answer(count)
    local name = words[1]
    if not commands[name] then
        name = name:upper()
    end
    local command, limits = commands[name], counts[name]
    if not command then
        print("-ERR unknown command '", words[1], "'\r\n")
    elseif count < limits[1] or count > limits[2] then
        print("-ERR wrong number of arguments for '", name, "' command\r\n")
    else
        command(count, words[2], words[3])
    end
end


local STAR, DOLLAR, CR, LF, ZERO, NINE = byte("*$\r\n09", 1, 6)

-- The number between a mark at `pos` and the end of its line, and where the
-- next line begins. nil: the line is not complete; or nil, and why it is none.
local function number(data, pos, mark, max)
    local first, ten, one, cr, lf = byte(data, pos, pos + 4)
    if first ~= mark then
        return nil, first and "no such number"
    end
    -- Most have one digit, or two.
    if one == CR and cr == LF and ten >= ZERO and ten <= NINE then
        return ten - ZERO, pos + 4
    elseif cr == CR and lf == LF and ten >= ZERO and ten <= NINE
        and one >= ZERO and one <= NINE
    then
        return (ten - ZERO) * 10 + one - ZERO, pos + 5
    end

    local last = find(data, "\r\n", pos, true)
    if not last then
        return nil, #data - pos > 20 and "too long a number" or nil
    end
    local n = tonumber(sub(data, pos + 1, last - 1))
    if not n or n < 0 or n > max or n % 1 ~= 0 then
        return nil, "no such number"
    end
    return n, last + 2
end


-- A line of words at `pos`: how many they are, and where the next line begins.
-- nil: so many bytes are missing, at least; or nil, and an error.
local function inline(data, pos)
    local last = find(data, "\n", pos, true)
    if not last then
        return nil, #data - pos > CHUNK and "too long a line" or 1
    end
    local count = 0
    for word in sub(data, pos, last):gmatch("%S+") do
        count = count + 1
        words[count] = word
    end
    return count, last + 1
end


-- The string at `pos`, and what is behind it. Else as inline().
local function bulk(data, pos)
    local size, begin = number(data, pos, DOLLAR, MAX_SIZE)
    if not size then
        return nil, begin or 1
    end
    local next = begin + size + 2
    if #data < next - 1 then
        return nil, next - 1 - #data
    end
    return sub(data, begin, next - 3), next
end


-- There are `count` words of a command, and `left` are to come. It is one loop
-- for words and commands alike: LuaJIT compiles such a one best.
local data, pos = "", 1
local count, left = 0, 0

while true do
    local found, next
    if left > 0 then
        found, next = bulk(data, pos)
        if found then
            count, left = count + 1, left - 1
            words[count] = found
        end
    elseif byte(data, pos) == STAR then
        found, next = number(data, pos, STAR, MAX_WORDS)
        count, left = 0, found or 0
    else
        found, next = inline(data, pos)
        count = found or 0
    end

    if found then
        pos = next
        if left == 0 and count > 0 then
            answer(count)
            count = 0
        end
    elseif type(next) == "string" then
        print("-ERR Protocol error: ", next, "\r\n")
        return
    else
        local missing = next or 1
        local more = ngx.receive(math.max(missing, CHUNK), missing)
        if not more then
            return
        end
        data = pos > #data and more or sub(data, pos) .. more
        pos = 1
    end
end
