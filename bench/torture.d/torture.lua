-- init_by_lua of bench/torture and of t/110: `torture.serve()` serves a client,
-- `torture.control()` answers whoever looks on.

local ledger = require "ledger"
local handler = require "handler"
require "threads"
require "waits"
local client = require "client"
local memory = require "memory"

local _M = { serve = client.serve }

-- More than the module keeps a buffer for.
local large = { string.rep("0123456789abcdef", 32768) }

local answers = {}


-- What is wrong so far, as texts; nothing if all is well.
function answers.wrong()
    local texts = ledger.texts
    if ledger.wrong > #texts then
        return table.concat(texts, "\n\n") .. "\n\nand "
            .. ledger.wrong - #texts .. " more"
    end
    return table.concat(texts, "\n\n")
end


-- For tests: waits until nothing is left, `seconds` at most; then says what was
-- wrong, or how many operations there were.
function _M.outcome(seconds)
    local left
    local end_time = ngx.now() + seconds
    repeat
        ngx.sleep(0.05)
        left = answers.left()
    until left == "0 0 0\n" or ngx.now() > end_time
    if left ~= "0 0 0\n" then
        ledger.fail(nil, "timers pending and running, objects alive: ", left)
    end
    local wrong = answers.finish()
    if wrong ~= "" then
        return wrong
    end
    local n = 0
    for _, results in pairs(ledger.tally) do
        for _, count in pairs(results) do
            n = n + count
        end
    end
    return n > 0 and "all is well" or "nothing was done"
end


-- How often each operation came to which result.
function answers.tally()
    local lines = {}
    for name, results in pairs(ledger.tally) do
        for result, n in pairs(results) do
            lines[#lines + 1] = name .. "\t" .. result .. "\t" .. n
        end
    end
    return table.concat(lines, "\n")
end


-- Timers that are pending and running, and how much of the scripts is alive
-- after a collection. Compiled code has references to what it was compiled for,
-- and there would be more of it for minutes: it has to begin anew.
function answers.left()
    jit.flush()
    memory.collect()
    local n, texts = handler.count_alive()
    return ngx.timer.pending_count() .. " " .. ngx.timer.running_count()
        .. " " .. n .. "\n" .. table.concat(texts, "\n")
end


-- To be asked when nothing is left: checks and renews what all have shared.
function answers.finish()
    ledger.finish()
    handler.renew()
    return answers.wrong()
end


function answers.memory()
    return memory.figures(handler.alive)
end


function answers.trim()
    return memory.trim()
end


function _M.control()
    local name = ngx.receive("*l")
    ngx.print(answers[name](), "\n")
end


-- Takes one of the buffers that the module keeps, and makes it so large that it
-- is not kept any more.
function _M.empty()
    ngx.print(large)
end


-- The size of the largest prints.
function _M.set_largest(n)
    client.largest = n
end


ledger.begin()

return _M
