// Package proto has the API of the package of this name in miniredis: the protocol of Redis as strings, for tests that compare replies
// byte by byte.
//
// Functions are pure. A Client belongs to one goroutine.
package proto

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/internal/num"
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/pulsetest/miniredis/internal/native"
)

var (
	// ErrProtocol tells that something is no reply.
	ErrProtocol = errors.New("unsupported protocol")
	// ErrUnexpected tells that a reply is of another type.
	ErrUnexpected = errors.New("not what you asked for")
)

// What is said where there is no value.
const (
	Nil      = "$-1\r\n"
	NilResp3 = "_\r\n"
	NilList  = "*-1\r\n"
)

// String is a string of any bytes.
func String(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// Inline is a status.
func Inline(s string) string { return "+" + s + "\r\n" }

// Error is an error.
func Error(s string) string { return "-" + s + "\r\n" }

// Int is an integer.
func Int(n int) string { return ":" + strconv.Itoa(n) + "\r\n" }

// Float is a floating point number of RESP3.
func Float(n float64) string {
	return "," + string(num.AppendFloat(nil, n)) + "\r\n"
}

func group(mark string, n int, args []string) string {
	return mark + strconv.Itoa(n) + "\r\n" + strings.Join(args, "")
}

// Array is an array of replies.
func Array(args ...string) string { return group("*", len(args), args) }

// Push is a push of replies.
func Push(args ...string) string { return group(">", len(args), args) }

// Set is a set of replies.
func Set(args ...string) string { return group("~", len(args), args) }

// Map is a map of replies, keys and values in turn.
func Map(args ...string) string { return group("%", len(args)/2, args) }

func each(args []string) []string {
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = String(a)
	}
	return list
}

// Strings is an array of strings.
func Strings(args ...string) string { return Array(each(args)...) }

// StringSet is a set of strings.
func StringSet(args ...string) string { return Set(each(args)...) }

// StringMap is a map of strings, keys and values in turn.
func StringMap(args ...string) string { return Map(each(args)...) }

// Ints is an array of integers.
func Ints(args ...int) string {
	list := make([]string, len(args))
	for i, n := range args {
		list[i] = Int(n)
	}
	return Array(list...)
}

// Read reads one reply and returns its bytes.
func Read(r *bufio.Reader) (string, error) {
	var raw bytes.Buffer
	// Replies that are still to be read: those in arrays count as soon as their header was read.
	for left := 1; left > 0; left-- {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if len(line) < 3 || !strings.HasSuffix(line, "\r\n") {
			return "", ErrProtocol
		}
		raw.WriteString(line)
		n := 0
		if strings.ContainsRune("$!=*~>%|", rune(line[0])) {
			if n, err = strconv.Atoi(line[1 : len(line)-2]); err != nil || n < -1 || n > resp.DefaultMaxBulk {
				return "", ErrProtocol
			}
		}
		switch line[0] {
		case '+', '-', ':', '_', ',', '#', '(':
		case '$', '!', '=':
			if n < 0 {
				continue
			}
			if _, err = io.CopyN(&raw, r, int64(n)+2); err != nil {
				return "", err
			}
		case '*', '~', '>':
			left += max(n, 0)
		case '%':
			left += 2 * max(n, 0)
		case '|':
			left += 2*max(n, 0) + 1
		default:
			return "", ErrProtocol
		}
	}
	return raw.String(), nil
}

// Write writes a request.
func Write(w io.Writer, cmd []string) error {
	_, err := io.WriteString(w, Strings(cmd...))
	return err
}

// decode reads the reply that b is.
func decode(b string) (resp.Value, error) {
	rd := bufio.NewReader(strings.NewReader(b))
	v, err := resp.Decode(rd)
	if err != nil {
		return v, ErrProtocol
	}
	if _, err = rd.ReadByte(); err == nil {
		return v, ErrProtocol
	}
	return v, nil
}

// ReadError returns the text of an error.
func ReadError(b string) (string, error) {
	v, err := decode(b)
	if err == nil && v.Type != '-' {
		err = ErrUnexpected
	}
	if err != nil {
		return "", err
	}
	return string(v.Str), nil
}

// ReadString returns a string.
func ReadString(b string) (string, error) {
	v, err := decode(b)
	if err == nil && (v.Type != '$' || v.Null) {
		err = ErrUnexpected
	}
	if err != nil {
		return "", err
	}
	return string(v.Str), nil
}

// ReadArray returns the elements of an array, set, push or map as they are.
func ReadArray(b string) ([]string, error) {
	v, err := decode(b)
	if err != nil {
		return nil, err
	}
	if !strings.ContainsRune("*~>%", rune(v.Type)) {
		return nil, ErrUnexpected
	}
	_, rest, _ := strings.Cut(b, "\n")
	rd := bufio.NewReader(strings.NewReader(rest))
	list := []string{}
	for range v.Elems {
		e, err := Read(rd)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// ReadStrings returns the strings of an array, set, push or map.
func ReadStrings(b string) ([]string, error) {
	elems, err := ReadArray(b)
	if err != nil {
		return nil, err
	}
	list := make([]string, len(elems))
	for i, e := range elems {
		if list[i], err = ReadString(e); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Parse returns the reply that b is: a string for a string or a status, an int, a float64, a bool, nil, an error, a []any for an array,
// set or push, and a map[any]any for a map.
func Parse(b string) (interface{}, error) {
	v, err := decode(b)
	if err != nil {
		return nil, err
	}
	return native.Of(v, func(status string) any { return status }), nil
}
