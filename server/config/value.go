package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// value is one setting of one parameter. It is immutable: a change stores a new value.
type value struct {
	// text is what CONFIG GET answers.
	text string
	// num is the number behind every kind but KindString and KindSpecial: 0 or 1 for KindBool, the index in Values for
	// KindEnum, a bit for each of Values after the first for KindFlags, minus the percentage for a percentage.
	num int64
	// data is what KindSpecial was parsed to.
	data any
}

var (
	errBool    = errors.New("argument must be 'yes' or 'no'")
	errInt     = errors.New("argument couldn't be parsed into an integer")
	errOctal   = errors.New("argument couldn't be parsed as an octal number")
	errMemory  = errors.New("argument must be a memory value")
	errPercent = errors.New("argument must be a memory or percent value")
	errHigh    = errors.New("percentage argument must be less or equal to 100")
	errWords   = errors.New("wrong number of arguments")
)

// parseValue reads the words given for p. old is the value so far; loading tells a file or a command line, where some
// directives add to what earlier lines set, from CONFIG SET, which always replaces.
func (p *Param) parseValue(words []string, old *value, loading bool) (*value, error) {
	switch p.Kind {
	case KindSpecial:
		return p.parse(words, old, loading)
	case KindFlags:
		return p.parseFlags(words)
	}
	if len(words) != 1 {
		return nil, errWords
	}
	word := words[0]
	switch p.Kind {
	case KindBool:
		return p.parseBool(word)
	case KindEnum:
		for i, name := range p.Values {
			if strings.EqualFold(word, name) {
				n := int64(i)
				if p.normalize != nil {
					n = p.normalize(n)
				}
				return &value{text: p.Values[n], num: n}, nil
			}
		}
		return nil, p.enumError()
	case KindString:
		if p.check != nil {
			if err := p.check(word); err != nil {
				return nil, err
			}
		}
		return &value{text: word}, nil
	default:
		return p.parseNumber(word)
	}
}

func (p *Param) enumError() error {
	return errors.New("argument(s) must be one of the following: " + strings.Join(p.Values, ", "))
}

func (p *Param) parseBool(word string) (*value, error) {
	yes := strings.EqualFold(word, "yes")
	if !yes && !strings.EqualFold(word, "no") {
		return nil, errBool
	}
	v := &value{text: yesNo(yes)}
	if yes {
		v.num = 1
	}
	if p.check != nil {
		if err := p.check(v.text); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (p *Param) parseFlags(words []string) (*value, error) {
	if len(words) == 0 {
		return nil, p.enumError()
	}
	var bits int64
words:
	for _, word := range words {
		for i, name := range p.Values {
			if strings.EqualFold(word, name) {
				bits |= 1 << i >> 1
				continue words
			}
		}
		return nil, p.enumError()
	}
	names := make([]string, 0, len(p.Values))
	for i, name := range p.Values[1:] {
		if bits&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = append(names, p.Values[0])
	}
	v := &value{text: strings.Join(names, " "), num: bits}
	if p.check != nil {
		if err := p.check(v.text); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (p *Param) parseNumber(word string) (*value, error) {
	n, err := p.number(word)
	if err != nil {
		return nil, err
	}
	if p.Kind == KindPercentMemory && n < 0 {
		if n < p.Min {
			return nil, errHigh
		}
	} else if n < p.Min || n > p.Max {
		base := 10
		if p.Kind == KindOctal {
			base = 8
		}
		return nil, errors.New("argument must be between " + strconv.FormatInt(p.Min, base) + " and " +
			strconv.FormatInt(p.Max, base) + " inclusive")
	}
	if p.normalize != nil {
		n = p.normalize(n)
	}
	return &value{text: p.format(n), num: n}, nil
}

// number reads a word as a number of p's kind, without its bounds.
func (p *Param) number(word string) (int64, error) {
	switch p.Kind {
	case KindOctal:
		n, err := strconv.ParseUint(word, 8, 63)
		if err != nil {
			return 0, errOctal
		}
		return int64(n), nil
	case KindPercentMemory:
		if digits, ok := strings.CutSuffix(word, "%"); ok {
			n, err := parseInt(digits)
			if err != nil || n < 0 {
				return 0, errPercent
			}
			return -n, nil
		}
		n, ok := ParseMemory(word)
		if !ok {
			return 0, errPercent
		}
		return n, nil
	case KindMemory:
		n, ok := ParseMemory(word)
		if !ok {
			return 0, errMemory
		}
		return n, nil
	}
	return parseInt(word)
}

// format is the inverse of number.
func (p *Param) format(n int64) string {
	switch {
	case p.Kind == KindOctal:
		return strconv.FormatInt(n, 8)
	case p.Kind == KindPercentMemory && n < 0:
		return strconv.FormatInt(-n, 10) + "%"
	}
	return strconv.FormatInt(n, 10)
}

// parseInt reads a decimal number in its one canonical spelling: no blanks, plus signs or leading zeros.
func parseInt(word string) (int64, error) {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != word {
		return 0, errInt
	}
	return n, nil
}

// ParseMemory reads a number of bytes with an optional unit, in any letter case: b, k, kb, m, mb, g, gb; the units with
// a b are powers of 1024, those without powers of 1000. No digits at all are zero. It reports false for what is no such
// number, and for one that an int64 cannot hold: redis-server lets that wrap around.
func ParseMemory(word string) (int64, bool) {
	digits := 0
	for digits < len(word) && word[digits] >= '0' && word[digits] <= '9' {
		digits++
	}
	unit, ok := memoryUnits[strings.ToLower(word[digits:])]
	if !ok {
		return 0, false
	}
	if digits == 0 {
		return 0, true
	}
	n, err := strconv.ParseInt(word[:digits], 10, 64)
	if err != nil || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

var memoryUnits = map[string]int64{
	"": 1, "b": 1,
	"k": 1e3, "m": 1e6, "g": 1e9,
	"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30,
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
