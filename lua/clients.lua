-- ngx.clients.keys_iter: goes from one id to the next by their numbers, and
-- holds nothing in between.

local native, ngx = ...

local last_client, next_client = native.last_client, native.next_client


function ngx.clients.keys_iter()
    local number, last = 0, last_client()
    return function()
        local found, id = next_client(number, last)
        number = found or last
        return id
    end
end
