package lua

// maxOptional is how many parts of a straight pattern may be there or not: each doubles what may have to be tried.
const maxOptional = 4

// straight reports whether matching against a pattern takes no more time than the text is long, times a constant: it begins at the text's
// beginning and never has a choice, because what is repeated is followed by something else that must be there and cannot be a part of the
// repetition, or by the end. It is conservative: false says nothing.
func straight(pattern string) bool {
	if len(pattern) < 2 || pattern[0] != '^' {
		return false
	}
	type part struct {
		set    [256]bool
		repeat byte // 0, or one of * + - ?
	}
	var parts []part
	optional := 0
	for i := 1; i < len(pattern); {
		var p part
		switch c := pattern[i]; {
		case c == '(' || c == ')':
			i++
			continue
		case c == '$' && i == len(pattern)-1:
			i++
			continue
		case c == '[':
			return false // sets are not looked at
		case c == '.':
			for b := range p.set {
				p.set[b] = true
			}
			i++
		case c == '%':
			if i+1 >= len(pattern) {
				return false
			}
			class := pattern[i+1]
			if class == 'b' || class == 'f' || isDigit(class) {
				return false
			}
			for b := range p.set {
				p.set[b] = inClass(byte(b), class)
			}
			i += 2
		default:
			p.set[c] = true
			i++
		}
		if i < len(pattern) {
			switch r := pattern[i]; r {
			case '*', '+', '-', '?':
				p.repeat = r
				i++
			}
		}
		if p.repeat == '?' {
			optional++
		}
		parts = append(parts, p)
	}
	for i := range parts[:max(len(parts)-1, 0)] {
		p, next := &parts[i], &parts[i+1]
		if p.repeat == 0 || p.repeat == '?' {
			continue
		}
		if next.repeat != 0 && next.repeat != '+' {
			return false
		}
		for b := range p.set {
			if p.set[b] && next.set[b] {
				return false
			}
		}
	}
	return optional <= maxOptional
}
