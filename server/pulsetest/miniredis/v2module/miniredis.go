// Package miniredis is github.com/streampulse/pulse/server/pulsetest/miniredis under the path of the package that it stands in for, so that a
// program moves to it with a replace directive and no change of its sources. The documentation is there.
package miniredis

import (
	"crypto/tls"

	"github.com/streampulse/pulse/server/pulsetest/miniredis"
)

// The types.
type (
	Miniredis      = miniredis.Miniredis
	RedisDB        = miniredis.RedisDB
	Subscriber     = miniredis.Subscriber
	PubsubMessage  = miniredis.PubsubMessage
	PubsubPmessage = miniredis.PubsubPmessage
	StreamEntry    = miniredis.StreamEntry
	T              = miniredis.T
	Tester         = miniredis.Tester
)

// The errors.
var (
	ErrKeyNotFound           = miniredis.ErrKeyNotFound
	ErrWrongType             = miniredis.ErrWrongType
	ErrNotValidHllValue      = miniredis.ErrNotValidHllValue
	ErrIntValueError         = miniredis.ErrIntValueError
	ErrIntValueOverflowError = miniredis.ErrIntValueOverflowError
	ErrFloatValueError       = miniredis.ErrFloatValueError
)

// DumpMaxLineLen is how long a line of Dump may be before it is shortened, in bytes.
var DumpMaxLineLen = miniredis.DumpMaxLineLen

func init() { miniredis.DumpLimit(&DumpMaxLineLen) }

// NewMiniRedis returns a server that has not been started.
func NewMiniRedis() *Miniredis { return miniredis.NewMiniRedis() }

// Run starts a server on a free port of the loopback interface.
func Run() (*Miniredis, error) { return miniredis.Run() }

// RunTLS is Run with TLS.
func RunTLS(cfg *tls.Config) (*Miniredis, error) { return miniredis.RunTLS(cfg) }

// RunT is Run for the duration of a test.
func RunT(t Tester) *Miniredis { return miniredis.RunT(t) }
