package lua

// Patterns of the string library: backtracking over bytes. Work is counted per step, so that a pattern that explodes can be stopped, and
// nesting is limited.

const (
	maxCaptures     = 32
	maxMatchDepth   = 200000
	captureUnclosed = -1
	capturePosition = -2
)

type matcher struct {
	t     *Thread
	src   string
	pat   string
	level int
	depth int
	caps  [maxCaptures]struct{ from, n int }
}

// newMatcher takes the state's matcher, or makes one while that is in use further out.
func (t *Thread) newMatcher(src, pat string) *matcher {
	m := t.st.matcher
	if m == nil {
		m = new(matcher)
	}
	t.st.matcher = nil
	m.t, m.src, m.pat, m.level, m.depth = t, src, pat, 0, 0
	return m
}

func (m *matcher) release() {
	m.t.st.matcher = m
	m.t, m.src, m.pat = nil, "", ""
}

func (m *matcher) fail(msg string) { m.t.Errorf("%s", msg) }

// classEnd is the place after the single-character class at p.
func (m *matcher) classEnd(p int) int {
	c := m.pat[p]
	p++
	switch c {
	case '%':
		if p >= len(m.pat) {
			m.fail("malformed pattern (ends with '%')")
		}
		return p + 1
	case '[':
		if p < len(m.pat) && m.pat[p] == '^' {
			p++
		}
		for first := true; first || p >= len(m.pat) || m.pat[p] != ']'; first = false {
			if p >= len(m.pat) {
				m.fail("malformed pattern (missing ']')")
			}
			c := m.pat[p]
			p++
			if c == '%' && p < len(m.pat) {
				p++
			}
		}
		return p + 1
	}
	return p
}

func inClass(c, class byte) bool {
	var r bool
	switch class | 0x20 {
	case 'a':
		r = isAlpha(c)
	case 'c':
		r = c < 32 || c == 127
	case 'd':
		r = isDigit(c)
	case 'l':
		r = c >= 'a' && c <= 'z'
	case 'p':
		r = c > 32 && c < 127 && !isAlpha(c) && !isDigit(c)
	case 's':
		r = isSpace(c)
	case 'u':
		r = c >= 'A' && c <= 'Z'
	case 'w':
		r = isAlpha(c) || isDigit(c)
	case 'x':
		r = isXDigit(c)
	case 'z':
		r = c == 0
	default:
		return class == c
	}
	if !isAlpha(class) {
		return class == c
	}
	if class < 'a' {
		return !r
	}
	return r
}

// inSet looks for c in the set from '[' at p to ']' at end.
func (m *matcher) inSet(c byte, p, end int) bool {
	found := true
	if m.pat[p+1] == '^' {
		found = false
		p++
	}
	for p++; p < end; p++ {
		switch {
		case m.pat[p] == '%':
			p++
			if inClass(c, m.pat[p]) {
				return found
			}
		case p+2 < end && m.pat[p+1] == '-':
			p += 2
			if m.pat[p-2] <= c && c <= m.pat[p] {
				return found
			}
		case m.pat[p] == c:
			return found
		}
	}
	return !found
}

func (m *matcher) single(s, p, end int) bool {
	if s >= len(m.src) {
		return false
	}
	c := m.src[s]
	switch m.pat[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pat[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	}
	return m.pat[p] == c
}

// match matches the pattern from p at s and returns where the match ends, or -1.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxMatchDepth {
		m.fail("pattern too complex")
	}
	r := m.run(s, p)
	m.depth--
	return r
}

