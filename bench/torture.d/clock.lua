-- The clock that the scheduler goes by, in seconds. ngx.now() is another one:
-- nginx reads the two one after the other, and may be held up in between.

local ffi = require "ffi"

ffi.cdef "extern volatile uintptr_t ngx_current_msec;"


return function()
    return tonumber(ffi.C.ngx_current_msec) / 1000
end
