package lualib

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/streampulse/pulse/server/scripting/lua"
)

// jsonConfig is what the option functions of one cjson table set.
type jsonConfig struct {
	sparseConvert           bool
	sparseRatio, sparseSafe int
	encodeDepth             int
	decodeDepth             int
	encodeInvalid           int // 0 refuse, 1 write, 2 null
	decodeInvalid           bool
	keepBuffer              bool
	precision               int
}

var defaultJSON = jsonConfig{sparseRatio: 2, sparseSafe: 10, encodeDepth: 1000, decodeDepth: 1000, decodeInvalid: true, keepBuffer: true, precision: 14}

var nullByte byte

// Null is cjson.null.
var Null = lua.LightData(&nullByte)

func (l *Libs) openJSON(s *lua.State) {
	s.Globals().SetStr("cjson", lua.Tab(newJSON(s, &l.json)))
}

func newJSON(s *lua.State, c *jsonConfig) *lua.Table {
	lib := s.NewTable(0, 16)
	s.SetFuncs(lib, map[string]lua.GoFunc{
		"encode":                  c.encode,
		"decode":                  c.decode,
		"encode_sparse_array":     c.sparse,
		"encode_max_depth":        func(t *lua.Thread) int { return jsonInt(t, 1, &c.encodeDepth, 1, math.MaxInt32) },
		"decode_max_depth":        func(t *lua.Thread) int { return jsonInt(t, 1, &c.decodeDepth, 1, math.MaxInt32) },
		"encode_number_precision": func(t *lua.Thread) int { return jsonInt(t, 1, &c.precision, 1, 14) },
		"encode_keep_buffer":      func(t *lua.Thread) int { jsonArgs(t, 1); return jsonBool(t, 1, &c.keepBuffer) },
		"encode_invalid_numbers":  c.invalidEncode,
		"decode_invalid_numbers":  func(t *lua.Thread) int { jsonArgs(t, 1); return jsonBool(t, 1, &c.decodeInvalid) },
		"new": func(t *lua.Thread) int {
			own := defaultJSON
			t.State().Charge(4096)
			return t.Return(lua.Tab(newJSON(t.State(), &own)))
		},
	})
	lib.SetStr("null", Null)
	lib.SetStr("_NAME", lua.Str("cjson"))
	lib.SetStr("_VERSION", lua.Str("2.1.0"))
	return lib
}

func jsonArgs(t *lua.Thread, most int) {
	if t.NArgs() > most {
		t.ArgError(most+1, "found too many arguments")
	}
}

func jsonSetInt(t *lua.Thread, n int, v *int, low, high int) {
	if !t.Arg(n).IsNil() {
		i := t.CheckInt(n)
		if i < low || i > high {
			t.ArgError(n, "expected integer between "+lua.FormatNumber(float64(low))+" and "+lua.FormatNumber(float64(high)))
		}
		*v = i
	}
	t.Push(lua.Int(*v))
}

func jsonInt(t *lua.Thread, n int, v *int, low, high int) int {
	jsonArgs(t, 1)
	jsonSetInt(t, n, v, low, high)
	return 1
}

func jsonBool(t *lua.Thread, n int, v *bool) int {
	if i := jsonOption(t, n, []string{"off", "on"}); i >= 0 {
		*v = i == 1
	}
	return t.Return(lua.Bool(*v))
}

// jsonOption is a boolean or a name of a list; -1 for an absent one.
func jsonOption(t *lua.Thread, n int, names []string) int {
	v := t.Arg(n)
	switch v.Kind() {
	case lua.Nil:
		return -1
	case lua.Boolean:
		if v.Truthy() {
			return 1
		}
		return 0
	}
	s := t.CheckString(n)
	for i, name := range names {
		if s == name {
			return i
		}
	}
	t.ArgError(n, "invalid option '"+s+"'")
	return -1
}

func (c *jsonConfig) invalidEncode(t *lua.Thread) int {
	jsonArgs(t, 1)
	if i := jsonOption(t, 1, []string{"off", "on", "null"}); i >= 0 {
		c.encodeInvalid = i
	}
	if c.encodeInvalid == 2 {
		return t.Return(lua.Str("null"))
	}
	return t.Return(lua.Bool(c.encodeInvalid == 1))
}

func (c *jsonConfig) sparse(t *lua.Thread) int {
	jsonArgs(t, 3)
	jsonBool(t, 1, &c.sparseConvert)
	jsonSetInt(t, 2, &c.sparseRatio, 0, math.MaxInt32)
	jsonSetInt(t, 3, &c.sparseSafe, 0, math.MaxInt32)
	return 3
}

// encoder writes JSON.
type encoder struct {
	*jsonConfig
	t     *lua.Thread
	out   []byte
	meter lua.Meter
	depth int
}

