-- Writes a small gzip file (RFC 1952) that inflates to a very large text, with fixed Huffman codes
-- (RFC 1951) alone.

local M = {}

-- A writer of bits, least significant first.
local function bit_writer()
  local out, accumulator, width = {}, 0, 0
  local self = {}

  function self.put(value, bits)
    accumulator = accumulator + value * 2 ^ width
    width = width + bits
    while width >= 8 do
      out[#out + 1] = string.char(accumulator % 256)
      accumulator = math.floor(accumulator / 256)
      width = width - 8
    end
  end

  -- A Huffman code: most significant bit first.
  function self.put_code(code, bits)
    local reversed = 0
    for _ = 1, bits do
      reversed = reversed * 2 + code % 2
      code = math.floor(code / 2)
    end
    self.put(reversed, bits)
  end

  function self.text()
    if width > 0 then self.put(0, 8 - width) end
    return table.concat(out)
  end

  -- Writes the last `count` bytes again, `times` times. Bits waiting for a whole byte stay where
  -- they are.
  function self.again(count, times)
    local unit = table.concat(out, "", #out - count + 1)
    out[#out + 1] = unit:rep(times)
  end

  return self
end

-- Bits are kept in numbers, so the same code runs on every Lua: exclusive or, one bit at a time.
local function exclusive_or(a, b)
  local result, unit = 0, 1
  while a > 0 or b > 0 do
    local x, y = a % 2, b % 2
    if x ~= y then result = result + unit end
    a, b, unit = (a - x) / 2, (b - y) / 2, unit * 2
  end
  return result
end

local polynomial = 0xEDB88320

-- a * b modulo the CRC polynomial; numbers hold polynomials with the highest power in the lowest
-- bit.
local function multiply(a, b)
  local product, mask = 0, 2 ^ 31
  while a > 0 do
    if a >= mask then
      product = exclusive_or(product, b)
      a = a - mask
    end
    mask = mask / 2
    local low = b % 2
    b = (b - low) / 2
    if low == 1 then b = exclusive_or(b, polynomial) end
  end
  return product
end

-- x to the power of 8 * bytes, modulo the polynomial.
local function shift_operator(bytes)
  local result, square = 2 ^ 31, 2 ^ 23 -- 1, and x to the 8th
  while bytes > 0 do
    if bytes % 2 == 1 then result = multiply(square, result) end
    square = multiply(square, square)
    bytes = math.floor(bytes / 2)
  end
  return result
end

-- The CRC of two texts one after the other, from their CRCs and the length of the second.
local function combine(first, second, second_length)
  return exclusive_or(multiply(shift_operator(second_length), first), second)
end

local function crc(text)
  local register = 0xFFFFFFFF
  for i = 1, #text do
    register = exclusive_or(register, text:byte(i))
    for _ = 1, 8 do
      local low = register % 2
      register = (register - low) / 2
      if low == 1 then register = exclusive_or(register, polynomial) end
    end
  end
  return exclusive_or(register, 0xFFFFFFFF)
end

-- The CRC of `char` repeated `count` times.
local function crc_of_run(char, count)
  local result, unit, unit_length = 0, crc(char), 1
  while count > 0 do
    if count % 2 == 1 then result = combine(result, unit, unit_length) end
    unit = combine(unit, unit, unit_length)
    unit_length = unit_length * 2
    count = math.floor(count / 2)
  end
  return result
end

local function little_endian(number)
  local bytes = {}
  for i = 1, 4 do
    bytes[i] = string.char(number % 256)
    number = math.floor(number / 256)
  end
  return table.concat(bytes)
end

local function put_literals(writer, text)
  for i = 1, #text do writer.put_code(0x30 + text:byte(i), 8) end
end

-- 258 bytes more of the last one: length code 285, distance code 0; 13 bits.
local function put_match(writer)
  writer.put_code(0xC5, 8)
  writer.put_code(0, 5)
end

-- `count` times the same character. Eight matches are 13 whole bytes, so the bulk is repeated as
-- text.
local function put_run(writer, char, count)
  put_literals(writer, char)
  local matches = math.floor((count - 1) / 258)
  local groups = math.floor(matches / 8)
  if groups > 2 then
    for _ = 1, 16 do put_match(writer) end
    writer.again(13, groups - 2)
    matches = matches - groups * 8
  end
  for _ = 1, matches do put_match(writer) end
  put_literals(writer, char:rep((count - 1) % 258))
end

-- A gzip file that inflates to `bytes` bytes: `before`, then `char` over and over, then `after`
-- (all ASCII).
function M.gzip(before, char, after, bytes)
  local run = math.max(bytes - #before - #after, 1)
  local writer = bit_writer()
  writer.put(1, 1) -- the last block
  writer.put(1, 2) -- fixed codes
  put_literals(writer, before)
  put_run(writer, char, run)
  put_literals(writer, after)
  writer.put_code(0, 7) -- end of block
  local checksum = combine(combine(crc(before), crc_of_run(char, run), run), crc(after), #after)
  local size = (#before + run + #after) % 2 ^ 32
  return "\31\139\8\0\0\0\0\0\0\255" .. writer.text() .. little_endian(checksum)
    .. little_endian(size)
end

return M
