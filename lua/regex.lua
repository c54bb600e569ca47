-- ngx.re: the loops over matches, and what calls a script's functions. A search
-- is one call of native's, which holds nothing when it returns: functions may
-- fail, wait, or use ngx.re themselves.

local native, ngx = ...

local compile, find_all = native.re_compile, native.re_match
local find_one, substitute = native.re_find, native.re_sub
local concat, match, sub = table.concat, string.match, string.sub
local error, tonumber, tostring, type = error, tonumber, tostring, type

ngx.re = {}

-- Texts of options that have been looked at; longer ones are looked at again.
local MAX_KNOWN = 12
local known = {}

local function bad_argument(n, name, expected, value)
    error("bad argument #" .. n .. " to '" .. name .. "' (" .. expected
        .. " expected, got " .. type(value) .. ")", 4)
end

-- All three as strings, for a function called `name`.
local function strings(name, subject, pattern, options)
    if type(subject) ~= "string" then
        subject = tostring(subject)
    end
    if type(pattern) ~= "string" then
        if type(pattern) ~= "number" then
            bad_argument(2, name, "string", pattern)
        end
        pattern = tostring(pattern)
    end
    if options ~= nil and not known[options] then
        if type(options) ~= "string" then
            local n = match(name, "sub$") and 4 or 3
            bad_argument(n, name, "string", options)
        end
        local unknown = match(options, "[^adDijJmosuUx]")
        if unknown then
            error('unknown flag "' .. unknown .. '" (flags "' .. options
                .. '")', 3)
        end
        known[options] = #options <= MAX_KNOWN or nil
    end
    return subject, pattern, options
end

-- How many bytes are before ctx.pos.
local function start_of(name, ctx)
    if ctx == nil then
        return 0
    elseif type(ctx) ~= "table" then
        bad_argument(4, name, "table", ctx)
    end
    local pos = ctx.pos
    if pos == nil then
        return 0
    end
    local n = tonumber(pos)
    if not n then
        error("bad \"pos\" field in argument #4 to '" .. name
            .. "' (number expected, got " .. type(pos) .. ")", 3)
    end
    return n > 1 and n - 1 or 0
end

-- What is returned where nothing was found, for a reason or without.
local function nothing(err)
    if err then
        return nil, err
    end
    return nil
end

function ngx.re.match(subject, pattern, options, ctx, res)
    subject, pattern, options = strings("match", subject, pattern, options)
    local start = start_of("match", ctx)
    if type(res) ~= "table" and res ~= nil then
        error("bad argument #5 to 'match' (table expected, got "
            .. type(res) .. ")", 2)
    end
    local found, from, to =
        find_all(subject, pattern, options, start, false, res)
    if not found then
        return nothing(from)
    end
    if ctx then
        ctx.pos = to + 1
    end
    return found
end

function ngx.re.find(subject, pattern, options, ctx, nth)
    subject, pattern, options = strings("find", subject, pattern, options)
    local start = start_of("find", ctx)
    if nth ~= nil and not tonumber(nth) then
        error("bad argument #5 to 'find' (number expected, got "
            .. type(nth) .. ")", 2)
    end
    local from, to, err, last =
        find_one(subject, pattern, options, start, nth)
    if ctx and last then
        ctx.pos = last + 1
    end
    if err then
        return nil, nil, err
    end
    return from, to
end

function ngx.re.gmatch(subject, pattern, options)
    subject, pattern, options = strings("gmatch", subject, pattern, options)
    local ok, failure = compile(subject, pattern, options)
    if not ok then
        return nil, failure
    end
    -- Where to go on; nil: everything has been found.
    local start = 0
    return function()
        if not start then
            return nil
        end
        local found, from, _, next_start =
            find_all(subject, pattern, options, start, start > 0)
        if not found then
            start = nil
            return nothing(from)
        end
        start = next_start <= #subject and next_start or nil
        return found
    end
end

-- As native's, with what a function makes of each match.
local function substitute_by(replace, subject, pattern, options, all)
    local pieces, n, count = {}, 0, 0
    local start, copied = 0, 0
    repeat
        local found, from, to, next_start =
            find_all(subject, pattern, options, start, start > 0)
        if not found then
            if from then
                return nil, nil, from
            end
            break
        end
        count = count + 1
        pieces[n + 1] = sub(subject, copied + 1, from - 1)
        -- It may return nothing, which has no text.
        local piece = replace(found)
        pieces[n + 2] = tostring(piece)
        n = n + 2
        if to > copied then
            copied = to
        end
        start = next_start
    until not all
    if count == 0 then
        return nil, 0
    end
    pieces[n + 1] = sub(subject, copied + 1)
    return concat(pieces), count
end

local function replaced(subject, pattern, options, replace, all)
    local text, count, err
    if type(replace) == "function" then
        text, count, err =
            substitute_by(replace, subject, pattern, options, all)
    else
        if type(replace) ~= "string" then
            replace = tostring(replace)
        end
        text, count, err =
            substitute(subject, pattern, options, replace, all)
    end
    if count == 0 then
        return subject, 0
    end
    if err then
        return nil, nil, err
    end
    return text, count
end

function ngx.re.sub(subject, pattern, replace, options)
    subject, pattern, options = strings("sub", subject, pattern, options)
    return replaced(subject, pattern, options, replace, false)
end

function ngx.re.gsub(subject, pattern, replace, options)
    subject, pattern, options = strings("gsub", subject, pattern, options)
    return replaced(subject, pattern, options, replace, true)
end