func (c *jsonConfig) encode(t *lua.Thread) int {
	if t.NArgs() != 1 {
		t.ArgError(1, "expected 1 argument")
	}
	e := &encoder{jsonConfig: c, t: t, out: make([]byte, 0, 128), meter: t.State().Meter()}
	e.value(t.Arg(1))
	return t.Return(t.State().Bytes(e.out))
}

func (e *encoder) refuse(v lua.Value, why string) {
	e.t.Errorf("Cannot serialise %s: %s", v.Kind(), why)
}

func (e *encoder) value(v lua.Value) {
	s := e.t.State()
	s.Work(1)
	e.meter.Need(len(e.out))
	switch v.Kind() {
	case lua.String:
		text, _ := v.AsString()
		e.text(text)
	case lua.Number:
		f, _ := v.AsNumber()
		e.number(v, f)
	case lua.Boolean:
		if v.Truthy() {
			e.out = append(e.out, "true"...)
		} else {
			e.out = append(e.out, "false"...)
		}
	case lua.TableKind:
		e.depth++
		if e.depth > e.encodeDepth || e.depth > maxJSONStack {
			e.t.Errorf("Cannot serialise, excessive nesting (%d)", e.depth)
		}
		t := v.AsTable()
		if n := e.arrayLength(v, t); n > 0 {
			e.array(t, n)
		} else {
			e.object(t)
		}
		e.depth--
	case lua.Nil:
		e.out = append(e.out, "null"...)
	default:
		if !v.Equal(Null) {
			e.refuse(v, "type not supported")
		}
		e.out = append(e.out, "null"...)
	}
}

// maxJSONStack is where the stack of Redis's Lua ends, whatever the options.
const maxJSONStack = 2650

const hexDigits = "0123456789abcdef"