func (m *matcher) run(s, p int) int {
	for {
		m.t.st.tick()
		if p == len(m.pat) {
			return s
		}
		switch m.pat[p] {
		case '(':
			if p+1 < len(m.pat) && m.pat[p+1] == ')' {
				return m.open(s, p+2, capturePosition)
			}
			return m.open(s, p+1, captureUnclosed)
		case ')':
			return m.close(s, p+1)
		case '%':
			if p+1 < len(m.pat) {
				switch c := m.pat[p+1]; {
				case c == 'b':
					if s = m.balance(s, p+2); s < 0 {
						return -1
					}
					p += 4
					continue
				case c == 'f':
					p += 2
					if p >= len(m.pat) || m.pat[p] != '[' {
						m.fail("missing '[' after '%f' in pattern")
					}
					end := m.classEnd(p)
					var prev, cur byte
					if s > 0 {
						prev = m.src[s-1]
					}
					if s < len(m.src) {
						cur = m.src[s]
					}
					if m.inSet(prev, p, end-1) || !m.inSet(cur, p, end-1) {
						return -1
					}
					p = end
					continue
				case isDigit(c):
					if s = m.back(s, c); s < 0 {
						return -1
					}
					p += 2
					continue
				}
			}
		case '$':
			if p+1 == len(m.pat) {
				if s == len(m.src) {
					return s
				}
				return -1
			}
		}
		end := m.classEnd(p)
		var suffix byte
		if end < len(m.pat) {
			suffix = m.pat[end]
		}
		switch suffix {
		case '?':
			if m.single(s, p, end) {
				if r := m.match(s+1, end+1); r >= 0 {
					return r
				}
			}
			p = end + 1
		case '*':
			return m.most(s, p, end)
		case '+':
			if !m.single(s, p, end) {
				return -1
			}
			return m.most(s+1, p, end)
		case '-':
			for {
				if r := m.match(s, end+1); r >= 0 {
					return r
				}
				if !m.single(s, p, end) {
					return -1
				}
				s++
			}
		default:
			if !m.single(s, p, end) {
				return -1
			}
			s++
			p = end
		}
	}
}

func (m *matcher) most(s, p, end int) int {
	i := 0
	for m.single(s+i, p, end) {
		i++
	}
	m.t.st.Work(i >> 3)
	for ; i >= 0; i-- {
		if r := m.match(s+i, end+1); r >= 0 {
			return r
		}
	}
	return -1
}

func (m *matcher) open(s, p, what int) int {
	if m.level >= maxCaptures {
		m.fail("too many captures")
	}
	m.caps[m.level].from, m.caps[m.level].n = s, what
	m.level++
	r := m.match(s, p)
	if r < 0 {
		m.level--
	}
	return r
}

func (m *matcher) close(s, p int) int {
	l := -1
	for i := m.level - 1; i >= 0; i-- {
		if m.caps[i].n == captureUnclosed {
			l = i
			break
		}
	}
	if l < 0 {
		m.fail("invalid pattern capture")
	}
	m.caps[l].n = s - m.caps[l].from
	r := m.match(s, p)
	if r < 0 {
		m.caps[l].n = captureUnclosed
	}
	return r
}

func (m *matcher) balance(s, p int) int {
	if p+1 >= len(m.pat) {
		m.fail("unbalanced pattern")
	}
	if s >= len(m.src) || m.src[s] != m.pat[p] {
		return -1
	}
	b, e := m.pat[p], m.pat[p+1]
	depth := 1
	for i := s + 1; i < len(m.src); i++ {
		if i&1023 == 0 {
			m.t.st.Work(64)
		}
		switch m.src[i] {
		case e:
			if depth--; depth == 0 {
				return i + 1
			}
		case b:
			depth++
		}
	}
	return -1
}

func (m *matcher) back(s int, c byte) int {
	l := int(c) - '1'
	if l < 0 || l >= m.level || m.caps[l].n == captureUnclosed {
		m.fail("invalid capture index")
	}
	n := max(m.caps[l].n, 0)
	text := m.src[m.caps[l].from : m.caps[l].from+n]
	if len(m.src)-s >= n && m.src[s:s+n] == text {
		return s + n
	}
	return -1
}

// capture is the value of a capture; the whole match if there is none.
func (m *matcher) capture(i, s, e int) Value {
	if i >= m.level {
		if i == 0 {
			return m.t.st.Str(m.src[s:e])
		}
		m.fail("invalid capture index")
	}
	c := m.caps[i]
	switch c.n {
	case capturePosition:
		return Int(c.from + 1)
	case captureUnclosed:
		m.fail("unfinished capture")
	}
	return m.t.st.Str(m.src[c.from : c.from+c.n])
}

// pushCaptures pushes all captures, or the whole match if there are none and whole is set.
func (m *matcher) pushCaptures(s, e int, whole bool) int {
	n := m.level
	if n == 0 && whole {
		n = 1
	}
	for i := 0; i < n; i++ {
		m.t.Push(m.capture(i, s, e))
	}
	return n
}
