package server

import (
	"bufio"
	"errors"
	"io"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/pulsetest/miniredis/internal/native"
)

// ErrProtocol is what ParseReply returns for what is no reply.
var ErrProtocol = errors.New("invalid request")

// Simple is a status.
type Simple string

// ParseReply reads one reply. A status is a Simple, a string a string, an integer an int, a number a float64, a missing value nil,
// an array, set or push a []any, and a map a map[any]any. An error reply is returned as the error; the end of the input, also in the
// middle of a reply, is io.EOF.
func ParseReply(rd *bufio.Reader) (any, error) {
	v, err := resp.Decode(rd)
	switch {
	case err == nil && v.Type == '-':
		return nil, errors.New(string(v.Str))
	case err == nil:
		return native.Of(v, func(status string) any { return Simple(status) }), nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, io.EOF
	}
	return nil, ErrProtocol
}
