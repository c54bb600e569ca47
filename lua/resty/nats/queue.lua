-- What wait() has to hand out of what others have read: messages with their
-- subscriptions, and errors. First in, first out, and bounded: a program that
-- never waits must not fill the worker's memory.

local queue = {}


-- For so many messages, and bytes in them.
function queue.new(max, max_bytes)
    return { head = 1, tail = 0, length = 0, bytes = 0, max = max,
        max_bytes = max_bytes, overflowed = false }
end


local function append(self, target, item)
    local tail = self.tail + 2
    self[tail - 1], self[tail] = target, item
    self.tail = tail
end


-- A message and whose it is: a table with the function `callback`. False: it
-- was dropped, as too much is waiting; the first time after there was room
-- that is news.
function queue.push(self, target, msg)
    if self.length >= self.max
        or self.bytes + msg.len > self.max_bytes
    then
        local is_news = not self.overflowed
        self.overflowed = true
        return false, is_news
    end
    self.overflowed = false
    self.length = self.length + 1
    self.bytes = self.bytes + msg.len
    append(self, target, msg)
    return true
end


-- An error for wait() to return.
function queue.push_error(self, text)
    if self.tail - self.head < 4 * self.max then
        append(self, false, text)
    end
end


-- The oldest: whose it is, and the message; false and an error; or nil.
function queue.pop(self)
    local head, tail = self.head, self.tail
    while head < tail do
        local target, item = self[head], self[head + 1]
        self[head], self[head + 1] = nil, nil
        head = head + 2
        if head > tail then
            head, self.tail = 1, 0
            tail = 0
        end
        self.head = head
        if not target then
            return false, item
        end
        self.length = self.length - 1
        self.bytes = self.bytes - item.len
        if not target.dropped then
            return target, item
        end
    end
end


return queue