func (e *encoder) text(s string) {
	e.meter.Need(len(e.out) + len(s))
	e.t.State().Work(len(s) >> 6)
	e.out = append(e.out, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 32 && c != '"' && c != '\\' && c != '/' && c != 127 {
			continue
		}
		e.out = append(e.out, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\', '/':
			e.out = append(e.out, '\\', c)
		case '\b':
			e.out = append(e.out, `\b`...)
		case '\t':
			e.out = append(e.out, `\t`...)
		case '\n':
			e.out = append(e.out, `\n`...)
		case '\f':
			e.out = append(e.out, `\f`...)
		case '\r':
			e.out = append(e.out, `\r`...)
		default:
			e.out = append(e.out, `\u00`...)
			e.out = append(e.out, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	e.out = append(append(e.out, s[from:]...), '"')
}

func (e *encoder) number(v lua.Value, f float64) {
	if math.IsInf(f, 0) || f != f {
		switch {
		case e.encodeInvalid == 0:
			e.refuse(v, "must not be NaN or Inf")
		case e.encodeInvalid == 2:
			e.out = append(e.out, "null"...)
			return
		case f != f:
			e.out = append(e.out, "nan"...)
			return
		}
	}
	e.out = lua.AppendG(e.out, f, e.precision)
}

// arrayLength is the highest index of a table that is an array, -1 for one that is an object.
func (e *encoder) arrayLength(v lua.Value, t *lua.Table) int {
	items, top := 0, 0.0
	for at := 0; ; {
		k, _, next, more := t.Step(at)
		if !more {
			break
		}
		at = next
		f, ok := k.AsNumber()
		if !ok || f < 1 || f != math.Floor(f) {
			return -1
		}
		top = max(top, f)
		items++
	}
	if e.sparseRatio > 0 && top > float64(items*e.sparseRatio) && top > float64(e.sparseSafe) {
		if !e.sparseConvert {
			e.refuse(v, "excessively sparse array")
		}
		return -1
	}
	return int(min(top, math.MaxInt32))
}

func (e *encoder) array(t *lua.Table, n int) {
	e.out = append(e.out, '[')
	for i := 1; i <= n; i++ {
		if i > 1 {
			e.out = append(e.out, ',')
		}
		e.value(t.GetInt(i))
	}
	e.out = append(e.out, ']')
}

func (e *encoder) object(t *lua.Table) {
	e.out = append(e.out, '{')
	first := true
	for at := 0; ; {
		k, v, next, more := t.Step(at)
		if !more {
			break
		}
		at = next
		if !first {
			e.out = append(e.out, ',')
		}
		first = false
		switch k.Kind() {
		case lua.Number:
			f, _ := k.AsNumber()
			e.out = append(e.out, '"')
			e.number(k, f)
			e.out = append(e.out, '"', ':')
		case lua.String:
			s, _ := k.AsString()
			e.text(s)
			e.out = append(e.out, ':')
		default:
			e.refuse(k, "table key must be a number or string")
		}
		e.value(v)
	}
	e.out = append(e.out, '}')
}

// decoder reads JSON.
type decoder struct {
	*jsonConfig
	t     *lua.Thread
	in    string
	at    int
	depth int
	kind  string // of the current token, as error messages name it
	index int    // where it begins
	text  string
	num   float64
	yes   bool
	bad   string // what is wrong with it, for T_ERROR
	buf   []byte
}

func (c *jsonConfig) decode(t *lua.Thread) int {
	if t.NArgs() != 1 {
		t.ArgError(1, "expected 1 argument")
	}
	in := t.CheckString(1)
	if len(in) >= 2 && (in[0] == 0 || in[1] == 0) {
		t.Errorf("JSON parser does not support UTF-16 or UTF-32")
	}
	d := &decoder{jsonConfig: c, t: t, in: in}
	d.next()
	v := d.value()
	d.next()
	if d.kind != "T_END" {
		d.expected("the end")
	}
	return t.Return(v)
}

func (d *decoder) expected(what string) {
	found := d.kind
	if found == "T_ERROR" {
		found = d.bad
	}
	d.t.Errorf("Expected %s but found %s at character %d", what, found, d.index+1)
}

func (d *decoder) fail(why string) {
	d.kind, d.bad, d.index = "T_ERROR", why, d.at
}

// peek is the byte at a place; a string ends with a zero byte.
func (d *decoder) peek(i int) byte {
	if i < len(d.in) {
		return d.in[i]
	}
	return 0
}

func (d *decoder) next() {
	for {
		c := d.peek(d.at)
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			break
		}
		d.at++
	}
	d.index = d.at
	c := d.peek(d.at)
	single := func(kind string) {
		d.kind = kind
		d.at++
	}
	switch c {
	case '{':
		single("T_OBJ_BEGIN")
	case '}':
		single("T_OBJ_END")
	case '[':
		single("T_ARR_BEGIN")
	case ']':
		single("T_ARR_END")
	case ',':
		single("T_COMMA")
	case ':':
		single("T_COLON")
	case 0:
		d.kind = "T_END"
	case '"':
		d.string()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if !d.decodeInvalid && d.invalidNumber() {
			d.fail("invalid number")
			return
		}
		d.number()
	default:
		rest := d.in[d.at:]
		switch {
		case strings.HasPrefix(rest, "true"):
			d.kind, d.yes = "T_BOOLEAN", true
			d.at += 4
		case strings.HasPrefix(rest, "false"):
			d.kind, d.yes = "T_BOOLEAN", false
			d.at += 5
		case strings.HasPrefix(rest, "null"):
			d.kind = "T_NULL"
			d.at += 4
		case strings.IndexByte("+iInN", c) >= 0 && d.decodeInvalid && d.invalidNumber():
			d.number()
		default:
			d.fail("invalid token")
		}
	}
}

// invalidNumber reports a number that C reads and JSON does not know.
func (d *decoder) invalidNumber() bool {
	p := d.at
	if d.peek(p) == '+' {
		return true
	}
	if d.peek(p) == '-' {
		p++
	}
	c := d.peek(p)
	if c == '0' {
		n := d.peek(p + 1)
		return n|0x20 == 'x' || n >= '0' && n <= '9'
	}
	if c <= '9' {
		return false
	}
	word := strings.ToLower(d.in[p:min(p+3, len(d.in))])
	return word == "inf" || word == "nan"
}

// number reads the longest beginning that is a number for C.
func (d *decoder) number() {
	end := numberEnd(d.in, d.at)
	f, ok := 0.0, false
	if end > d.at {
		f, ok = lua.ParseNumber(d.in[d.at:end])
	}
	if !ok {
		d.fail("invalid number")
		return
	}
	d.kind, d.num, d.at = "T_NUMBER", f, end
}

func numberEnd(s string, from int) int {
	i := from
	at := func(i int) byte {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	if at(i) == '-' || at(i) == '+' {
		i++
	}
	rest := strings.ToLower(s[i:min(i+8, len(s))])
	switch {
	case rest == "infinity":
		return i + 8
	case strings.HasPrefix(rest, "inf"), strings.HasPrefix(rest, "nan"):
		return i + 3
	}
	isHex := func(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
	if at(i) == '0' && at(i+1)|0x20 == 'x' && (isHex(at(i+2)) || at(i+2) == '.' && isHex(at(i+3))) {
		i += 2
		for isHex(at(i)) {
			i++
		}
		if at(i) == '.' {
			i++
			for isHex(at(i)) {
				i++
			}
		}
		return exponent(at, digit, i, 'p')
	}
	digits := 0
	for digit(at(i)) {
		i++
		digits++
	}
	if at(i) == '.' && (digits > 0 || digit(at(i+1))) {
		i++
		for digit(at(i)) {
			i++
			digits++
		}
	}
	if digits == 0 {
		return from
	}
	return exponent(at, digit, i, 'e')
}

func exponent(at func(int) byte, digit func(byte) bool, i int, mark byte) int {
	if at(i)|0x20 != mark {
		return i
	}
	j := i + 1
	if at(j) == '-' || at(j) == '+' {
		j++
	}
	if !digit(at(j)) {
		return i
	}
	for digit(at(j)) {
		j++
	}
	return j
}

func (d *decoder) string() {
	d.at++
	from := d.at
	for d.at < len(d.in) && d.in[d.at] != '"' && d.in[d.at] != '\\' && d.in[d.at] != 0 {
		d.at++
	}
	d.t.State().Work((d.at - from) >> 6)
	if d.peek(d.at) == '"' && d.at < len(d.in) {
		d.kind, d.text = "T_STRING", d.in[from:d.at]
		d.at++
		return
	}
	d.buf = append(d.buf[:0], d.in[from:d.at]...)
	for {
		if d.peek(d.at) == 0 {
			d.fail("unexpected end of string")
			return
		}
		c := d.in[d.at]
		if c == '"' {
			break
		}
		if c != '\\' {
			d.buf = append(d.buf, c)
			d.at++
			continue
		}
		switch c = d.peek(d.at + 1); c {
		case '"', '\\', '/':
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			if !d.unicode() {
				d.fail("invalid unicode escape code")
				return
			}
			continue
		default:
			d.fail("invalid escape code")
			return
		}
		d.buf = append(d.buf, c)
		d.at += 2
	}
	d.at++
	d.kind, d.text = "T_STRING", string(d.buf)
}

func (d *decoder) hex4(at int) int {
	n := 0
	for i := range 4 {
		c := d.peek(at + i)
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		n = n<<4 | int(c)
	}
	return n
}

func (d *decoder) unicode() bool {
	n, size := d.hex4(d.at+2), 6
	if n < 0 {
		return false
	}
	if n&0xF800 == 0xD800 {
		if n&0x400 != 0 || d.peek(d.at+6) != '\\' || d.peek(d.at+7) != 'u' {
			return false
		}
		low := d.hex4(d.at + 8)
		if low < 0 || low&0xFC00 != 0xDC00 {
			return false
		}
		n = (n&0x3FF)<<10 + low&0x3FF + 0x10000
		size = 12
	}
	d.buf = utf8.AppendRune(d.buf, rune(n))
	d.at += size
	return true
}

func (d *decoder) value() lua.Value {
	s := d.t.State()
	s.Work(1)
	switch d.kind {
	case "T_STRING":
		return s.Str(strings.Clone(d.text))
	case "T_NUMBER":
		return lua.Num(d.num)
	case "T_BOOLEAN":
		return lua.Bool(d.yes)
	case "T_NULL":
		return Null
	case "T_OBJ_BEGIN":
		return d.object()
	case "T_ARR_BEGIN":
		return d.array()
	}
	d.expected("value")
	return lua.NilValue
}

func (d *decoder) descend() {
	if d.depth++; d.depth > d.decodeDepth || d.depth > maxJSONStack {
		d.t.Errorf("Found too many nested data structures (%d) at character %d", d.depth, d.at)
	}
}

func (d *decoder) leave() {
	d.depth--
	d.t.Pop(1)
}

func (d *decoder) object() lua.Value {
	d.descend()
	tab := d.t.State().NewTable(0, 0)
	d.t.Push(lua.Tab(tab)) // where it is measured
	d.next()
	if d.kind == "T_OBJ_END" {
		d.leave()
		return lua.Tab(tab)
	}
	for {
		if d.kind != "T_STRING" {
			d.expected("object key string")
		}
		key := d.t.State().Str(strings.Clone(d.text))
		d.next()
		if d.kind != "T_COLON" {
			d.expected("colon")
		}
		d.next()
		tab.Set(key, d.value())
		d.next()
		if d.kind == "T_OBJ_END" {
			d.leave()
			return lua.Tab(tab)
		}
		if d.kind != "T_COMMA" {
			d.expected("comma or object end")
		}
		d.next()
	}
}

func (d *decoder) array() lua.Value {
	d.descend()
	tab := d.t.State().NewTable(0, 0)
	d.t.Push(lua.Tab(tab)) // where it is measured
	d.next()
	if d.kind == "T_ARR_END" {
		d.leave()
		return lua.Tab(tab)
	}
	for i := 1; ; i++ {
		tab.SetInt(i, d.value())
		d.next()
		if d.kind == "T_ARR_END" {
			d.leave()
			return lua.Tab(tab)
		}
		if d.kind != "T_COMMA" {
			d.expected("comma or array end")
		}
		d.next()
	}
}
