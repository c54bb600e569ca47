-- The jobs of jobs.lua that work on shared dictionaries: get, set, incr, and
-- add with the delete that follows, with keys of 10 bytes.
--
--     NAME                in a loop, over 1,000 keys; values of 10 bytes
--     NAME-long           values of 1 KiB
--     NAME-many           over 1,000,000 keys
--     NAME-handler        calls one after the other without a loop, each with a
--                         key of its own, as a handler has them
--     NAME-handler-long
local few, many = ngx.shared.bench_few, ngx.shared.bench_many

local FEW, MANY = 1000, 1000000

local SHORT = string.rep("v", 10)
local LONG = string.rep("0123456789abcdef", 64)

-- A way through all keys that is not their order; prime to both numbers.
local STRIDE = 414977


local function key_of(i)
    return string.format("%010d", i)
end


local function keys_of(n)
    local keys = {}
    for i = 1, n do
        keys[i] = key_of(i)
    end
    return keys
end


-- Makes and fills what the job needs, once; not measured.
local few_keys = keys_of(FEW)
local many_keys
local filled = {}

local function fill(dict, keys, value)
    for i = 1, #keys do
        local ok, err, forcible = dict:set(keys[i], value)
        assert(ok and not forcible, err)
    end
end


local function prepare(dict, value)
    if dict == many then
        many_keys = many_keys or keys_of(MANY)
    end
    local kind = tostring(dict) .. type(value) .. #tostring(value)
    if filled[dict] ~= kind then
        fill(dict, dict == many and many_keys or few_keys, value)
        filled[dict] = kind
    end
    return dict == many and many_keys or few_keys
end


-- What a job does with the key k, as text: code for each job and for both
-- kinds of callers, so that each has traces of its own.
local OPERATIONS = {
    get = "sum = sum + #dict:get(k)",
    set = "dict:set(k, value)",
    incr = "sum = sum + dict:incr(k, 1)",
    add = "dict:add(k, value) dict:delete(k)",
}

local LOOP = [[
    local dict, keys, value, stride = ...
    local n = #keys
    return function(count)
        local sum, at = 0, 0
        for _ = 1, count do
            at = (at + stride) %% n
            local k = keys[at + 1]
            %s
        end
        return sum
    end
]]

local HANDLER = [[
    local dict, keys, value = ...
    return function()
        local sum, k = 0, nil
        %s
        return sum
    end
]]


local function loop(operation, dict, keys, value)
    local code = string.format(LOOP, operation)
    return assert(loadstring(code, "=bench"))(dict, keys, value, STRIDE)
end


local function handler(operation, count, dict, keys, value)
    local lines = {}
    for i = 1, count do
        lines[i] = string.format("k = %q %s", keys[i % #keys + 1], operation)
    end
    local code = string.format(HANDLER, table.concat(lines, "\n"))
    return assert(loadstring(code, "=bench"))(dict, keys, value)
end


local jobs = {}

local function add_job(name, operation, dict, value)
    local run, handlers = nil, {}

    jobs[name] = {
        prepare = function()
            -- A key that is to be added is not there: in front of each stands
            -- a letter.
            local keys = prepare(dict, name:find("^incr") and 0 or value)
            if name:find("^add") then
                local others = {}
                for i = 1, #keys do
                    others[i] = "a" .. keys[i]:sub(2)
                end
                keys = others
            end
            run = run or loop(operation, dict, keys, value)
            return keys
        end,
        run = function(count)
            run(count)
        end,
    }

    if dict == few then
        jobs[name:gsub("^%a+", "%0-handler")] = {
            prepare = function(count)
                local keys = jobs[name].prepare()
                handlers[count] = handlers[count]
                    or handler(operation, count, dict, keys, value)
            end,
            run = function(count)
                handlers[count]()
            end,
        }
    end
end

for name, operation in pairs(OPERATIONS) do
    add_job(name, operation, few, SHORT)
    add_job(name .. "-many", operation, many, SHORT)
    if name ~= "incr" then
        add_job(name .. "-long", operation, few, LONG)
    end
end


return jobs
