package resp

// SplitArgs splits a line into words as inline requests and configuration files do: words are separated by white space;
// "double quotes" know \n \r \t \b \a \xHH and take any other escaped byte for itself; 'single quotes' know only \'. A quote
// may start inside a word, but only white space may follow where it ends. The error is ErrUnbalanced.
//
// Words without quotes are slices of line, the others are new.
func SplitArgs(line []byte) ([][]byte, error) {
	args, ok := splitArgs(nil, line)
	if !ok {
		return nil, ErrUnbalanced
	}
	return args, nil
}

// splitArgs appends the words of line to args. It is false when a quote is not closed, or closed inside a word.
func splitArgs(args [][]byte, line []byte) ([][]byte, bool) {
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return args, true
		}
		start := i
		for i < len(line) && !endsWord(line[i]) && line[i] != '"' && line[i] != '\'' {
			i++
		}
		if i == len(line) || endsWord(line[i]) {
			args = append(args, line[start:i:i])
			continue
		}
		word, next := quoted(append([]byte(nil), line[start:i]...), line, i)
		if next < 0 {
			return args, false
		}
		args = append(args, word)
		i = next
	}
}

// quoted appends the rest of a word, whose first quote is at line[i], to word. It returns the offset after the word, or -1
// when the quote is unbalanced.
func quoted(word, line []byte, i int) ([]byte, int) {
	quote := line[i]
	for i++; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			if i+1 < len(line) && !isSpace(line[i+1]) {
				return nil, -1
			}
			return word, i + 1
		case c != '\\' || i+1 == len(line):
		case quote == '\'':
			if line[i+1] == '\'' {
				i++
				c = '\''
			}
		case line[i+1] == 'x' && i+3 < len(line) && hexDigit(line[i+2]) < 16 && hexDigit(line[i+3]) < 16:
			c = hexDigit(line[i+2])<<4 | hexDigit(line[i+3])
			i += 3
		default:
			i++
			c = unescape(line[i])
		}
		word = append(word, c)
	}
	return nil, -1
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

// hexDigit is the value of a hexadecimal digit, or 16 of any other byte.
func hexDigit(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case (c|0x20)-'a' <= 5:
		return (c | 0x20) - 'a' + 10
	}
	return 16
}

// isSpace tells what may stand before a word and after a closing quote.
func isSpace(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }

// endsWord tells what ends a word outside quotes: a vertical tab or a form feed does not.
func endsWord(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
