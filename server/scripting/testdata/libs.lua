return cjson.encode({1,2,3,'x',true,false,cjson.null,1.5,1e15,123456789012345,-0.1})
---
return cjson.encode({a={b={c={}}}})
---
return cjson.encode({{},{},{1}})
---
return cjson.encode('\0\1\31\127\128é/\\"\b\t\n\f\r')
---
return cjson.encode({[1]=1,[2]=2,[4]=4})
---
return cjson.encode({[1]=1,[20]=2})
---
cjson.encode_sparse_array(true) return cjson.encode({[1]=1,[20]=2})
---
return {tostring(cjson.encode_sparse_array()), select(2, cjson.encode_sparse_array(true, 3, 4))}
---
return {cjson.encode_max_depth(), cjson.decode_max_depth(10), cjson.encode_number_precision(), tostring(cjson.encode_keep_buffer()), tostring(cjson.encode_invalid_numbers()), tostring(cjson.decode_invalid_numbers())}
---
cjson.encode_max_depth(2) return cjson.encode({{{1}}})
---
return cjson.encode_max_depth(0)
---
return cjson.encode_number_precision(15)
---
return cjson.encode_number_precision(1, 2)
---
return cjson.encode_invalid_numbers('x')
---
cjson.encode_invalid_numbers('null') return cjson.encode({1/0, -1/0})
---
cjson.encode_invalid_numbers(true) return cjson.encode({1/0, -1/0, 0/0})
---
cjson.encode_number_precision(3) return cjson.encode({1/3, 12345.678})
---
local c = cjson.new() c.encode_number_precision(2) return {c.encode(1/3), cjson.encode(1/3)}
---
return cjson.encode(1/0)
---
return cjson.encode({[1.5]=1})
---
return cjson.encode({[3]=1, a=2})
---
local d = cjson.decode('{"a":[1,2,{"b":null}],"c":"x\\u00e9\\ud83d\\ude00\\n","d":1.5e3,"e":true,"f":false}') return {d.a[1], d.a[2], tostring(d.a[3].b), d.c, tostring(d.d), tostring(d.e), tostring(d.f)}
---
return cjson.encode(cjson.decode('[1,2,[],{},"",0.1,1e400]'))
---
return cjson.encode(cjson.decode('[1,2,[],{},"",0.1,123456789012345678]'))
---
return {tostring(cjson.decode('0x10')), tostring(cjson.decode('nan')), tostring(cjson.decode('-inf')), tostring(cjson.decode('007')), tostring(cjson.decode('1.')), tostring(cjson.decode('-0'))}
---
return tostring(cjson.decode('Infinity'))
---
return tostring(cjson.decode('1e'))
---
return tostring(cjson.decode('.5'))
---
return tostring(cjson.decode('-.5'))
---
return tostring(cjson.decode('-'))
---
return tostring(cjson.decode('+5'))
---
cjson.decode_invalid_numbers(false) return cjson.decode('0x10')
---
cjson.decode_invalid_numbers(false) return cjson.decode('nan')
---
return cjson.decode('[1,]')
---
return cjson.decode('[1 2]')
---
return cjson.decode('{1:2}')
---
return cjson.decode('{"a" 2}')
---
return cjson.decode('{"a":2,}')
---
return cjson.decode('{"a":2 "b"}')
---
return cjson.decode('"abc')
---
return cjson.decode('"\\x"')
---
return cjson.decode('"\\u12g4"')
---
return cjson.decode('"\\ud800"')
---
return cjson.decode('"\\ud800\\u0041"')
---
return cjson.decode('"\\udc00"')
---
return cjson.decode('tru')
---
return cjson.decode('nul')
---
return cjson.decode('[1] x')
---
return cjson.decode('  ')
---
return cjson.decode('@')
---
return cjson.decode('a\0')
---
return cjson.decode('1\0')
---
return cjson.decode(5)
---
return cjson.decode({})
---
return cjson.decode('[1]', 2)
---
return cjson.decode('"a\0b"')
---
return cjson.decode(string.rep('[', 1000) .. string.rep(']', 1000)) ~= nil
---
return cjson.decode(string.rep('[', 1001))
---
local t = {} for i = 1, 1001 do t = {t} end return cjson.encode(t)
---
local t = {} for i = 1, 999 do t = {t} end return #cjson.encode(t)
---
local t = {} t.t = t return cjson.encode(t)
---
return cjson.encode({a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=10})
---
local t = {} for w in string.gmatch('the quick brown fox jumps over the lazy dog', '%a+') do t[w] = #w end return cjson.encode(t)
---
return cjson.encode(cjson.decode('{"zebra":1,"apple":2,"mango":{"x":1,"y":2,"z":3},"list":[1,2,3],"n":null}'))
---
local t = {} for i = 1, 50 do t['key:' .. i] = i end for i = 1, 50, 3 do t['key:' .. i] = nil end return cjson.encode(t)
---
local t = {} for i = -5, 5 do t[i] = i end t[1.5] = 'f' t[2^40] = 'b' t[true] = nil local r = {} for k in pairs(t) do r[#r+1] = tostring(k) end return r
---
local t = {10,20,30,x=1,[2^31]=2,[-1]=3,['1']=4} local r = {} for k, v in pairs(t) do r[#r+1] = tostring(k) .. '=' .. v end return r
---
local t = {} for i = 1, 20 do t[i] = i end for i = 20, 11, -1 do t[i] = nil end t.x = 1 t[15] = 1 local r = {#t} for k in pairs(t) do r[#r+1] = tostring(k) end return r
---
local t = {1,2,3,nil,5,nil} return {#t, #{nil,nil,3}, #{1,nil,3}, #{n=1,nil,2}}
---
local t = {} t[3] = 1 t[2] = 1 t[1] = 1 t[5] = 1 return #t
---
local t = {} for i = 1, 10 do t[i] = i end t[5] = nil t[10] = nil return #t
---
return cmsgpack.pack(1,-1,127,128,255,256,65535,65536,4294967295,4294967296,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,1.5,0.1,1e300,9007199254740993,-9007199254740993)
---
return cmsgpack.pack('', 'a', string.rep('x', 31), string.rep('x', 32), string.rep('x', 255), string.rep('x', 256))
---
return #cmsgpack.pack(string.rep('x', 70000))
---
return cmsgpack.pack({}, {1,2,3}, {a=1}, {[1]=1,[3]=3}, {1,2,a=3}, nil, true, false, tostring)
---
local t = {} for i = 1, 20 do t[i] = i end return cmsgpack.pack(t)
---
local t = {} for i = 1, 20 do t['k' .. i] = i end return cmsgpack.pack(t)
---
local t = {} for i = 1, 20 do t = {t} end return cmsgpack.pack(t)
---
return cmsgpack.pack({[1.5]=1}, {[0]=1}, {[-1]=1}, 1/0, -1/0, -0)
---
return {cmsgpack.unpack(cmsgpack.pack(1, 'a', {1,2}, 300, -300, 70000, -70000))}
---
local r = cmsgpack.unpack(cmsgpack.pack({a={b={1,2,{c='d'}}}})) return {r.a.b[1], r.a.b[3].c}
---
return {tostring(cmsgpack.unpack(cmsgpack.pack(0.1))), tostring(cmsgpack.unpack(cmsgpack.pack(1e300))), tostring(cmsgpack.unpack(cmsgpack.pack(2^63)))}
---
return {cmsgpack.unpack_one('\1\2\3'), cmsgpack.unpack_one('\1\2\3', 2)}
---
return {cmsgpack.unpack_limit('\1\2\3', 2), cmsgpack.unpack_limit('\1\2\3', 2, 1)}
---
return {cmsgpack.unpack_limit('\1\2\3', 0, 0)}
---
return {cmsgpack.unpack_limit('\1\2\3', 0, 1)}
---
return {cmsgpack.unpack('')}
---
return cmsgpack.unpack('\221\255\255\255\255')
---
return cmsgpack.unpack('\223\255\255\255\255')
---
return cmsgpack.unpack('\219\255\255\255\255a')
---
return cmsgpack.unpack('\129\192\1')
---
return cmsgpack.unpack('\129\203\127\248\0\0\0\0\0\0\1')
---
return cmsgpack.unpack()
---
return cmsgpack.unpack_one('\1', -1)
---
return struct.pack('bBhHlLfdiI', -1, 255, -2, 65535, -3, 5, 1.5, 2.5, -7, 7)
---
return struct.pack('>bBhHlLfdiI', -1, 255, -2, 65535, -3, 5, 1.5, 2.5, -7, 7)
---
return struct.pack('!4bi', 1, 2)
---
return struct.pack('!bdhd', 1, 2, 3, 4)
---
return struct.pack('<i3>i3xi1', 66051, 66051, 5)
---
return struct.pack('i16>i16', -2, -2)
---
return struct.pack('sc0c3 s', 'ab', 'cd', 'efgh', 'ij')
---
return {struct.unpack('bBhHlLfdiI', struct.pack('bBhHlLfdiI', -1, 255, -2, 65535, -3, 5, 1.5, 2.5, -7, 7))}
---
return {struct.unpack('>hi3', '\255\254\255\255\254')}
---
return {struct.unpack('i16', struct.pack('i16', -2))}
---
return {struct.unpack('Bc0s', '\3abcdef\0g')}
---
return {struct.unpack('c2', 'abcd', 3)}
---
return {struct.unpack('c2', 'abcd', 4)}
---
return {struct.unpack('c2', 'abcd', 0)}
---
return {struct.unpack('b', 'abcd', 100)}
---
return {struct.size('bhi'), struct.size('!bhid'), struct.size('c5i7'), struct.size('>!4bi')}
---
return struct.pack('i', 'x')
---
return struct.pack('i')
---
return struct.pack('i99999999999', 1)
---
return struct.pack('b', 300)
---
return struct.pack('Lb', 2^63, 1e10)
---
return struct.unpack('s', 'abc')
---
return struct.size('i0')
---
return struct.pack('i0', 5)
---
return struct.pack('d', 1/0) .. struct.pack('f', 1e300)
---
return {bit.tobit(2^32+5), bit.tobit(-1), bit.tobit(1.5), bit.tobit(2.5), bit.tobit(2^40), bit.tobit(0xffffffff)}
---
return {bit.band(0xff, 0x0f), bit.bor(1,2,4), bit.bxor(5,3), bit.bnot(0), bit.lshift(1,31), bit.rshift(-1,28), bit.arshift(-256,4), bit.rol(0x12345678,8), bit.ror(0x12345678,8), bit.bswap(0x12345678), bit.lshift(1,33)}
---
return {bit.tohex(255), bit.tohex(255,4), bit.tohex(-1,-8), bit.tohex(1,0), bit.tohex(1,20), bit.tohex(2^31)}
---
return bit.band()
---
return bit.band('x')
---
local r = {} for i = 1, 20 do r[i] = math.random(1000000) end return r
---
return math.random(2147483647)
---
math.randomseed(12345) local r = {} for i = 1, 20 do r[i] = math.random(-100, 100) end r[21] = tostring(math.random()) return r
---
math.randomseed(-1) return math.random(100)
---
return math.random(5, 1)
---
return {table.getn({1,2,3}), table.maxn({1,2,[10]=3}), math.pow(2, 10), math.mod(7, 3), math.fmod(-7, 3), tostring(math.pi), math.ceil(1.2), math.abs(-3), math.sqrt(16), math.max(1,2), math.min(1,2), math.floor(-0.5)}
---
return {tostring(math.frexp(10)), math.ldexp(0.5, 4), tostring(math.modf(3.7)), tostring(select(2, math.modf(-3.7))), tostring(math.log(10)), tostring(math.log10(1000)), tostring(math.exp(1)), tostring(math.sin(1)), tostring(math.tan(1)), tostring(math.deg(1)), tostring(math.rad(180)), tostring(math.atan2(1,2)), tostring(math.cosh(1))}
---
return {string.format('%5d|%-5d|%05d|%+d|% d|%x|%X|%#x|%o|%c|%e|%E|%g|%G|%.3f|%10.2f|%-10.2f|%i|%u', 42, 42, 42, 42, 42, 255, 255, 255, 8, 65, 12345.678, 12345.678, 1e20, 1e-10, 3.14159, 3.14159, 3.14159, 7, 7)}
---
return string.format('%s %10s %-10s| %.2s %q %%', 'a', 'b', 'c', 'defg', 'q"\n\r\0\\z')
---
return string.format('%d %x %5.1f', '12', 3.99, '2.55')
---
return string.format('%d', 2^53) .. string.format('%x', -1) .. string.format('%d', -2^63)
---
return string.format('%g %g %g %g %g', 100000, 1000000, 0.0001, 0.00001, 1/3)
---
return string.format('%.14g %.17g %.0f %.10g', 0.1, 0.1, 0.5, 2^40)
---
return string.format('%5s|%5.1s|%s', 'é', 'xyz', 12.0)
---
return string.format('%')
---
return string.format('%s')
---
return string.format('%10.123f', 1)
---
return string.format('%f %e %g', 1/0, -1/0, 0/0)
---
return string.format('%c%c', 0, 255)
---
return {string.byte('abc'), string.byte('abc', -1), string.byte('abc', 1, 3), string.char(72, 105), string.len('a\0b'), string.lower('ABCÉ'), string.upper('abcé'), string.rep('ab', 3), string.reverse('abc'), string.sub('hello', 2, -2), string.sub('hello', -3), string.sub('hello', 10), string.sub('hello', 0)}
---
return {string.find('hello', 'l'), string.find('hello', 'xyz'), string.find('a.b', '.', 1, true), string.find('hello', ''), string.find('hello', '', 10), string.find('hello', 'l', -2), string.find('abc', '(b)(c)')}
---
return {string.match('2024-01-15', '(%d+)-(%d+)-(%d+)'), string.match('  trim  ', '^%s*(.-)%s*$'), string.match('abc', '()b()'), string.match('[[x]]', '%[%[(.-)%]%]'), string.match('f(a(b)c)d', '%b()'), string.match('THE (quick) fox', '%f[%a]%a+', 5), string.match('abcabc', '(abc)%1')}
---
return {string.gsub('hello world', '(%w+)', '<%1>'), string.gsub('abc', '', '-'), string.gsub('hello', 'l', {l='L'}), string.gsub('hello', '.', function(c) if c == 'l' then return 'x' end end), string.gsub('abc', 'b', '%%'), string.gsub('a b c', '%s', '', 1), string.gsub('x^2', '%^', '**')}
---
local r = {} for k, v in string.gmatch('a=1, b=2', '(%w+)=(%w+)') do r[#r+1] = k .. v end for w in string.gmatch('one two', '%a*') do r[#r+1] = w end return r
---
return string.gsub('abc', '(', 'x')
---
return string.gsub('abc', 'b)', 'x')
---
return string.gsub('abc', '%1', 'x')
---
return string.find('a', '%f')
---
return string.find('a', '%b')
---
return string.gsub('abc', 'b', function() return {} end)
---
return string.gsub('abc', 'b', true)
---
return string.match('x', string.rep('()', 33))
---
return string.find('a\0b', '\0') 
---
return {string.find('a]b', '[]]'), string.find('a-b', '[a%-]', 2), string.find('a-b', '[+--]'), string.match('a^b', '[%^]'), string.match('abc', '[^a]+'), string.match('x1', '[%w]+'), string.find('ab', '[b-]')}
---
return string.gfind('a', 'b')
---
local t = {3,1,2} table.sort(t) table.insert(t, 4) table.insert(t, 1, 0) local x = table.remove(t) local y = table.remove(t, 1) return {table.concat(t, ','), x, y, table.concat({}, ','), table.concat({1,2,3}, '-', 2, 3), #t}
---
local t = {} for i = 1, 30 do t[i] = {k = i % 3, v = i} end table.sort(t, function(a, b) return a.k < b.k end) local r = {} for i = 1, 30 do r[i] = t[i].v end return r
---
local t = {5,2,8,1,9,3,7,4,6,0} local n = 0 table.sort(t, function(a, b) n = n + 1 return a > b end) return {n, unpack(t)}
---
local r = {} table.foreach({a=1}, function(k, v) r[#r+1] = k .. v end) table.foreachi({5,6}, function(i, v) r[#r+1] = i * v end) return r
---
return table.insert({1,2}, 1, 2, 3)
---
table.setn({}, 1)
---
local t = {1,2,3} table.insert(t, 10, 'x') table.insert(t, -1, 'y') local r = {#t} for k, v in pairs(t) do r[#r+1] = tostring(k) .. tostring(v) end return r
---
return table.concat({1, 2.5, 'x', 1e15, 1/3}, ' ')
---
return {tostring(1e14), tostring(1e15), tostring(123456789.123), tostring(-1e-5), tostring(2^31), tostring(2^63), tostring(1e300), 1 .. '', 0.1 .. '', -0 .. ''}
---
return {tonumber('0x1F'), tonumber(' 10 '), tonumber('1e2'), tostring(tonumber('')), tostring(tonumber('1 2')), tonumber('ff', 16), tonumber('zz', 36), tostring(tonumber('8', 8)), tostring(tonumber('-ff', 16)), tonumber('1010', 2), tostring(tonumber('inf')), tostring(tonumber('nan')), tostring(tonumber('0x')), tonumber('0x1p4'), tostring(tonumber('1_0')), tonumber('010'), tostring(tonumber(nil)), tostring(tonumber({}))}
---
return tonumber()
---
return {'10' + 5, '3' * '4', 10 .. 20, -'2', '0x10' + 0, 2^10, 7 % 3, -7 % 3, 7 % -3, 5.5 % 2, 1e308 * 10 == 1/0, 5 / 2}
---
return {tostring('a' < 'b'), tostring('a' < 'B'), tostring('' < 'a'), tostring('a\0b' < 'a\0c'), tostring('é' > 'z'), tostring(1 == '1'), tostring(0 == -0), tostring('10' < '9')}
---
local mt = {__index=function(t, k) return k .. '?' end, __newindex=function(t, k, v) rawset(t, k, v * 2) end, __call=function(self, a, b) return a + b end, __tostring=function() return 'TS' end, __len=function() return 42 end, __unm=function() return 'neg' end, __concat=function(a, b) return 'cat' end, __eq=function() return true end, __lt=function() return true end, __le=function() return false end, __add=function() return 'add' end, __mod=function() return 'mod' end, __pow=function() return 'pow' end}
local a, b = setmetatable({}, mt), setmetatable({}, mt)
a.x = 5
return {a.foo, a.x, a(1, 2), tostring(a), #a, -a, a .. 'x', 'x' .. a, tostring(a == b), tostring(a < b), tostring(a <= b), tostring(a > b), a + 1, 1 % a, a ^ b, rawget(a, 'zz') or 'nil', tostring(rawequal(a, b))}
---
local t = setmetatable({}, {__index={x=1, y=setmetatable({}, {__index={z=3}})}}) return {t.x, t.y.z, t.nope}
---
local function f(...) local a, b = ... return select('#', ...), a, b, ... end return {f(1, nil, 3)}
---
local function f(a, ...) return arg and arg.n or 'none', a end return {f(1, 2, 3)}
---
local function f(a, ...) return arg.n, arg[1], a end return {f(1, 2, 3)}
---
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) local c, d = coroutine.yield(b * 2) return c + d end) local r = {} r[1] = select(2, coroutine.resume(co, 1)) r[2] = select(2, coroutine.resume(co, 10)) r[3] = select(2, coroutine.resume(co, 3, 4)) r[4] = coroutine.status(co) r[5] = select(2, coroutine.resume(co)) return r
---
local g = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) local r = {} for v in g do r[#r+1] = v end return r
---
local co co = coroutine.create(function() return coroutine.status(co), coroutine.running() == co, coroutine.resume(co) end) local t = {coroutine.resume(co)} for i = 1, #t do t[i] = tostring(t[i]) end return t
---
local co = coroutine.wrap(function() local co2 = coroutine.wrap(function() coroutine.yield(1) error('deep') end) co2() return co2() end) local ok, e = pcall(co) return e
---
return coroutine.create(tostring)
---
return coroutine.resume(1)
---
local co = coroutine.wrap(function() return pcall(function() coroutine.yield(1) end) end) local a, b = co() return {tostring(a), b}
---
local a = {} for i = 1, 3 do local j = i a[i] = function() j = j + 1 return j end end return {a[1](), a[1](), a[2](), a[3]()}
---
local i = 1 local r = {} while true do i = i + 1 if i % 2 == 0 then if i > 10 then break end r[#r+1] = i end end return r
---
local r = {} for i = 10, 1, -3 do r[#r+1] = i end for i = 1, 0 do r[#r+1] = 'no' end for i = 1, 2, 0.5 do r[#r+1] = tostring(i) end return r
---
local r = {} for i = '1', '3' do r[#r+1] = i end return r
---
for i = 1, 'x' do end
---
for i = 1, 2, {} do end
---
local a, b, c = (function() return 1, 2, 3 end)() local d, e = ((function() return 1, 2 end)()) return {a, b, c, d, tostring(e)}
---
local t = {f = function(self, x) return self.v + x end, v = 10} return {t:f(5), t.f(t, 6), t.f({v = 1}, 1)}
---
local x = 1 do local x = 2 end return x
---
local a, b = 1, 2 a, b = b, a local t = {1, 2} local i = 1 i, t[i] = i + 1, 20 return {a, b, i, t[1], t[2]}
---
return {#'abc', not nil and 1 or 2, nil == false and 1 or 2, 1 and 2, (nil and 1) or 'd', 1 or error('no')}
---
return loadstring('return ...')(5)
---
return {loadstring('x =')}
---
local f, e = loadstring('x =', '@chunk') return e
---
local f, e = loadstring('x =', '=chunk') return e
---
local f, e = loadstring('\n\nx = = 2') return e
---
local f, e = loadstring(string.rep('x', 100) .. ' =') return e
---
local parts = {'return ', '1', ' + 1'} local i = 0 return load(function() i = i + 1 return parts[i] end)()
---
return {type(next), next({}), next({10}), select(2, next({10})), next({a=1})}
---
return {rawequal('a', 'a') and 1 or 0, rawget({5}, 1), select(-1, 1, 2, 3), select(2, 'a', 'b')}
---
return {type(nil), type(1), type('x'), type({}), type(type), type(coroutine.create(function() end)), type(cjson.null), type(true)}
---
return type()
---
local t = {} t[1.0] = 'a' t['1'] = 'b' t[2^53] = 'c' return {t[1], t['1'], t[9007199254740992], #t}
---
return {0xff, 1e2, .5 * 2, 3., 0x.8 and 1}
---
return {'\65\066\x', "a\
b", [[
x]], [=[a]]b]=], 'tab\tq'}
---
local s = 'a' for i = 1, 10 do s = s .. s end return #s
---
return {tostring(setmetatable({}, {__tostring = function() return 'hi' end})), getmetatable(setmetatable({}, {__metatable = 'locked'}))}
---
local t = {} t.x, t.y = 1 return {t.x, tostring(t.y)}
---
return ({1,2,3})[2] + #({1,2})
---
return {pcall(error), select(2, pcall(error, 'msg', 0)), select(2, pcall(error, 'msg', 2)), select(2, pcall(function() error('lvl', 2) end))}
---
local function lvl() error('deep', 2) end
local function b() lvl() end
return select(2, pcall(b))
---
local function a(n) if n == 0 then error('bottom') end return a(n - 1) end
a(10)
---
local function a(n) if n == 0 then return nil + 1 end a(n - 1) end
a(3)
---
return select(2, xpcall(function() local x = nil; return x.y end, function(m) return 'H:' .. m end))
---
return {xpcall(function() return 1, 2 end, tostring)}
---
return xpcall(function() error('a') end, function() error('b') end)
---
local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]
---
local t = {} setmetatable(t, {__index = t}) return t.x
---
return string.rep('x', 10):gsub('x', '%0%0'):len()
---
local up = 0 local function inc() up = up + 1 return up end inc() inc() return {inc(), up}
---
local function sum(n) if n == 0 then return 0 end return n + sum(n - 1) end return sum(1000)
---
local function loop(n, acc) if n == 0 then return acc end return loop(n - 1, acc + n) end return loop(100000, 0)
---
return collectgarbage('collect')
---
return {math.huge == 1/0 and 1, -math.huge < 0 and 1, tostring(math.huge), tostring(-(0/0))}
---
return _VERSION
---
local r = {} for k, v in pairs(_G) do r[#r+1] = k end table.sort(r) return #r > 20
---
local a <close> = 1
---
goto x
---
return 1 return 2
---
x = }
---
local function f() return 1 end; (f)()
---
local t = {
  a = 1,
  b = 2;
  [3] = 3
}
return t.a + t.b +
  t[3] + nil
---
local x = {}
x.y.z.w = 1
---
local s = "abc"
s.x.y = 1
---
return #KEYS + KEYS
---
return ARGV[1] + 1
---
return KEYS[5] .. 'x'
---
return redis.nope.x
---
redis.call('set', 'x')
---
redis.call('set', 'x', {})
---
redis.call('set', 'x', true)
---
local x = redis.call('get', 'nope') if x == false then return 'false' end return 'nil'
