// Package proto is github.com/streampulse/pulse/server/pulsetest/miniredis/proto under the path of the package that it stands in for.
package proto

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"

	"github.com/streampulse/pulse/server/pulsetest/miniredis/proto"
)

// Client is a connection to a server.
type Client = proto.Client

// What is said where there is no value.
const (
	Nil      = proto.Nil
	NilResp3 = proto.NilResp3
	NilList  = proto.NilList
)

var (
	// ErrProtocol tells that something is no reply.
	ErrProtocol = proto.ErrProtocol
	// ErrUnexpected tells that a reply is of another type.
	ErrUnexpected = proto.ErrUnexpected
)

// Dial connects to a server.
func Dial(addr string) (*Client, error) { return proto.Dial(addr) }

// DialTLS is Dial with TLS.
func DialTLS(addr string, cfg *tls.Config) (*Client, error) { return proto.DialTLS(addr, cfg) }

// NewClient returns a Client for a connection.
func NewClient(c net.Conn) *Client { return proto.NewClient(c) }

// String is a string of any bytes.
func String(s string) string { return proto.String(s) }

// Inline is a status.
func Inline(s string) string { return proto.Inline(s) }

// Error is an error.
func Error(s string) string { return proto.Error(s) }

// Int is an integer.
func Int(n int) string { return proto.Int(n) }

// Float is a floating point number.
func Float(n float64) string { return proto.Float(n) }

// Ints is an array of integers.
func Ints(args ...int) string { return proto.Ints(args...) }

// Array is an array of replies.
func Array(args ...string) string { return proto.Array(args...) }

// Push is a push of replies.
func Push(args ...string) string { return proto.Push(args...) }

// Set is a set of replies.
func Set(args ...string) string { return proto.Set(args...) }

// Map is a map of replies, keys and values in turn.
func Map(args ...string) string { return proto.Map(args...) }

// Strings is an array of strings.
func Strings(args ...string) string { return proto.Strings(args...) }

// StringSet is a set of strings.
func StringSet(args ...string) string { return proto.StringSet(args...) }

// StringMap is a map of strings, keys and values in turn.
func StringMap(args ...string) string { return proto.StringMap(args...) }

// Parse returns the reply that b is.
func Parse(b string) (interface{}, error) { return proto.Parse(b) }

// Read reads one reply and returns its bytes.
func Read(r *bufio.Reader) (string, error) { return proto.Read(r) }

// ReadArray returns the elements of an array, set, push or map as they are.
func ReadArray(b string) ([]string, error) { return proto.ReadArray(b) }

// ReadError returns the text of an error.
func ReadError(b string) (string, error) { return proto.ReadError(b) }

// ReadString returns a string.
func ReadString(b string) (string, error) { return proto.ReadString(b) }

// ReadStrings returns the strings of an array, set, push or map.
func ReadStrings(b string) ([]string, error) { return proto.ReadStrings(b) }

// Write writes a request.
func Write(w io.Writer, cmd []string) error { return proto.Write(w, cmd) }
