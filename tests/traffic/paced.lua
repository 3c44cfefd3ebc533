-- For wrk: asks at a rate (requests a second of all 64 connections) instead of as fast as it can.
local pause = 0

function init(arguments)
  pause = 64 * 1000 / tonumber(arguments[1])
end

function delay()
  return pause
end
