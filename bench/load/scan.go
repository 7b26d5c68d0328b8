package load

import (
	"errors"
	"fmt"
)

// maxBulk and maxAggregate bound what a reply may announce; both are far above anything a workload asks for.
const (
	maxBulk      = 1 << 30
	maxAggregate = 1 << 24
)

var errReply = errors.New("load: reply is not RESP")

// Scanner counts complete replies in a RESP2 or RESP3 byte stream that arrives in pieces of any size. It stores no
// reply. Nested replies cost no stack: it only counts how many elements are still owed. The zero value is ready.
type Scanner struct {
	Nulls    int64  // null replies and null elements seen
	Errors   int64  // error replies seen
	FirstErr string // text of the first one, at most 128 bytes

	owed   int   // elements missing from the current reply; 0 between replies
	skip   int   // bytes of a bulk body and its CRLF still to pass over
	typ    byte  // type of the header line under way, 0 when at an element's border
	num    int64 // number in that line so far
	neg    bool
	digits int // digits read in that line
	text   []byte
}

// Count passes over b and returns how many replies were completed in it.
func (s *Scanner) Count(b []byte) (int, error) {
	done := 0
	for i := 0; i < len(b); {
		if s.skip > 0 {
			n := min(s.skip, len(b)-i)
			s.skip -= n
			i += n
			if s.skip == 0 {
				done += s.element()
			}
			continue
		}
		c := b[i]
		i++
		if s.typ == 0 {
			if s.owed == 0 {
				s.owed = 1
			}
			s.typ, s.num, s.neg, s.digits = c, 0, false, 0
			s.text = s.text[:0]
			continue
		}
		if c == '\n' {
			n, err := s.line()
			if err != nil {
				return done, err
			}
			done += n
			continue
		}
		switch s.typ {
		case '$', '*', '%', '~', '>', '=', '!':
			switch {
			case c >= '0' && c <= '9' && s.digits < 12:
				s.num = s.num*10 + int64(c-'0')
				s.digits++
			case c == '-' && s.digits == 0 && !s.neg:
				s.neg = true
			case c != '\r':
				return done, fmt.Errorf("%w: byte %q in a length", errReply, c)
			}
		case '-':
			if s.FirstErr == "" && c != '\r' && len(s.text) < 128 {
				s.text = append(s.text, c)
			}
		}
	}
	return done, nil
}

// line ends a header line: a scalar is a whole element, a bulk announces a body, an aggregate announces elements.
func (s *Scanner) line() (int, error) {
	typ := s.typ
	s.typ = 0
	switch typ {
	case '+', ':', ',', '#', '(':
		return s.element(), nil
	case '_':
		s.Nulls++
		return s.element(), nil
	case '-':
		s.Errors++
		if s.FirstErr == "" {
			s.FirstErr = string(s.text)
		}
		return s.element(), nil
	case '$', '=', '!', '*', '%', '~', '>':
	default:
		return 0, fmt.Errorf("%w: type byte %q", errReply, typ)
	}
	if s.digits == 0 || s.neg && s.num != 1 {
		return 0, fmt.Errorf("%w: bad length", errReply)
	}
	if s.neg {
		s.Nulls++
		return s.element(), nil
	}
	switch typ {
	case '$', '=', '!':
		if s.num > maxBulk {
			return 0, fmt.Errorf("%w: bulk of %d bytes", errReply, s.num)
		}
		if typ == '!' {
			s.Errors++
		}
		s.skip = int(s.num) + 2
		return 0, nil
	case '%':
		s.num *= 2
	}
	if s.num > maxAggregate || s.owed > maxAggregate {
		return 0, fmt.Errorf("%w: aggregate of %d elements", errReply, s.num)
	}
	s.owed += int(s.num)
	return s.element(), nil
}

// element notes that one owed element is complete and returns 1 when it completed the reply.
func (s *Scanner) element() int {
	s.owed--
	if s.owed == 0 {
		return 1
	}
	return 0
}
